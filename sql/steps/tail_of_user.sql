-- The pending events of project $1 that were sent with user_id $2
SELECT e.id
FROM journey_stitch.pending q
CROSS JOIN unnest(q.event_ranges) AS r (ids)
CROSS JOIN LATERAL (
    SELECT e.id, e.user_id FROM journey_stitch.events e WHERE e.id >= lower(r.ids) AND e.id < upper(r.ids) OFFSET 0
) AS e
WHERE q.project_id = $1 AND e.user_id = $2
