-- Run by benches/identity.sh. Every figure is taken in this run, on the same rows.
\set ON_ERROR_STOP 1
\pset footer off
SET client_min_messages = warning;

-- Shoppers in the order of time: a session for every three events or so, a device or two of their own, of which one in
-- ten shoppers shares one with somebody; logged in for two of three events. Three keys an event at most.
CREATE TABLE public.shoppers AS
SELECT jsonb_build_object(
           'event_id', 'e' || n, 'event_type', (ARRAY['view', 'click', 'search', 'buy'])[1 + n % 4],
           'ts', to_char(timestamptz '2026-01-01' + n * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
           'user_id', CASE WHEN n % 3 > 0 THEN 'u' || u.id END,
           'session_id', 's' || u.id || '-' || n * 6 / :events,
           'device_id', CASE WHEN u.id % 10 = 0 AND n % 2 = 0 THEN 'shared' || u.id / 20 ELSE 'd' || u.id || '-' || n % 2 END) AS event,
       n
FROM generate_series(1, :events) AS n
CROSS JOIN LATERAL (SELECT (hashint8(n) & 2147483647) % (:events / 20) AS id) AS u;

CREATE TABLE public.took (what text, round integer, milliseconds numeric, events bigint);

-- Ingests all shoppers' events into a project, then stitches them by batches, and notes how long that took.
CREATE PROCEDURE public.stitch_shoppers(what text, round integer) LANGUAGE plpgsql AS $$
DECLARE
    project text := format('%s %s', what, round);
    began timestamptz;
    done bigint;
BEGIN
    PERFORM journey_stitch.ingest_events('{"event_id": "first", "type": "x", "ts": "2025-01-01T00:00:00Z"}', project);
    DELETE FROM journey_stitch.pending;
    DELETE FROM journey_stitch.events WHERE project_id = (SELECT id FROM journey_stitch.projects WHERE name = project);
    DELETE FROM journey_stitch.event_ids WHERE project_id = (SELECT id FROM journey_stitch.projects WHERE name = project);
    CASE what
        WHEN 'people' THEN
            PERFORM journey_stitch.use_identity_profile('people', project);
        WHEN 'one user_id a journey' THEN
            PERFORM journey_stitch.set_identity_rule('user_id', max_values => 1, priority => 1, project => project);
        WHEN 'blocked values and patterns' THEN
            PERFORM journey_stitch.set_identity_rule('*', blocked_values => ARRAY['test', 'qa', 'demo'],
                blocked_patterns => ARRAY['^test[-_]', '@example\.(com|org)$'], project => project);
        WHEN 'session_id does not merge' THEN
            PERFORM journey_stitch.set_identity_rule('session_id', merges => false, project => project);
        ELSE
    END CASE;
    PERFORM journey_stitch.ingest_events(jsonb_agg(event ORDER BY n), project)
    FROM public.shoppers GROUP BY n / 1000 ORDER BY n / 1000;
    COMMIT;
    CHECKPOINT;
    began := clock_timestamp();
    LOOP
        SELECT events INTO done FROM journey_stitch.stitch_pending(5000);
        COMMIT;
        EXIT WHEN done = 0;
    END LOOP;
    INSERT INTO public.took
    SELECT what, round, extract(epoch FROM clock_timestamp() - began) * 1000, count(*) FROM public.shoppers;
    COMMIT;
END
$$;

\set ON_ERROR_STOP 1
SELECT format('CALL public.stitch_shoppers(%L, %s)', w.what, r.round)
FROM generate_series(1, :rounds) AS r (round),
     unnest(ARRAY['default', 'blocked values and patterns', 'one user_id a journey', 'people',
                  'session_id does not merge']) WITH ORDINALITY AS w (what, n)
ORDER BY r.round, w.n
\gexec

\echo
\echo == Stitching under rules, against the default rules in the same run (medians)
WITH median AS (
    SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS ms, min(events) AS events
    FROM public.took GROUP BY what
)
SELECT what AS rules, round(events / ms::numeric * 1000) AS "events/s",
       round((ms / (SELECT ms FROM median WHERE what = 'default'))::numeric, 2) AS "time against default",
       (SELECT count(*) FROM journey_stitch.journeys j JOIN journey_stitch.projects p ON p.id = j.project_id
        WHERE p.name = median.what || ' 1' AND j.merged_into IS NULL) AS journeys,
       (SELECT count(*) FROM journey_stitch.merge_conflicts c JOIN journey_stitch.projects p ON p.id = c.project_id
        WHERE p.name = median.what || ' 1') AS "refused keys"
FROM median ORDER BY what <> 'default', ms;

-- How time grows.
CREATE FUNCTION public.milliseconds(statement text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    EXECUTE statement;
    RETURN round(extract(epoch FROM clock_timestamp() - began) * 1000, 1);
END
$$;
CREATE FUNCTION public.ingest(project text, events jsonb) RETURNS void LANGUAGE sql AS $$
    SELECT journey_stitch.ingest_events(events, project)
$$;
CREATE FUNCTION public.at(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT to_char(timestamptz '2026-01-01' + n * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
$$;

\echo
\echo == A batch of 1,000 events to journeys that have 10, 1,000 and 9,000 keys
SELECT public.ingest('size ' || keys, jsonb_agg(jsonb_build_object('event_id', 'e' || n, 'type', 'x', 'user_id', 'u',
                     'ts', public.at(n), 'correlations', jsonb_build_object('k', n))))
FROM (VALUES (10), (1000), (9000)) AS v (keys) CROSS JOIN LATERAL generate_series(1, keys - 1) AS n GROUP BY keys \g /dev/null
SELECT * FROM journey_stitch.stitch_pending() \g /dev/null
CREATE TEMP TABLE batch (keys integer, milliseconds numeric);
SELECT format('INSERT INTO batch SELECT %s, public.milliseconds($q$SELECT public.ingest(%L, (SELECT jsonb_agg(jsonb_build_object(''event_id'', ''late'' || n + 1000 * %s, ''type'', ''x'', ''user_id'', ''u'', ''ts'', public.at(100000 + n + 1000 * %s))) FROM generate_series(1, 1000) AS n))$q$) * 0', keys, 'size ' || keys, r, r),
       format('INSERT INTO batch SELECT %s, public.milliseconds(''SELECT journey_stitch.stitch_pending()'')', keys)
FROM generate_series(1, 5) AS r, (VALUES (10), (1000), (9000)) AS v (keys) ORDER BY r, keys
\gexec
SELECT keys, percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS milliseconds FROM batch WHERE milliseconds > 0 GROUP BY keys ORDER BY keys;

\echo
\echo == Merging two journeys of 5,000 keys each by one event; unmerging that key again (10,000 events)
SELECT public.ingest('halves', jsonb_agg(jsonb_build_object('event_id', side || n, 'type', 'x', 'user_id', side,
                     'ts', public.at(n), 'correlations', jsonb_build_object('k', side || n))))
FROM unnest(ARRAY['a', 'b']) AS side, generate_series(1, 4999) AS n GROUP BY side \g /dev/null
SELECT * FROM journey_stitch.stitch_pending() \g /dev/null
SELECT public.ingest('halves', jsonb_build_array(jsonb_build_object('event_id', 'tie a', 'type', 'x', 'ts', public.at(6000), 'user_id', 'a', 'device_id', 'shared'),
                                                 jsonb_build_object('event_id', 'tie b', 'type', 'x', 'ts', public.at(6001), 'user_id', 'b', 'device_id', 'shared'))) \g /dev/null
SELECT journey_stitch.set_max_journey_keys(0, 'halves') \g /dev/null
SELECT journey_stitch.restitch('halves') \g /dev/null
SELECT public.milliseconds('SELECT journey_stitch.stitch_pending()') AS merge_ms,
       public.milliseconds($$SELECT journey_stitch.unmerge('device_id:shared', project => 'halves', dry_run => false)$$) AS unmerge_ms,
       (SELECT count(*) FROM journey_stitch.get_journey('user_id:a', 'halves')) AS events_a,
       (SELECT count(*) FROM journey_stitch.get_journey('user_id:b', 'halves')) AS events_b;

\echo
\echo == Chains and hubs with max_journey_keys off: milliseconds a thousand events
SELECT journey_stitch.ingest_events('{"type": "x", "event_id": "0"}', shape || ' ' || size), journey_stitch.set_max_journey_keys(0, shape || ' ' || size)
FROM unnest(ARRAY['chain', 'hub']) AS shape, unnest(ARRAY[25000, 50000, 100000]) AS size \g /dev/null
SELECT public.ingest(shape || ' ' || size, jsonb_agg(jsonb_build_object('event_id', 'e' || n, 'type', 'x', 'ts', public.at(n), 'correlations',
                     CASE shape WHEN 'chain' THEN jsonb_build_object('k', jsonb_build_array(n, n + 1)) ELSE jsonb_build_object('hub', 1, 'k', n) END)))
FROM unnest(ARRAY['chain', 'hub']) AS shape, unnest(ARRAY[25000, 50000, 100000]) AS size CROSS JOIN LATERAL generate_series(1, size) AS n
GROUP BY shape, size, n / 1000 ORDER BY shape, size, n / 1000 \g /dev/null
CREATE TEMP TABLE shapes (shape text, size integer, milliseconds numeric);
-- One project at a time: the queue's rows of the others wait.
SELECT format('UPDATE journey_stitch.pending q SET next_attempt_at = CASE WHEN p.name = %L THEN timestamptz ''-infinity'' ELSE timestamptz ''infinity'' END FROM journey_stitch.projects p WHERE p.id = q.project_id', shape || ' ' || size),
       format('INSERT INTO shapes SELECT %L, %s, public.milliseconds(''SELECT journey_stitch.stitch_pending()'')', shape, size)
FROM unnest(ARRAY['chain', 'hub']) AS shape, unnest(ARRAY[25000, 50000, 100000]) AS size ORDER BY shape, size
\gexec
SELECT shape, size, milliseconds, round(milliseconds / size * 1000, 1) AS "ms a thousand",
       round(milliseconds / size / first_value(milliseconds / size) OVER (PARTITION BY shape ORDER BY size), 2) AS "against the smallest"
FROM shapes ORDER BY shape, size;

\echo
SELECT sum(violations) AS violations FROM journey_stitch.verify();
