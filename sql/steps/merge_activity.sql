-- When each absorbed journey was active: $1 absorbed journeys. Run before their keys move.
SELECT u.absorbed, e.occurred_at, e.event_type
FROM (SELECT journey_stitch.graph_label_id('Journey')) AS label (journey)
CROSS JOIN unnest($1::bigint[]) AS u (absorbed)
JOIN journey_graph."PART_OF" p ON p.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid(label.journey, u.absorbed)
JOIN journey_graph."HAS_KEY" h ON h.end_id OPERATOR(ag_catalog.=) p.start_id
JOIN journey_stitch.events e ON e.id = journey_stitch.graph_entry_id(h.start_id)
