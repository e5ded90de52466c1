-- A person's words in project $1; their keys, if they are known, and the journeys that these are in
SELECT w.id, w.word, w.kind, w.value, w.other_kind, w.other_value, a.id, a.journey_id, b.id, b.journey_id
FROM journey_stitch.identity_words w
LEFT JOIN LATERAL (SELECT k.id, k.journey_id FROM journey_stitch.keys k
                   WHERE k.project_id = $1 AND k.kind = w.kind AND k.value = w.value LIMIT 1) AS a ON true
LEFT JOIN LATERAL (SELECT k.id, k.journey_id FROM journey_stitch.keys k
                   WHERE k.project_id = $1 AND k.kind = w.other_kind AND k.value = w.other_value LIMIT 1) AS b ON true
WHERE w.project_id = $1
ORDER BY w.id
