-- PART_OF edges of new keys: $1 keys, $2 their journeys
INSERT INTO journey_graph."PART_OF" (id, start_id, end_id, properties)
SELECT ag_catalog._graphid(label.part_of, nextval('journey_graph."PART_OF_id_seq"')),
       ag_catalog._graphid(label.correlation, u.key), ag_catalog._graphid(label.journey, u.journey),
       ag_catalog.agtype_build_map()
FROM (SELECT journey_stitch.graph_label_id('PART_OF'), journey_stitch.graph_label_id('Correlation'),
             journey_stitch.graph_label_id('Journey')) AS label (part_of, correlation, journey),
     unnest($1::bigint[], $2::bigint[]) AS u (key, journey)
