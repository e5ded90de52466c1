-- Correlation vertices for new keys: $1 ids, $2 kinds, $3 values
INSERT INTO journey_graph."Correlation" (id, properties)
SELECT ag_catalog._graphid(label.id, u.id), ag_catalog.agtype_build_map('kind', u.kind, 'value', u.value)
FROM (SELECT journey_stitch.graph_label_id('Correlation')) AS label (id),
     unnest($1::bigint[], $2::text[], $3::text[]) AS u (id, kind, value)
