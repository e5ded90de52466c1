-- $1 project, $2 from, $3 until
SELECT c.event_type, sum(c.events)::bigint
FROM journey_stitch.event_counts c
WHERE c.project_id = $1 AND c.starts_at >= $2 AND c.starts_at < $3
GROUP BY c.event_type
