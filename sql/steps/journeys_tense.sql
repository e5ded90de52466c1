-- Journeys $1: a merge with them was refused at an event of time $2
UPDATE journey_stitch.journeys j
SET tense_until = GREATEST(j.tense_until, u.until)
FROM unnest($1::bigint[], $2::timestamptz[]) AS u (id, until)
WHERE j.id = u.id AND (j.tense_until < u.until OR j.tense_until IS NULL)
