-- Whether project $1 has a metric
SELECT EXISTS (SELECT FROM journey_stitch.metric_definitions WHERE project_id = $1)
