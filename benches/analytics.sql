-- Run by benches/analytics.sh after analytics_events.sql, in the same database: times each call and, where SQL over the
-- events can answer the same question, that too. Prints a table; what it prints is in bench.times afterwards.
\set ON_ERROR_STOP 1
\pset footer off
\pset null -
SET client_min_messages = warning;

CREATE TABLE bench.questions (
    n         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text    NOT NULL,
    target_ms numeric,
    question  text    NOT NULL,
    peer      text,
    -- What of the answer must be the same in both.
    answer    text    NOT NULL DEFAULT '*'
);

SELECT user_id FROM journey_stitch.events WHERE user_id IS NOT NULL ORDER BY id DESC LIMIT 1 \gset

INSERT INTO bench.questions (name, target_ms, question, peer, answer) VALUES
('dau, 30 days', 2,
 $$SELECT * FROM journey_stitch.dau('2026-03-02', '2026-03-31')$$,
 $$SELECT occurred_at::date AS day, count(DISTINCT user_id) AS active_users FROM journey_stitch.events
   WHERE project_id = 1 AND occurred_at >= '2026-03-02' AND occurred_at < '2026-04-01' GROUP BY 1 ORDER BY 1$$, '*'),
('dau, 30 days, one event type', NULL,
 $$SELECT * FROM journey_stitch.dau('2026-03-02', '2026-03-31', event_type => 'view_item')$$,
 $$SELECT occurred_at::date AS day, count(DISTINCT user_id) AS active_users FROM journey_stitch.events
   WHERE project_id = 1 AND occurred_at >= '2026-03-02' AND occurred_at < '2026-04-01' AND event_type = 'view_item'
   GROUP BY 1 ORDER BY 1$$, '*'),
('dau, 30 days, by journey', NULL,
 $$SELECT * FROM journey_stitch.dau('2026-03-02', '2026-03-31', identity => 'journey')$$, NULL, '*'),
('dau, 30 days of New York', NULL,
 $$SELECT * FROM journey_stitch.dau('2026-03-02', '2026-03-31', tz => 'America/New_York')$$,
 $$SELECT (occurred_at AT TIME ZONE 'America/New_York')::date AS day, count(DISTINCT user_id) AS active_users
   FROM journey_stitch.events
   WHERE project_id = 1 AND occurred_at >= timestamp '2026-03-02' AT TIME ZONE 'America/New_York'
     AND occurred_at < timestamp '2026-04-01' AT TIME ZONE 'America/New_York' GROUP BY 1 ORDER BY 1$$, '*'),
('dau, 30 days, filter', NULL,
 $$SELECT * FROM journey_stitch.dau('2026-03-02', '2026-03-31', filter => '{"plan": "pro"}')$$,
 $$SELECT d.day::date, count(DISTINCT e.user_id) AS active_users
   FROM generate_series(timestamptz '2026-03-02', '2026-03-31', '1 day') AS d (day)
   LEFT JOIN journey_stitch.events e ON e.project_id = 1 AND e.occurred_at >= '2026-03-02'
        AND e.occurred_at < '2026-04-01' AND e.occurred_at::date = d.day AND e.properties @> '{"plan": "pro"}'
   GROUP BY 1 ORDER BY 1$$, '*'),
('wau, 30 days', 10,
 $$SELECT * FROM journey_stitch.wau('2026-03-02', '2026-03-31')$$,
 $$WITH active AS (SELECT DISTINCT occurred_at::date AS day, user_id FROM journey_stitch.events
                   WHERE project_id = 1 AND occurred_at >= '2026-02-24' AND occurred_at < '2026-04-01')
   SELECT d.day::date, count(DISTINCT a.user_id) AS active_users
   FROM generate_series(date '2026-03-02', '2026-03-31', '1 day') AS d (day)
   JOIN active a ON a.day BETWEEN d.day::date - 6 AND d.day::date GROUP BY 1 ORDER BY 1$$, '*'),
('mau, 30 days', 10,
 $$SELECT * FROM journey_stitch.mau('2026-03-02', '2026-03-31')$$,
 $$WITH active AS (SELECT DISTINCT occurred_at::date AS day, user_id FROM journey_stitch.events
                   WHERE project_id = 1 AND occurred_at >= '2026-02-01' AND occurred_at < '2026-04-01')
   SELECT d.day::date, count(DISTINCT a.user_id) AS active_users
   FROM generate_series(date '2026-03-02', '2026-03-31', '1 day') AS d (day)
   JOIN active a ON a.day BETWEEN d.day::date - 29 AND d.day::date GROUP BY 1 ORDER BY 1$$, '*'),
