-- Journey vertices that are missing, surplus, double or altered against the present journeys
SELECT count(*) FILTER (WHERE NOT COALESCE(v.properties OPERATOR(ag_catalog.=) j.properties, false))
     + count(v.id) - count(DISTINCT v.id)
FROM (SELECT ag_catalog._graphid(l.id, j.id) AS id,
             ag_catalog.agtype_build_map(
                 'id', j.uuid::text,
                 'created_at', to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS properties
      FROM journey_stitch.journeys j
      CROSS JOIN (SELECT journey_stitch.graph_label_id('Journey') AS id OFFSET 0) AS l
      WHERE j.merged_into IS NULL) AS j
FULL JOIN journey_graph."Journey" AS v ON v.id OPERATOR(ag_catalog.=) j.id
