-- What the events of each bucket of time are to each metric: how many, with what values, in which combination of
-- dimension values (as text, by which combinations are told apart; NULL: the metric has no dimensions), whose
point AS (
    SELECT m.id AS metric_id, m.project_id, e.bucket, e.user_number,
           CASE WHEN m.dimension_names <> '{}' THEN
               ARRAY(SELECT CASE WHEN n.path IS NOT NULL
                                      THEN jsonb_path_query_first(e.properties, n.path, '{}', true)::text
                                 WHEN n.name = 'event_type' THEN to_json(e.event_type)::text
                                 WHEN n.name = 'event_name' THEN to_json(e.event_name)::text
                                 WHEN n.name = 'source' THEN to_json(e.source)::text END COLLATE "C"
                     FROM unnest(m.dimension_names, m.dimension_paths) AS n (name, path))
           END AS found,
           CASE WHEN m.value_jsonpath IS NOT NULL THEN
               journey_stitch.json_number(jsonb_path_query_first(e.properties, m.value_jsonpath, '{}', true))
           END AS value
    FROM metric m
    JOIN event e ON e.project_id = m.project_id
     AND (m.event_type IS NULL OR e.event_type = m.event_type) AND (m.filter IS NULL OR e.properties @> m.filter)
    -- Kept apart, so that the paths are evaluated once.
    OFFSET 0
), found AS (
    SELECT p.metric_id, p.project_id, p.bucket, p.found, count(*) AS count, count(p.value) AS values_count,
           sum(p.value) AS sum, min(p.value) AS min, max(p.value) AS max,
           journey_stitch.metric_users_set(array_agg(p.user_number)) AS members
    FROM point p
    GROUP BY p.metric_id, p.project_id, p.bucket, p.found
), grouped AS (
    SELECT f.metric_id, f.project_id, f.bucket, d.dimensions, f.count, f.values_count, f.sum, f.min, f.max, f.members
    FROM found f
    JOIN metric m ON m.id = f.metric_id
    CROSS JOIN LATERAL (
        -- 1 and 1.0 are the same value.
        SELECT jsonb_object_agg(n.name, CASE jsonb_typeof(n.value)
                   WHEN 'number' THEN to_jsonb(trim_scale(n.value::numeric))
                   ELSE COALESCE(n.value, 'null') END)::text COLLATE "C" AS dimensions
        FROM unnest(m.dimension_names, f.found::jsonb[]) AS n (name, value)
    ) AS d
), 
