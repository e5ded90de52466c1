-- Journey vertices for new journeys $1
INSERT INTO journey_graph."Journey" (id, properties)
SELECT ag_catalog._graphid(label.id, j.id),
       ag_catalog.agtype_build_map(
           'id', j.uuid::text,
           'created_at', to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM (SELECT journey_stitch.graph_label_id('Journey')) AS label (id),
     journey_stitch.journeys j
WHERE j.id = ANY ($1)
