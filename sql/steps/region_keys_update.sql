-- An element a key, as it is from now on: $1 ids, $2 journeys (NULL: none), $3 holds, $4 since when
UPDATE journey_stitch.keys k
SET journey_id = u.journey, first_journey_id = COALESCE(k.first_journey_id, u.journey),
    hold = u.hold::"char", since = u.since
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[]) AS u (id, journey, hold, since)
WHERE k.id = u.id
