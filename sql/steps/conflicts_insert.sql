-- $1 project; then an element a refused key: $2 events, $3 keys, $4 rules, $5 the events' times
INSERT INTO journey_stitch.merge_conflicts (event_id, key_id, project_id, rule, occurred_at)
SELECT u.event, u.key, $1, u.rule, u.occurred_at
FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[]) AS u (event, key, rule, occurred_at)
