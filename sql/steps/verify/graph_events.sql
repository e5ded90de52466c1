-- Event vertices that differ from the stitched events
SELECT count(*)
FROM (SELECT e.id, e.event_id, e.event_type,
             to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ts
      FROM journey_stitch.stitched_events e) AS e
FULL JOIN (SELECT journey_stitch.graph_entry_id(id) AS id,
                  ag_catalog.agtype_object_field_text(properties, 'id') AS event_id,
                  ag_catalog.agtype_object_field_text(properties, 'type') AS event_type,
                  ag_catalog.agtype_object_field_text(properties, 'ts') AS ts
           FROM journey_graph."Event") AS v USING (id)
WHERE (e.event_id, e.event_type, e.ts) IS DISTINCT FROM (v.event_id, v.event_type, v.ts)
