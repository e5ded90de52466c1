-- Correlation vertices that differ from the keys
SELECT count(*)
FROM (SELECT id, kind, value FROM journey_stitch.keys) AS k
FULL JOIN (SELECT journey_stitch.graph_entry_id(id) AS id,
                  ag_catalog.agtype_object_field_text(properties, 'kind') AS kind,
                  ag_catalog.agtype_object_field_text(properties, 'value') AS value
           FROM journey_graph."Correlation") AS v USING (id)
WHERE (k.kind, k.value) IS DISTINCT FROM (v.kind, v.value)
