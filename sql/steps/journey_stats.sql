-- $1 journey: what it has and since when, counted by kinds of keys, sources and types of events. Each step is kept
-- apart by OFFSET 0 or LIMIT, so that the path is walked by index, and each event is looked up where its key leads
-- to it, once a key, so that nothing is joined whose size the planner would have to know.
WITH tie AS MATERIALIZED (
    SELECT k.id AS key_id, k.kind, e.id, e.occurred_at, e.source, e.event_type
    FROM (SELECT p.start_id
          FROM journey_graph."PART_OF" p
          WHERE p.end_id OPERATOR(ag_catalog.=)
                journey_stitch.vertex_id('Journey', $1) OFFSET 0) AS p
    CROSS JOIN LATERAL (SELECT k.id, k.kind FROM journey_stitch.keys k
                        WHERE k.id = journey_stitch.graph_entry_id(p.start_id) LIMIT 1) AS k
    CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                        WHERE h.end_id OPERATOR(ag_catalog.=) p.start_id OFFSET 0) AS h
    CROSS JOIN LATERAL (SELECT e.* FROM journey_stitch.events e
                        WHERE e.id = journey_stitch.graph_entry_id(h.start_id) LIMIT 1) AS e
), event AS MATERIALIZED (
    SELECT DISTINCT ON (t.id) t.id, t.occurred_at, t.source, t.event_type FROM tie t ORDER BY t.id
), refused AS (
    SELECT k.kind, c.event_id, e.occurred_at
    FROM event e
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merge_conflicts c WHERE c.event_id = e.id OFFSET 0) AS c
    CROSS JOIN LATERAL (SELECT k.kind FROM journey_stitch.keys k WHERE k.id = c.key_id LIMIT 1) AS k
)
SELECT s.measure, s.item, s.entries, s.first_seen, s.last_seen
FROM (SELECT 1 AS n, 'events' AS measure, NULL AS item, count(*) AS entries, min(e.occurred_at) AS first_seen,
             max(e.occurred_at) AS last_seen
      FROM event e
      UNION ALL
      SELECT 2, 'keys', t.kind, count(DISTINCT t.key_id), min(t.occurred_at), max(t.occurred_at)
      FROM tie t GROUP BY t.kind
      UNION ALL
      SELECT 3, 'refused keys', r.kind, count(*), min(r.occurred_at), max(r.occurred_at)
      FROM refused r GROUP BY r.kind
      UNION ALL
      SELECT 4, 'source', COALESCE(e.source, '(none)'), count(*), min(e.occurred_at), max(e.occurred_at)
      FROM event e GROUP BY 3
      UNION ALL
      SELECT 5, 'event_type', e.event_type, count(*), min(e.occurred_at), max(e.occurred_at)
      FROM event e GROUP BY 3) AS s
ORDER BY s.n, s.entries DESC, s.item COLLATE "C"
