-- What was said in project $1 of keys with kinds $2 and values $3 is said of what stands in for them ($4), too
WITH token AS (
    SELECT u.kind, u.value, u.token FROM unnest($2::text[], $3::text[], $4::text[]) AS u (kind, value, token)
), said AS (
    SELECT w.word, w.kind, COALESCE(a.token, w.value) AS value, w.other_kind, COALESCE(b.token, w.other_value) AS other_value,
           w.made_by, w.made_at
    FROM journey_stitch.identity_words w
    LEFT JOIN token a ON a.kind = w.kind AND a.value = w.value
    LEFT JOIN token b ON b.kind = w.other_kind AND b.value = w.other_value
    WHERE w.project_id = $1 AND (a.token IS NOT NULL OR b.token IS NOT NULL)
)
INSERT INTO journey_stitch.identity_words (project_id, word, kind, value, other_kind, other_value, made_by, made_at)
SELECT $1, s.word, l.kind, l.value, g.kind, g.value, s.made_by, s.made_at
FROM said s
-- Of two keys the lesser comes first.
CROSS JOIN LATERAL (SELECT s.other_kind IS NOT NULL
                           AND (s.other_kind COLLATE "C", s.other_value COLLATE "C") < (s.kind COLLATE "C", s.value COLLATE "C") AS is_swapped) AS o
CROSS JOIN LATERAL (SELECT CASE WHEN o.is_swapped THEN s.other_kind ELSE s.kind END AS kind,
                           CASE WHEN o.is_swapped THEN s.other_value ELSE s.value END AS value) AS l
CROSS JOIN LATERAL (SELECT CASE WHEN o.is_swapped THEN s.kind ELSE s.other_kind END AS kind,
                           CASE WHEN o.is_swapped THEN s.value ELSE s.other_value END AS value) AS g
ON CONFLICT DO NOTHING
