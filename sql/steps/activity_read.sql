-- $1 project, $2 identity, $3 event type; then an element a span: $4 windows, $5 grains, $6 from, $7 until
SELECT s.n, a.chunk, a.members
FROM unnest($4::integer[], $5::text[], $6::timestamptz[], $7::timestamptz[]) AS s (n, grain, starts, ends)
JOIN journey_stitch.activity a
  ON a.project_id = $1 AND a.identity = $2::"char" AND a.grain = s.grain::"char" AND a.event_type = $3
 AND a.starts_at >= s.starts AND a.starts_at < s.ends
