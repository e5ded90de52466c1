-- Windowed metrics: what create_metric() counts and metric() answers, by hand and against plain SQL over what was sent.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET jit = off;  -- the oracle's queries look costly, and are not
SELECT journey_stitch.clean();

-- Most tests are about 2024, and want the rows of all granularities.
CREATE FUNCTION pg_temp.make(name text, event_type text, value text, dimensions text[] DEFAULT '{}', project text DEFAULT 'default', filter jsonb DEFAULT NULL)
RETURNS TABLE (windows bigint, events bigint) LANGUAGE sql AS $$
    SELECT * FROM journey_stitch.create_metric(name, event_type, value, dimensions, project, filter, '90 years', '90 years', '90 years', '90 years')
$$;

-- By hand. Ann buys twice, once with an amount that is a text; bob's amount is none; the fourth event has no user.
SELECT * FROM pg_temp.make('revenue', 'buy', '$.amount', ARRAY['$.country', 'source']);
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "buy",  "ts": "2024-05-01T10:00:00Z", "user_id": "ann", "source": "web", "properties": {"amount": 19.90, "country": "DE"}},
    {"id": 2, "type": "buy",  "ts": "2024-05-01T10:00:59.999999Z", "user_id": "ann", "source": "web", "properties": {"amount": " 5e0 ", "country": "DE"}},
    {"id": 3, "type": "buy",  "ts": "2024-05-01T10:01:00Z", "user_id": "bob", "source": "app", "properties": {"amount": "free", "country": null}},
    {"id": 4, "type": "buy",  "ts": "2024-05-01T10:04:59Z", "properties": {"amount": -0.5}},
    {"id": 5, "type": "view", "ts": "2024-05-01T10:00:30Z", "user_id": "cid", "properties": {"amount": 1000, "country": "DE"}},
    {"id": 6, "type": "buy",  "ts": "2024-05-02T00:00:00Z", "user_id": "bob", "source": "web", "properties": {"amount": 3, "country": "FR"}}]');
-- Nothing is stitched yet.
SELECT count(*) AS rows FROM journey_stitch.metric_windows;
SELECT * FROM journey_stitch.metric('revenue', '1 minute', '2024-05-01 10:00Z', '2024-05-01 10:06Z');
SELECT events FROM journey_stitch.stitch_pending();
SELECT granularity, combination_id = 0 AS is_total, count(*) AS rows FROM journey_stitch.metric_windows GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM journey_stitch.metric('revenue', '1 minute', '2024-05-01 10:00Z', '2024-05-01 10:06Z');
SELECT * FROM journey_stitch.metric('revenue', '5 minutes', '2024-05-01 09:55Z', '2024-05-01 10:10Z');
SELECT * FROM journey_stitch.metric('revenue', '1 hour', '2024-05-01 10:00Z', '2024-05-01 11:00Z');
SELECT * FROM journey_stitch.metric('revenue', '1 day', '2024-04-30', '2024-05-04');
-- Windows that begin in [start, end): none is cut.
SELECT window_start, count FROM journey_stitch.metric('revenue', '1 hour', '2024-05-01 09:00:00.000001Z', '2024-05-01 10:00:00.000001Z');
SELECT count(*) FROM journey_stitch.metric('revenue', '1 hour', '2024-05-01 09:00:01Z', '2024-05-01 10:00Z');
SELECT count(*) FROM journey_stitch.metric('revenue', '1 hour', '2024-05-01 10:00Z', '2024-05-01 10:00Z');
-- By dimensions: all combinations, those with a value, with none, with two; one that there is not.
SELECT * FROM journey_stitch.metric('revenue', '1 day', '2024-05-01', '2024-05-04', '{}');
SELECT * FROM journey_stitch.metric('revenue', '1 hour', '2024-05-01', '2024-05-04', '{"source": "web"}');
SELECT * FROM journey_stitch.metric('revenue', '1 minute', '2024-05-01', '2024-05-04', '{"country": null}');
SELECT * FROM journey_stitch.metric('revenue', '5 minutes', '2024-05-01', '2024-05-04', '{"country": "DE", "source": "web"}');
SELECT * FROM journey_stitch.metric('revenue', '1 day', '2024-05-01', '2024-05-04', '{"country": "XX"}');
-- Late, and pending: a known user, a new one twice, a new combination, and what lies outside of the windows.
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": 7, "type": "buy", "ts": "2024-05-01T10:00:30Z", "user_id": "ann", "source": "web", "properties": {"amount": 0.10, "country": "DE"}},
    {"id": 8, "type": "buy", "ts": "2024-05-01T10:00:31Z", "user_id": "new", "source": "web", "properties": {"amount": 100, "country": "DE"}},
    {"id": 9, "type": "buy", "ts": "2024-05-01T10:00:32Z", "user_id": "new", "source": "web", "properties": {"amount": 100, "country": "IT"}},
    {"id": 10, "type": "buy", "ts": "2024-05-01T10:01:00Z", "user_id": "new", "source": "web", "properties": {"amount": 7, "country": "IT"}},
    {"id": 11, "type": "buy", "ts": "2024-05-09T10:01:00Z", "user_id": "eve", "source": "web", "properties": {"amount": 7, "country": "IT"}}]');
