-- Wrong arguments of the analytics: each an error that names the argument and says what it takes (22023).
\set VERBOSITY default
\set SHOW_CONTEXT never
SET datestyle = 'ISO, YMD';

SELECT * FROM journey_stitch.dau('2024-05-02', '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(NULL, '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('-infinity', '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('2024-05-01', 'infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('0001-12-31 BC', '0001-01-02');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('9999-12-31', '10000-01-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('2000-01-01', '2027-05-19');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(tz => 'Mars/Olympus');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(tz => '');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(tz => NULL);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
SELECT * FROM journey_stitch.dau(tz => repeat('x', 1000));
\set VERBOSITY default
SELECT * FROM journey_stitch.dau(identity => 'person');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(identity => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(project => NULL);
\echo :LAST_ERROR_SQLSTATE

SELECT * FROM journey_stitch.retention('2024-05-01', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', -1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', 1429);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', 2147483647);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', tz => 'Mars/Olympus');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', identity => 'User');
\echo :LAST_ERROR_SQLSTATE

SELECT * FROM journey_stitch.top_events('2024-05-02', '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events(NULL, '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', -5);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', tz => 'Mars/Olympus');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', identity => 'session');
\echo :LAST_ERROR_SQLSTATE

-- The last day of all: its windows may end where no event can be, in any zone.
SELECT * FROM journey_stitch.dau('9999-12-31', '9999-12-31', tz => 'America/New_York');
SELECT window_no, window_start FROM journey_stitch.retention('9999-12-31', 1, tz => 'America/New_York');
SELECT * FROM journey_stitch.dau('0001-01-01', '0001-01-01', tz => 'Asia/Kolkata');

-- Every argument of every function of the analytics with each wrong value: the same mistake is the same error
-- everywhere, and where it is not, the functions are named. An argument that has none here shows below.
CREATE TEMP TABLE usual (name text PRIMARY KEY, value text);
INSERT INTO pg_temp.usual VALUES
    ('start_date', '2024-05-02'), ('end_date', '2024-05-03'), ('mode', 'trailing'), ('windows', '2'), ('unit', 'week'),
    ('cohort', 'active'), ('criterion', 'on'), ('start_event', NULL), ('return_event', NULL), ('breakdown', '$.plan'),
    ('max_values', '5'), ('max_rows', '5'), ('max_steps', '5'), ('max_edges', '5'), ('steps jsonb', '["a"]'),
    ('steps text', '["a"]'), ('steps text[]', '{a}'), ('window', '1 day'), ('ordering', 'ordered'), ('id', 'ann'),
    ('timeout', '1 hour'), ('max_duration', '1 day'), ('project', 'default'), ('tz', 'UTC'), ('identity', 'user'),
    ('event_type', NULL), ('filter', NULL);
CREATE TEMP TABLE wrong (n serial, argument text, value text);
INSERT INTO pg_temp.wrong (argument, value)
SELECT v.argument, x.value
FROM (VALUES
    ('start_date', ARRAY[NULL, '-infinity', 'infinity', '0001-12-31 BC', '10000-01-01', '2024-05-04', '1996-12-15']),
    ('end_date', ARRAY[NULL, '-infinity', 'infinity', '0001-12-31 BC', '10000-01-01', '2024-05-01', '2051-09-18']),
    ('mode', ARRAY[NULL, '', 'Trailing', 'week']),
    ('windows', ARRAY[NULL, '0', '-1', '1429', '2147483647', '-2147483648']),
    ('unit', ARRAY[NULL, '', 'Week', 'weeks', 'year']),
    ('cohort', ARRAY[NULL, '', 'New', 'all']),
    ('criterion', ARRAY[NULL, '', 'ON', 'on or after']),
    ('breakdown', ARRAY[NULL, '', ' ', 'plan', 'user_id', 'Source', '$', '$.', '$[', '$.plan ? (@ == )', '$nope', '$.plan ? (@ == $nope)',
        'strict $.no.such', '$.plan.type(', '$.plan.datetime()', 'lax $.plan.decimal(2000)', 'laxity']),
    ('max_values', ARRAY[NULL, '0', '-1', '10001', '2147483647']),
    ('max_rows', ARRAY[NULL, '0', '-1', '10001', '2147483647']),
    ('max_steps', ARRAY[NULL, '0', '-1', '101', '2147483647']),
    ('max_edges', ARRAY[NULL, '0', '-1', '10001', '2147483647']),
    ('steps jsonb', ARRAY[NULL, 'null', '"a"', '{"event_type": "a"}', '[]', '[1]', '["a", null]', '[["a"]]', '[{}]',
        '[{"name": "a"}]', '[{"event_type": 1}]', '[{"event_type": null}]', '[{"event_type": []}]',
        '[{"event_type": ["a", 1]}]', '[{"event_type": {"a": 1}}]', '[{"event_type": "a", "name": 1}]',
        '[{"event_type": "a", "filter": [1]}]', '[{"event_type": "a", "filter": null}]', '["a", {"type": "a"}]',
        '[{"event_type": "a", "Filter": {}}]', '[""]', (SELECT jsonb_agg('a'::text)::text FROM generate_series(1, 33))]),
    ('steps text', ARRAY[NULL, '', 'a', '{}', '{a', '["a"', '{a,NULL}', '{"event_type": "a"}', '[1]']),
    ('steps text[]', ARRAY[NULL, '{}', '{NULL}', '{a,NULL}', '{{a,b},{c,d}}',
        (SELECT array_agg('a'::text)::text FROM generate_series(1, 33))]),
    ('window', ARRAY[NULL, '0', '-1 second', '1 month', '-1 month', '1 year', 'infinity', '-infinity', '2147483647 days']),
    ('ordering', ARRAY[NULL, '', 'Ordered', 'any']),
    ('id', ARRAY[NULL, '', 'nobody']),
    ('timeout', ARRAY[NULL, '0', '-1 second', '1 month', 'infinity', '-infinity', '2147483647 days']),
    ('max_duration', ARRAY[NULL, '0', '-1 second', '1 month', 'infinity', '-infinity', '2147483647 days']),
    ('start_event', ARRAY[NULL, '', 'no such']),
    ('return_event', ARRAY[NULL, '', 'no such']),
    ('event_type', ARRAY[NULL, '', 'no such']),
    ('project', ARRAY[NULL, '', 'no such']),
    ('tz', ARRAY[NULL, '', ' ', 'Mars/Olympus', 'UTC;', '2024-05-01']),
    ('identity', ARRAY[NULL, '', 'User', 'session']),
    ('filter', ARRAY[NULL, '{}', 'null', '[]', '[{"plan": "pro"}]', '"plan"', '1', 'true'])) AS v (argument, "values")
CROSS JOIN LATERAL unnest(v."values") WITH ORDINALITY AS x (value, n)
ORDER BY v.argument COLLATE "C", x.n;

CREATE TEMP VIEW parameters AS
SELECT p.oid, p.proname, a.n, p.proargnames[a.n] AS name, p.proargtypes[a.n - 1]::regtype AS type,
       p.proargnames[a.n] || CASE p.proargnames[a.n] WHEN 'steps' THEN ' ' || p.proargtypes[a.n - 1]::regtype ELSE '' END AS argument
FROM pg_proc p CROSS JOIN LATERAL generate_series(1, p.pronargs) AS a (n)
WHERE p.pronamespace = 'journey_stitch'::regnamespace
  AND (p.proname IN ('sessions', 'user_stats') OR 'tz' = ANY (p.proargnames) AND p.proname <> 'metric');
SELECT DISTINCT proname FROM parameters ORDER BY 1;
SELECT DISTINCT argument AS argument_without_a_wrong_value FROM parameters
WHERE argument NOT IN (SELECT argument FROM wrong) OR argument NOT IN (SELECT name FROM usual);

CREATE FUNCTION pg_temp.answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text;
    message text;
    hint text;
BEGIN
    EXECUTE 'SELECT FROM journey_stitch.' || call;
    RETURN 'an answer';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ' ' || message, NULLIF(hint, ''));
END
$$;
SELECT journey_stitch.ingest_events('{"id": 1, "type": "a", "user_id": "ann", "ts": "2024-05-02", "properties": {"plan": "pro"}}');
CREATE TEMP TABLE tried AS
SELECT w.n, w.argument, w.value, p.proname, pg_temp.answer(format('%I(%s)', p.proname,
           (SELECT string_agg(format('%I => %L::%s', o.name, CASE o.n WHEN p.n THEN w.value ELSE u.value END, o.type), ', ' ORDER BY o.n)
            FROM parameters o JOIN usual u ON u.name = o.argument WHERE o.oid = p.oid))) AS answer
FROM wrong w JOIN parameters p USING (argument);
\pset format unaligned
\pset fieldsep ':   '
\pset tuples_only on
SELECT format('%s => %s%s', argument, COALESCE(quote_literal(left(value, 60)), 'NULL'),
              CASE WHEN count(*) OVER (PARTITION BY n) > 1 THEN ' by ' || string_agg(DISTINCT proname, ', ' ORDER BY proname) END),
       split_part(answer, E'\n', 1)
FROM tried GROUP BY n, argument, value, split_part(answer, E'\n', 1) ORDER BY n, 1;
SELECT string_agg(DISTINCT argument, ', ' ORDER BY argument), hint
FROM (SELECT argument, split_part(answer, E'\n', 2) AS hint FROM tried) AS t
WHERE hint <> '' GROUP BY hint ORDER BY hint COLLATE "C";
\pset tuples_only off
\pset format aligned
\pset fieldsep '|'

-- Limits that come of two arguments.
SELECT pg_temp.answer($$retention_matrix('2024-01-01', '2025-02-03', 'day')$$);
SELECT pg_temp.answer($$retention_matrix('2024-01-01', '2025-02-04', 'day')$$);
SELECT pg_temp.answer($$retention_svg('2024-01-01', '2025-02-04', 'day')$$);
SELECT pg_temp.answer($$retention('2024-01-01', 1428, 'month')$$);
SELECT pg_temp.answer($$retention('9999-12-31', 1428, 'month')$$);

-- Who has two wrong arguments is told of the first.
SELECT pg_temp.answer($$dau(NULL, NULL, NULL, NULL, NULL)$$);
SELECT pg_temp.answer($$funnel(NULL::jsonb, '2024-05-02', '2024-05-01')$$);

-- Steps as a plain literal: of JSON, or of an array.
SELECT step_no, step, users FROM journey_stitch.funnel('["a", {"event_type": "b", "name": "B"}]', '2024-05-02', '2024-05-02');
SELECT step_no, step, users FROM journey_stitch.funnel('{a,b}', '2024-05-02', '2024-05-02');
SELECT step_no, step, users FROM journey_stitch.funnel(ARRAY['a', 'b'], '2024-05-02', '2024-05-02');
SELECT value, step_no, step, users FROM journey_stitch.funnel_by('$.plan', '["a"]', '2024-05-02', '2024-05-02');
SELECT value, step_no, step, users FROM journey_stitch.funnel_by('$.plan', '{a}', '2024-05-02', '2024-05-02');
SELECT value, step_no, step, users FROM journey_stitch.funnel_by('$.plan', ARRAY['a'], '2024-05-02', '2024-05-02');

SELECT journey_stitch.clean();
