-- Every stitched event of projects $1, project by project, in the order in which events are stitched
SELECT e.id, e.occurred_at, e.event_id, e.event_type, e.user_id, e.session_id, e.identifiers, e.project_id
FROM journey_stitch.stitched_events e
WHERE e.project_id = ANY ($1)
ORDER BY e.project_id, e.occurred_at, e.event_id COLLATE "C"
