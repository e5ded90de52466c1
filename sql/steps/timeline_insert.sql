-- $1 project; then an element a run: $2 event types, $3 starts, $4 first ids, $5 last ids, $6 runs
INSERT INTO journey_stitch.timeline (project_id, event_type, starts_at, first_id, last_id, run)
SELECT $1, u.event_type, u.starts_at, u.first_id, u.last_id, u.run
FROM unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bytea[])
    AS u (event_type, starts_at, first_id, last_id, run)
