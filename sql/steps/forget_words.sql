-- What was said and logged of keys with kinds $2 and values $3 of project $1, where the keys are no more
WITH gone AS (
    SELECT u.kind, u.value
    FROM unnest($2::text[], $3::text[]) AS u (kind, value)
    WHERE NOT EXISTS (SELECT FROM journey_stitch.keys k
                      WHERE k.project_id = $1 AND k.kind = u.kind AND k.value = u.value)
), words AS (
    DELETE FROM journey_stitch.identity_words w
    USING gone
    WHERE w.project_id = $1 AND (w.kind, w.value) = (gone.kind, gone.value)
       OR w.project_id = $1 AND (w.other_kind, w.other_value) = (gone.kind, gone.value)
)
UPDATE journey_stitch.identity_log l
SET arguments = l.arguments - 'keys' || '{"keys": "forgotten"}'
FROM gone
WHERE l.project_id = $1 AND l.arguments -> 'keys' ? (gone.kind || ':' || gone.value)
