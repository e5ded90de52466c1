-- $1 project; then an element a span: $2 grains, $3 from, $4 until
SELECT c.event_type, sum(c.events)::bigint
FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[]) AS s (grain, starts, ends)
JOIN journey_stitch.event_counts c
  ON c.project_id = $1 AND c.grain = s.grain::"char" AND c.starts_at >= s.starts AND c.starts_at < s.ends
GROUP BY c.event_type
