-- Moves the keys of absorbed journeys, in the table and in the graph: $1 absorbed, $2 survivors.
WITH label AS MATERIALIZED (
    SELECT journey_stitch.graph_label_id('Journey') AS journey
), moved AS (
    UPDATE journey_graph."PART_OF" p
    SET end_id = ag_catalog._graphid(label.journey, u.survivor)
    FROM label, unnest($1::bigint[], $2::bigint[]) AS u (absorbed, survivor)
    WHERE p.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid(label.journey, u.absorbed)
    RETURNING journey_stitch.graph_entry_id(p.start_id) AS key_id, u.survivor
), gone AS (
    DELETE FROM journey_graph."Journey" v
    USING label, unnest($1::bigint[]) AS u (absorbed)
    WHERE v.id OPERATOR(ag_catalog.=) ag_catalog._graphid(label.journey, u.absorbed)
)
UPDATE journey_stitch.keys k
SET journey_id = moved.survivor
FROM moved
WHERE k.id = moved.key_id
