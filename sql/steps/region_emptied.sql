-- Journeys $1 have no event left: they go, with the trail that leads to them
WITH merges AS (
    DELETE FROM journey_stitch.merges m
    USING unnest($1::bigint[]) AS u (id)
    WHERE m.absorbed_id = u.id
)
DELETE FROM journey_stitch.journeys j
USING unnest($1::bigint[]) AS u (id)
WHERE j.id = u.id