CREATE FUNCTION pg_temp.answers(name text, first timestamptz, last timestamptz) RETURNS TABLE (granularity text, answer text) LANGUAGE sql AS $$
    SELECT g, m::text FROM unnest(ARRAY['1 minute', '5 minutes', '1 hour', '1 day']) AS g, unnest(ARRAY[NULL, '{}']::jsonb[]) AS d,
        journey_stitch.metric(name, g, first, last, d) AS m
$$;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.answers('revenue', '2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.metric('revenue', '1 minute', '2024-05-01 10:00Z', '2024-05-01 10:02Z');
SELECT * FROM journey_stitch.metric('revenue', '1 hour', '2024-05-01', '2024-05-04', '{}');
SELECT events FROM journey_stitch.stitch_pending();
-- Stitched, they are the same.
SELECT (SELECT count(*) FROM before) AS rows,
       (SELECT count(*) FROM (TABLE before EXCEPT ALL SELECT * FROM pg_temp.answers('revenue', '2024-05-01', '2024-05-03')) AS x) AS missing,
       (SELECT count(*) FROM (SELECT * FROM pg_temp.answers('revenue', '2024-05-01', '2024-05-03') EXCEPT ALL TABLE before) AS x) AS surplus;
SELECT project, name, event_type, value, dimensions, filter, keep_minutes, keep_5_minutes, keep_hours, keep_days FROM journey_stitch.metrics;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0 OR invariant = 'metrics';
SELECT journey_stitch.clean();
SELECT count(*) FROM journey_stitch.metrics;

-- What counts as a value, a dimension's value and an event, each kind of JSON. A number too long to be summed is none.
SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', n, 'type', 't', 'ts', '2024-05-01', 'properties', jsonb_build_object('v', v, 'n', n)))
    FROM unnest(ARRAY['1', '1.0', '1.00', '"1"', '"1.0"', '" 1 "', '-1e2', '"1e400"', '1e131071', '9e131071', '"1e131071"', '"NaN"', '"Infinity"', '"-inf"', '"1x"', '""', '"0x10"', '"1_0"', 'true', 'null', '[1]', '{"a": 1}', '{"a": 1.0}', '[]', '"é\n\""', '0.1', '0.10', '1e-5']::jsonb[])
        WITH ORDINALITY AS u (v, n)) || '[{"id": "none", "type": "t", "ts": "2024-05-01"}]');
SELECT events FROM journey_stitch.stitch_pending();
SELECT events FROM pg_temp.make('kinds', NULL, '$.v', ARRAY['$.v']);
SELECT CASE WHEN length(dimensions::text) < 100 THEN dimensions::text ELSE left(dimensions::text, 20) || '…' END AS dimensions, count, left(sum::text, 30) AS sum
FROM journey_stitch.metric('kinds', '1 day', '2024-05-01', '2024-05-02', '{}') ORDER BY dimensions::text COLLATE "C";
SELECT count, sum(round(sum)) > 1e399 AS has_sum FROM journey_stitch.metric('kinds', '1 day', '2024-05-01', '2024-05-02') GROUP BY 1;
SELECT count, sum FROM journey_stitch.metric('kinds', '1 day', '2024-05-01', '2024-05-02', '{"v": 1.000}');
-- Filters, other paths, the event's columns; a value longer than an index takes.
SELECT inserted FROM journey_stitch.ingest_events(jsonb_build_array(
    '{"id": "a", "type": "t", "event_name": "N", "ts": "2024-06-01", "source": "web", "properties": {"plan": "pro", "items": [{"p": 2}, {"p": 3}], "first name": "A"}}'::jsonb,
    '{"id": "b", "type": "t", "ts": "2024-06-01", "properties": {"plan": "free", "items": {"p": 4}}}'::jsonb,
    jsonb_build_object('id', 'c', 'type', 'u', 'ts', '2024-06-01', 'properties', jsonb_build_object('plan', 'pro', 'first name', repeat('x', 10000)))));
SELECT * FROM pg_temp.make('paths', 't', '$.items[*].p', ARRAY['event_name', 'event_type', 'source', '$."first name"', 'lax $.plan'], filter => '{"plan": "pro"}');
SELECT * FROM pg_temp.make('strict', NULL, 'strict $.items[last].p', ARRAY['$."first name"', ' strict $.plan ? (@ == "pro$") ']);
SELECT events FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.metric('paths', '1 day', '2024-06-01', '2024-06-02', '{}');
SELECT left(dimensions::text, 60) AS dimensions, count, sum FROM journey_stitch.metric('strict', '1 day', '2024-06-01', '2024-06-02', '{}') ORDER BY 1;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- However the events are batched and ordered, and whether the metric came before or after them: the same rows.
SELECT setseed(0.57);
CREATE TEMP TABLE load AS
SELECT n, jsonb_build_object('id', n, 'type', (ARRAY['buy', 'view'])[1 + n % 2], 'ts', timestamptz '2024-05-01 23:50Z' + random() * interval '20 minutes',
           'user_id', 'u' || (random() * 9)::integer, 'source', (ARRAY['web', 'app'])[1 + (random() * 1)::integer],
           'properties', jsonb_build_object('amount', (ARRAY['1', '1.0', '0.10', '"2.500"', '-3', '1e3', '"x"', 'null', '12345678901234567890.123456789'])[1 + (random() * 8)::integer]::jsonb,
                                            'country', (ARRAY['"DE"', '1', '1.0', 'null', '{"a": 1.0}', '{"a": 1}'])[1 + (random() * 5)::integer]::jsonb)) AS event
