-- Absorbed journeys that lead to no present one, or not to that of their founding event, or that no merge records; and
-- present journeys without their founding event
WITH member AS (
    SELECT DISTINCT event_id, journey_id FROM journey_stitch.stitched_keys WHERE NOT is_refused
)
SELECT count(*)
FROM journey_stitch.journeys a
LEFT JOIN journey_stitch.journeys j ON j.id = a.merged_into
LEFT JOIN member m ON m.event_id = a.founder_id
WHERE CASE
    WHEN a.merged_into IS NULL THEN m.journey_id IS DISTINCT FROM a.id
    ELSE j.id IS NULL OR j.merged_into IS NOT NULL OR j.project_id <> a.project_id
         -- An erased founding event no longer says where its journey went.
         OR m.journey_id <> a.merged_into
         OR NOT EXISTS (SELECT FROM journey_stitch.merges r WHERE r.absorbed_id = a.id)
    END
