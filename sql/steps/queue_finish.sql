-- Takes queue rows $1 of project $2 out, and counts: $3 events stitched in $4 batches, $5 journeys created, $6
-- absorbed, $7 events given up, $8 seconds; and what the rows say of the calls that they came from.
WITH done AS (
    DELETE FROM journey_stitch.pending WHERE project_id = $2 AND id = ANY ($1) RETURNING received, duplicates, rejected
), rejected AS (
    SELECT r.reason, sum(r.events::bigint)::bigint AS events
    FROM done CROSS JOIN jsonb_each_text(done.rejected) AS r (reason, events)
    GROUP BY r.reason
), reasons AS (
    INSERT INTO journey_stitch.rejection_stats AS s (project_id, reason, events)
    SELECT $2, reason, events FROM rejected
    ON CONFLICT (project_id, reason) DO UPDATE SET events = s.events + EXCLUDED.events
)
INSERT INTO journey_stitch.project_stats AS s
    (project_id, received, duplicates, rejected, events, batches, journeys_created, journeys_merged, errors,
     busy_seconds, last_batch_at)
SELECT $2, COALESCE(sum(done.received), 0), COALESCE(sum(done.duplicates), 0),
       COALESCE((SELECT sum(events) FROM rejected), 0), $3, $4, $5, $6, $7, $8,
       CASE WHEN $4 > 0 THEN clock_timestamp() END
FROM done
ON CONFLICT (project_id) DO UPDATE
SET received = s.received + EXCLUDED.received, duplicates = s.duplicates + EXCLUDED.duplicates,
    rejected = s.rejected + EXCLUDED.rejected, events = s.events + EXCLUDED.events,
    batches = s.batches + EXCLUDED.batches, journeys_created = s.journeys_created + EXCLUDED.journeys_created,
    journeys_merged = s.journeys_merged + EXCLUDED.journeys_merged, errors = s.errors + EXCLUDED.errors,
    busy_seconds = s.busy_seconds + EXCLUDED.busy_seconds, last_batch_at = COALESCE(EXCLUDED.last_batch_at, s.last_batch_at)
