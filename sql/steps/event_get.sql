-- Event $2 of project $1
SELECT e.event_id, e.event_type, e.event_name, e.occurred_at, e.received_at, e.user_id, e.session_id, e.identifiers,
       e.source, e.ip, e.user_agent, e.properties, j.uuid
FROM journey_stitch.event_ids l
JOIN journey_stitch.events e ON e.id = l.id
LEFT JOIN journey_stitch.journeys j ON j.id = journey_stitch.journey_of_entry(l.id)
WHERE l.project_id = $1 AND l.event_id = $2
