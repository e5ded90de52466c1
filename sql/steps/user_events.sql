-- The stitched events of project $1 that were sent with user_id $2, which is the key $3 (NULL: it is none)
WITH key AS MATERIALIZED (
    SELECT k.id FROM journey_stitch.keys k WHERE k.project_id = $1 AND k.kind = 'user_id' AND k.value = $3
), found AS (
    SELECT journey_stitch.graph_entry_id(h.start_id) AS id
    FROM key
    CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                        WHERE h.end_id OPERATOR(ag_catalog.=)
                              journey_stitch.vertex_id('Correlation', key.id) OFFSET 0) AS h
    UNION
    SELECT c.event_id
    FROM key
    CROSS JOIN LATERAL (SELECT c.event_id FROM journey_stitch.merge_conflicts c WHERE c.key_id = key.id OFFSET 0) AS c
)
SELECT e.id
FROM found
CROSS JOIN LATERAL (SELECT e.id, e.user_id FROM journey_stitch.events e WHERE e.id = found.id LIMIT 1) AS e
WHERE e.user_id = $2
UNION ALL
-- A value that is no key leads nowhere: all events are looked at.
SELECT e.id FROM journey_stitch.events e WHERE $3::text IS NULL AND e.project_id = $1 AND e.user_id = $2
