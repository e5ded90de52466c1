-- Absorbed journeys that do not lead to an older present one, or that no merge records, and merges of present journeys
SELECT (SELECT count(*) FROM journey_stitch.journeys a
        LEFT JOIN journey_stitch.journeys j ON j.id = a.merged_into
        WHERE a.merged_into IS NOT NULL
          AND (j.id IS NULL OR j.merged_into IS NOT NULL OR j.id > a.id
               OR NOT EXISTS (SELECT FROM journey_stitch.merges m WHERE m.absorbed_id = a.id)))
     + (SELECT count(*) FROM journey_stitch.merges m
        JOIN journey_stitch.journeys a ON a.id = m.absorbed_id
        JOIN journey_stitch.journeys s ON s.id = m.survivor_id
        WHERE a.merged_into IS DISTINCT FROM COALESCE(s.merged_into, s.id))
