-- What stitching needs to know of journeys $1. One index descent each.
SELECT j.id, j.key_count, j.last_seen, j.tense_until, j.kind_counts
FROM unnest($1::bigint[]) AS u (id)
CROSS JOIN LATERAL (SELECT * FROM journey_stitch.journeys j WHERE j.id = u.id LIMIT 1) AS j
