-- The keys of events $2, those that tie them and those that were refused (with the rule why); $1 the label Event
SELECT u.event, journey_stitch.graph_entry_id(h.end_id), NULL::text
FROM unnest($2::bigint[]) AS u (event)
CROSS JOIN LATERAL (SELECT h.end_id FROM journey_graph."HAS_KEY" h
                    WHERE h.start_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.event) OFFSET 0) AS h
UNION ALL
SELECT u.event, c.key_id, c.rule
FROM unnest($2::bigint[]) AS u (event)
CROSS JOIN LATERAL (SELECT c.key_id, c.rule FROM journey_stitch.merge_conflicts c WHERE c.event_id = u.event OFFSET 0) AS c
