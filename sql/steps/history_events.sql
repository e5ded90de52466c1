-- Every event of project $1, or of all if it is NULL
SELECT e.id, e.project_id, e.occurred_at, e.event_type, e.event_id, e.user_id, e.session_id, e.identifiers
FROM journey_stitch.events e
WHERE e.project_id = $1 OR $1 IS NULL
