-- $1 project; $2 absorbed journeys, $3 their survivors, $4 why
WITH absorbed AS (
    UPDATE journey_stitch.journeys j
    SET merged_into = u.survivor
    FROM unnest($2::bigint[], $3::bigint[]) AS u (absorbed, survivor)
    WHERE j.id = u.absorbed
)
INSERT INTO journey_stitch.merges (project_id, survivor_id, absorbed_id, rule)
SELECT $1, u.survivor, u.absorbed, $4
FROM unnest($2::bigint[], $3::bigint[]) AS u (absorbed, survivor)
