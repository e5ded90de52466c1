-- Correlation vertices for new keys: $1 the label Correlation, $2 ids, $3 kinds, $4 values
INSERT INTO journey_graph."Correlation" (id, properties)
SELECT ag_catalog._graphid($1, u.id), ag_catalog.agtype_build_map('kind', u.kind, 'value', u.value)
FROM unnest($2::bigint[], $3::text[], $4::text[]) AS u (id, kind, value)
