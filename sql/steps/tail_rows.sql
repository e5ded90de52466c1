-- The queue rows of project $1
SELECT id FROM journey_stitch.pending WHERE project_id = $1
