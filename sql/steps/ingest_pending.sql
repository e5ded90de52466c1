-- $1 project, $2 ranges of ids, $3 events in each; of the call, $4 events received, $5 duplicates, and $6 how many were
-- rejected, by reason
INSERT INTO journey_stitch.pending (project_id, event_ranges, events, received, duplicates, rejected)
SELECT $1, u.ranges::int8multirange, u.events,
       CASE WHEN u.n = 1 THEN $4 ELSE 0 END, CASE WHEN u.n = 1 THEN $5 ELSE 0 END, CASE WHEN u.n = 1 THEN $6 END
FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS u (ranges, events, n)
RETURNING id
