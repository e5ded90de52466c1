-- As activity_add.sql, for members that are to leave their sets
UPDATE journey_stitch.activity a
SET members = journey_stitch.members_difference(a.members, u.members)
FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bytea[])
    AS u (identity, grain, event_type, starts_at, chunk, members)
WHERE a.project_id = $1 AND a.identity = u.identity::"char" AND a.grain = u.grain::"char"
  AND a.event_type = u.event_type AND a.starts_at = u.starts_at AND a.chunk = u.chunk
