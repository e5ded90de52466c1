-- Keys whose journey is missing, an alias, or of another project, and keys that tie an event and have none
SELECT count(*)
FROM journey_stitch.keys k
LEFT JOIN journey_stitch.journeys j ON j.id = k.journey_id
LEFT JOIN (SELECT DISTINCT key_id FROM journey_stitch.stitched_keys WHERE NOT is_refused) AS tying ON tying.key_id = k.id
WHERE CASE WHEN k.journey_id IS NULL THEN tying.key_id IS NOT NULL
      ELSE j.id IS NULL OR j.merged_into IS NOT NULL OR j.project_id <> k.project_id OR k.first_journey_id IS NULL END
