-- $1 and $2 the labels Event and Correlation; $3 events, $4 keys that no longer tie them
DELETE FROM journey_graph."HAS_KEY" h
USING unnest($3::bigint[], $4::bigint[]) AS u (event, key)
WHERE h.start_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.event)
  AND h.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid($2, u.key)
