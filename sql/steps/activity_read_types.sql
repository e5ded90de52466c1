-- $1 project, $2 identity, $3 event types, $4 from, $5 until
SELECT t.n::integer, a.chunk, a.members
FROM unnest($3::text[]) WITH ORDINALITY AS t (event_type, n)
CROSS JOIN LATERAL (
    -- Kept apart, so that it is a descent of the index for each type.
    SELECT a.chunk, a.members
    FROM journey_stitch.activity a
    WHERE a.project_id = $1 AND a.identity = $2::"char" AND a.event_type = t.event_type
      AND a.starts_at >= $4 AND a.starts_at < $5
    OFFSET 0
) AS a
