-- The stitched events of journeys $1. Each step is kept apart by OFFSET 0, so that the path is walked by index whatever
-- the planner knows of the tables' sizes.
SELECT DISTINCT journey_stitch.graph_entry_id(h.start_id)
FROM unnest($1::bigint[]) AS u (journey)
CROSS JOIN LATERAL (SELECT p.start_id FROM journey_graph."PART_OF" p
                    WHERE p.end_id OPERATOR(ag_catalog.=)
                          journey_stitch.vertex_id('Journey', u.journey) OFFSET 0) AS p
CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                    WHERE h.end_id OPERATOR(ag_catalog.=) p.start_id OFFSET 0) AS h
