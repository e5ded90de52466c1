-- The present journey that text $2 names in project $1: as an event id (then NULL while it is pending), else
-- as a journey id, be it of an absorbed one, else as a key kind:value, else as a correlation
SELECT CASE
    WHEN l.id IS NOT NULL THEN journey_stitch.journey_of_entry(l.id)
    ELSE COALESCE(
        (SELECT COALESCE(j.merged_into, j.id)
         FROM journey_stitch.journeys j
         -- Kept apart, so that planning does not try what is no uuid.
         WHERE j.uuid = (SELECT t.id::uuid FROM (SELECT $2 AS id OFFSET 0) AS t WHERE pg_input_is_valid(t.id, 'uuid'))
           AND j.project_id = $1),
        (SELECT k.journey_id
         FROM journey_stitch.keys k
         WHERE k.project_id = $1 AND k.kind = split_part($2, ':', 1)
           AND k.value = substr($2, strpos($2, ':') + 1) AND strpos($2, ':') > 0),
        (SELECT k.journey_id
         FROM journey_stitch.keys k
         WHERE k.project_id = $1 AND k.kind = 'correlation' AND k.value = $2))
    END
FROM (SELECT) AS one_row
LEFT JOIN journey_stitch.event_ids l ON l.project_id = $1 AND l.event_id = $2
