-- Merges of journeys $1, which are gone, unless a key's way leads through them; answers how many went
WITH gone AS (
    DELETE FROM journey_stitch.merges m
    USING unnest($1::bigint[]) AS u (id)
    WHERE m.absorbed_id = u.id
      AND NOT EXISTS (SELECT FROM journey_stitch.merges n WHERE n.survivor_id = u.id)
      AND NOT EXISTS (SELECT FROM journey_stitch.key_moves v WHERE v.to_journey_id = u.id)
      AND NOT EXISTS (SELECT FROM journey_stitch.keys k WHERE k.first_journey_id = u.id)
    RETURNING m.id
)
SELECT count(*) FROM gone
