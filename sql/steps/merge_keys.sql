-- Moves the keys of absorbed journeys, in the table and in the graph: $1 the label Journey, $2 absorbed,
-- $3 survivors. Answers how many there were.
WITH moved AS (
    UPDATE journey_graph."PART_OF" p
    SET end_id = ag_catalog._graphid($1, u.survivor)
    FROM unnest($2::bigint[], $3::bigint[]) AS u (absorbed, survivor)
    WHERE p.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.absorbed)
    RETURNING journey_stitch.graph_entry_id(p.start_id) AS key_id, u.survivor
), gone AS (
    DELETE FROM journey_graph."Journey" v
    USING unnest($2::bigint[]) AS u (absorbed)
    WHERE v.id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.absorbed)
), keys AS (
    UPDATE journey_stitch.keys k
    SET journey_id = moved.survivor
    FROM moved
    WHERE k.id = moved.key_id
    RETURNING k.id
)
SELECT count(*) FROM keys
