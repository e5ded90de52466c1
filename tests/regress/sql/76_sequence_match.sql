-- sequence_match() and sequence_count(): the examples of ClickHouse's page "Parametric aggregate functions", sections
-- sequenceMatch and sequenceCount, what its own tests ask, and what is particular to PostgreSQL.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET search_path = public, journey_stitch;
SET timezone = 'UTC';

-- The page's examples: true, false, true, and 2.
CREATE TEMP TABLE t AS SELECT * FROM (VALUES (1, 1), (2, 3), (3, 2)) AS v ("time", number);
SELECT sequence_match('(?1)(?2)', "time", number = 1, number = 2) FROM t;
SELECT sequence_match('(?1)(?2)', "time", number = 1, number = 2, number = 3) FROM t;
SELECT sequence_match('(?1)(?2)', "time", number = 1, number = 2, number = 4) FROM t;
INSERT INTO t VALUES (4, 1), (5, 3), (6, 2);
SELECT sequence_count('(?1).*(?2)', "time", number = 1, number = 2) FROM t;

-- What its tests ask (00222_sequence_aggregate_function_family), with the answers they want.
CREATE TEMP TABLE events AS
SELECT n::integer - 1 AS number, timestamptz '2026-01-01' + n * interval '1 second' AS at, data::integer
FROM regexp_split_to_table('000012000011', '') WITH ORDINALITY AS d (data, n);
CREATE TEMP TABLE wanted (pattern text, matches boolean, count bigint);
INSERT INTO wanted VALUES
    ('', true, 12), ('.', true, 12), ('.*', true, 12), ('(?1)', true, 8), ('(?2)', true, 3), ('(?3)', true, 1),
    ('(?4)', false, 0), ('(?1)(?1)', true, 4), ('(?1)(?1)(?1)', true, 2), ('(?1)(?1)(?1)(?1)', true, 2),
    ('(?1)(?1)(?1)(?1)(?1)', false, 0), ('(?1)(?1)(?1)(?1)(?2)', true, 2), ('(?1)(?t>10)(?2)', true, 1),
    ('(?1)(?t>11)(?2)', false, 0), ('(?1)(?t<11)(?2)', true, 2), ('(?1)(?t<3)(?3)', true, 1), ('(?1)(?t<=2)(?3)', true, 1),
    ('(?1)(?t<2)(?3)', false, 0), ('(?2)(?t>=7)(?2)', true, 1), ('(?2)(?t>7)(?2)', false, 0), ('(?2)(?3)(?1)', true, 1),
    ('(?2)(?t==2)(?3)', false, 0), ('(?2)(?t==1)(?3)', true, 1);
SELECT count(*) AS patterns,
       string_agg(w.pattern, ' ') FILTER (WHERE (a.*) IS DISTINCT FROM (w.matches, w.count, w.matches, w.count)) AS differ
FROM wanted w CROSS JOIN LATERAL (
    SELECT sequence_match(w.pattern, number, data = 0, data = 1, data = 2, data = 3) AS matches,
           sequence_count(w.pattern, number, data = 0, data = 1, data = 2, data = 3) AS count,
           sequence_match(w.pattern, at, data = 0, data = 1, data = 2, data = 3) AS at_matches,
           sequence_count(w.pattern, at, data = 0, data = 1, data = 2, data = 3) AS at_count
    FROM events) AS a;

-- Seconds, with fractions of them in between; days are 86,400 of them in any time zone; numbers are in their unit.
SET timezone = 'Europe/Berlin';
SELECT sequence_match('(?1)(?t>=86400)(?2)', d, d = '2026-03-29', d = '2026-03-30') AS dates,
       sequence_match('(?1)(?t>86400)(?2)', d, d = '2026-03-29', d = '2026-03-30') AS dates_more,
       sequence_match('(?1)(?t==86400)(?2)', d::timestamp, d = '2026-03-29', d = '2026-03-30') AS timestamps,
       sequence_match('(?1)(?t==82800)(?2)', d::timestamptz, d = '2026-03-29', d = '2026-03-30') AS instants,
       sequence_match('(?1)(?t==1)(?2)', d - date '2026-01-01', d = '2026-03-29', d = '2026-03-30') AS numbers
