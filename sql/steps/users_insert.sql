-- $1 project, $2 ids, $3 user_ids
INSERT INTO journey_stitch.users (id, project_id, user_id)
SELECT u.id, $1, u.user_id
FROM unnest($2::bigint[], $3::text[]) AS u (id, user_id)
