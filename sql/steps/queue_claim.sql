-- The queue rows of the next batch: $1 project, $2 the most events. A row that has failed before goes
-- alone, so that it can neither spoil its neighbours nor be spoilt by them.
WITH due AS MATERIALIZED (
    SELECT id, events, attempts, event_ranges
    FROM journey_stitch.pending
    WHERE project_id = $1 AND next_attempt_at <= clock_timestamp()
    ORDER BY id
    LIMIT LEAST($2, 10000)
    FOR UPDATE SKIP LOCKED
), head AS (
    SELECT id, attempts FROM due ORDER BY id LIMIT 1
), counted AS (
    SELECT due.*, sum(due.events) OVER (ORDER BY due.id) - due.events AS events_before
    FROM due, head
    WHERE CASE WHEN head.attempts > 0 THEN due.id = head.id ELSE due.attempts = 0 END
)
SELECT id, events, attempts
FROM counted
WHERE events_before < $2
ORDER BY id
