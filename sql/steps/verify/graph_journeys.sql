-- Journey vertices that differ from the present journeys
SELECT count(*)
FROM (SELECT id, uuid::text AS uuid FROM journey_stitch.journeys WHERE merged_into IS NULL) AS j
FULL JOIN (SELECT journey_stitch.graph_entry_id(id) AS id,
                  ag_catalog.agtype_object_field_text(properties, 'id') AS uuid
           FROM journey_graph."Journey") AS v USING (id)
WHERE j.uuid IS DISTINCT FROM v.uuid
