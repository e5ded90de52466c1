-- $1 the label Correlation; $2 keys that are to be in no journey
DELETE FROM journey_graph."PART_OF" p
USING unnest($2::bigint[]) AS u (key)
WHERE p.start_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.key)
