-- $1 journey (as its id was resolved at that time), $2 time: the events of that journey then, as journey_events.sql.
-- A key was in it then if its last place by then (its last move, else its first journey) is reached back from the
-- journey over merges by then. All such keys are found where they are now: in what the journey has become since,
-- or among the keys that were moved out of that since.
WITH RECURSIVE reached (journey_id, since, until) AS (
    -- Whoever came to this journey between these two numbers of merges and key_moves was in journey $1 then.
    SELECT $1,
           COALESCE((SELECT max(m.id)
                     FROM (SELECT * FROM journey_stitch.merges m WHERE m.absorbed_id = $1 OFFSET 0) AS m
                     WHERE m.merged_at <= $2), 0),
           9223372036854775807
    UNION ALL
    SELECT m.absorbed_id,
           COALESCE((SELECT max(p.id)
                     FROM (SELECT * FROM journey_stitch.merges p WHERE p.absorbed_id = m.absorbed_id OFFSET 0) AS p
                     WHERE p.id < m.id AND p.merged_at <= $2), 0),
           m.id
    FROM reached r
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merges m WHERE m.survivor_id = r.journey_id OFFSET 0) AS m
    WHERE m.id > r.since AND m.id < r.until AND m.merged_at <= $2
), onward (journey_id, since) AS (
    -- What it has become.
    SELECT $1, (SELECT r.since FROM reached r WHERE r.until = 9223372036854775807)
    UNION
    SELECT m.survivor_id, m.id
    FROM onward o
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merges m WHERE m.absorbed_id = o.journey_id OFFSET 0) AS m
    WHERE m.id > o.since
), candidate AS (
    SELECT journey_stitch.graph_entry_id(p.start_id) AS id
    FROM onward o
    CROSS JOIN LATERAL (SELECT p.start_id FROM journey_graph."PART_OF" p
                        WHERE p.end_id OPERATOR(ag_catalog.=)
                              journey_stitch.vertex_id('Journey', o.journey_id) OFFSET 0) AS p
    UNION
    SELECT v.key_id
    FROM onward o
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.key_moves v WHERE v.from_journey_id = o.journey_id OFFSET 0) AS v
    WHERE v.moved_at > $2
), place AS (
    SELECT c.id AS key_id, COALESCE(v.id, 0) AS since,
           CASE WHEN v.id IS NULL THEN k.first_journey_id ELSE v.to_journey_id END AS journey_id
    FROM candidate c
    CROSS JOIN LATERAL (SELECT k.first_journey_id FROM journey_stitch.keys k WHERE k.id = c.id LIMIT 1) AS k
    LEFT JOIN LATERAL (
        SELECT v.id, v.to_journey_id
        FROM (SELECT * FROM journey_stitch.key_moves v WHERE v.key_id = c.id OFFSET 0) AS v
        WHERE v.moved_at <= $2
        ORDER BY v.id DESC
        LIMIT 1) AS v ON true
    OFFSET 0
)
SELECT j.uuid, e.event_id, e.event_type, e.event_name, e.occurred_at, e.user_id, e.session_id, e.source, e.properties
FROM (SELECT h.event_id, count(*) AS keys
      FROM (SELECT p.key_id
            FROM place p
            JOIN reached r ON r.journey_id = p.journey_id AND p.since >= r.since AND p.since < r.until OFFSET 0) AS p
      CROSS JOIN LATERAL (SELECT journey_stitch.graph_entry_id(h.start_id) AS event_id
                          FROM journey_graph."HAS_KEY" h
                          WHERE h.end_id OPERATOR(ag_catalog.=)
                                journey_stitch.vertex_id('Correlation', p.key_id)
                          UNION ALL
                          SELECT c.event_id FROM journey_stitch.merge_conflicts c WHERE c.key_id = p.key_id
                          OFFSET 0) AS h
      GROUP BY h.event_id) AS member
CROSS JOIN LATERAL (SELECT count(*) AS keys
                    FROM (SELECT FROM journey_graph."HAS_KEY" h
                          WHERE h.start_id OPERATOR(ag_catalog.=)
                                journey_stitch.vertex_id('Event', member.event_id)
                          UNION ALL
                          SELECT FROM journey_stitch.merge_conflicts c WHERE c.event_id = member.event_id
                          OFFSET 0) AS h) AS event
CROSS JOIN LATERAL (SELECT e.* FROM journey_stitch.events e WHERE e.id = member.event_id LIMIT 1) AS e
CROSS JOIN (SELECT uuid FROM journey_stitch.journeys WHERE id = $1) AS j
WHERE e.received_at <= $2
  -- Where its keys, tied and refused, were of several journeys then, it was of one of them.
  AND (member.keys = event.keys OR journey_stitch.journey_of_entry_at(e.id, $2) = $1)
ORDER BY e.occurred_at, e.id
