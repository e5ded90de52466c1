-- Kept windows of metrics that differ from the stitched events, and combinations that are double or unused
, expected AS (
    SELECT metric_id, project_id, granularity, starts_at, COALESCE(dimensions, '{}') AS dimensions, count, values_count,
           sum::text, min::text, max::text, members
    FROM rolled
), actual AS (
    SELECT w.metric_id, w.project_id, w.granularity, w.starts_at,
           CASE WHEN w.combination_id = 0 THEN '{}' ELSE c.dimensions::text COLLATE "C" END AS dimensions, w.count,
           w.values_count, w.sum::text, w.min::text, w.max::text, w.members
    FROM journey_stitch.metric_windows w
    LEFT JOIN journey_stitch.metric_combinations c ON c.id = w.combination_id AND c.metric_id = w.metric_id
)
SELECT (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE actual) AS missing)
     + (SELECT count(*) FROM (TABLE actual EXCEPT ALL TABLE expected) AS surplus)
     + (SELECT count(*) - count(DISTINCT (c.metric_id, c.dimensions::text)) FROM journey_stitch.metric_combinations c)
     + (SELECT count(*) FROM journey_stitch.metric_combinations c
        WHERE NOT EXISTS (SELECT FROM journey_stitch.metric_windows w
                          WHERE w.metric_id = c.metric_id AND w.combination_id = c.id))
     + (SELECT count(*) FROM journey_stitch.metric_definitions m
        WHERE 4 <> (SELECT count(*) FROM journey_stitch.metric_granularities g WHERE g.metric_id = m.id))