FROM (VALUES (date '2026-03-29'), ('2026-03-30')) AS v (d);
SET timezone = 'UTC';
SELECT sequence_match('(?1)(?t<=1)(?2)', t, a, NOT a) AS a_second,
       sequence_match('(?1)(?t<1)(?2)', t, a, NOT a) AS less,
       sequence_match('(?1)(?t>1)(?2)', t + CASE WHEN a THEN interval '0' ELSE '1 microsecond' END, a, NOT a) AS more
FROM (VALUES (timestamptz '2026-01-01 00:00:00.5', true), ('2026-01-01 00:00:01.5', false)) AS v (t, a);

-- Events that meet no condition are none. NULL conditions are false, rows without a time are not seen.
SELECT sequence_match('(?1)(?2)', t, a, b) AS matches, sequence_count('.', t, a, b) AS events,
       sequence_match('.*', t, a) FILTER (WHERE t < 0) AS nothing, sequence_count('', t, a) FILTER (WHERE t < 0) AS no_count,
       sequence_match('.*', t, false) AS of_none
FROM (VALUES (1, true, NULL), (2, NULL, false), (NULL, true, true), (3, NULL, true)) AS v (t, a, b);
-- The rows' order is nothing, not for events of one time either.
SELECT sequence_match('(?1)(?2)', t, e = 1, e = 2 ORDER BY e DESC) AS backwards,
       sequence_match('(?1)(?2)', t, e = 1, e = 2 ORDER BY e) AS forwards,
       sequence_match('(?2)(?1)', t, e = 1, e = 2) AS the_other
FROM (VALUES (1, 2), (1, 1)) AS v (t, e);
-- One state for both, and in windows.
SELECT number, sequence_match('(?2)(?3)', number, data = 0, data = 1, data = 2) OVER (ORDER BY number) AS matches,
       sequence_count('(?1)(?1)', number, data = 0, data = 1, data = 2) OVER (ORDER BY number DESC) AS from_here
FROM events ORDER BY number;

-- ClickHouse gives up after 1,000,000 steps; here no pattern is too difficult.
SELECT sequence_match(repeat('(?1).*(?t>=1)', 30) || '(?2)', n, n > 0, n < 0) AS matches,
       sequence_count('(?1)(?t>=3)(?1)', n, n > 0) AS count
FROM generate_series(1, 20000) AS n;

-- What is wrong is said.
SELECT sequence_match('(?1', 1, true);
\echo :LAST_ERROR_SQLSTATE
SELECT sequence_match('(?1)(?3)', 1, true, true);
SELECT sequence_match('(?0)', 1, true);
SELECT sequence_count('(?1)(?t=3)', 1, true);
SELECT sequence_count('(?1)(?t>=x)', 1, true);
SELECT sequence_count('(?1)(?t>=1)(?t<9)(?1)', 1, true);
SELECT sequence_count('a', 1, true);
SELECT sequence_match(NULL, 1, true);
SELECT sequence_match(CASE n WHEN 1 THEN '.' ELSE '.*' END, n, true) FROM generate_series(1, 3) AS n;
SELECT sequence_match('.', n, VARIADIC array_fill(true, ARRAY[n])) FROM generate_series(1, 2) AS n;
SELECT sequence_match('.', 1, VARIADIC '{}');
\echo :LAST_ERROR_SQLSTATE

-- Readers may call the aggregates, and nobody else may; what they are made of nobody calls.
CREATE ROLE regress_reader IN ROLE journey_stitch_reader;
CREATE ROLE regress_nobody;
GRANT USAGE ON SCHEMA journey_stitch TO regress_nobody;
SET ROLE regress_reader;
SELECT sequence_match('(?1)', 1, true), sequence_count('(?1)', 1, true), window_funnel('1 s', now(), true);
SET ROLE regress_nobody;
SELECT sequence_match('(?1)', 1, true);
SELECT sequence_count('(?1)', 1, true);
SELECT window_funnel('1 s', now(), true);
RESET ROLE;
REVOKE USAGE ON SCHEMA journey_stitch FROM regress_nobody;
DROP ROLE regress_reader, regress_nobody;
