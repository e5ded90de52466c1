-- The metrics of project $1 that count one of the event types $2
SELECT m.id FROM journey_stitch.metric_definitions m
WHERE m.project_id = $1 AND (m.event_type IS NULL OR m.event_type = ANY ($2)) ORDER BY m.id
