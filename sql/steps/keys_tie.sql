-- Keys that no event was tied by until now: $1 ids, $2 their journeys, $3 rule why; $4 project. Their first journey is
-- that, unless they were in another before.
WITH tied AS (
    UPDATE journey_stitch.keys k
    SET journey_id = u.journey, first_journey_id = COALESCE(k.first_journey_id, u.journey)
    FROM unnest($1::bigint[], $2::bigint[]) AS u (id, journey), journey_stitch.keys old
    WHERE k.id = u.id AND old.id = u.id
    RETURNING k.id, u.journey, old.first_journey_id AS first_journey
)
INSERT INTO journey_stitch.key_moves (project_id, key_id, from_journey_id, to_journey_id, rule)
SELECT $4, tied.id, NULL, tied.journey, $3 FROM tied WHERE tied.first_journey IS NOT NULL
