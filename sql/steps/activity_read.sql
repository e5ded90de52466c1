-- $1 project, $2 identity; then an element a span: $3 windows, $4 event types, $5 grains, $6 from, $7 until
SELECT s.n, a.chunk, a.members
FROM unnest($3::integer[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
    AS s (n, event_type, grain, starts, ends)
CROSS JOIN LATERAL (
    -- Kept apart, so that it is a descent of the index for each span.
    SELECT a.chunk, a.members
    FROM journey_stitch.activity a
    WHERE a.project_id = $1 AND a.identity = $2::"char" AND a.grain = s.grain::"char"
      AND a.event_type = s.event_type AND a.starts_at >= s.starts AND a.starts_at < s.ends
    OFFSET 0
) AS a
