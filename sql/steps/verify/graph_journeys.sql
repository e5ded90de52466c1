-- Journey vertices that differ from the present journeys
SELECT count(*)
FROM (SELECT id, uuid::text AS uuid,
             to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at
      FROM journey_stitch.journeys WHERE merged_into IS NULL) AS j
FULL JOIN (SELECT journey_stitch.graph_entry_id(id) AS id,
                  ag_catalog.agtype_object_field_text(properties, 'id') AS uuid,
                  ag_catalog.agtype_object_field_text(properties, 'created_at') AS created_at
           FROM journey_graph."Journey") AS v USING (id)
WHERE (j.uuid, j.created_at) IS DISTINCT FROM (v.uuid, v.created_at)
