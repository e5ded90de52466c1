-- Takes the first $2 events of queue row $1 of project $3 into a row of their own, whose id this answers. The rest keeps its place in
-- the queue, and the counts of the call.
WITH boundary AS (
    SELECT e.id
    FROM journey_stitch.pending q
    CROSS JOIN unnest(q.event_ranges) AS r (ids)
    CROSS JOIN LATERAL (
        -- Kept apart, so that it is a descent of the index for each range.
        SELECT e.id FROM journey_stitch.events e
        WHERE e.id >= lower(r.ids) AND e.id < upper(r.ids) ORDER BY e.id OFFSET 0
    ) AS e
    WHERE q.project_id = $3 AND q.id = $1
    ORDER BY e.id
    OFFSET $2 LIMIT 1
), rest AS (
    UPDATE journey_stitch.pending q
    SET events = q.events - $2, event_ranges = q.event_ranges * int8multirange(int8range(boundary.id, NULL))
    FROM boundary
    WHERE q.project_id = $3 AND q.id = $1
)
INSERT INTO journey_stitch.pending
    (project_id, events, event_ranges, attempts, next_attempt_at, last_error, created_at)
SELECT q.project_id, $2, q.event_ranges * int8multirange(int8range(NULL, boundary.id)),
       q.attempts, q.next_attempt_at, q.last_error, q.created_at
FROM journey_stitch.pending q, boundary
WHERE q.project_id = $3 AND q.id = $1
RETURNING id