FROM generate_series(1, 300) AS n;
CREATE FUNCTION pg_temp.load(project text, size integer, shuffled boolean) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.make('m', NULL, '$.amount', ARRAY['$.country', 'event_type'], project) WHERE project <> 'backfilled';
    PERFORM journey_stitch.ingest_events(jsonb_agg(event ORDER BY CASE WHEN shuffled THEN md5(n::text) END, n), project)
    FROM load GROUP BY CASE WHEN shuffled THEN ascii(md5(n::text)) ELSE n / 50 END ORDER BY CASE WHEN shuffled THEN 1 ELSE 0 END, random();
    PERFORM set_config('journey_stitch.batch_size', size::text, true), journey_stitch.stitch_pending();
    PERFORM pg_temp.make('m', NULL, '$.amount', ARRAY['$.country', 'event_type'], project) WHERE project = 'backfilled';
    RETURN (SELECT count(*) FROM journey_stitch.metric_windows w JOIN journey_stitch.projects p ON p.id = w.project_id WHERE p.name = project);
END
$$;
INSERT INTO journey_stitch.projects (name) VALUES ('ones'), ('sevens'), ('whole'), ('shuffled'), ('backfilled');
SELECT pg_temp.load('ones', 1, false), pg_temp.load('sevens', 7, false), pg_temp.load('whole', 5000, false), pg_temp.load('shuffled', 13, true), pg_temp.load('backfilled', 100, true);
RESET journey_stitch.batch_size;
-- The users' numbers differ from project to project.
SELECT count(DISTINCT rows) AS different, count(*) AS projects
FROM (SELECT w.project_id, string_agg(concat_ws('|', w.granularity, w.starts_at, COALESCE(c.dimensions::text, 'total'), w.count, w.values_count, w.sum, w.min, w.max, journey_stitch.metric_users_count(w.members)), E'\n'
                                      ORDER BY w.granularity, w.starts_at, COALESCE(c.dimensions::text, 'total') COLLATE "C") AS rows
      FROM journey_stitch.metric_windows w LEFT JOIN journey_stitch.metric_combinations c ON c.id = w.combination_id GROUP BY w.project_id) AS p;
SELECT dimensions, count, sum, users FROM journey_stitch.metric('m', '1 day', '2024-05-01', '2024-05-02', '{"event_type": "buy"}', 'ones');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- Against plain SQL over what was sent, which knows nothing of rows, paths or sets.
CREATE TEMP TABLE sent (n bigint PRIMARY KEY, event_type text, source text, at timestamptz, user_id text, properties jsonb);
CREATE TEMP TABLE asked (name text, event_type text, filter jsonb);
INSERT INTO asked VALUES ('all', NULL, NULL), ('buys', 'buy', '{"ok": true}'), ('mixed', NULL, NULL);
CREATE FUNCTION pg_temp.make_asked() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(events) FROM (SELECT * FROM pg_temp.make('all', NULL, '$.amount')
                             UNION ALL SELECT * FROM pg_temp.make('buys', 'buy', '$.amount', ARRAY['$.country', 'source'], filter => '{"ok": true}')
                             UNION ALL SELECT * FROM pg_temp.make('mixed', NULL, NULL, ARRAY['event_type', '$.deep.x'])) AS made
$$;
-- The windows as texts: by the local date for days, by the epoch for the others.
CREATE FUNCTION pg_temp.oracle(metric text, by_dimensions boolean, granularity text, first timestamptz, last timestamptz, tz text)
RETURNS TABLE (starts text, dimensions jsonb, count bigint, sum text, min numeric, max numeric, users bigint) LANGUAGE sql AS $$
    WITH event AS (
        SELECT CASE oracle.granularity WHEN '1 day' THEN (s.at AT TIME ZONE tz)::date::text
                                       ELSE (floor(extract(epoch FROM s.at) / w.seconds) * w.seconds)::bigint::text END AS starts,
               CASE WHEN NOT by_dimensions OR metric = 'all' THEN '{}'
                    WHEN metric = 'buys' THEN jsonb_build_object('country', s.properties -> 'country', 'source', s.source)
                    ELSE jsonb_build_object('event_type', s.event_type, 'deep.x', s.properties -> 'deep' -> 'x') END AS dimensions,
               CASE WHEN metric <> 'mixed' AND s.properties ->> 'amount' ~ '^-?[0-9.]+(e[0-9])?$' THEN (s.properties ->> 'amount')::numeric END AS value,
               s.user_id
        FROM sent s
        JOIN asked a ON a.name = metric AND (s.event_type = a.event_type OR a.event_type IS NULL)
                    AND (a.filter IS NULL OR s.properties -> 'ok' = a.filter -> 'ok')
        JOIN (VALUES ('1 minute', 60), ('5 minutes', 300), ('1 hour', 3600), ('1 day', 86400)) AS w (granularity, seconds) ON w.granularity = oracle.granularity
    )
    SELECT e.starts, e.dimensions, count(*), sum(e.value)::text, min(e.value), max(e.value), count(DISTINCT e.user_id)
    FROM event e
    WHERE CASE oracle.granularity WHEN '1 day' THEN e.starts::timestamp AT TIME ZONE tz >= first AND e.starts::timestamp AT TIME ZONE tz < last
                                  ELSE to_timestamp(e.starts::bigint) >= first AND to_timestamp(e.starts::bigint) < last END
    GROUP BY 1, 2
