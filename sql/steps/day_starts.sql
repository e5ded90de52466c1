-- The instants at which dates $1 begin in time zone $2. Where a clock is put back over midnight, midnight comes twice:
-- the day begins with the first, which AT TIME ZONE does not choose; it is midnight by the offset of the day before.
SELECT CASE WHEN first.midnight < usual.midnight AND first.midnight AT TIME ZONE $2 = d.day
            THEN first.midnight ELSE usual.midnight END
FROM unnest($1::date[]) WITH ORDINALITY AS g (date, n)
CROSS JOIN LATERAL (SELECT g.date::timestamp) AS d (day)
CROSS JOIN LATERAL (SELECT d.day AT TIME ZONE $2) AS usual (midnight)
CROSS JOIN LATERAL (SELECT usual.midnight - interval '24 hours') AS before (at)
CROSS JOIN LATERAL (
    SELECT (d.day - (before.at AT TIME ZONE $2 - before.at AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC'
) AS first (midnight)
ORDER BY g.n
