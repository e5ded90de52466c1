-- PART_OF edges: $1, $2 and $3 the labels PART_OF, Correlation and Journey; $4 new keys, $5 their journeys
INSERT INTO journey_graph."PART_OF" (id, start_id, end_id, properties)
SELECT ag_catalog._graphid($1, nextval('journey_graph."PART_OF_id_seq"')),
       ag_catalog._graphid($2, u.key), ag_catalog._graphid($3, u.journey), '{}'::ag_catalog.agtype
FROM unnest($4::bigint[], $5::bigint[]) AS u (key, journey)
