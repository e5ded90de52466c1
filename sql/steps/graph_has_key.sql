-- HAS_KEY edges: $1, $2 and $3 the labels HAS_KEY, Event and Correlation; $4 events, $5 their keys
INSERT INTO journey_graph."HAS_KEY" (id, start_id, end_id, properties)
SELECT ag_catalog._graphid($1, nextval('journey_graph."HAS_KEY_id_seq"')),
       ag_catalog._graphid($2, u.event), ag_catalog._graphid($3, u.key), '{}'::ag_catalog.agtype
FROM unnest($4::bigint[], $5::bigint[]) AS u (event, key)
