-- window_funnel(): the example of ClickHouse's page "Parametric aggregate functions", section windowFunnel, what its
-- own tests ask, and what is particular to PostgreSQL: types of times, groups, windows, parallel plans, wrong arguments.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET search_path = public, journey_stitch;
SET timezone = 'UTC';

-- The page's example. Its steps are in another order than its text says, and the answer is 4 on one row.
CREATE TEMP TABLE trend (event_date date, user_id integer, "timestamp" timestamptz, event_id integer, product text);
INSERT INTO trend VALUES
    ('2019-01-28', 1, '2019-01-29 10:00:00', 1003, 'phone'), ('2019-01-31', 1, '2019-01-31 09:00:00', 1007, 'phone'),
    ('2019-01-30', 1, '2019-01-30 08:00:00', 1009, 'phone'), ('2019-02-01', 1, '2019-02-01 08:00:00', 1010, 'phone');
SELECT level, count(*) AS c
FROM (SELECT user_id,
             window_funnel('70000000 days', "timestamp", event_id = 1003, event_id = 1009, event_id = 1007, event_id = 1010) AS level
      FROM trend
      WHERE event_date BETWEEN '2019-01-01' AND '2019-02-02'
      GROUP BY user_id) AS levels
GROUP BY level ORDER BY level;

-- The window's last instant counts; what comes after it does not. All four types of times.
CREATE TEMP TABLE steps AS
SELECT n AS number, 1000 + n AS event, timestamptz '2018-01-01 01:01:00' + n * interval '1 second' AS at,
       date '2018-03-24' + n AS day
FROM generate_series(0, 8) AS n;
SELECT w AS window,
       window_funnel(w, number, event = 1003, event = 1004, event = 1005, event = 1006, event = 1007) AS numbers,
       window_funnel(w * interval '1 second', at, event = 1003, event = 1004, event = 1005, event = 1006, event = 1007) AS instants,
       window_funnel(w * interval '1 day', day, event = 1003, event = 1004, event = 1005, event = 1006, event = 1007) AS days
FROM steps, generate_series(0, 5) AS w GROUP BY w ORDER BY w;
SELECT window_funnel('999999 microseconds', at, event = 1000, event = 1001) AS just_not,
       window_funnel('1 second', at, event = 1000, event = 1001) AS just,
       window_funnel('1 hour', at, event = 1008, event = 1001) AS backwards,
       window_funnel('1 hour', at, event = 999, event = 1001) AS without_the_first,
       window_funnel('4 s', at, event <= 1007, event >= 1002, event <= 1006, event >= 1004) AS several_conditions,
       window_funnel('0', at, event = 1000, event = 1000) AS one_event_twice
FROM steps;
-- Dates and timestamps have no hour that is missing, whatever the session's time zone has. (28 and 29 March 2026)
SET timezone = 'Europe/Berlin';
SELECT window_funnel('24 hours', d, d = '2026-03-29', d = '2026-03-30') AS dates,
       window_funnel('23:59:59', d, d = '2026-03-29', d = '2026-03-30') AS dates_within_less,
       window_funnel('24 hours', d::timestamp, d = '2026-03-29', d = '2026-03-30') AS timestamps,
       window_funnel('23:59:59', d::timestamp, d = '2026-03-29', d = '2026-03-30') AS timestamps_within_less,
       window_funnel('23 hours', d::timestamptz, d = '2026-03-29', d = '2026-03-30') AS instants
FROM (VALUES (date '2026-03-29'), ('2026-03-30')) AS v (d);
SET timezone = 'UTC';

-- The modes, as the tests of ClickHouse have them (00632_aggregation_window_funnel).
CREATE TEMP TABLE walks (walker integer, step bigint, event text);
INSERT INTO walks
SELECT walker, step, event
FROM (VALUES (1, 'abc'), (2, 'adbc'), (3, 'aabbcc'), (4, 'aaaabbcc'), (5, 'aabbdcc'), (6, 'ccbbaa'), (7, 'acb'), (8, 'abcbd')) AS w (walker, events),
     regexp_split_to_table(events, '') WITH ORDINALITY AS e (event, step);
