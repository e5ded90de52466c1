-- Counts of events that differ from the stitched events
WITH expected AS (
    SELECT e.project_id, g.grain::"char" AS grain, e.event_type, g.starts_at, count(*) AS events
    FROM journey_stitch.stitched_events e
    CROSS JOIN LATERAL (VALUES
        ('d', date_trunc('day', e.occurred_at, 'UTC')),
        ('h', date_bin('30 minutes', e.occurred_at, '2000-01-01 00:00:00+00'))) AS g (grain, starts_at)
    GROUP BY 1, 2, 3, 4
)
SELECT count(*)
FROM expected FULL JOIN journey_stitch.event_counts c USING (project_id, grain, event_type, starts_at)
WHERE expected.events IS DISTINCT FROM c.events
