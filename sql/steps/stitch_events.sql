-- The events of queue rows $1 of project $2
SELECT e.id, e.occurred_at, e.event_id, e.event_type, e.user_id, e.session_id, e.identifiers,
       CASE WHEN e.event_type = 'purchase' THEN journey_stitch.json_number(e.properties -> 'amount') END,
       CASE WHEN e.properties ? 'duration' THEN journey_stitch.json_number(e.properties -> 'duration') END
FROM journey_stitch.pending q
CROSS JOIN unnest(q.event_ranges) AS r (ids)
CROSS JOIN LATERAL (
    -- Kept apart, so that it is a descent of the index for each range, whatever the planner thinks of them.
    SELECT * FROM journey_stitch.events e WHERE e.id >= lower(r.ids) AND e.id < upper(r.ids) ORDER BY e.id OFFSET 0
) AS e
WHERE q.project_id = $2 AND q.id = ANY ($1)
