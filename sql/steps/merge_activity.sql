-- When each absorbed journey was active: $1 the label Journey, $2 absorbed. Run before their keys move.
-- Each step is kept apart by OFFSET 0 or LIMIT, so that the path is walked from the journeys to the
-- events, by index, also while the planner knows nothing of tables that have just grown.
SELECT member.absorbed, e.occurred_at, e.event_type
FROM (
    SELECT DISTINCT u.absorbed, h.start_id
    FROM unnest($2::bigint[]) AS u (absorbed)
    CROSS JOIN LATERAL (
        SELECT p.start_id FROM journey_graph."PART_OF" p
        WHERE p.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.absorbed) OFFSET 0
    ) AS p
    CROSS JOIN LATERAL (
        SELECT h.start_id FROM journey_graph."HAS_KEY" h
        WHERE h.end_id OPERATOR(ag_catalog.=) p.start_id OFFSET 0
    ) AS h
) AS member
CROSS JOIN LATERAL (
    SELECT e.occurred_at, e.event_type FROM journey_stitch.events e
    WHERE e.id = journey_stitch.graph_entry_id(member.start_id) LIMIT 1
) AS e
