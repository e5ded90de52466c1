-- The journey that text $2 named in project $1 at time $6, looked up in the order of journey_find.sql, whose other
-- parameters these are. NULL for what was not there yet: an event received later, a key that no event had.
SELECT CASE
    WHEN l.id IS NOT NULL THEN journey_stitch.journey_of_entry_at(l.id, $6)
    ELSE COALESCE(
        (SELECT journey_stitch.alias_at(j.id, $6)
         FROM journey_stitch.journeys j
         -- Kept apart, so that planning does not try what is no uuid.
         WHERE j.uuid = (SELECT t.id::uuid FROM (SELECT $2 AS id OFFSET 0) AS t WHERE pg_input_is_valid(t.id, 'uuid'))
           AND j.project_id = $1),
        (SELECT journey_stitch.journey_of_key_at(k.id, $6)
         FROM journey_stitch.keys k WHERE k.project_id = $1 AND k.kind = $3 AND k.value = $4),
        (SELECT journey_stitch.journey_of_key_at(k.id, $6)
         FROM journey_stitch.keys k WHERE k.project_id = $1 AND k.kind = 'correlation' AND k.value = $5))
    END
FROM (SELECT) AS one_row
LEFT JOIN journey_stitch.event_ids l ON l.project_id = $1 AND l.event_id = $2
