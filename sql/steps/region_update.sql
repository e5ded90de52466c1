-- An element a journey, as it is from now on: $1 ids, $2 keys, $3 events, $4 first and $5 last time, $6 keys of each
-- limited kind, $7 founding events
UPDATE journey_stitch.journeys j
SET key_count = u.keys, event_count = u.events, first_seen = u.first_seen, last_seen = u.last_seen,
    kind_counts = u.kind_counts::jsonb, founder_id = u.founder,
    tense_until = NULL
FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::bigint[])
    AS u (id, keys, events, first_seen, last_seen, kind_counts, founder)
WHERE j.id = u.id
  AND (j.key_count, j.event_count, j.first_seen, j.last_seen, j.kind_counts, j.founder_id, j.tense_until)
      IS DISTINCT FROM (u.keys, u.events, u.first_seen, u.last_seen, u.kind_counts::jsonb, u.founder, NULL)
