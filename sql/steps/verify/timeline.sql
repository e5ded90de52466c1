-- Stitched events missing from the timeline, entries of it that no stitched event has, and runs that say other ids
WITH expected AS (
    SELECT e.project_id, e.event_type, date_trunc('day', e.occurred_at, 'UTC') AS starts_at, e.id, e.occurred_at,
           u.id AS user_number, j.journey_id
    FROM journey_stitch.stitched_events e
    LEFT JOIN journey_stitch.users u ON u.project_id = e.project_id AND u.user_id = e.user_id
    LEFT JOIN (SELECT k.event_id, min(k.journey_id) AS journey_id FROM journey_stitch.stitched_keys k
               WHERE NOT k.is_refused GROUP BY k.event_id) AS j ON j.event_id = e.id
), actual AS (
    SELECT t.project_id, t.event_type, t.starts_at, r.id, r.occurred_at, r.user_number,
           coalesce(j.merged_into, r.journey_number) AS journey_id
    FROM journey_stitch.timeline t
    CROSS JOIN LATERAL journey_stitch.timeline_events(t.run) AS r
    LEFT JOIN journey_stitch.journeys j ON j.id = r.journey_number
)
SELECT (SELECT count(*) FROM (TABLE expected EXCEPT ALL TABLE actual) AS missing)
     + (SELECT count(*) FROM (TABLE actual EXCEPT ALL TABLE expected) AS surplus)
     + (SELECT count(*) FROM journey_stitch.timeline t
        WHERE (t.first_id, t.last_id) IS DISTINCT FROM
              (SELECT (min(r.id), max(r.id)) FROM journey_stitch.timeline_events(t.run) AS r))
