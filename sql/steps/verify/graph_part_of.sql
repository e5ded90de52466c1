-- PART_OF edges that are missing, surplus or double
WITH expected AS (
    SELECT id AS key, journey_id AS journey FROM journey_stitch.keys
), actual AS (
    SELECT journey_stitch.graph_entry_id(start_id), journey_stitch.graph_entry_id(end_id) FROM journey_graph."PART_OF"
)
SELECT (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE actual) AS missing)
     + (SELECT count(*) FROM (TABLE actual EXCEPT ALL TABLE expected) AS surplus)
