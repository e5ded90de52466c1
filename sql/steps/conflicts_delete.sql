-- An element a refused key: $1 events, $2 keys
DELETE FROM journey_stitch.merge_conflicts c
USING unnest($1::bigint[], $2::bigint[]) AS u (event, key)
WHERE c.event_id = u.event AND c.key_id = u.key
