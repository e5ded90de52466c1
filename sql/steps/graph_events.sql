-- Event vertices for the events of queue rows $1
INSERT INTO journey_graph."Event" (id, properties)
SELECT ag_catalog._graphid(label.id, e.id),
       ag_catalog.agtype_build_map(
           'id', e.event_id, 'type', e.event_type,
           'ts', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM (SELECT journey_stitch.graph_label_id('Event')) AS label (id),
     journey_stitch.pending q
CROSS JOIN unnest(q.event_ranges) AS r (ids)
JOIN journey_stitch.events e ON e.id >= lower(r.ids) AND e.id < upper(r.ids)
WHERE q.id = ANY ($1)
