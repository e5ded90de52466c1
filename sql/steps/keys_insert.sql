-- $1 project; then an element a key: $2 ids, $3 kinds, $4 values, $5 journeys, $6 holds, $7 since when
INSERT INTO journey_stitch.keys (id, journey_id, first_journey_id, project_id, kind, value, hold, since)
SELECT u.id, u.journey, u.journey, $1, u.kind, u.value, u.hold::"char", u.since
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[])
    AS u (id, kind, value, journey, hold, since)
