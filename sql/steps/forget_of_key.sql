-- The stitched events of project $1 that have one of the keys with kinds $2 and values $3, tied by it or not, and the
-- journey of each
WITH named AS MATERIALIZED (
    SELECT k.id
    FROM unnest($2::text[], $3::text[]) AS u (kind, value)
    CROSS JOIN LATERAL (SELECT k.id FROM journey_stitch.keys k
                        WHERE k.project_id = $1 AND k.kind = u.kind AND k.value = u.value LIMIT 1) AS k
), found AS MATERIALIZED (
    SELECT journey_stitch.graph_entry_id(h.start_id) AS id
    FROM named
    CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                        WHERE h.end_id OPERATOR(ag_catalog.=)
                              journey_stitch.vertex_id('Correlation', named.id) OFFSET 0) AS h
    UNION
    SELECT c.event_id
    FROM named
    CROSS JOIN LATERAL (SELECT c.event_id FROM journey_stitch.merge_conflicts c WHERE c.key_id = named.id OFFSET 0) AS c
)
SELECT e.id, e.occurred_at, e.event_id, e.event_type, e.user_id, e.session_id, e.identifiers,
       journey_stitch.journey_of_entry(e.id)
FROM found
CROSS JOIN LATERAL (SELECT * FROM journey_stitch.events e WHERE e.id = found.id LIMIT 1) AS e
