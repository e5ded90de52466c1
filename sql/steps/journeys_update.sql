-- An element a journey: $1 ids, $2 new keys, $3 new events, $4 first and $5 last time, $6 keys of each limited kind
UPDATE journey_stitch.journeys j
SET key_count = j.key_count + u.keys, event_count = j.event_count + u.events,
    first_seen = LEAST(j.first_seen, u.first_seen), last_seen = GREATEST(j.last_seen, u.last_seen),
    kind_counts = u.kind_counts::jsonb
FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::text[])
    AS u (id, keys, events, first_seen, last_seen, kind_counts)
WHERE j.id = u.id
