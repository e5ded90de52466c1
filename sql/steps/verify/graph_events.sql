-- Event vertices that are missing, surplus, double or altered against the stitched events
SELECT count(*) FILTER (WHERE NOT COALESCE(v.properties OPERATOR(ag_catalog.=) e.properties, false))
     + count(v.id) - count(DISTINCT v.id)
FROM (SELECT ag_catalog._graphid(l.id, e.id) AS id,
             ag_catalog.agtype_build_map(
                 'id', e.event_id, 'type', e.event_type,
                 'ts', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS properties
      FROM journey_stitch.stitched_events e
      CROSS JOIN (SELECT journey_stitch.graph_label_id('Event') AS id OFFSET 0) AS l) AS e
FULL JOIN journey_graph."Event" AS v ON v.id OPERATOR(ag_catalog.=) e.id
