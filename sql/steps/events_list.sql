-- A page of the events of project $1, the latest arrival first: $2 filters, $3 the last one of the page before,
-- $4 the most rows, $5 and $6 the filters since and until
SELECT e.event_id, e.event_type, e.event_name, e.occurred_at, e.received_at, e.user_id, e.session_id, e.source,
       e.properties, j.uuid
FROM (
    SELECT *
    FROM journey_stitch.events e
    WHERE e.project_id = $1
      AND ($3 IS NULL OR e.id < $3)
      AND ($2 ->> 'event_type' IS NULL OR e.event_type = $2 ->> 'event_type')
      AND ($2 ->> 'event_name' IS NULL OR e.event_name = $2 ->> 'event_name')
      AND ($2 ->> 'user_id' IS NULL OR e.user_id = $2 ->> 'user_id')
      AND ($2 ->> 'session_id' IS NULL OR e.session_id = $2 ->> 'session_id')
      AND ($2 ->> 'source' IS NULL OR e.source = $2 ->> 'source')
      AND ($5 IS NULL OR e.occurred_at >= $5)
      AND ($6 IS NULL OR e.occurred_at < $6)
      AND ($2 -> 'properties' IS NULL OR e.properties @> ($2 -> 'properties'))
    ORDER BY e.id DESC
    LIMIT $4
) AS e
LEFT JOIN journey_stitch.journeys j ON j.id = journey_stitch.journey_of_entry(e.id)
ORDER BY e.id DESC
