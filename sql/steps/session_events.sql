-- Events $1 whose properties contain $2 (NULL: all), in order of time, then of arrival
SELECT e.occurred_at, e.event_type
FROM unnest($1::bigint[]) AS u (id)
CROSS JOIN LATERAL (SELECT * FROM journey_stitch.events e WHERE e.id = u.id LIMIT 1) AS e
WHERE $2::jsonb IS NULL OR e.properties @> $2
ORDER BY e.occurred_at, e.id
