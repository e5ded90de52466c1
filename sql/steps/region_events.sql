-- The events of journeys $2, in the order in which they are stitched; $1 the label Journey. Each step is kept apart by
-- OFFSET 0 or LIMIT, so that the path is walked by index whatever the planner knows of the tables' sizes.
SELECT e.id, e.occurred_at, e.event_id, e.event_type, e.user_id, e.session_id, e.identifiers, member.journey
FROM (
    SELECT DISTINCT u.journey, h.start_id
    FROM unnest($2::bigint[]) AS u (journey)
    CROSS JOIN LATERAL (SELECT p.start_id FROM journey_graph."PART_OF" p
                        WHERE p.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.journey) OFFSET 0) AS p
    CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                        WHERE h.end_id OPERATOR(ag_catalog.=) p.start_id OFFSET 0) AS h
) AS member
CROSS JOIN LATERAL (SELECT * FROM journey_stitch.events e
                    WHERE e.id = journey_stitch.graph_entry_id(member.start_id) LIMIT 1) AS e
ORDER BY e.occurred_at, e.event_id COLLATE "C"
