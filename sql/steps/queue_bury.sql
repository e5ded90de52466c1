-- The one event of queue row $1 of project $4 goes to dead_letters with reason $2 and message $3, in a form that
-- ingest_events() takes again.
WITH event AS (
    SELECT e.*
    FROM journey_stitch.pending q
    CROSS JOIN unnest(q.event_ranges) AS r (ids)
    JOIN journey_stitch.events e ON e.id >= lower(r.ids) AND e.id < upper(r.ids)
    WHERE q.project_id = $4 AND q.id = $1
), correlations AS (
    SELECT jsonb_object_agg(kind, vals) AS map
    FROM (SELECT split_part(i.text, ':', 1) AS kind, jsonb_agg(substr(i.text, strpos(i.text, ':') + 1)) AS vals
          FROM event, jsonb_array_elements_text(event.identifiers) AS i (text)
          GROUP BY 1) AS kinds
), buried AS (
    INSERT INTO journey_stitch.dead_letters (project_id, stage, reason, message, event, received_at, attempts)
    SELECT event.project_id, 'stitch', $2, $3,
           jsonb_build_object('event_id', event.event_id, 'event_type', event.event_type,
                              'event_name', event.event_name,
                              'occurred_at', to_char(event.occurred_at AT TIME ZONE 'UTC',
                                                     'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                              'user_id', event.user_id, 'session_id', event.session_id,
                              'correlations', correlations.map, 'source', event.source,
                              'ip_address', host(event.ip), 'user_agent', event.user_agent,
                              'properties', event.properties),
           event.received_at, q.attempts
    FROM event, correlations, journey_stitch.pending q
    WHERE q.project_id = $4 AND q.id = $1
), forgotten AS (
    DELETE FROM journey_stitch.events e USING event WHERE e.id = event.id
)
DELETE FROM journey_stitch.event_ids l USING event
WHERE l.project_id = event.project_id AND l.event_id = event.event_id
