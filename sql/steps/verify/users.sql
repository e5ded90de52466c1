-- user_ids of stitched events that are not in users, and users without stitched event
WITH expected AS (SELECT DISTINCT project_id, user_id FROM journey_stitch.stitched_events e WHERE user_id IS NOT NULL)
SELECT count(*) FROM expected FULL JOIN journey_stitch.users u USING (project_id, user_id)
WHERE expected.user_id IS NULL OR u.user_id IS NULL
