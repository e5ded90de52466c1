-- $1 project, $2 user_ids
SELECT n::integer, u.id
FROM unnest($2::text[]) WITH ORDINALITY AS a (user_id, n)
CROSS JOIN LATERAL (
    SELECT u.id FROM journey_stitch.users u WHERE u.project_id = $1 AND u.user_id = a.user_id LIMIT 1
) AS u
