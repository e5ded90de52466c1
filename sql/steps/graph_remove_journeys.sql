-- $1 the label Journey; $2 the entry ids of vertices that are to go
DELETE FROM journey_graph."Journey" v
USING unnest($2::bigint[]) AS u (id)
WHERE v.id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.id)
