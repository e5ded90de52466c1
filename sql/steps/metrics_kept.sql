-- The windows of metric $1 that begin at $3, of granularity $2, all combinations together, where all of them are kept and
-- nothing is pending: as metrics_read.sql answers then, and several times as fast
SELECT b.starts, '{}'::jsonb, COALESCE(w.count, 0), w.sum, round(w.min, scale(w.sum)), round(w.max, scale(w.sum)),
       w.sum / NULLIF(w.values_count, 0), COALESCE(journey_stitch.metric_users_count(w.members), 0)
FROM unnest($3::timestamptz[]) AS b (starts)
LEFT JOIN journey_stitch.metric_windows w
    ON w.metric_id = $1 AND w.granularity = $2::"char" AND w.combination_id = 0 AND w.starts_at = b.starts
ORDER BY b.starts
