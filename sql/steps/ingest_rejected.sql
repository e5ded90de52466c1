-- $1 project; then an element an event: $2 reasons, $3 messages, $4 the events verbatim
INSERT INTO journey_stitch.dead_letters (project_id, stage, reason, message, event)
SELECT $1, 'ingest', u.reason, u.message, u.event
FROM unnest($2::text[], $3::text[], $4::jsonb[]) AS u (reason, message, event)
