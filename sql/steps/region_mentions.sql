-- Refusals of keys $1 to other events than $2: the key, the journey that the event is in, why, and when first
SELECT m.key_id, m.journey_id, m.rule, min(m.occurred_at)
FROM (SELECT c.key_id, journey_stitch.journey_of_entry(c.event_id) AS journey_id, c.rule, c.occurred_at
      FROM unnest($1::bigint[]) AS u (key)
      CROSS JOIN LATERAL (SELECT * FROM journey_stitch.merge_conflicts c WHERE c.key_id = u.key OFFSET 0) AS c
      WHERE NOT EXISTS (SELECT FROM unnest($2::bigint[]) AS known (event) WHERE known.event = c.event_id)) AS m
GROUP BY m.key_id, m.journey_id, m.rule
