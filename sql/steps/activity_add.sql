-- $1 project; then an element a row: $2 identities, $3 event types, $4 starts, $5 chunks, $6 sets
INSERT INTO journey_stitch.activity AS a (project_id, identity, event_type, starts_at, chunk, members)
SELECT $1, u.identity::"char", u.event_type, u.starts_at, u.chunk, u.members
FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bytea[])
    AS u (identity, event_type, starts_at, chunk, members)
ON CONFLICT (project_id, identity, event_type, starts_at, chunk)
DO UPDATE SET members = journey_stitch.members_union(a.members, EXCLUDED.members)
