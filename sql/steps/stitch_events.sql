-- The events of queue rows $1, in the order in which they are stitched
SELECT e.id, e.occurred_at, e.event_id, e.event_type, e.user_id, e.session_id, e.identifiers
FROM journey_stitch.pending q
CROSS JOIN unnest(q.event_ranges) AS r (ids)
JOIN journey_stitch.events e ON e.id >= lower(r.ids) AND e.id < upper(r.ids)
WHERE q.id = ANY ($1)
ORDER BY e.occurred_at, e.id
