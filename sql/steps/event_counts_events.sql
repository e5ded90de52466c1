-- Events in spans that no rollup has: $1 project; then an element a span: $2 from, $3 until
SELECT e.id, e.event_type
FROM unnest($2::timestamptz[], $3::timestamptz[]) AS s (starts, ends)
JOIN journey_stitch.events e ON e.occurred_at >= s.starts AND e.occurred_at < s.ends AND e.project_id = $1