$$;
-- How many rows there must be with events, how many events these have, and how many rows are wrong; those without events too.
CREATE FUNCTION pg_temp.compare(first timestamptz, last timestamptz, tz text DEFAULT 'UTC', granularities text[] DEFAULT '{1 minute,5 minutes,1 hour,1 day}')
RETURNS TABLE (rows bigint, events numeric, wrong bigint) LANGUAGE sql AS $$
    WITH question AS MATERIALIZED (
        SELECT a.name, g.granularity, d.by_dimensions
        FROM asked a, unnest(granularities) AS g (granularity), (VALUES (true), (false)) AS d (by_dimensions)
    ), ours AS MATERIALIZED (
        SELECT q.*, CASE q.granularity WHEN '1 day' THEN (m.window_start AT TIME ZONE tz)::date::text
                                       ELSE extract(epoch FROM m.window_start)::bigint::text END AS starts,
               m.dimensions, m.count, m.sum::text AS sum, m.min, m.max, m.average, m.users
        FROM question q CROSS JOIN LATERAL journey_stitch.metric(q.name, q.granularity, first, last, CASE WHEN q.by_dimensions THEN '{}'::jsonb END, tz => tz) AS m
    ), theirs AS MATERIALIZED (
        SELECT q.*, o.* FROM question q CROSS JOIN LATERAL pg_temp.oracle(q.name, q.by_dimensions, q.granularity, first, last, tz) AS o
    )
    SELECT count(t.count), sum(t.count), count(*) FILTER (
        WHERE CASE WHEN t.count IS NULL THEN by_dimensions OR (o.count, o.users) <> (0, 0) OR COALESCE(o.sum::numeric, o.min, o.max, o.average) IS NOT NULL
                   ELSE (t.count, t.sum, t.min, t.max, t.users) IS DISTINCT FROM (o.count, o.sum, o.min, o.max, o.users) END)
    FROM ours o FULL JOIN theirs t USING (name, granularity, by_dimensions, starts, dimensions)
$$;
CREATE FUNCTION pg_temp.generate(seed float8, events integer, first timestamptz, span interval) RETURNS void LANGUAGE sql AS $$
    SELECT setseed(seed);
    INSERT INTO sent
    SELECT n, (ARRAY['buy', 'view', 'buy', 'log in'])[1 + floor(random() * 4)::integer], (ARRAY['web', 'app', NULL])[1 + floor(random() * 3)::integer],
           first + span * CASE WHEN random() < 0.3 THEN floor(random() * 24) / 24 ELSE random() END, 'u' || NULLIF(floor(random() * 12), 0),
           jsonb_strip_nulls(jsonb_build_object(
               'ok', random() < 0.7, 'country', (ARRAY['"DE"', '"FR"', '1', '1.0', 'null', '""'])[1 + floor(random() * 6)::integer]::jsonb,
               'amount', (ARRAY['1', '2.50', '"0.125"', '-7', '1e2', '"many"', 'true', 'null', '12345678901234567890.1'])[1 + floor(random() * 9)::integer]::jsonb,
               'deep', jsonb_build_object('x', (ARRAY['"y"', '["z"]', 'null'])[1 + floor(random() * 3)::integer]::jsonb)))
    FROM generate_series(1, events) AS n
$$;
CREATE FUNCTION pg_temp.send(first bigint, last bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT inserted FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object('id', n, 'type', event_type, 'ts', at, 'user_id', user_id, 'source', source, 'properties', properties))
        FROM sent WHERE n BETWEEN first AND last))
$$;
-- Half of the events is stitched before the metrics are made, a part after, and a part is pending.
CREATE FUNCTION pg_temp.seed(seed integer) RETURNS TABLE (rows bigint, events numeric, wrong bigint, violations numeric) LANGUAGE plpgsql AS $$
DECLARE
    place text := (ARRAY['Europe/Berlin', 'Asia/Kolkata', 'America/New_York', 'Asia/Kathmandu', 'UTC'])[1 + seed % 5];
    first timestamptz := (ARRAY['2024-03-30 12:00Z', '2024-10-26 12:00Z', '2024-02-28 06:00Z', '1969-12-30 20:00Z'])[1 + seed % 4];
