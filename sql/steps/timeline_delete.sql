-- $1 project; then an element a run: $2 event types, $3 starts, $4 first ids
DELETE FROM journey_stitch.timeline t
USING unnest($2::text[], $3::timestamptz[], $4::bigint[]) AS u (event_type, starts_at, first_id)
CROSS JOIN LATERAL (
    SELECT b.ctid FROM journey_stitch.timeline b
    WHERE b.project_id = $1 AND b.starts_at = u.starts_at AND b.event_type = u.event_type AND b.first_id = u.first_id
    LIMIT 1
) AS found
WHERE t.ctid = found.ctid