SELECT walker, string_agg(event, '' ORDER BY step) AS events,
       window_funnel(86400, step, event = 'a', event = 'b', event = 'c') AS none,
       window_funnel(86400, 'strict_order', step, event = 'a', event = 'b', event = 'c') AS strict_order,
       window_funnel(86400, 'strict_deduplication, strict_order', step, event = 'a', event = 'b', event = 'c') AS deduplication_too,
       window_funnel(86400, 'strict_order allow_reentry', step, event = 'a', event = 'b', event = 'c') AS allow_reentry
FROM walks GROUP BY walker ORDER BY walker;
SELECT window_funnel(86400, 'strict_deduplication', step, event = 'a', event = 'b', event = 'c', event = 'd') AS repeated
FROM walks WHERE walker = 8;
SELECT window_funnel(10000, t, e = 0, e = 1, e = 2, e = 3, e = 4) AS none,
       window_funnel(10000, 'strict_increase', t, e = 0, e = 1, e = 2, e = 3, e = 4) AS strict_increase,
       window_funnel(10000, t, e = 4, e = 4, e = 4) AS same,
       window_funnel(10000, 'strict_once', t, e = 4, e = 4, e = 4) AS same_once,
       window_funnel(10000, 'strict_increase', t, e = 4, e = 4, e = 4) AS same_increasing
FROM (VALUES (0, 0), (1, 1), (1, 2), (1, 3), (2, 4)) AS v (t, e);
SELECT uid, window_funnel(200, 'strict_once', t, r = 'failure', r = 'failure', r = 'success') AS strict_once
FROM (VALUES (100, 'failure', 234), (200, 'success', 345), (210, 'failure', 345), (230, 'success', 345), (250, 'failure', 234),
             (180, 'failure', 123), (220, 'failure', 123), (250, 'success', 123)) AS v (t, r, uid)
GROUP BY uid ORDER BY uid;
-- Not as in ClickHouse, which forgets that 1 came first at 1: its issue 93789.
SELECT window_funnel(10, 'strict_increase', t, e = 1, e = 2) AS strict_increase
FROM (VALUES (1, 1), (2, 1), (2, 2)) AS v (t, e);

-- NULL conditions are false, rows without a time are not seen, no rows are no step.
SELECT window_funnel(10, 'strict_order', t, a, b) AS is_null,
       window_funnel(10, t, a, b) FILTER (WHERE t < 0) AS nothing,
       (SELECT window_funnel(10, t, a) FROM (VALUES (NULL::bigint, true)) AS v (t, a)) AS no_time
FROM (VALUES (1, true, NULL), (NULL, NULL, NULL), (2, NULL, true)) AS v (t, a, b);
SELECT window_funnel('infinity'::timestamptz - '2000-01-01', t, true) FROM (VALUES (timestamptz '2000-01-01')) AS v (t);
SELECT window_funnel('1000000 days', t, t = '-infinity', t > '2000-01-01') AS infinite
FROM (VALUES (timestamptz '-infinity'), ('infinity')) AS v (t);

-- The rows' order is nothing: events of one time count in the order of the conditions.
SELECT window_funnel(10, t, e = 1, e = 2, e = 3 ORDER BY e DESC) AS backwards,
       window_funnel(10, t, e = 1, e = 2, e = 3 ORDER BY e) AS forwards
