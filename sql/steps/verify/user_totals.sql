-- Users whose running totals differ from their stitched events
WITH expected AS (
    SELECT e.project_id, e.user_id, count(*) AS total_events, min(e.occurred_at) AS first_seen,
           max(e.occurred_at) AS last_active, count(*) FILTER (WHERE e.event_type = 'purchase') AS total_purchases,
           coalesce(sum(journey_stitch.json_number(e.properties -> 'amount')) FILTER (WHERE e.event_type = 'purchase'), 0) AS total_spent,
           max(e.occurred_at) FILTER (WHERE e.event_type = 'purchase') AS last_purchase,
           count(journey_stitch.json_number(e.properties -> 'duration')) AS durations,
           coalesce(sum(journey_stitch.json_number(e.properties -> 'duration')), 0) AS total_duration
    FROM journey_stitch.stitched_events e
    WHERE e.user_id IS NOT NULL
    GROUP BY 1, 2
)
SELECT count(*)
FROM expected e JOIN journey_stitch.users u USING (project_id, user_id)
WHERE (e.total_events, e.first_seen, e.last_active, e.total_purchases, e.total_spent, e.last_purchase, e.durations, e.total_duration)
      IS DISTINCT FROM
      (u.total_events, u.first_seen, u.last_active, u.total_purchases, u.total_spent, u.last_purchase, u.durations, u.total_duration)