BEGIN
    DELETE FROM sent;
    PERFORM journey_stitch.clean(), pg_temp.generate(seed / 100.0, 60, first, interval '2 days');
    PERFORM set_config('journey_stitch.batch_size', (seed % 7 + 1)::text, true), pg_temp.send(1, 30);
    PERFORM journey_stitch.stitch_pending();
    PERFORM pg_temp.make_asked();
    PERFORM pg_temp.send(31, 45);
    PERFORM journey_stitch.stitch_pending();
    PERFORM pg_temp.send(46, 60);
    RETURN QUERY
    SELECT c.*, v.violations
    FROM (SELECT sum(c.rows)::bigint, sum(c.events), sum(c.wrong)::bigint
          FROM (VALUES ('UTC'), (place)) AS z (tz), LATERAL (
              SELECT * FROM pg_temp.compare(first - interval '1 day', first + interval '4 days', z.tz, '{1 hour,1 day}')
              UNION ALL SELECT * FROM pg_temp.compare(first + interval '10 hours', first + interval '14 hours', z.tz, '{1 minute,5 minutes}')) AS c) AS c,
         (SELECT sum(v.violations) AS violations FROM journey_stitch.verify() AS v) AS v;
END
$$;
SELECT count(*) AS seeds, sum(rows) > 5000 AS rows, sum(events) > 10000 AS events, sum(wrong) AS wrong, sum(violations) AS violations
FROM generate_series(1, 40) AS s, pg_temp.seed(s);
RESET journey_stitch.batch_size;

-- Days of a zone: of 23 and 25 hours, on half and quarter hours, one that there was not; events at midnight exactly.
SELECT journey_stitch.clean();
DELETE FROM sent;
INSERT INTO sent SELECT n, 'buy', 'web', at, 'ann', '{"amount": 1, "ok": true}'
FROM unnest(ARRAY['2024-03-30 22:59:59.999999Z', '2024-03-30 23:00Z', '2024-03-31 21:59:59.999999Z', '2024-03-31 22:00Z', '2024-10-26 21:59:59.999999Z', '2024-10-26 22:00Z',
    '2024-10-27 22:59:59.999999Z', '2024-10-27 23:00Z', '2024-05-01 18:29:59.999999Z', '2024-05-01 18:30Z', '2024-05-01 18:14:59.999999Z', '2024-05-01 18:15Z',
    '2011-12-30 09:59:59.999999Z', '2011-12-30 10:00Z', '1890-01-01 12:00Z', '0001-01-01 00:00Z', '9999-12-31 23:59:59.999999Z']::timestamptz[]) WITH ORDINALITY AS u (at, n);
SELECT pg_temp.make_asked();
SELECT pg_temp.send(1, 9);
SELECT events FROM journey_stitch.stitch_pending();
SELECT pg_temp.send(10, 17);
CREATE TEMP TABLE zones (tz text, first timestamptz, last timestamptz);
INSERT INTO zones VALUES ('Europe/Berlin', '2024-03-29', '2024-04-02'), ('Europe/Berlin', '2024-10-25', '2024-10-30'), ('Asia/Kolkata', '2024-04-30', '2024-05-04'),
    ('Asia/Kathmandu', '2024-04-30', '2024-05-04'), ('Pacific/Apia', '2011-12-28', '2012-01-02'), ('Europe/Amsterdam', '1889-12-30', '1890-01-04'),
    ('UTC', '0001-01-01', '0001-01-03'), ('UTC', '9999-12-30', '9999-12-31 23:59:59Z');
SELECT z.tz, c.* FROM zones z, pg_temp.compare(z.first, z.last, z.tz, '{1 hour,1 day}') AS c ORDER BY z.tz, z.first;
SELECT window_start, count FROM journey_stitch.metric('all', '1 day', '2024-03-30', '2024-04-01', tz => 'Europe/Berlin');
SELECT window_start, count FROM journey_stitch.metric('all', '1 day', '2011-12-29', '2012-01-01', tz => 'Pacific/Apia');
SELECT events FROM journey_stitch.stitch_pending();
SELECT z.tz, c.* FROM zones z, pg_temp.compare(z.first, z.last, z.tz, '{1 hour,1 day}') AS c ORDER BY z.tz, z.first;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- Windows are let go of when their time has come; the answers stay. One transaction, so that now() is one time.
SELECT journey_stitch.clean();
DELETE FROM sent;
BEGIN;
SELECT pg_temp.generate(0.4, 200, now() - interval '3 days', interval '3 days');
INSERT INTO sent VALUES (201, 'buy', 'web', now() - interval '80 years', 'old', '{"amount": 2, "ok": true}'), (202, 'buy', 'web', now() + interval '80 years', 'new', '{"amount": 3, "ok": true}');
SELECT pg_temp.make_asked();
SELECT pg_temp.send(1, 190);
SELECT events FROM journey_stitch.stitch_pending();
SELECT granularity, bool_or(starts_at < now() - interval '50 hours') AS has_old FROM journey_stitch.metric_windows GROUP BY 1 ORDER BY 1;
UPDATE journey_stitch.metric_granularities
SET keep = CASE granularity WHEN 'm' THEN interval '1 hour' WHEN '5' THEN '1 day' WHEN 'h' THEN '2 days' ELSE '1 month' END;
-- Nothing goes before the next batch is stitched; then only what may. Some events are too late for what is kept.
SELECT pg_temp.send(191, 193);
SELECT pg_temp.send(194, 202);
SELECT c.wrong FROM pg_temp.compare(now() - interval '4 days', now() + interval '1 day') AS c;
SELECT events FROM journey_stitch.stitch_pending(3);
SELECT c.wrong FROM pg_temp.compare(now() - interval '4 days', now() + interval '1 day') AS c;
SELECT events FROM journey_stitch.stitch_pending();
SELECT g.granularity, bool_and(g.kept_from = date_bin(g.width, now() - g.keep, '2000-01-01')) AS is_kept,
       bool_or(w.starts_at < g.kept_from) AS has_older, bool_or(w.starts_at > now() + interval '79 years') AS has_later
