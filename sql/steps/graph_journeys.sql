-- Journey vertices: $1 the label Journey, $2 new journeys
INSERT INTO journey_graph."Journey" (id, properties)
SELECT ag_catalog._graphid($1, j.id),
       ag_catalog.agtype_build_map(
           'id', j.uuid::text,
           'created_at', to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM journey_stitch.journeys j
WHERE j.id = ANY ($2)
