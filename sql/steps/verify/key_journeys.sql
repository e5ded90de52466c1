-- Keys whose journey is missing, an alias, of another project, or younger than their first one
SELECT count(*)
FROM journey_stitch.keys k
LEFT JOIN journey_stitch.journeys j ON j.id = k.journey_id
LEFT JOIN journey_stitch.journeys f ON f.id = k.first_journey_id
WHERE j.id IS NULL OR j.merged_into IS NOT NULL OR j.project_id <> k.project_id
   OR f.id IS NULL OR COALESCE(f.merged_into, f.id) <> j.id OR f.id < j.id
