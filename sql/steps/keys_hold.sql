-- Keys that join no journeys from now on: $1 ids, $2 holds (NULL: by the rule of their kind), $3 since when
UPDATE journey_stitch.keys k
SET hold = COALESCE(k.hold, u.hold::"char"), since = COALESCE(k.since, u.since)
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) AS u (id, hold, since)
WHERE k.id = u.id
