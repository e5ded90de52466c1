-- Keys $1, which no event has any more, with their trail
WITH moves AS (
    DELETE FROM journey_stitch.key_moves m USING unnest($1::bigint[]) AS u (id) WHERE m.key_id = u.id
)
DELETE FROM journey_stitch.keys k
USING unnest($1::bigint[]) AS u (id)
WHERE k.id = u.id
