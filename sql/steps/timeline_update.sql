-- $1 project; then an element a run: $2 event types, $3 starts, $4 first ids as they were, $5 and $6 first and last ids, $7 runs.
-- Rows are found by their whole key, one descent of the index each, whatever the planner knows of the table.
UPDATE journey_stitch.timeline t
SET first_id = u.first_id, last_id = u.last_id, run = u.run
FROM unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[])
    AS u (event_type, starts_at, before, first_id, last_id, run)
CROSS JOIN LATERAL (
    SELECT b.ctid FROM journey_stitch.timeline b
    WHERE b.project_id = $1 AND b.starts_at = u.starts_at AND b.event_type = u.event_type AND b.first_id = u.before
    LIMIT 1
) AS found
WHERE t.ctid = found.ctid
