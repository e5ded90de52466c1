-- Leaves the first $2 events in queue row $1; the others become a row of their own behind it.
WITH boundary AS (
    SELECT e.id
    FROM journey_stitch.pending q
    CROSS JOIN unnest(q.event_ranges) AS r (ids)
    CROSS JOIN LATERAL (
        -- Kept apart, so that it is a descent of the index for each range.
        SELECT e.id FROM journey_stitch.events e
        WHERE e.id >= lower(r.ids) AND e.id < upper(r.ids) ORDER BY e.id OFFSET 0
    ) AS e
    WHERE q.id = $1
    ORDER BY e.id
    OFFSET $2 LIMIT 1
), rest AS (
    INSERT INTO journey_stitch.pending
        (project_id, events, event_ranges, attempts, next_attempt_at, last_error, created_at)
    SELECT q.project_id, q.events - $2, q.event_ranges * int8multirange(int8range(boundary.id, NULL)),
           q.attempts, q.next_attempt_at, q.last_error, q.created_at
    FROM journey_stitch.pending q, boundary
    WHERE q.id = $1
)
UPDATE journey_stitch.pending q
SET events = $2, event_ranges = q.event_ranges * int8multirange(int8range(NULL, boundary.id))
FROM boundary
WHERE q.id = $1
