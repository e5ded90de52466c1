-- $1 project, $2 name, $3 event type, $4 value, $5 dimensions, $6 their names, $7 their paths, $8 filter; how long to
-- keep $9 minutes, $10 5 minutes, $11 hours, $12 days. Answers the metric's id; no row: the name is taken
WITH made AS (
    INSERT INTO journey_stitch.metric_definitions
        (project_id, name, event_type, value_path, value_jsonpath, dimensions, dimension_names, dimension_paths, filter)
    VALUES ($1, $2, $3, $4, $4::jsonpath, $5, $6, $7::text[]::jsonpath[], $8)
    ON CONFLICT (project_id, name) DO NOTHING
    RETURNING id
)
INSERT INTO journey_stitch.metric_granularities (metric_id, project_id, granularity, width, keep, kept_from)
SELECT made.id, $1, g.granularity::"char", g.width, g.keep,
       date_bin(g.width, (now() AT TIME ZONE 'UTC' - g.keep) AT TIME ZONE 'UTC', '2000-01-01 00:00:00+00')
FROM made, (VALUES ('m', interval '1 minute', $9::interval), ('5', interval '5 minutes', $10),
                   ('h', interval '1 hour', $11), ('d', interval '1 day', $12)) AS g (granularity, width, keep)
RETURNING metric_id
