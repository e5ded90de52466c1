-- Dead letters of project $1 that name one of the keys with kinds $2 and values $3: in a member of that name, or of
-- one that events call it by, or as a text kind:value. White space around it and case do not matter, so that what was
-- sent is found by the key that it would have become.
SELECT DISTINCT d.id
FROM journey_stitch.dead_letters d
CROSS JOIN LATERAL (
    SELECT m.member ->> 'key' AS name, s.scalar #>> '{}' AS value
    FROM jsonb_path_query(d.event, '$.** ? (@.type() == "object").keyvalue()') AS m (member)
    CROSS JOIN LATERAL jsonb_path_query(m.member -> 'value', '$[*]') AS s (scalar)
) AS said
CROSS JOIN unnest($2::text[], $3::text[]) AS u (kind, value)
WHERE d.project_id = $1
  AND (said.name = ANY (ARRAY[u.kind] || CASE u.kind
           WHEN 'user_id' THEN ARRAY['userId', 'distinct_id']
           WHEN 'session_id' THEN ARRAY['sessionId']
           WHEN 'device_id' THEN ARRAY['deviceId']
           WHEN 'anonymous_id' THEN ARRAY['anonymousId']
           WHEN 'correlation' THEN ARRAY['correlations']
           ELSE '{}' END) AND lower(btrim(said.value)) = lower(btrim(u.value))
       OR lower(btrim(said.value)) = lower(u.kind || ':' || btrim(u.value)))
