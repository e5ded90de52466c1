-- Present journeys whose counts or times are not those of their events and keys
WITH member AS (
    SELECT DISTINCT journey_id, event_id, occurred_at FROM journey_stitch.stitched_keys WHERE NOT is_refused
), by_events AS (
    SELECT journey_id, count(*) AS events, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen
    FROM member GROUP BY journey_id
), by_keys AS (
    SELECT journey_id, count(*) AS keys FROM journey_stitch.keys WHERE journey_id IS NOT NULL GROUP BY journey_id
)
SELECT count(*)
FROM (SELECT * FROM journey_stitch.journeys WHERE merged_into IS NULL) AS j
FULL JOIN by_events e ON e.journey_id = j.id
FULL JOIN by_keys k ON k.journey_id = COALESCE(j.id, e.journey_id)
WHERE (j.event_count, j.first_seen, j.last_seen, j.key_count)
      IS DISTINCT FROM (e.events, e.first_seen, e.last_seen, k.keys::integer)
