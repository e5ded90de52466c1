-- Adds to the windows that there are. Answers how many windows were touched, and how many events counted
, known AS (
    SELECT w.metric_id, w.project_id, w.dimensions, c.id
    FROM (SELECT DISTINCT r.metric_id, r.project_id, r.dimensions FROM rolled r WHERE r.dimensions IS NOT NULL) AS w
    LEFT JOIN LATERAL (
        SELECT c.id FROM journey_stitch.metric_combinations c
        WHERE c.metric_id = w.metric_id
          AND hashtextextended(c.dimensions::text COLLATE "C", 0) = hashtextextended(w.dimensions COLLATE "C", 0)
          AND c.dimensions::text = w.dimensions
        LIMIT 1
    ) AS c ON true
), made AS (
    INSERT INTO journey_stitch.metric_combinations (metric_id, project_id, dimensions)
    SELECT k.metric_id, k.project_id, k.dimensions::jsonb FROM known k WHERE k.id IS NULL ORDER BY k.dimensions
    RETURNING metric_id, dimensions::text COLLATE "C" AS dimensions, id
), combination AS (
    SELECT metric_id, dimensions, id FROM known WHERE id IS NOT NULL
    UNION ALL
    SELECT metric_id, dimensions, id FROM made
), written AS (
    INSERT INTO journey_stitch.metric_windows AS w
        (metric_id, project_id, granularity, combination_id, starts_at, count, values_count, sum, min, max, members)
    SELECT r.metric_id, r.project_id, r.granularity, COALESCE(c.id, 0), r.starts_at, r.count, r.values_count, r.sum,
           r.min, r.max, r.members
    FROM rolled r LEFT JOIN combination c ON c.metric_id = r.metric_id AND c.dimensions = r.dimensions
    ON CONFLICT (metric_id, granularity, combination_id, starts_at) DO UPDATE
    SET count = w.count + EXCLUDED.count, values_count = w.values_count + EXCLUDED.values_count,
        sum = COALESCE(w.sum + EXCLUDED.sum, w.sum, EXCLUDED.sum),
        min = least(w.min, EXCLUDED.min), max = greatest(w.max, EXCLUDED.max),
        members = journey_stitch.metric_users_union(ARRAY[w.members, EXCLUDED.members])
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT COALESCE(sum(m.count), 0)::bigint FROM grouped m)
