-- $1 project; then an element a merge: $2 survivors, $3 absorbed, $4 events, $5 keys, $6 kinds of the keys
INSERT INTO journey_stitch.merges (project_id, survivor_id, absorbed_id, event_id, key_id, rule)
SELECT $1, u.survivor, u.absorbed, u.event, u.key, 'shared ' || u.kind
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
    AS u (survivor, absorbed, event, key, kind)
