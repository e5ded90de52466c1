-- What follows from the parts of totals that the statements before this one collect, user_stats_of_one.sql or
-- user_stats_of_all.sql.
-- Engagement and risk are functions of the totals and of now: see the function's comment.
), total AS (
    SELECT p.user_id, sum(p.total_events)::bigint AS total_events, sum(p.total_purchases)::bigint AS total_purchases,
           sum(p.total_spent) AS total_spent, min(p.first_seen) AS first_seen, max(p.last_active) AS last_active,
           max(p.last_purchase) AS last_purchase, sum(p.durations) AS durations, sum(p.total_duration) AS total_duration
    FROM part p
    GROUP BY p.user_id
), rhythm AS (
    SELECT t.*, greatest(extract(epoch FROM now() - t.last_active), 0) / 86400 AS silence,
           t.total_events / greatest(extract(epoch FROM now() - t.first_seen) / 86400, 1) AS events_a_day,
           extract(epoch FROM t.last_active - t.first_seen) / 86400 / greatest(t.total_events - 1, 1) AS gap
    FROM total t
    WHERE t.total_events > 0
)
SELECT r.user_id, r.total_events, r.total_purchases, r.total_spent, r.first_seen, r.last_active, r.last_purchase,
       r.total_duration / nullif(r.durations, 0),
       round((50 * 0.5 ^ least(r.silence / 14, 100) + 30 * r.events_a_day / (r.events_a_day + 1)
              + 20 * r.total_purchases / (r.total_purchases + 1.0))::numeric, 1),
       round(1 - 0.5 ^ least(r.silence / greatest(14, 2 * r.gap), 100), 4)
FROM rhythm r
ORDER BY r.user_id COLLATE "C"
