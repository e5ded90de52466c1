-- The present journeys of projects $1, and what they say of their keys of limited kinds
SELECT j.project_id, j.id, j.kind_counts FROM journey_stitch.journeys j WHERE j.merged_into IS NULL AND j.project_id = ANY ($1)
