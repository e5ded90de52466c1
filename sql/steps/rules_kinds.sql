-- $1 project. The kinds that its keys have, one index descent a kind; no more than 10,000, since senders choose them.
WITH RECURSIVE kinds (kind) AS (
    (SELECT k.kind FROM journey_stitch.keys k WHERE k.project_id = $1 ORDER BY k.kind LIMIT 1)
    UNION ALL
    SELECT (SELECT k.kind FROM journey_stitch.keys k
            WHERE k.project_id = $1 AND k.kind > f.kind ORDER BY k.kind LIMIT 1)
    FROM kinds f
    WHERE f.kind IS NOT NULL
)
SELECT f.kind FROM kinds f WHERE f.kind IS NOT NULL LIMIT 10000
