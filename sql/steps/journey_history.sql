-- $1 project, $2 present journey: what happened to it and to the journeys that are its aliases, the oldest first.
-- Of an alias other_journey_id is the alias; of keys that came from or went to no journey it is NULL.
WITH member AS (
    SELECT j.id FROM journey_stitch.journeys j WHERE j.id = $2 AND j.project_id = $1
    UNION ALL
    SELECT a.id FROM journey_stitch.journeys a WHERE a.merged_into = $2 AND a.project_id = $1
), merge AS (
    -- By index from both ends; UNION leaves out what both found.
    SELECT m.*
    FROM member
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merges m WHERE m.survivor_id = member.id OFFSET 0) AS m
    UNION
    SELECT m.*
    FROM member
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merges m WHERE m.absorbed_id = member.id OFFSET 0) AS m
), move AS (
    SELECT v.*, true AS is_from
    FROM member
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.key_moves v WHERE v.from_journey_id = member.id OFFSET 0) AS v
    UNION ALL
    SELECT v.*, false
    FROM member
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.key_moves v WHERE v.to_journey_id = member.id OFFSET 0) AS v
), split AS (
    -- A move between two of them is one of the present journey, if it is one of the two, or else of the one left.
    SELECT v.id, v.key_id, v.rule, v.log_id, v.moved_at, v.is_off,
           CASE WHEN v.is_off THEN v.to_journey_id ELSE v.from_journey_id END AS other_id
    FROM (SELECT v.id, v.key_id, v.from_journey_id, v.to_journey_id, v.rule, v.log_id, v.moved_at,
                 v.to_journey_id IS DISTINCT FROM $2 AND bool_or(v.is_from) AS is_off
          FROM move v
          GROUP BY v.id, v.key_id, v.from_journey_id, v.to_journey_id, v.rule, v.log_id, v.moved_at) AS v
), part AS (
    SELECT s.is_off, s.other_id, s.rule, s.log_id, s.moved_at, min(s.id) AS id, count(*) AS keys,
           string_agg(s.key, ', ' ORDER BY s.n) FILTER (WHERE s.n <= 5) AS key
    FROM (SELECT s.*, k.kind || ':' || k.value AS key,
                 row_number() OVER (PARTITION BY s.is_off, s.other_id, s.rule, s.log_id, s.moved_at
                                    ORDER BY k.kind COLLATE "C", k.value COLLATE "C") AS n
          FROM split s
          LEFT JOIN LATERAL (SELECT * FROM journey_stitch.keys k WHERE k.id = s.key_id LIMIT 1) AS k ON true) AS s
    GROUP BY s.is_off, s.other_id, s.rule, s.log_id, s.moved_at
), change (at, position, change, other_id, event_id, key, rule, made_by) AS (
    SELECT j.created_at, 0, 'created', NULL, j.founder_id, NULL, NULL, NULL
    FROM journey_stitch.journeys j
    WHERE j.id = $2 AND j.project_id = $1
    UNION ALL
    SELECT m.merged_at, m.id, CASE WHEN m.survivor_id = $2 THEN 'absorbed' ELSE 'was absorbed' END,
           CASE WHEN m.absorbed_id = $2 THEN m.survivor_id ELSE m.absorbed_id END, m.event_id,
           (SELECT k.kind || ':' || k.value FROM journey_stitch.keys k WHERE k.id = m.key_id), m.rule,
           -- A merge that somebody's word made is logged in its transaction, under the same name.
           (SELECT l.made_by FROM journey_stitch.identity_log l
            WHERE m.rule NOT LIKE 'shared %'
              AND l.project_id = $1 AND l.made_at = m.merged_at AND l.action = m.rule
            ORDER BY l.id
            LIMIT 1)
    FROM merge m
    UNION ALL
    SELECT p.moved_at, p.id, CASE WHEN p.is_off THEN 'split off' ELSE 'split from' END, p.other_id, NULL,
           p.key || CASE WHEN p.keys > 5 THEN format(' … and %s more', p.keys - 5) ELSE '' END, p.rule,
           (SELECT l.made_by FROM journey_stitch.identity_log l WHERE l.id = p.log_id)
    FROM part p
)
SELECT c.at, c.change, j.uuid, e.event_id, c.key, c.rule, c.made_by
FROM change c
LEFT JOIN LATERAL (SELECT j.uuid FROM journey_stitch.journeys j WHERE j.id = c.other_id LIMIT 1) AS j ON true
LEFT JOIN LATERAL (SELECT e.event_id FROM journey_stitch.events e WHERE e.id = c.event_id LIMIT 1) AS e ON true
ORDER BY c.at, c.position
