-- The ids of events of project $1, or of all if it is NULL, that are not stitched yet: ranges that do not overlap, in
-- ascending order
SELECT lower(r.ids), upper(r.ids)
FROM unnest((SELECT range_agg(q.event_ranges) FROM journey_stitch.pending q WHERE q.project_id = $1 OR $1 IS NULL)) AS r (ids)
ORDER BY lower(r.ids)
