-- HAS_KEY edges that are missing, surplus or double
WITH expected AS (
    SELECT e.id AS event, k.id AS key
    FROM journey_stitch.stitched_events e
    CROSS JOIN LATERAL journey_stitch.event_keys(e.event_id, e.user_id, e.session_id, e.identifiers) AS g
    JOIN journey_stitch.keys k ON k.project_id = e.project_id AND k.kind = g.kind AND k.value = g.value
), actual AS (
    SELECT journey_stitch.graph_entry_id(start_id), journey_stitch.graph_entry_id(end_id) FROM journey_graph."HAS_KEY"
)
SELECT (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE actual) AS missing)
     + (SELECT count(*) FROM (TABLE actual EXCEPT ALL TABLE expected) AS surplus)
