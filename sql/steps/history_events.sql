-- Every event of project $1: what its keys are made of
SELECT e.id, e.occurred_at, e.event_id, e.user_id, e.session_id, e.identifiers
FROM journey_stitch.events e
WHERE e.project_id = $1
