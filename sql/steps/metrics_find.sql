-- The metric of project $1 with name $2, and from when on windows of granularity $3 are kept
SELECT m.id, m.dimension_names, g.kept_from
FROM journey_stitch.metric_definitions m
JOIN journey_stitch.metric_granularities g ON g.metric_id = m.id AND g.granularity = $3::"char"
WHERE m.project_id = $1 AND m.name = $2
