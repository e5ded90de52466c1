-- The stitched events of users of project $1: $2 their user_ids as sent, $3 as keys (NULL: such a value is no key).
-- The beginning of users_recount.sql and forget_left.sql.
WITH named AS MATERIALIZED (
    SELECT u.user_id, u.value, k.id AS key_id
    FROM unnest($2::text[], $3::text[]) AS u (user_id, value)
    LEFT JOIN LATERAL (SELECT k.id FROM journey_stitch.keys k
                       WHERE k.project_id = $1 AND k.kind = 'user_id' AND k.value = u.value LIMIT 1) AS k ON true
), found AS (
    SELECT journey_stitch.graph_entry_id(h.start_id) AS id
    FROM (SELECT * FROM named WHERE named.key_id IS NOT NULL OFFSET 0) AS named
    CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                        WHERE h.end_id OPERATOR(ag_catalog.=)
                              journey_stitch.vertex_id('Correlation', named.key_id) OFFSET 0) AS h
    UNION
    SELECT c.event_id
    FROM (SELECT * FROM named WHERE named.key_id IS NOT NULL OFFSET 0) AS named
    CROSS JOIN LATERAL (SELECT c.event_id FROM journey_stitch.merge_conflicts c WHERE c.key_id = named.key_id OFFSET 0) AS c
), candidate AS (
    SELECT e.id, e.user_id, e.occurred_at, e.event_type, e.properties
    FROM found
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.events e WHERE e.id = found.id LIMIT 1) AS e
    WHERE e.user_id IN (SELECT named.user_id FROM named WHERE named.value IS NOT NULL)
    UNION ALL
    -- Values that are no keys lead nowhere: all events are looked at.
    SELECT e.id, e.user_id, e.occurred_at, e.event_type, e.properties
    FROM journey_stitch.stitched_events e
    WHERE EXISTS (SELECT FROM named WHERE named.value IS NULL)
      AND e.project_id = $1 AND e.user_id IN (SELECT named.user_id FROM named WHERE named.value IS NULL)
