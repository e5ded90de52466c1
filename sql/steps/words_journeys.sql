-- The journeys of project $1 that keys (kinds $2, values $3) are in, and those of events that were refused one of them
WITH named AS MATERIALIZED (
    SELECT k.id, k.journey_id
    FROM unnest($2::text[], $3::text[]) AS u (kind, value)
    CROSS JOIN LATERAL (SELECT k.id, k.journey_id FROM journey_stitch.keys k
                        WHERE k.project_id = $1 AND k.kind = u.kind AND k.value = u.value LIMIT 1) AS k
)
SELECT journey_id FROM named WHERE journey_id IS NOT NULL
UNION
SELECT journey_stitch.journey_of_entry(c.event_id)
FROM named
CROSS JOIN LATERAL (SELECT c.event_id FROM journey_stitch.merge_conflicts c WHERE c.key_id = named.id OFFSET 0) AS c
