-- The last run of a type and day: $1 project; then an element each: $2 event types, $3 starts
SELECT u.n::integer, t.first_id, t.run
FROM unnest($2::text[], $3::timestamptz[]) WITH ORDINALITY AS u (event_type, starts_at, n)
CROSS JOIN LATERAL (
    SELECT t.first_id, t.run FROM journey_stitch.timeline t
    WHERE t.project_id = $1 AND t.starts_at = u.starts_at AND t.event_type = u.event_type
    ORDER BY t.first_id DESC LIMIT 1
) AS t
