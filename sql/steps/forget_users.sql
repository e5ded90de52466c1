-- Users of project $1 with user_ids $2, if no stitched event is theirs any more; their number is in no set
WITH candidate AS (
    SELECT u.id, u.user_id
    FROM unnest($2::text[]) AS n (user_id)
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.users u WHERE u.project_id = $1 AND u.user_id = n.user_id LIMIT 1) AS u
)
DELETE FROM journey_stitch.users u
USING candidate c
WHERE u.id = c.id
  AND NOT EXISTS (SELECT FROM journey_stitch.activity a
                  CROSS JOIN LATERAL journey_stitch.members_ids(a.chunk, a.members) AS m (id)
                  WHERE a.project_id = $1 AND a.identity = 'u' AND a.grain = 'd' AND a.event_type = ''
                    AND a.chunk = c.id / 65536 AND m.id = c.id)
