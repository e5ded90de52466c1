-- $1 project; then arrays with an element an event, in order of event_id so that overlapping calls never
-- wait for each other in a circle. occurred_at NULL means now.
WITH ledger AS (
    INSERT INTO journey_stitch.event_ids (id, project_id, event_id)
    SELECT u.id, $1, u.event_id
    FROM unnest($2::bigint[], $3::text[]) AS u (id, event_id)
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO journey_stitch.events
    (id, occurred_at, received_at, project_id, event_id, event_type, event_name, user_id, session_id,
     identifiers, source, ip, user_agent, properties)
SELECT u.id, COALESCE(u.occurred_at, now()), now(), $1, u.event_id, u.event_type, u.event_name, u.user_id,
       u.session_id, u.identifiers, u.source, u.ip::inet, u.user_agent, u.properties
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
            $9::jsonb[], $10::text[], $11::text[], $12::text[], $13::jsonb[])
    AS u (id, event_id, event_type, event_name, occurred_at, user_id, session_id,
          identifiers, source, ip, user_agent, properties)
JOIN ledger ON ledger.id = u.id
RETURNING id
