-- Keys that were refused to events of what is now the same journey tie them after all: $1 the label Journey, $2
-- absorbed, $3 survivors. Run before the keys move. Answers the pairs, which are to become edges.
WITH merging AS (
    SELECT u.absorbed, u.survivor FROM unnest($2::bigint[], $3::bigint[]) AS u (absorbed, survivor)
), moving AS MATERIALIZED (
    SELECT m.survivor, journey_stitch.graph_entry_id(p.start_id) AS key_id, p.start_id AS vertex
    FROM merging m
    CROSS JOIN LATERAL (SELECT p.start_id FROM journey_graph."PART_OF" p
                        WHERE p.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, m.absorbed) OFFSET 0) AS p
), candidate AS (
    SELECT m.survivor, c.event_id, c.key_id
    FROM moving m
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merge_conflicts c WHERE c.key_id = m.key_id OFFSET 0) AS c
    UNION
    SELECT m.survivor, c.event_id, c.key_id
    FROM moving m
    CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                        WHERE h.end_id OPERATOR(ag_catalog.=) m.vertex OFFSET 0) AS h
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merge_conflicts c
                        WHERE c.event_id = journey_stitch.graph_entry_id(h.start_id) OFFSET 0) AS c
), placed AS MATERIALIZED (
    SELECT c.survivor, c.event_id, c.key_id, k.journey_id AS of_key, journey_stitch.journey_of_entry(c.event_id) AS of_event
    FROM candidate c
    CROSS JOIN LATERAL (SELECT k.journey_id FROM journey_stitch.keys k WHERE k.id = c.key_id LIMIT 1) AS k
), settled AS (
    SELECT p.event_id, p.key_id
    FROM placed p
    LEFT JOIN merging k ON k.absorbed = p.of_key
    LEFT JOIN merging e ON e.absorbed = p.of_event
    WHERE COALESCE(k.survivor, p.of_key) = p.survivor AND COALESCE(e.survivor, p.of_event) = p.survivor
)
DELETE FROM journey_stitch.merge_conflicts c
USING settled s
WHERE c.event_id = s.event_id AND c.key_id = s.key_id
RETURNING c.event_id, c.key_id
