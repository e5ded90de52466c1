-- Absorbed journeys $1 lead to $2 from now on
UPDATE journey_stitch.journeys j
SET merged_into = u.target
FROM unnest($1::bigint[], $2::bigint[]) AS u (alias, target)
WHERE j.id = u.alias
