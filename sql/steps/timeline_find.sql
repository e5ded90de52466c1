-- Runs that may have certain events: $1 project; then an element a type and day: $2 event types, $3 starts, $4 the
-- lowest and $5 the highest of the events' ids
SELECT u.n::integer, t.first_id, t.run
FROM unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[]) WITH ORDINALITY AS u (event_type, starts_at, low, high, n)
CROSS JOIN LATERAL (
    SELECT t.first_id, t.run FROM journey_stitch.timeline t
    WHERE t.project_id = $1 AND t.starts_at = u.starts_at AND t.event_type = u.event_type
      AND t.first_id <= u.high AND t.last_id >= u.low
    OFFSET 0
) AS t
