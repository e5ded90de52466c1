-- Event vertices for the events of queue rows $1; $2 the label Event
INSERT INTO journey_graph."Event" (id, properties)
SELECT ag_catalog._graphid($2, e.id),
       ag_catalog.agtype_build_map(
           'id', e.event_id, 'type', e.event_type,
           'ts', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM journey_stitch.pending q
CROSS JOIN unnest(q.event_ranges) AS r (ids)
CROSS JOIN LATERAL (
    -- Kept apart, so that it is a descent of the index for each range, whatever the planner thinks of them.
    SELECT * FROM journey_stitch.events e WHERE e.id >= lower(r.ids) AND e.id < upper(r.ids) ORDER BY e.id OFFSET 0
) AS e
WHERE q.id = ANY ($1)
