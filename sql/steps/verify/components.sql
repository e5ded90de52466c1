-- Each stitched event's keys with their journeys, for union-find
SELECT e.id, k.id, k.journey_id
FROM journey_stitch.stitched_events e
CROSS JOIN LATERAL journey_stitch.event_keys(e.event_id, e.user_id, e.session_id, e.identifiers) AS g
JOIN journey_stitch.keys k ON k.project_id = e.project_id AND k.kind = g.kind AND k.value = g.value
