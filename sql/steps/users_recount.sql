-- Computes totals of users anew
), total AS (
    SELECT c.user_id, count(*) AS events, min(c.occurred_at) AS first_seen, max(c.occurred_at) AS last_active,
           count(*) FILTER (WHERE c.event_type = 'purchase') AS purchases,
           sum(journey_stitch.json_number(c.properties -> 'amount')) FILTER (WHERE c.event_type = 'purchase') AS spent,
           max(c.occurred_at) FILTER (WHERE c.event_type = 'purchase') AS last_purchase,
           count(journey_stitch.json_number(c.properties -> 'duration')) AS durations,
           sum(journey_stitch.json_number(c.properties -> 'duration')) AS duration
    FROM candidate c
    GROUP BY c.user_id
)
UPDATE journey_stitch.users u
SET total_events = coalesce(t.events, 0), first_seen = t.first_seen, last_active = t.last_active,
    total_purchases = coalesce(t.purchases, 0), total_spent = coalesce(t.spent, 0), last_purchase = t.last_purchase,
    durations = coalesce(t.durations, 0), total_duration = coalesce(t.duration, 0)
FROM (SELECT DISTINCT named.user_id FROM named) AS n
LEFT JOIN total t ON t.user_id = n.user_id
WHERE u.project_id = $1 AND u.user_id = n.user_id
