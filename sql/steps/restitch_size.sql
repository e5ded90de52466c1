-- How many events project $1 has that are stitched, and how many there are of all projects
SELECT COALESCE(sum(c.events) FILTER (WHERE c.project_id = $1), 0)::bigint, COALESCE(sum(c.events), 0)::bigint
FROM journey_stitch.event_counts c
