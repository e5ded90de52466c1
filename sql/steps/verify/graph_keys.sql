-- Correlation vertices that are missing, surplus, double or altered against the keys
SELECT count(*) FILTER (WHERE NOT COALESCE(v.properties OPERATOR(ag_catalog.=) k.properties, false))
     + count(v.id) - count(DISTINCT v.id)
FROM (SELECT ag_catalog._graphid(l.id, k.id) AS id,
             ag_catalog.agtype_build_map('kind', k.kind, 'value', k.value) AS properties
      FROM journey_stitch.keys k
      CROSS JOIN (SELECT journey_stitch.graph_label_id('Correlation') AS id OFFSET 0) AS l) AS k
FULL JOIN journey_graph."Correlation" AS v ON v.id OPERATOR(ag_catalog.=) k.id
