-- $1 project; then an element a row: $2 identities, $3 grains, $4 event types, $5 starts, $6 chunks, $7 sets
INSERT INTO journey_stitch.activity AS a (project_id, identity, grain, event_type, starts_at, chunk, members)
SELECT $1, u.identity::"char", u.grain::"char", u.event_type, u.starts_at, u.chunk, u.members
FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bytea[])
    AS u (identity, grain, event_type, starts_at, chunk, members)
ON CONFLICT (project_id, identity, grain, event_type, starts_at, chunk)
DO UPDATE SET members = journey_stitch.members_union(a.members, EXCLUDED.members)
