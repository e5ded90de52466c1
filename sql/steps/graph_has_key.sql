-- HAS_KEY edges: $1 events, $2 keys
INSERT INTO journey_graph."HAS_KEY" (id, start_id, end_id, properties)
SELECT ag_catalog._graphid(label.has_key, nextval('journey_graph."HAS_KEY_id_seq"')),
       ag_catalog._graphid(label.event, u.event), ag_catalog._graphid(label.correlation, u.key),
       ag_catalog.agtype_build_map()
FROM (SELECT journey_stitch.graph_label_id('HAS_KEY'), journey_stitch.graph_label_id('Event'),
             journey_stitch.graph_label_id('Correlation')) AS label (has_key, event, correlation),
     unnest($1::bigint[], $2::bigint[]) AS u (event, key)
