-- Users of stitched events in spans that no rollup has: $1 project, $2 event type or NULL; then an
-- element a span: $3 windows, $4 from, $5 until
SELECT DISTINCT s.n, u.id
FROM unnest($3::integer[], $4::timestamptz[], $5::timestamptz[]) AS s (n, starts, ends)
JOIN journey_stitch.events e
  ON e.occurred_at >= s.starts AND e.occurred_at < s.ends AND e.project_id = $1
 AND (e.event_type = $2 OR $2 IS NULL)
JOIN journey_stitch.users u ON u.project_id = $1 AND u.user_id = e.user_id
