-- $1 project; then an element a row: $2 grains, $3 event types, $4 starts, $5 events
INSERT INTO journey_stitch.event_counts AS c (project_id, grain, event_type, starts_at, events)
SELECT $1, u.grain::"char", u.event_type, u.starts_at, u.events
FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[]) AS u (grain, event_type, starts_at, events)
ON CONFLICT (project_id, grain, starts_at, event_type) DO UPDATE SET events = c.events + EXCLUDED.events
