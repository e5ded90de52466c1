-- Counts of project $1 that have come to nothing
DELETE FROM journey_stitch.event_counts c WHERE c.project_id = $1 AND c.events = 0
