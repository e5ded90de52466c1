-- The windows of metric $2: of granularity $8, between bounds $7, in combinations that contain $9 (NULL: all together)
part AS (
    SELECT ($7::timestamptz[])[width_bucket(w.starts_at, $7::timestamptz[])] AS starts, c.dimensions, w.count,
           w.values_count, w.sum, w.min, w.max, w.members
    FROM (SELECT c.id, c.dimensions::text COLLATE "C" AS dimensions FROM journey_stitch.metric_combinations c
          WHERE c.metric_id = $2 AND c.dimensions @> $9
          UNION ALL
          SELECT 0, NULL FROM metric m WHERE $9 IS NULL OR m.dimensions = '{}') AS c
    CROSS JOIN unnest($5::timestamptz[], $6::timestamptz[]) AS s (starts, ends)
    CROSS JOIN LATERAL (
        -- Kept apart, so that it is a descent of the index for each span.
        SELECT * FROM journey_stitch.metric_windows w
        WHERE w.metric_id = $2 AND w.granularity = $8::"char" AND w.combination_id = c.id
          AND w.starts_at >= s.starts AND w.starts_at < s.ends
        OFFSET 0
    ) AS w
    UNION ALL
    SELECT g.bucket, CASE WHEN $9 IS NOT NULL THEN g.dimensions END, g.count, g.values_count, g.sum, g.min, g.max,
           g.members
    FROM grouped g
    WHERE $9 IS NULL OR COALESCE(g.dimensions, '{}')::jsonb @> $9
), whole AS (
    SELECT p.starts, p.dimensions, sum(p.count)::bigint AS count, sum(p.values_count) AS values_count,
           sum(p.sum) AS sum, min(p.min) AS min, max(p.max) AS max,
           journey_stitch.metric_users_count(journey_stitch.metric_users_union(array_agg(p.members))) AS users
    FROM part p
    GROUP BY p.starts, p.dimensions
)
SELECT b.starts, CASE WHEN w.dimensions IS NULL THEN '{}' ELSE w.dimensions::jsonb END, COALESCE(w.count, 0), w.sum,
       round(w.min, scale(w.sum)), round(w.max, scale(w.sum)), w.sum / NULLIF(w.values_count, 0), COALESCE(w.users, 0)
FROM unnest(trim_array($7::timestamptz[], 1)) AS b (starts)
LEFT JOIN whole w ON w.starts = b.starts
WHERE $9 IS NULL OR w.starts IS NOT NULL
ORDER BY b.starts, w.dimensions
