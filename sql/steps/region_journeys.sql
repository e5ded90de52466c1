-- Journeys $1, and the absorbed ones that lead to them
SELECT j.id, j.uuid, j.merged_into, j.founder_id
FROM unnest($1::bigint[]) AS u (id)
CROSS JOIN LATERAL (SELECT * FROM journey_stitch.journeys j WHERE j.id = u.id
                    UNION ALL
                    SELECT * FROM journey_stitch.journeys j WHERE j.merged_into = u.id OFFSET 0) AS j
