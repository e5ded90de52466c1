-- New users; parameters as in users_add.sql, and $11 their numbers
INSERT INTO journey_stitch.users (id, project_id, user_id, total_events, first_seen, last_active, total_purchases,
                                  total_spent, last_purchase, durations, total_duration)
SELECT a.id, $1, a.user_id, a.events, a.first_seen, a.last_active, a.purchases,
       coalesce(a.spent, 0), a.last_purchase, a.durations, coalesce(a.duration, 0)
FROM unnest($11::bigint[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::numeric[],
            $8::timestamptz[], $9::bigint[], $10::numeric[])
    AS a (id, user_id, events, first_seen, last_active, purchases, spent, last_purchase, durations, duration)
