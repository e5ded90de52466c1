-- The absorbed journeys of project $1, and which they are in now
SELECT j.id, j.merged_into FROM journey_stitch.journeys j WHERE j.project_id = $1 AND j.merged_into IS NOT NULL
