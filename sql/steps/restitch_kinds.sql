-- $1 project; $2 the kinds that are limited, NULL if none is: journeys say how many keys of each they have
UPDATE journey_stitch.journeys j
SET kind_counts = c.counts
FROM (SELECT j.id, CASE WHEN $2::text[] IS NOT NULL THEN COALESCE(k.counts, '{}') END AS counts
      FROM journey_stitch.journeys j
      LEFT JOIN (SELECT k.journey_id, jsonb_object_agg(k.kind, k.keys) AS counts
                 FROM (SELECT k.journey_id, k.kind, count(*) AS keys FROM journey_stitch.keys k
                       WHERE k.project_id = $1 AND k.journey_id IS NOT NULL AND k.kind = ANY ($2)
                       GROUP BY k.journey_id, k.kind) AS k
                 GROUP BY k.journey_id) AS k ON k.journey_id = j.id
      WHERE j.project_id = $1 AND j.merged_into IS NULL) AS c
WHERE j.id = c.id AND j.kind_counts IS DISTINCT FROM c.counts
