-- $1 project, $2 identity, $3 event type ('' for any), $4 from, $5 until
SELECT a.starts_at, a.chunk, a.members
FROM journey_stitch.activity a
WHERE a.project_id = $1 AND a.identity = $2::"char" AND a.event_type = $3 AND a.starts_at >= $4 AND a.starts_at < $5
