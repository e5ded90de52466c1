-- PART_OF edges that are missing, surplus or double, or have properties
WITH expected AS (
    SELECT ag_catalog._graphid(l.correlation, k.id) AS start_id, ag_catalog._graphid(l.journey, k.journey_id) AS end_id
    FROM journey_stitch.keys k
    CROSS JOIN (SELECT journey_stitch.graph_label_id('Correlation') AS correlation,
                       journey_stitch.graph_label_id('Journey') AS journey OFFSET 0) AS l
    WHERE k.journey_id IS NOT NULL
), actual AS (
    SELECT start_id, end_id FROM journey_graph."PART_OF"
)
SELECT (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE actual) AS missing)
     + (SELECT count(*) FROM (TABLE actual EXCEPT ALL TABLE expected) AS surplus)
     + (SELECT count(*) FROM journey_graph."PART_OF"
        WHERE NOT properties OPERATOR(ag_catalog.=) '{}'::ag_catalog.agtype)