('stickiness, 30 days', 10,
 $$SELECT * FROM journey_stitch.stickiness('2026-03-02', '2026-03-31')$$,
 $$WITH active AS (SELECT DISTINCT occurred_at::date AS day, user_id FROM journey_stitch.events
                   WHERE project_id = 1 AND occurred_at >= '2026-02-01' AND occurred_at < '2026-04-01')
   SELECT d.day::date, count(DISTINCT a.user_id) FILTER (WHERE a.day = d.day::date) AS dau,
          count(DISTINCT a.user_id) AS mau,
          round(count(DISTINCT a.user_id) FILTER (WHERE a.day = d.day::date)::numeric / count(DISTINCT a.user_id), 4)
   FROM generate_series(date '2026-03-02', '2026-03-31', '1 day') AS d (day)
   JOIN active a ON a.day BETWEEN d.day::date - 29 AND d.day::date GROUP BY 1 ORDER BY 1$$, '*'),
('retention, 12 weeks', 10,
 $$SELECT * FROM journey_stitch.retention('2026-01-05', 12)$$,
 $$WITH active AS (SELECT DISTINCT (occurred_at::date - date '2026-01-05') / 7 AS week, user_id
                   FROM journey_stitch.events WHERE project_id = 1 AND user_id IS NOT NULL
                    AND occurred_at >= '2026-01-05' AND occurred_at < '2026-04-06'),
        cohort AS (SELECT user_id FROM active WHERE week = 0),
        size AS (SELECT count(*) AS size FROM cohort)
   SELECT w.n AS window_no, date '2026-01-05' + 7 * w.n AS window_start, size AS cohort_size,
          count(c.user_id) AS retained_users, round(100.0 * count(c.user_id) / size, 1) AS retention_rate
   FROM size, generate_series(0, 12) AS w (n) LEFT JOIN (active a JOIN cohort c USING (user_id)) ON a.week = w.n
   GROUP BY w.n, size ORDER BY w.n$$, '*'),
('retention_matrix, 12 × 12 weeks', 50,
 $$SELECT * FROM journey_stitch.retention_matrix('2026-01-05', '2026-03-29')$$,
 $$WITH active AS (SELECT DISTINCT (occurred_at::date - date '2026-01-05') / 7 AS week, user_id
                   FROM journey_stitch.events WHERE project_id = 1 AND user_id IS NOT NULL
                    AND occurred_at >= '2026-01-05' AND occurred_at < '2026-03-30')
   SELECT date '2026-01-05' + 7 * c.week AS cohort_start, a.week - c.week AS window_no, count(*) AS retained_users
   FROM active c JOIN active a USING (user_id) WHERE a.week >= c.week GROUP BY 1, 2 ORDER BY 1, 2$$,
 'cohort_start, window_no, retained_users'),
('lifecycle, 30 days', NULL,
 $$SELECT * FROM journey_stitch.lifecycle('2026-03-02', '2026-03-31')$$,
 $$WITH active AS (SELECT user_id, day, lag(day) OVER w AS before, lead(day) OVER w AS after
                   FROM (SELECT DISTINCT occurred_at::date AS day, user_id FROM journey_stitch.events
                         WHERE project_id = 1 AND user_id IS NOT NULL AND occurred_at < '2026-04-01') AS a
                   WINDOW w AS (PARTITION BY user_id ORDER BY day)),
        changes AS (SELECT day, CASE WHEN before IS NULL THEN 'new' WHEN before = day - 1 THEN 'returning'
                                     ELSE 'resurrecting' END AS change FROM active
                    UNION ALL
                    SELECT day + 1, 'dormant' FROM active WHERE after IS NULL OR after > day + 1)
   SELECT day, count(*) FILTER (WHERE change = 'new') AS new_users,
          count(*) FILTER (WHERE change = 'returning') AS returning_users,
          count(*) FILTER (WHERE change = 'resurrecting') AS resurrecting_users,
          count(*) FILTER (WHERE change = 'dormant') AS dormant_users
   FROM changes WHERE day BETWEEN '2026-03-02' AND '2026-03-31' GROUP BY day ORDER BY day$$, '*'),
('top_events, 30 days', 2,
 $$SELECT * FROM journey_stitch.top_events('2026-03-02', '2026-03-31')$$,
 $$SELECT event_type, count(*) AS events, count(DISTINCT user_id) AS users FROM journey_stitch.events
   WHERE project_id = 1 AND occurred_at >= '2026-03-02' AND occurred_at < '2026-04-01'
   GROUP BY 1 ORDER BY 2 DESC, event_type COLLATE "C" LIMIT 10$$, '*'),