FROM journey_stitch.metric_granularities g LEFT JOIN journey_stitch.metric_windows w USING (metric_id, granularity) GROUP BY 1 ORDER BY 1;
SELECT c.wrong FROM pg_temp.compare(now() - interval '4 days', now() + interval '1 day') AS c;
SELECT c.wrong FROM pg_temp.compare(now() - interval '4 days', now() + interval '1 day', 'Asia/Kolkata') AS c;
SELECT years, c.events, c.wrong
FROM (VALUES (-80), (80)) AS y (years), pg_temp.compare(now() + make_interval(years => years) - interval '1 day', now() + make_interval(years => years) + interval '1 day', granularities => '{1 hour,1 day}') AS c;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
-- A metric that is made now has the windows that it keeps, and none that is older.
SELECT windows > 0 AS windows, events = (SELECT count(*) FROM sent WHERE at >= date_bin('1 day', now() - interval '1 day', '2000-01-01')) AS events
FROM journey_stitch.create_metric('late', NULL, NULL, keep_minutes => '1 hour', keep_5_minutes => '6 hours', keep_hours => '1 day', keep_days => '1 day');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
-- A long time at once goes in parts; what is at or after kept_from is whole all the while.
SELECT journey_stitch.drop_metric(name) FROM journey_stitch.metrics;
SELECT count(*) FROM pg_temp.make('long', 'tick', NULL);
SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('type', 'tick', 'ts', now() - n * interval '2 minutes')) FROM generate_series(1, 2500) AS n));
SELECT events FROM journey_stitch.stitch_pending();
UPDATE journey_stitch.metric_granularities SET keep = '1 minute' WHERE granularity = 'm';
CREATE FUNCTION pg_temp.step() RETURNS TABLE (minutes_left bigint, violations numeric) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM journey_stitch.ingest_events('{"type": "other"}');
    PERFORM journey_stitch.stitch_pending();
    RETURN QUERY SELECT (SELECT count(*) FROM journey_stitch.metric_windows WHERE granularity = 'm'), (SELECT sum(v.violations) FROM journey_stitch.verify() AS v);
END
$$;
SELECT * FROM pg_temp.step();
SELECT * FROM pg_temp.step();
SELECT * FROM pg_temp.step();
SELECT count(*) AS windows, sum(count) AS events FROM journey_stitch.metric('long', '1 minute', now() - interval '5001 minutes', now());
ROLLBACK;

