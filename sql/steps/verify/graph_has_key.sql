-- HAS_KEY edges that are missing, surplus or double, or have properties
WITH expected AS (
    SELECT ag_catalog._graphid(l.event, g.id) AS start_id, ag_catalog._graphid(l.correlation, k.id) AS end_id
    -- Kept apart by OFFSET 0: joined one event at a time, all keys of its project would be read for each.
    FROM (SELECT e.id, e.project_id, g.kind, g.value
          FROM journey_stitch.stitched_events e
          CROSS JOIN LATERAL journey_stitch.event_keys(
              e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS g
          OFFSET 0) AS g
    JOIN journey_stitch.keys k ON k.project_id = g.project_id AND k.kind = g.kind AND k.value = g.value
    CROSS JOIN (SELECT journey_stitch.graph_label_id('Event') AS event,
                       journey_stitch.graph_label_id('Correlation') AS correlation OFFSET 0) AS l
    WHERE NOT EXISTS (SELECT FROM journey_stitch.merge_conflicts c WHERE c.event_id = g.id AND c.key_id = k.id)
), actual AS (
    SELECT start_id, end_id FROM journey_graph."HAS_KEY"
)
SELECT (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE actual) AS missing)
     + (SELECT count(*) FROM (TABLE actual EXCEPT ALL TABLE expected) AS surplus)
     + (SELECT count(*) FROM journey_graph."HAS_KEY"
        WHERE NOT properties OPERATOR(ag_catalog.=) '{}'::ag_catalog.agtype)