FROM (VALUES (1, 3), (1, 2), (1, 1)) AS v (t, e);
-- In a window, with rows that follow after a result and that leave; and two aggregates that share a state.
SELECT number, window_funnel(2, number, event = 1001, event = 1003, event = 1002) OVER (ORDER BY number) AS so_far,
       window_funnel(2, number, event = 1001, event = 1003, event = 1002) OVER (ORDER BY number DESC) AS backwards,
       window_funnel(2, number, event = 1001, event = 1003, event = 1002) OVER (ORDER BY number ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS of_two
FROM steps ORDER BY number;
SELECT window_funnel('1 hour', at, VARIADIC ARRAY[event = 1001, event = 1005, NULL]) AS an_array FROM steps;
-- Thirty-two conditions.
SELECT window_funnel(31, n, VARIADIC (SELECT array_agg(n = m ORDER BY m) FROM generate_series(1, 32) AS m)) AS steps
FROM generate_series(1, 40) AS n;

-- What is wrong is said.
SELECT window_funnel('1 month', at, true) FROM steps;
\echo :LAST_ERROR_SQLSTATE
SELECT window_funnel('infinity', at, true) FROM steps;
SELECT window_funnel('-1 second', at, true) FROM steps;
SELECT window_funnel(-1, number, true) FROM steps;
SELECT window_funnel(NULL, number, true) FROM steps;
SELECT window_funnel(number, number, true) FROM steps;
SELECT window_funnel('1 hour', 'strict', at, true) FROM steps;
\echo :LAST_ERROR_SQLSTATE
SELECT window_funnel('1 hour', 'allow_reentry', at, true) FROM steps;
SELECT window_funnel('1 hour', NULL::text, at, true) FROM steps;
SELECT window_funnel('1 hour', CASE WHEN number > 3 THEN 'strict_order' ELSE '' END, at, true) FROM steps;
SELECT window_funnel('1 hour', at, VARIADIC '{}') FROM steps;
\echo :LAST_ERROR_SQLSTATE
SELECT window_funnel('1 hour', at, VARIADIC NULL) FROM steps;
SELECT window_funnel('1 hour', at, VARIADIC array_fill(true, ARRAY[33])) FROM steps;
SELECT window_funnel('1 hour', at, VARIADIC array_fill(true, ARRAY[1 + number / 8])) FROM steps;
\echo :LAST_ERROR_SQLSTATE

-- Parallel plans answer as others do, whatever part of a group a worker has seen.
CREATE TABLE public.funnel_rows AS
SELECT abs(hashint8(n) % 2003) AS walker, abs(hashint8(n + 1000000) % 5) AS event,
       timestamptz '2026-01-01' + abs(hashint8(n + 2000000) % 100000) * interval '1 second' AS at
FROM generate_series(1::bigint, 200000) AS n;
ANALYZE public.funnel_rows;
CREATE VIEW public.funnel_answers AS
SELECT walker, window_funnel('2 hours', at, event = 1, event = 2, event = 3, event = 4) AS default_mode,
       window_funnel('1 hour', 'strict_order, strict_once', at, event = 1, event = 2, event = 3) AS strict,
       sequence_match('(?1)(?t<=100)(?2)(?3)', at, event = 1, event = 2, event = 3, event = 0) AS matches,
       sequence_count('(?1).*(?t>3600)(?2)', at, event = 1, event = 2, event = 3) AS count
FROM public.funnel_rows GROUP BY walker;
CREATE VIEW public.funnel_answer AS
SELECT window_funnel('10 seconds', at, event = 1, event = 2, event = 3, event = 4, walker = 1, walker = 2, walker = 3) AS level,
       sequence_count('(?1)(?t<1)(?2)', at, event = 1, event = 2) AS count
FROM public.funnel_rows;
SET max_parallel_workers_per_gather = 0;
CREATE TEMP TABLE serial AS SELECT * FROM public.funnel_answers;
SELECT * FROM public.funnel_answer;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
-- How many nodes of a plan aggregate what workers hand over: the plan's other nodes depend on the statistics.
CREATE FUNCTION pg_temp.partial_aggregates(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN (SELECT count(*) FROM jsonb_path_query(plan, '$.** ? (@."Partial Mode" == "Partial")'));
END
$$;
SELECT pg_temp.partial_aggregates('SELECT * FROM public.funnel_answers') > 0 AS in_parts;
CREATE TEMP TABLE in_parallel AS SELECT * FROM public.funnel_answers;
SELECT count(*) AS walkers, count(DISTINCT default_mode) > 1 AND count(DISTINCT strict) > 1
                            AND count(DISTINCT matches) > 1 AND count(DISTINCT count) > 1 AS they_differ
FROM serial;
SELECT count(*) AS differences FROM ((TABLE serial EXCEPT TABLE in_parallel) UNION ALL (TABLE in_parallel EXCEPT TABLE serial)) AS d;
-- Without groups each worker has a part of the one that there is.
SELECT pg_temp.partial_aggregates('SELECT * FROM public.funnel_answer') > 0 AS in_parts;
SELECT * FROM public.funnel_answer;
SELECT window_funnel('1 second', at, VARIADIC CASE WHEN event = 1 THEN '{t,t}' ELSE '{t}'::boolean[] END) FROM public.funnel_rows;
DROP VIEW public.funnel_answers, public.funnel_answer;
DROP TABLE public.funnel_rows;
