-- What else the users did: without events $4
)
SELECT c.user_id, c.occurred_at, c.event_type
FROM candidate c
WHERE NOT EXISTS (SELECT FROM unnest($4::bigint[]) AS g (id) WHERE g.id = c.id)
