-- Whether all absorbed journeys lead to present ones of their project, by merges that are recorded
SELECT NOT EXISTS (
    SELECT FROM journey_stitch.journeys a
    LEFT JOIN journey_stitch.journeys j ON j.id = a.merged_into AND j.merged_into IS NULL AND j.project_id = a.project_id
    WHERE a.merged_into IS NOT NULL
      AND (j.id IS NULL OR NOT EXISTS (SELECT FROM journey_stitch.merges r WHERE r.absorbed_id = a.id)))