('metric, 24 h of minutes', 5,
 $$SELECT * FROM journey_stitch.metric('traffic', '1 minute', '2026-03-31', '2026-04-01')$$,
 $$SELECT m.minute AS window_start, count(e.id) AS count, sum((e.properties ->> 'duration')::numeric) AS sum,
          min((e.properties ->> 'duration')::numeric) AS min, max((e.properties ->> 'duration')::numeric) AS max,
          avg((e.properties ->> 'duration')::numeric) AS average, count(DISTINCT e.user_id) AS users
   FROM generate_series(timestamptz '2026-03-31', '2026-03-31 23:59', '1 minute') AS m (minute)
   LEFT JOIN journey_stitch.events e ON e.project_id = 1 AND e.occurred_at >= '2026-03-31'
        AND e.occurred_at < '2026-04-01' AND date_trunc('minute', e.occurred_at) = m.minute
   GROUP BY 1 ORDER BY 1$$,
 'window_start, count, trim_scale(sum) AS sum, trim_scale(min), trim_scale(max), round(average, 6), users'),
('metric, 90 days, by source', NULL,
 $$SELECT * FROM journey_stitch.metric('traffic', '1 day', '2026-01-01', '2026-04-01', '{}')$$,
 $$SELECT occurred_at::date::timestamptz AS window_start, jsonb_build_object('source', source) AS dimensions,
          count(*) AS count, count(DISTINCT user_id) AS users
   FROM journey_stitch.events WHERE project_id = 1 AND occurred_at >= '2026-01-01' AND occurred_at < '2026-04-01'
   GROUP BY 1, 2$$, 'window_start, dimensions, count, users'),
('funnel of three steps, 30 days', 1000,
 $$SELECT * FROM journey_stitch.funnel('{view_item,add_to_cart,purchase}'::text[], '2026-03-02', '2026-03-31')$$,
 $$WITH one AS (SELECT user_id, min(occurred_at) AS at FROM journey_stitch.events
                WHERE project_id = 1 AND event_type = 'view_item' AND user_id IS NOT NULL
                  AND occurred_at >= '2026-03-02' AND occurred_at < '2026-04-01' GROUP BY 1),
        two AS (SELECT o.user_id, o.at AS opened, min(e.occurred_at) AS at, min(e.occurred_at) - o.at AS took
                FROM one o JOIN journey_stitch.events e USING (user_id)
                WHERE e.project_id = 1 AND e.event_type = 'add_to_cart' AND e.occurred_at > o.at
                  AND e.occurred_at >= '2026-03-02' AND e.occurred_at <= o.at + interval '14 days'
                GROUP BY 1, 2),
        three AS (SELECT t.user_id, min(e.occurred_at) - t.at AS took
                  FROM two t JOIN journey_stitch.events e USING (user_id)
                  WHERE e.project_id = 1 AND e.event_type = 'purchase' AND e.occurred_at > t.at
                    AND e.occurred_at >= '2026-03-02' AND e.occurred_at <= t.opened + interval '14 days'
                  GROUP BY 1, t.at)
   SELECT 1 AS step_no, count(*) AS users, NULL::interval AS median_time FROM one UNION ALL
   SELECT 2, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FROM two UNION ALL
   SELECT 3, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FROM three$$,
 'step_no, users, round(extract(epoch FROM median_time), 3)'),
('funnel of three steps, by journey', NULL,
 $$SELECT * FROM journey_stitch.funnel('{view_item,add_to_cart,purchase}'::text[], '2026-03-02', '2026-03-31',
                                       identity => 'journey')$$, NULL, '*'),
('paths, 30 days', NULL,
 $$SELECT * FROM journey_stitch.paths('2026-03-02', '2026-03-31')$$,
 $$WITH path AS (SELECT row_number() OVER w AS step_no, event_type AS source,
                        COALESCE(lead(event_type) OVER w, '(drop-off)') AS target,
                        extract(epoch FROM lead(occurred_at) OVER w - occurred_at) AS seconds
                 FROM journey_stitch.events
                 WHERE project_id = 1 AND user_id IS NOT NULL AND occurred_at >= '2026-03-02'
                   AND occurred_at < '2026-04-01'
                 WINDOW w AS (PARTITION BY user_id ORDER BY occurred_at, id)),
        edges AS (SELECT step_no, source, target, count(*) AS journeys, round(avg(seconds), 3) AS average_seconds
                  FROM path WHERE step_no <= 5 GROUP BY 1, 2, 3
                  ORDER BY 4 DESC, 1, source COLLATE "C", target COLLATE "C" LIMIT 50)
   SELECT * FROM edges ORDER BY step_no, journeys DESC, source COLLATE "C", target COLLATE "C"$$, '*'),
('sessions of one user', NULL,
 format('SELECT * FROM journey_stitch.sessions(%L)', :'user_id'),
 format($$SELECT row_number() OVER (ORDER BY min(occurred_at)) AS session_no, min(occurred_at) AS started_at,
                 max(occurred_at) AS ended_at, count(*) AS events
          FROM (SELECT *, count(*) FILTER (WHERE gap IS NULL OR gap > '30 minutes') OVER w AS s
                FROM (SELECT id, occurred_at, occurred_at - lag(occurred_at) OVER (ORDER BY occurred_at, id) AS gap
                      FROM journey_stitch.events WHERE project_id = 1 AND user_id = %L) AS e
                WINDOW w AS (ORDER BY occurred_at, id)) AS e
          GROUP BY s ORDER BY 1$$, :'user_id'), 'session_no, started_at, ended_at, events'),
