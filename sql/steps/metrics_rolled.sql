-- By all granularities that are kept: of each combination, and of all of them together (NULL)
rolled AS (
    SELECT k.metric_id, k.project_id, k.granularity, k.starts_at, k.dimensions, sum(k.count)::bigint AS count,
           sum(k.values_count)::bigint AS values_count, sum(k.sum) AS sum, trim_scale(min(k.min)) AS min,
           trim_scale(max(k.max)) AS max, journey_stitch.metric_users_union(array_agg(k.members)) AS members
    FROM (SELECT p.*, g.granularity, g.kept_from, date_bin(g.width, p.bucket, '2000-01-01 00:00:00+00') AS starts_at
          FROM grouped p JOIN journey_stitch.metric_granularities g ON g.metric_id = p.metric_id) AS k
    WHERE k.starts_at >= k.kept_from
    GROUP BY GROUPING SETS ((k.metric_id, k.project_id, k.granularity, k.starts_at),
                            (k.metric_id, k.project_id, k.granularity, k.starts_at, k.dimensions))
    HAVING GROUPING(k.dimensions) = 1 OR k.dimensions IS NOT NULL
)
