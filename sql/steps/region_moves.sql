-- $1 project; an element a key: $2 ids, $3 the journeys that they were in, $4 and are in; $5 why, $6 identity_log.id
INSERT INTO journey_stitch.key_moves (project_id, key_id, from_journey_id, to_journey_id, rule, log_id)
SELECT $1, u.key, u.from_journey, u.to_journey, $5, $6
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS u (key, from_journey, to_journey)
