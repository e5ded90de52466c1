-- Lets go of windows of project $1 that need not be kept any longer; of a granularity of a metric at most $2 at a time
WITH due AS (
    SELECT g.metric_id, g.granularity, t.kept_from
    FROM journey_stitch.metric_granularities g
    CROSS JOIN LATERAL (
        SELECT date_bin(g.width, (now() AT TIME ZONE 'UTC' - g.keep) AT TIME ZONE 'UTC',
                        '2000-01-01 00:00:00+00') AS kept_from
    ) AS t
    WHERE g.project_id = $1 AND t.kept_from > g.kept_from
), raised AS (
    UPDATE journey_stitch.metric_granularities g
    SET kept_from = COALESCE(
        (SELECT w.starts_at FROM journey_stitch.metric_windows w
         WHERE w.metric_id = d.metric_id AND w.granularity = d.granularity AND w.combination_id = 0
           AND w.starts_at < d.kept_from
         ORDER BY w.starts_at OFFSET $2 LIMIT 1), d.kept_from)
    FROM due d
    WHERE g.metric_id = d.metric_id AND g.granularity = d.granularity
    RETURNING g.metric_id, g.granularity, g.kept_from
), deleted AS (
    DELETE FROM journey_stitch.metric_windows w
    USING raised r
    CROSS JOIN LATERAL (
        SELECT c.id FROM journey_stitch.metric_combinations c WHERE c.metric_id = r.metric_id UNION ALL SELECT 0
    ) AS c
    WHERE w.metric_id = r.metric_id AND w.granularity = r.granularity AND w.combination_id = c.id
      AND w.starts_at < r.kept_from
)
-- The metrics of which combinations may have become unused: those that let go of days
SELECT r.metric_id FROM raised r WHERE r.granularity = 'd'
