-- Users of project $1 with user_ids $2, if no stitched event is theirs any more; their number is in no set
DELETE FROM journey_stitch.users u
USING unnest($2::text[]) AS n (user_id)
WHERE u.project_id = $1 AND u.user_id = n.user_id AND u.total_events = 0
