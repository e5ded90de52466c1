-- Keys that merges and key_moves do not lead to their present journey: journey_at() of every key, for all times. From
-- the merges after which nothing more happened to the survivor back to those before, each looked at once.
WITH RECURSIVE merge (id, absorbed_id, since, present) AS (
    SELECT m.id, m.absorbed_id, m.since, m.survivor_id
    FROM (SELECT m.*, COALESCE(lag(m.id) OVER (PARTITION BY m.absorbed_id ORDER BY m.id), 0) AS since
          FROM journey_stitch.merges m) AS m
    LEFT JOIN (SELECT n.absorbed_id, max(n.id) AS id FROM journey_stitch.merges n GROUP BY n.absorbed_id) AS later
        ON later.absorbed_id = m.survivor_id AND later.id > m.id
    WHERE later.id IS NULL
    UNION ALL
    SELECT m.id, m.absorbed_id,
           COALESCE((SELECT max(p.id)
                     FROM (SELECT * FROM journey_stitch.merges p WHERE p.absorbed_id = m.absorbed_id OFFSET 0) AS p
                     WHERE p.id < m.id), 0),
           n.present
    FROM merge n
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merges m WHERE m.survivor_id = n.absorbed_id OFFSET 0) AS m
    -- Only what n absorbed with it, not what an earlier or a later life of that journey did.
    WHERE m.id > n.since AND m.id < n.id
), last_move AS (
    SELECT DISTINCT ON (v.key_id) v.key_id, v.id, v.to_journey_id
    FROM journey_stitch.key_moves v
    ORDER BY v.key_id, v.id DESC
), place AS (
    SELECT k.journey_id, COALESCE(v.id, 0) AS since,
           CASE WHEN v.id IS NULL THEN k.first_journey_id ELSE v.to_journey_id END AS was_in
    FROM journey_stitch.keys k
    LEFT JOIN last_move v ON v.key_id = k.id
)
SELECT count(*)
FROM place p
LEFT JOIN merge m ON m.absorbed_id = p.was_in AND p.since >= m.since AND p.since < m.id
WHERE COALESCE(m.present, p.was_in) IS DISTINCT FROM p.journey_id