('user_stats of one user', 1,
 format('SELECT * FROM journey_stitch.user_stats(%L)', :'user_id'),
 format($$SELECT user_id, count(*) AS total_events, count(*) FILTER (WHERE event_type = 'purchase') AS total_purchases,
                 sum((properties ->> 'amount')::numeric) FILTER (WHERE event_type = 'purchase') AS total_spent,
                 min(occurred_at) AS first_seen, max(occurred_at) AS last_active,
                 max(occurred_at) FILTER (WHERE event_type = 'purchase') AS last_purchase,
                 avg((properties ->> 'duration')::numeric) AS avg_session_duration
          FROM journey_stitch.events WHERE project_id = 1 AND user_id = %L GROUP BY 1$$, :'user_id'),
 'user_id, total_events, total_purchases, COALESCE(trim_scale(total_spent), 0), first_seen, last_active, '
 'last_purchase, round(avg_session_duration, 3)');

CREATE TABLE bench.times (
    n         integer NOT NULL,
    name      text    NOT NULL,
    target_ms numeric,
    least_ms  numeric NOT NULL,
    median_ms numeric NOT NULL,
    p95_ms    numeric NOT NULL,
    calls     bigint  NOT NULL,
    peer_ms   numeric,
    is_same   boolean
);

-- An answer, whatever the order of its rows.
CREATE FUNCTION bench.digest(question text, answer text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    digest text;
BEGIN
    EXECUTE format('SELECT md5(string_agg(a::text, E''\n'' ORDER BY a::text COLLATE "C"))
                    FROM (SELECT %s FROM (%s) AS q) AS a', answer, question) INTO digest;
    RETURN digest;
END
$$;

-- Milliseconds of each of so many calls one after the other, each a transaction, with parsing and planning, all rows
-- fetched; fewer calls if they take more than so many seconds together.
CREATE PROCEDURE bench.measure(question text, calls integer, seconds integer, INOUT took numeric[])
LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz := clock_timestamp();
    began timestamptz;
BEGIN
    took := '{}';
    FOR i IN 1..calls LOOP
        began := clock_timestamp();
        EXECUTE question;
        COMMIT;
        took := took || bench.since(began);
        EXIT WHEN clock_timestamp() > first + seconds * interval '1 second';
    END LOOP;
END
$$;

-- The calls first: what helps the peers must not help them.
CREATE PROCEDURE bench.measure_all(calls integer) LANGUAGE plpgsql AS $$
DECLARE
    q bench.questions;
    took numeric[];
    digests text[] := '{}';
BEGIN
    FOR q IN SELECT * FROM bench.questions ORDER BY n LOOP
        digests[q.n] := bench.digest(q.question, q.answer);
        CALL bench.measure(q.question, calls, 40, took);
        INSERT INTO bench.times (n, name, target_ms, least_ms, median_ms, p95_ms, calls)
        SELECT q.n, q.name, q.target_ms, min(ms), percentile_cont(0.5) WITHIN GROUP (ORDER BY ms),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY ms), count(*)
        FROM unnest(took) AS ms;
        COMMIT;
    END LOOP;
    EXECUTE (SELECT string_agg(format('CREATE INDEX ON %s (project_id, user_id, occurred_at)', relid), ';')
             FROM pg_partition_tree('journey_stitch.events') WHERE isleaf);
    ANALYZE journey_stitch.events;
    FOR q IN SELECT * FROM bench.questions WHERE peer IS NOT NULL ORDER BY n LOOP
        UPDATE bench.times SET is_same = bench.digest(q.peer, q.answer) = digests[q.n] WHERE n = q.n;
        CALL bench.measure(q.peer, calls, 5, took);
        UPDATE bench.times
        SET peer_ms = (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM unnest(took) AS ms)
        WHERE n = q.n;
        COMMIT;
    END LOOP;
END
$$;

CALL bench.measure_all(:calls);

\echo
\echo == Calls at :events events: milliseconds, and how many times longer SQL over the events takes
SELECT name AS call, round(least_ms, 2) AS least, round(median_ms, 2) AS median, round(p95_ms, 2) AS p95, calls,
       target_ms AS target, round(peer_ms, 2) AS "plain SQL", round(peer_ms / median_ms, 1) AS "times longer",
       CASE WHEN is_same THEN 'yes' WHEN NOT is_same THEN 'NO' END AS "same answer"
FROM bench.times ORDER BY n;
