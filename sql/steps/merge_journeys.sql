-- $1 absorbed, $2 survivors. The survivor takes the counts and the span of those that it absorbs; an
-- alias of an absorbed journey becomes an alias of the survivor.
WITH absorbed AS (
    UPDATE journey_stitch.journeys j
    SET merged_into = u.survivor
    FROM unnest($1::bigint[], $2::bigint[]) AS u (absorbed, survivor)
    WHERE j.id = u.absorbed
    RETURNING u.survivor, j.key_count, j.event_count, j.first_seen, j.last_seen, j.tense_until
), aliases AS (
    UPDATE journey_stitch.journeys j
    SET merged_into = u.survivor
    FROM unnest($1::bigint[], $2::bigint[]) AS u (absorbed, survivor)
    WHERE j.merged_into = u.absorbed
), total AS (
    SELECT survivor, sum(key_count)::integer AS key_count, sum(event_count)::bigint AS event_count,
           min(first_seen) AS first_seen, max(last_seen) AS last_seen,
           max(tense_until) AS tense_until
    FROM absorbed
    GROUP BY survivor
)
UPDATE journey_stitch.journeys j
SET key_count = j.key_count + total.key_count, event_count = j.event_count + total.event_count,
    first_seen = LEAST(j.first_seen, total.first_seen), last_seen = GREATEST(j.last_seen, total.last_seen),
    tense_until = GREATEST(j.tense_until, total.tense_until)
FROM total
WHERE j.id = total.survivor
