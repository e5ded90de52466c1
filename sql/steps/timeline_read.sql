-- $1 project, $2 from the start of that day, $3 until, $4 event types (NULL: all)
SELECT t.event_type, t.run
FROM journey_stitch.timeline t
WHERE t.project_id = $1 AND t.starts_at >= $2 AND t.starts_at < $3 AND ($4::text[] IS NULL OR t.event_type = ANY ($4))
