-- $1 project: how its keys join journeys, what was refused, and which rules wait.
WITH counted AS (
    SELECT k.journey_id, k.kind, count(*) AS keys
    FROM journey_stitch.keys k
    WHERE k.project_id = $1 AND k.journey_id IS NOT NULL
    GROUP BY k.journey_id, k.kind
), kind AS (
    SELECT c.kind, count(*) AS journeys, percentile_disc(0.5) WITHIN GROUP (ORDER BY c.keys) AS median,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY c.keys) AS p99, max(c.keys) AS most
    FROM counted c
    GROUP BY c.kind
), largest AS (
    SELECT j.uuid, j.key_count, j.event_count,
           row_number() OVER (ORDER BY j.key_count DESC, j.event_count DESC, j.id) AS n
    FROM (SELECT * FROM journey_stitch.journeys j
          WHERE j.project_id = $1 AND j.merged_into IS NULL
          ORDER BY j.key_count DESC, j.event_count DESC, j.id
          LIMIT 10) AS j
), quarantined AS (
    SELECT k.kind || ':' || k.value AS key, journey_stitch.journeys_refused(k.id) AS journeys,
           (SELECT count(*) FROM journey_stitch.merge_conflicts c WHERE c.key_id = k.id) AS events
    FROM journey_stitch.keys k
    WHERE k.project_id = $1 AND k.hold = 'q'
), refusals AS (
    SELECT (c.occurred_at AT TIME ZONE 'UTC')::date AS day, c.rule, count(*) AS events,
           dense_rank() OVER (ORDER BY (c.occurred_at AT TIME ZONE 'UTC')::date DESC) AS n
    FROM journey_stitch.merge_conflicts c
    WHERE c.project_id = $1
    GROUP BY 1, 2
)
SELECT h.topic, h.item, h.measure, h.value::numeric
FROM (SELECT 1 AS t, 'kind' AS topic, row_number() OVER (ORDER BY k.kind COLLATE "C") AS n, k.kind AS item, m.n AS m,
             m.measure, m.value
      FROM kind k
      CROSS JOIN LATERAL (VALUES (1, 'journeys', k.journeys), (2, 'median', k.median), (3, 'p99', k.p99),
                                 (4, 'max', k.most)) AS m (n, measure, value)
      UNION ALL
      SELECT 2, 'largest journey', l.n, l.uuid::text, m.n, m.measure, m.value
      FROM largest l
      CROSS JOIN LATERAL (VALUES (1, 'keys', l.key_count), (2, 'events', l.event_count)) AS m (n, measure, value)
      UNION ALL
      SELECT 3, 'quarantined key', row_number() OVER (ORDER BY q.events DESC, q.key COLLATE "C"), q.key,
             m.n, m.measure, m.value
      FROM quarantined q
      CROSS JOIN LATERAL (VALUES (1, 'journeys refused', q.journeys), (2, 'events refused', q.events))
          AS m (n, measure, value)
      UNION ALL
      SELECT 4, 'refusals', r.n, to_char(r.day, 'YYYY-MM-DD'),
             row_number() OVER (PARTITION BY r.day ORDER BY r.rule COLLATE "C"), r.rule, r.events
      FROM refusals r
      WHERE r.n <= 30
      UNION ALL
      SELECT 5, 'rules', 1, 'waiting', 1, 'rules', count(*)
      FROM journey_stitch.identity_rules r
      WHERE r.project_id = $1 AND NOT r.is_in_force) AS h
ORDER BY h.t, h.n, h.item COLLATE "C", h.m
