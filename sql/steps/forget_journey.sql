-- The present journey of project $1 that text $2 is the id of, be it that of an absorbed one
SELECT COALESCE(j.merged_into, j.id)
FROM journey_stitch.journeys j
-- Kept apart, so that planning does not try what is no uuid.
WHERE j.uuid = (SELECT t.id::uuid FROM (SELECT $2 AS id OFFSET 0) AS t WHERE pg_input_is_valid(t.id, 'uuid'))
  AND j.project_id = $1
