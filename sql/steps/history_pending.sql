-- The ids of events of project $1 that are not stitched yet: ranges in ascending order
SELECT lower(r.ids), upper(r.ids)
FROM journey_stitch.pending q CROSS JOIN LATERAL unnest(q.event_ranges) AS r (ids)
WHERE q.project_id = $1
ORDER BY lower(r.ids)
