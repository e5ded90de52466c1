-- As activity_add.sql, for members that are to leave their sets. Rows are found by their whole key, one
-- descent of the index each, whatever the planner knows of the table.
UPDATE journey_stitch.activity a
SET members = journey_stitch.members_difference(a.members, u.members)
FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bytea[])
    AS u (identity, event_type, starts_at, chunk, members)
CROSS JOIN LATERAL (
    SELECT b.ctid
    FROM journey_stitch.activity b
    WHERE b.project_id = $1 AND b.identity = u.identity::"char"
      AND b.event_type = u.event_type AND b.starts_at = u.starts_at AND b.chunk = u.chunk
    LIMIT 1
) AS found
WHERE a.ctid = found.ctid
