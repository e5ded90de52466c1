-- The events of journey $1, with the journey
SELECT e.id, e.occurred_at, e.event_id, e.event_type, e.user_id, e.session_id, e.identifiers, $1
FROM (SELECT DISTINCT h.start_id
      FROM (SELECT p.start_id
            FROM journey_graph."PART_OF" p
            WHERE p.end_id OPERATOR(ag_catalog.=)
                  journey_stitch.vertex_id('Journey', $1) OFFSET 0) AS p
      CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                          WHERE h.end_id OPERATOR(ag_catalog.=) p.start_id OFFSET 0) AS h) AS member
CROSS JOIN LATERAL (SELECT e.* FROM journey_stitch.events e
                    WHERE e.id = journey_stitch.graph_entry_id(member.start_id) LIMIT 1) AS e
