-- The instants at which $1 + 0, + $3, + 2 × $3, … days begin in time zone $4, up to $2 inclusive. Where a
-- clock is put back over midnight, midnight comes twice: the day begins with the first, which AT TIME ZONE
-- does not choose; it is midnight by the offset of the day before.
SELECT CASE WHEN first.midnight < usual.midnight AND first.midnight AT TIME ZONE $4 = day
            THEN first.midnight ELSE usual.midnight END
FROM generate_series($1::timestamp, $2::timestamp, make_interval(days => $3)) AS g (day)
CROSS JOIN LATERAL (SELECT day AT TIME ZONE $4) AS usual (midnight)
CROSS JOIN LATERAL (SELECT usual.midnight - interval '24 hours') AS before (at)
CROSS JOIN LATERAL (
    SELECT (day - (before.at AT TIME ZONE $4 - before.at AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC'
) AS first (midnight)
ORDER BY day
