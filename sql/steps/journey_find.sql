-- The present journey that text $2 names in project $1: as an event id (then NULL while it is pending), else
-- as a journey id, be it of an absorbed one, else as a key of kind $3 and value $4, else as the correlation $5
SELECT CASE
    WHEN l.id IS NOT NULL THEN journey_stitch.journey_of_entry(l.id)
    ELSE COALESCE(
        (SELECT COALESCE(j.merged_into, j.id)
         FROM journey_stitch.journeys j
         -- Kept apart, so that planning does not try what is no uuid.
         WHERE j.uuid = (SELECT t.id::uuid FROM (SELECT $2 AS id OFFSET 0) AS t WHERE pg_input_is_valid(t.id, 'uuid'))
           AND j.project_id = $1),
        (SELECT k.journey_id FROM journey_stitch.keys k WHERE k.project_id = $1 AND k.kind = $3 AND k.value = $4),
        (SELECT k.journey_id FROM journey_stitch.keys k WHERE k.project_id = $1 AND k.kind = 'correlation' AND k.value = $5))
    END
FROM (SELECT) AS one_row
LEFT JOIN journey_stitch.event_ids l ON l.project_id = $1 AND l.event_id = $2
