-- $1 project; then an element a row: $2 event types, $3 starts, $4 events
INSERT INTO journey_stitch.event_counts AS c (project_id, event_type, starts_at, events)
SELECT $1, u.event_type, u.starts_at, u.events
FROM unnest($2::text[], $3::timestamptz[], $4::bigint[]) AS u (event_type, starts_at, events)
ON CONFLICT (project_id, starts_at, event_type) DO UPDATE SET events = c.events + EXCLUDED.events
