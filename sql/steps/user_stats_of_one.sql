-- Totals of user $2 of project $1, pending events among them
WITH pending AS (
    SELECT e.user_id, e.occurred_at, e.event_type,
           CASE WHEN e.event_type = 'purchase' THEN journey_stitch.json_number(e.properties -> 'amount') END AS amount,
           journey_stitch.json_number(e.properties -> 'duration') AS duration
    FROM journey_stitch.pending q
    CROSS JOIN unnest(q.event_ranges) AS r (ids)
    CROSS JOIN LATERAL (
        SELECT * FROM journey_stitch.events e WHERE e.id >= lower(r.ids) AND e.id < upper(r.ids) OFFSET 0
    ) AS e
    WHERE q.project_id = $1 AND e.user_id IS NOT NULL AND e.user_id = $2
), part AS (
    SELECT u.user_id, u.total_events, u.total_purchases, u.total_spent, u.first_seen, u.last_active, u.last_purchase,
           u.durations, u.total_duration
    FROM journey_stitch.users u
    WHERE u.project_id = $1 AND u.user_id = $2
    UNION ALL
    SELECT p.user_id, count(*), count(*) FILTER (WHERE p.event_type = 'purchase'), coalesce(sum(p.amount), 0),
           min(p.occurred_at), max(p.occurred_at), max(p.occurred_at) FILTER (WHERE p.event_type = 'purchase'),
           count(p.duration), coalesce(sum(p.duration), 0)
    FROM pending p
    GROUP BY p.user_id
