-- The instants at which $1 + 0, + $3, + 2 × $3, … days begin in time zone $4, up to $2 inclusive
SELECT (day AT TIME ZONE $4)
FROM generate_series($1::timestamp, $2::timestamp, make_interval(days => $3)) AS g (day)
ORDER BY day
