-- The stitched events of project $1 that windows of metric $2 are kept for
WITH event AS (
    SELECT e.project_id, date_bin('1 minute', e.occurred_at, '2000-01-01 00:00:00+00') AS bucket,
           e.event_type, e.event_name, e.source, e.properties, u.id AS user_number
    FROM journey_stitch.stitched_events e
    LEFT JOIN journey_stitch.users u ON u.project_id = e.project_id AND u.user_id = e.user_id
    WHERE e.project_id = $1
      AND e.occurred_at >= (SELECT min(g.kept_from) FROM journey_stitch.metric_granularities g WHERE g.metric_id = $2)
), metric AS (
    SELECT * FROM journey_stitch.metric_definitions WHERE id = $2
), 
