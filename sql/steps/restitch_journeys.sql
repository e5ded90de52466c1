-- The present journeys of project $1, in the order of their ids, how many events they have, and whether more is known of one
-- than its keys and events say. A founding event that was erased has another stand in for it.
SELECT j.id, j.event_count, j.tense_until IS NOT NULL OR j.founder_id IS NULL
FROM journey_stitch.journeys j
WHERE j.project_id = $1 AND j.merged_into IS NULL
ORDER BY j.id
