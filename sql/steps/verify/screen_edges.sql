-- Whether an edge HAS_KEY has properties
SELECT EXISTS (SELECT FROM journey_graph."HAS_KEY" h WHERE NOT h.properties OPERATOR(ag_catalog.=) '{}'::ag_catalog.agtype)
