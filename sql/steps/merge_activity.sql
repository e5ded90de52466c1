-- When each absorbed journey was active: $1 the label Journey, $2 absorbed. Run before their keys move.
SELECT u.absorbed, e.occurred_at, e.event_type
FROM unnest($2::bigint[]) AS u (absorbed)
JOIN journey_graph."PART_OF" p ON p.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.absorbed)
JOIN journey_graph."HAS_KEY" h ON h.end_id OPERATOR(ag_catalog.=) p.start_id
JOIN journey_stitch.events e ON e.id = journey_stitch.graph_entry_id(h.start_id)