-- Forgotten: erased events are in no window, nor is what they alone said; anonymized ones are counted without it.
SELECT journey_stitch.clean();
DELETE FROM sent;
SELECT pg_temp.generate(0.5, 120, '2024-05-01 22:00Z', '4 hours');
UPDATE sent SET properties = properties || '{"country": "Secretland", "amount": 99999.999, "ok": true}', event_type = 'buy' WHERE user_id = 'u3';
SELECT pg_temp.make_asked();
SELECT pg_temp.send(1, 110);
SELECT events FROM journey_stitch.stitch_pending();
SELECT pg_temp.send(111, 120);
SELECT count(*) > 0 AS has_secret FROM journey_stitch.metric_combinations WHERE dimensions::text LIKE '%Secret%';
SELECT object, entries > 0 AS some FROM journey_stitch.forget('u3', dry_run => false) WHERE object = 'stitched events';
DELETE FROM sent WHERE user_id = 'u3';
SELECT count(*) AS has_secret FROM journey_stitch.metric_combinations WHERE dimensions::text LIKE '%Secret%';
SELECT rows > 100 AS rows, wrong FROM pg_temp.compare('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT object, entries > 0 AS some FROM journey_stitch.forget('u4', 'anonymize', dry_run => false) WHERE object = 'stitched events';
UPDATE sent SET properties = '{}' WHERE user_id = 'u4';
SELECT rows > 100 AS rows, wrong FROM pg_temp.compare('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT events FROM journey_stitch.stitch_pending();
SELECT rows > 100 AS rows, wrong FROM pg_temp.compare('2024-05-01', '2024-05-03');

-- verify() sees any difference.
CREATE FUNCTION pg_temp.damaged(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    violations bigint;
BEGIN
    EXECUTE statement;
    SELECT v.violations INTO violations FROM journey_stitch.verify() AS v WHERE v.invariant = 'metrics';
    RAISE EXCEPTION USING ERRCODE = 'JS001', MESSAGE = violations;
EXCEPTION WHEN SQLSTATE 'JS001' THEN
    RETURN SQLERRM;
END
$$;
SELECT pg_temp.damaged('SELECT') AS without_damage;
SELECT what, pg_temp.damaged(statement) > 0 AS is_seen
FROM (SELECT assignment, 'UPDATE journey_stitch.metric_windows w SET ' || assignment || '
          FROM (SELECT * FROM journey_stitch.metric_windows WHERE sum IS NOT NULL ORDER BY metric_id, granularity, combination_id, starts_at LIMIT 1) AS f
          WHERE (w.metric_id, w.granularity, w.combination_id, w.starts_at) = (f.metric_id, f.granularity, f.combination_id, f.starts_at)'
      FROM unnest(ARRAY['count = w.count + 1', 'values_count = w.values_count + 1', 'sum = w.sum + 0.01', 'sum = w.sum * 1.000', 'min = w.min - 1', 'max = NULL',
                        'starts_at = ''2024-07-01''', 'combination_id = 77', 'project_id = 77', 'members = ''''',
                        'members = journey_stitch.metric_users_union(ARRAY[w.members, journey_stitch.metric_users_set(ARRAY[1000000]::bigint[])])']) AS a (assignment)
      UNION ALL
      VALUES ('no windows', 'DELETE FROM journey_stitch.metric_windows'), ('no granularities', 'DELETE FROM journey_stitch.metric_granularities'),
             ('no definitions', 'DELETE FROM journey_stitch.metric_definitions'),
             ('unused combination', 'INSERT INTO journey_stitch.metric_combinations (metric_id, project_id, dimensions) SELECT metric_id, project_id, ''{"a": 1}'' FROM journey_stitch.metric_combinations LIMIT 1'),
             ('other values', 'UPDATE journey_stitch.metric_combinations SET dimensions = dimensions || ''{"source": "tv"}'''),
             ('kept shorter', 'UPDATE journey_stitch.metric_granularities SET kept_from = ''2024-05-02'' WHERE granularity = ''m''')) AS d (what, statement)
ORDER BY what COLLATE "C";

-- Dropped, and its name is free again.
SELECT journey_stitch.drop_metric('buys');
SELECT journey_stitch.drop_metric('buys');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.metric('buys', '1 day', '2024-05-01', '2024-05-03');
\echo :LAST_ERROR_SQLSTATE
SELECT name FROM journey_stitch.metrics ORDER BY name;
SELECT windows > 0 AS windows FROM pg_temp.make('buys', 'buy', '$.amount', ARRAY['$.country', 'source'], filter => '{"ok": true}');
SELECT rows > 100 AS rows, wrong FROM pg_temp.compare('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.create_metric('buys', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.drop_metric('all'), journey_stitch.drop_metric('buys'), journey_stitch.drop_metric('mixed');
SELECT (SELECT count(*) FROM journey_stitch.metric_definitions) + (SELECT count(*) FROM journey_stitch.metric_granularities)
     + (SELECT count(*) FROM journey_stitch.metric_combinations) + (SELECT count(*) FROM journey_stitch.metric_windows) AS left_over;

-- Wrong arguments.
\set ask 'SELECT * FROM journey_stitch.create_metric'
:ask(NULL, 't');
\echo :LAST_ERROR_SQLSTATE
:ask('', 't');
:ask(repeat('é', 101), 't');
:ask('m', '');
:ask('m', NULL, 'amount');
\echo :LAST_ERROR_SQLSTATE
:ask('m', NULL, '$.');
\echo :LAST_ERROR_SQLSTATE
:ask('m', NULL, 'strictly $.a');
:ask('m', NULL, '$.a ? (@ > $limit)');
\echo :LAST_ERROR_SQLSTATE
:ask('m', NULL, '$.a.datetime()');
:ask('m', NULL, '$.a.decimal(2000)');
:ask('m', NULL, NULL, NULL);
:ask('m', NULL, NULL, ARRAY[NULL]);
:ask('m', NULL, NULL, ARRAY['user_id']);
\echo :LAST_ERROR_SQLSTATE
:ask('m', NULL, NULL, ARRAY['$.source', 'source']);
:ask('m', NULL, NULL, ARRAY['$.a', 'lax $.a']);
:ask('m', NULL, NULL, ARRAY['$.a', '$.b ? (']);
:ask('m', NULL, NULL, ARRAY['$.a', '$."x"."y$" ? (@ == $v)']);
:ask('m', NULL, NULL, ARRAY['$.a1', '$.a2', '$.a3', '$.a4', '$.a5', '$.a6', '$.a7', '$.a8', '$.a9']);
:ask('m', NULL, filter => '[1]');
\echo :LAST_ERROR_SQLSTATE
:ask('m', NULL, project => NULL);
\echo :LAST_ERROR_SQLSTATE
:ask('m', NULL, project => 'no such');
\echo :LAST_ERROR_SQLSTATE
:ask('m', NULL, keep_minutes => NULL);
:ask('m', NULL, keep_5_minutes => '0');
\echo :LAST_ERROR_SQLSTATE
:ask('m', NULL, keep_hours => '-1 day');
:ask('m', NULL, keep_days => 'infinity');
:ask('m', NULL, keep_days => '2000 years');
\echo :LAST_ERROR_SQLSTATE
SELECT windows > 0 AS windows FROM journey_stitch.create_metric('m', NULL, '$', ARRAY['$."$"', '$."a\"b"', '$.* ? (@ == "$x")'], keep_days => '90 years');
SELECT dimensions FROM journey_stitch.metrics;
\set ask 'SELECT * FROM journey_stitch.metric'
:ask('m', '1 week', '2024-05-01', '2024-05-02');
\echo :LAST_ERROR_SQLSTATE
:ask(NULL, '1 day', '2024-05-01', '2024-05-02');
:ask('m', NULL, '2024-05-01', '2024-05-02');
:ask('m', '1 day', NULL, '2024-05-02');
:ask('m', '1 day', '2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
:ask('m', '1 day', '2024-05-02', '2024-05-01');
:ask('m', '1 day', '-infinity', '2024-05-01');
:ask('m', '1 day', '2024-05-02', 'infinity');
:ask('m', '1 day', '0001-12-31 BC', '0001-01-01');
:ask('m', '1 minute', '2024-05-01', '2024-07-09 10:41');
\echo :LAST_ERROR_SQLSTATE
:ask('m', '1 day', '2024-05-01', '2024-05-02', '[]');
:ask('m', '1 day', '2024-05-01', '2024-05-02', '{"country": 1}');
\echo :LAST_ERROR_SQLSTATE
:ask('m', '1 day', '2024-05-01', '2024-05-02', tz => 'Mars/Olympus');
:ask('m', '1 day', '2024-05-01', '2024-05-02', tz => NULL);
\echo :LAST_ERROR_SQLSTATE
:ask('m', '1 day', '2024-05-01', '2024-05-02', project => NULL);
\echo :LAST_ERROR_SQLSTATE
:ask('no such', '1 day', '2024-05-01', '2024-05-02');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*), sum(count) > 0 AS events FROM journey_stitch.metric('m', '1 minute', '2024-05-01', '2024-07-09 10:40');
SELECT count(*), sum(count) > 0 AS events FROM journey_stitch.metric('m', '1 day', '2024-05-01', '2024-05-03 00:00:01Z', '{}');
SELECT journey_stitch.drop_metric(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.drop_metric('m', 'no such');
\echo :LAST_ERROR_SQLSTATE

-- Who may do what: metrics are made by admins, and read where the project may be read.
CREATE ROLE metrics_nobody IN ROLE journey_stitch_reader;
CREATE ROLE metrics_reader IN ROLE journey_stitch_reader;
CREATE ROLE metrics_writer IN ROLE journey_stitch_writer;
CREATE ROLE metrics_admin IN ROLE journey_stitch_admin;
SELECT journey_stitch.grant_project('default', 'metrics_reader'), journey_stitch.grant_project('default', 'metrics_writer', 'write');
SET ROLE metrics_nobody;
SELECT count(*) FROM journey_stitch.metric('m', '1 day', '2024-05-01', '2024-05-02');
\echo :LAST_ERROR_SQLSTATE
SELECT (SELECT count(*) FROM journey_stitch.metrics) AS metrics, (SELECT count(*) FROM journey_stitch.metric_windows) AS windows;
SELECT journey_stitch.create_metric('mine', NULL);
\echo :LAST_ERROR_SQLSTATE
SET ROLE metrics_writer;
SELECT count(*) FROM journey_stitch.metric('m', '1 day', '2024-05-01', '2024-05-02');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM journey_stitch.metrics;
\echo :LAST_ERROR_SQLSTATE
SET ROLE metrics_reader;
SELECT sum(count) > 0 AS events FROM journey_stitch.metric('m', '1 day', '2024-05-01', '2024-05-03');
SELECT (SELECT count(*) FROM journey_stitch.metrics) AS metrics, (SELECT count(*) > 0 FROM journey_stitch.metric_windows) AS windows;
SELECT journey_stitch.drop_metric('m');
\echo :LAST_ERROR_SQLSTATE
DELETE FROM journey_stitch.metric_windows;
\echo :LAST_ERROR_SQLSTATE
SET ROLE metrics_admin;
SELECT windows > 0 AS windows FROM journey_stitch.create_metric('theirs', NULL, keep_days => '90 years');
SELECT journey_stitch.drop_metric('m');
RESET ROLE;
SELECT name FROM journey_stitch.metrics;
DROP OWNED BY metrics_nobody, metrics_reader, metrics_writer, metrics_admin;
DROP ROLE metrics_nobody, metrics_reader, metrics_writer, metrics_admin;
SELECT journey_stitch.clean();
