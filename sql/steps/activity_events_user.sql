-- Users of stitched events in spans that no rollup has: $1 project; then an element a span: $2 windows,
-- $3 event types ('' for any), $4 from, $5 until
SELECT DISTINCT s.n, u.id
FROM unnest($2::integer[], $3::text[], $4::timestamptz[], $5::timestamptz[]) AS s (n, event_type, starts, ends)
JOIN journey_stitch.events e
  ON e.occurred_at >= s.starts AND e.occurred_at < s.ends AND e.project_id = $1
 AND (e.event_type = s.event_type OR s.event_type = '')
JOIN journey_stitch.users u ON u.project_id = $1 AND u.user_id = e.user_id
