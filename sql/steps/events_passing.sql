-- Events of project $1 from $2 until $3, of types $4 (NULL: all), whose properties contain $5 (NULL: all), with the value
-- that column $6 has, or that JSON path $7 finds first
SELECT e.id,
       CASE WHEN $7::text IS NOT NULL THEN jsonb_path_query_first(e.properties, $7::jsonpath, '{}', true) #>> '{}'
            ELSE CASE $6::text WHEN 'event_type' THEN e.event_type WHEN 'event_name' THEN e.event_name
                               WHEN 'source' THEN e.source WHEN 'user_agent' THEN e.user_agent END END
FROM journey_stitch.events e
WHERE e.project_id = $1 AND e.occurred_at >= $2 AND e.occurred_at < $3
  AND ($4::text[] IS NULL OR e.event_type = ANY ($4))
  AND ($5::jsonb IS NULL OR e.properties @> $5)
