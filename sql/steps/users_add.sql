-- Adds to the totals of the users that there are: $1 project; then an element a user: $2 user_ids, $3 events, $4 first
-- and $5 last times, $6 purchases, $7 amounts, $8 last purchases, $9 durations, $10 their sums. Answers their numbers.
UPDATE journey_stitch.users u
SET total_events = u.total_events + a.events,
    first_seen = least(u.first_seen, a.first_seen),
    last_active = greatest(u.last_active, a.last_active),
    total_purchases = u.total_purchases + a.purchases,
    total_spent = CASE WHEN a.spent IS NULL THEN u.total_spent ELSE u.total_spent + a.spent END,
    last_purchase = greatest(u.last_purchase, a.last_purchase),
    durations = u.durations + a.durations,
    total_duration = CASE WHEN a.duration IS NULL THEN u.total_duration ELSE u.total_duration + a.duration END
FROM unnest($2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::numeric[],
            $8::timestamptz[], $9::bigint[], $10::numeric[]) WITH ORDINALITY
    AS a (user_id, events, first_seen, last_active, purchases, spent, last_purchase, durations, duration, n)
CROSS JOIN LATERAL (
    SELECT f.ctid FROM journey_stitch.users f WHERE f.project_id = $1 AND f.user_id = a.user_id LIMIT 1
) AS found
WHERE u.ctid = found.ctid
RETURNING a.n::integer, u.id
