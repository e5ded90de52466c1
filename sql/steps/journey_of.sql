-- The uuid of the journey that event $2 of project $1 is in
SELECT j.uuid
FROM journey_stitch.event_ids l
JOIN journey_stitch.journeys j ON j.id = journey_stitch.journey_of_entry(l.id)
WHERE l.project_id = $1 AND l.event_id = $2
