-- Counts of events that differ from the stitched events
WITH expected AS (
    SELECT e.project_id, e.event_type, date_trunc('day', e.occurred_at, 'UTC') AS starts_at, count(*) AS events
    FROM journey_stitch.stitched_events e
    GROUP BY 1, 2, 3
)
SELECT count(*)
FROM expected FULL JOIN journey_stitch.event_counts c USING (project_id, event_type, starts_at)
WHERE expected.events IS DISTINCT FROM c.events
