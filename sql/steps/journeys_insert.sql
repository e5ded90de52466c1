-- $1 project; then an element a journey: $2 ids, $3 new keys, $4 new events, $5 first and $6 last time, $7 keys of
-- each limited kind, $8 founding events
INSERT INTO journey_stitch.journeys (id, project_id, key_count, event_count, first_seen, last_seen, kind_counts, founder_id)
SELECT u.id, $1, u.keys, u.events, u.first_seen, u.last_seen, u.kind_counts::jsonb, u.founder
FROM unnest($2::bigint[], $3::integer[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::bigint[])
    AS u (id, keys, events, first_seen, last_seen, kind_counts, founder)
