-- Events of project $1 lose what could tell whose they were; an element an event: $2 ids, $3 event_ids, $4 user_ids, $5
-- session_ids, $6 identifiers
WITH old AS (
    SELECT u.id, e.event_id AS event_id, u.event_id AS new_event_id
    FROM unnest($2::bigint[], $3::text[]) AS u (id, event_id)
    CROSS JOIN LATERAL (SELECT e.event_id FROM journey_stitch.events e WHERE e.id = u.id LIMIT 1) AS e
), ledger AS (
    UPDATE journey_stitch.event_ids l
    SET event_id = old.new_event_id
    FROM old
    WHERE l.project_id = $1 AND l.event_id = old.event_id
)
UPDATE journey_stitch.events e
SET event_id = u.event_id, user_id = u.user_id, session_id = u.session_id, identifiers = u.identifiers,
    ip = NULL, user_agent = NULL, properties = '{}'
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
    AS u (id, event_id, user_id, session_id, identifiers)
WHERE e.id = u.id
