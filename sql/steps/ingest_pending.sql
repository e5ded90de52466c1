-- $1 project, $2 ranges of ids, $3 events in each
INSERT INTO journey_stitch.pending (project_id, event_ranges, events)
SELECT $1, u.ranges::int8multirange, u.events
FROM unnest($2::text[], $3::integer[]) AS u (ranges, events)
