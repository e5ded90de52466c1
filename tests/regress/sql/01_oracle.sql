-- What the later files compare the extension with: events made by a formula, and plain SQL over them that
-- knows nothing of keys, journeys or rollups. Its own results are checked here, on an example by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA oracle;

-- The events as sent, and their identifiers (those that a journey may be made of).
CREATE TABLE oracle.events (
    n           integer     PRIMARY KEY,
    project     text        NOT NULL DEFAULT 'default',
    event_id    text        NOT NULL,
    event_type  text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    user_id     text,
    keys        text[]      NOT NULL
);

-- The component of each event: events that share a key are in one, and so on. Each event takes the
-- smallest label among the events that it shares a key with, until nothing changes.
CREATE TABLE oracle.components (n integer PRIMARY KEY, component integer NOT NULL);
CREATE FUNCTION oracle.find_components() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    TRUNCATE oracle.components;
    INSERT INTO oracle.components SELECT n, n FROM oracle.events;
    ANALYZE oracle.components;
    LOOP
        WITH key AS MATERIALIZED (
            SELECT e.n, e.project, k.key FROM oracle.events e CROSS JOIN unnest(e.keys) AS k (key)
        ), smallest_of_key AS MATERIALIZED (
            SELECT project, key, min(component) AS component FROM key JOIN oracle.components USING (n) GROUP BY project, key
        ), smallest_of_event AS (
            SELECT n, min(component) AS component FROM key JOIN smallest_of_key USING (project, key) GROUP BY n
        )
        UPDATE oracle.components c SET component = s.component
        FROM smallest_of_event s WHERE s.n = c.n AND s.component < c.component;
        GET DIAGNOSTICS changed = ROW_COUNT;
        EXIT WHEN changed = 0;
    END LOOP;
    RETURN (SELECT count(DISTINCT component) FROM oracle.components);
END
$$;

-- Sends the events from one number to another, in calls of so many. Every third one comes from a guest, a
-- value that must stitch nothing.
CREATE FUNCTION oracle.send(first integer, last integer, at_once integer DEFAULT 1000) RETURNS bigint
LANGUAGE sql AS $$
    SELECT sum(i.inserted)
    FROM (SELECT e.project,
                 jsonb_agg(jsonb_build_object(
                     'event_id', e.event_id, 'event_type', e.event_type, 'timestamp', e.occurred_at, 'user_id', e.user_id,
                     'anonymous_id', CASE WHEN e.n % 3 = 0 THEN 'guest' END,
                     'correlations', (SELECT jsonb_agg(k.key) FROM unnest(e.keys) AS k (key) WHERE k.key IS DISTINCT FROM 'user_id:' || e.user_id)) ORDER BY e.n) AS events
          FROM oracle.events e WHERE e.n BETWEEN first AND last GROUP BY e.project, e.n / at_once ORDER BY min(e.n)) AS call
    CROSS JOIN LATERAL journey_stitch.ingest_events(call.events, call.project) AS i
$$;

-- The events as the analytics see them: the time of a day in a zone, and who it was.
CREATE FUNCTION oracle.seen(tz text, identity text, event_type text)
RETURNS TABLE (day date, event_type text, who text)
LANGUAGE sql AS $$
    SELECT (e.occurred_at AT TIME ZONE tz)::date, e.event_type,
           CASE identity WHEN 'user' THEN e.user_id ELSE c.component::text END
    FROM oracle.events e JOIN oracle.components c USING (n)
    WHERE e.project = 'default' AND (e.event_type = seen.event_type OR seen.event_type IS NULL)
$$;
CREATE FUNCTION oracle.dau(first date, last date, tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL)
RETURNS TABLE (day date, active_users bigint)
LANGUAGE sql AS $$
    SELECT d.day::date, count(DISTINCT s.who)
    FROM generate_series(first::timestamp, last::timestamp, interval '1 day') AS d (day)
    LEFT JOIN oracle.seen(tz, identity, event_type) AS s ON s.day = d.day::date
    GROUP BY 1
$$;
CREATE FUNCTION oracle.retention(first date, windows integer, tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL)
RETURNS TABLE (window_no integer, window_start date, cohort_size bigint, retained_users bigint, retention_rate numeric)
LANGUAGE sql AS $$
    WITH active AS MATERIALIZED (
        SELECT DISTINCT (s.day - first) / 7 AS window_no, s.who
        FROM oracle.seen(tz, identity, event_type) AS s
        WHERE s.day >= first AND s.day < first + 7 * (windows + 1) AND s.who IS NOT NULL
    ), cohort AS (
        SELECT count(*) AS size FROM active WHERE window_no = 0
    ), retained AS (
        SELECT b.window_no, count(*) AS size FROM active a JOIN active b USING (who) WHERE a.window_no = 0 GROUP BY b.window_no
    )
    SELECT w, first + 7 * w, cohort.size, COALESCE(retained.size, 0), round(100.0 * COALESCE(retained.size, 0) / NULLIF(cohort.size, 0), 1)
    FROM generate_series(0, windows) AS w CROSS JOIN cohort LEFT JOIN retained ON retained.window_no = w
    ORDER BY w
$$;
CREATE FUNCTION oracle.top_events(first date, last date, max_rows integer DEFAULT 10, tz text DEFAULT 'UTC', identity text DEFAULT 'user')
RETURNS TABLE (event_type text, events bigint, users bigint)
LANGUAGE sql AS $$
    SELECT s.event_type, count(*), count(DISTINCT s.who)
    FROM oracle.seen(tz, identity, NULL) AS s
    WHERE s.day BETWEEN first AND last
    GROUP BY s.event_type ORDER BY 2 DESC, s.event_type COLLATE "C" LIMIT max_rows
$$;

-- The extension's answers beside these: how many rows there are on either side, what they add up to, and
-- how many differ; for users and for journeys, for any type, for one, and for one that there is not.
CREATE FUNCTION oracle.compare(first date, last date, tz text DEFAULT 'UTC')
RETURNS TABLE (function text, rows bigint, total bigint, wrong bigint)
LANGUAGE sql AS $$
    WITH question AS (
        SELECT identity, event_type
        FROM unnest(ARRAY['user', 'journey']) AS identity, unnest(ARRAY[NULL, 'view', 'buy', 'no such']) AS event_type
    )
    SELECT 'dau', count(*), sum(o.active_users)::bigint, count(*) FILTER (WHERE d.active_users IS DISTINCT FROM o.active_users)
    FROM question q CROSS JOIN LATERAL (
        SELECT * FROM oracle.dau(first, last, tz, q.identity, q.event_type)) AS o
    FULL JOIN (SELECT q.identity, d.* FROM question q CROSS JOIN LATERAL (
                  SELECT COALESCE(q.event_type, '') AS of_type, x.* FROM journey_stitch.dau(first, last, tz => tz, identity => q.identity, event_type => q.event_type) AS x) AS d) AS d
        ON d.identity = q.identity AND d.of_type = COALESCE(q.event_type, '') AND d.day = o.day
    UNION ALL
    SELECT 'retention', count(*), sum(o.retained_users)::bigint,
           count(*) FILTER (WHERE (d.window_start, d.cohort_size, d.retained_users, d.retention_rate) IS DISTINCT FROM (o.window_start, o.cohort_size, o.retained_users, o.retention_rate))
    FROM question q CROSS JOIN LATERAL (
        SELECT * FROM oracle.retention(first, 4, tz, q.identity, q.event_type)) AS o
    FULL JOIN (SELECT q.identity, d.* FROM question q CROSS JOIN LATERAL (
                  SELECT COALESCE(q.event_type, '') AS of_type, x.* FROM journey_stitch.retention(first, 4, tz => tz, identity => q.identity, event_type => q.event_type) AS x) AS d) AS d
        ON d.identity = q.identity AND d.of_type = COALESCE(q.event_type, '') AND d.window_no = o.window_no
    UNION ALL
    SELECT 'top_events', count(*), sum(o.events + o.users)::bigint,
           count(*) FILTER (WHERE (d.event_type, d.events, d.users) IS DISTINCT FROM (o.event_type, o.events, o.users))
    FROM (SELECT i.identity, m.most, o.* FROM unnest(ARRAY['user', 'journey']) AS i (identity), unnest(ARRAY[2, 10]) AS m (most),
              oracle.top_events(first, last, m.most, tz, i.identity) WITH ORDINALITY AS o (event_type, events, users, place)) AS o
    FULL JOIN (SELECT i.identity, m.most, d.* FROM unnest(ARRAY['user', 'journey']) AS i (identity), unnest(ARRAY[2, 10]) AS m (most),
              journey_stitch.top_events(first, last, m.most, tz => tz, identity => i.identity) WITH ORDINALITY AS d (event_type, events, users, place)) AS d
        USING (identity, most, place)
$$;

-- Journeys and components are the same partition of the events: as many pairs as there are of either.
-- Events that are pending are in none.
CREATE VIEW oracle.partition AS
SELECT count(*) AS events, count(DISTINCT component) AS components, count(DISTINCT journey) AS journeys,
       count(DISTINCT (component, journey)) AS pairs, count(*) FILTER (WHERE journey IS NULL) AS without_journey
FROM (SELECT c.component, journey_stitch.journey_of(e.event_id, e.project) AS journey
      FROM oracle.events e JOIN oracle.components c USING (n)) AS event;

-- A number below a bound, from a seed: the same everywhere and for ever.
CREATE FUNCTION oracle.pick(seed text, bound integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT (('x' || substr(md5(seed), 1, 8))::bit(32)::bigint % bound)::integer
$$;

-- Visitors browse on a device that they may share, and log in now and then: 60 % of the events have a
-- device, 40 % a session, 40 % a user, some of them none of these. Times are spread over the given days;
-- one in eight falls on a midnight, another on a half hour, others a microsecond before or after one.
CREATE FUNCTION oracle.generate(seed text, events integer, users integer, first timestamptz, days integer) RETURNS void
LANGUAGE sql AS $$
    TRUNCATE oracle.events;
    INSERT INTO oracle.events (n, event_id, event_type, occurred_at, user_id, keys)
    SELECT n, seed || '-' || n, (ARRAY['view', 'view', 'view', 'click', 'click', 'buy', 'log in'])[1 + oracle.pick(seed || 't' || n, 7)],
           CASE oracle.pick(seed || 'm' || n, 8)
               WHEN 0 THEN date_trunc('day', t.instant, 'UTC')
               WHEN 1 THEN date_bin('30 minutes', t.instant, '2000-01-01Z')
               WHEN 2 THEN date_bin('15 minutes', t.instant, '2000-01-01Z')
               WHEN 3 THEN date_bin('30 minutes', t.instant, '2000-01-01Z') + interval '1 microsecond'
               WHEN 4 THEN date_bin('30 minutes', t.instant, '2000-01-01Z') - interval '1 microsecond'
               ELSE t.instant END,
           CASE WHEN v.logged_in THEN 'user-' || v.visitor END,
           array_remove(ARRAY[
               CASE WHEN v.logged_in THEN 'user_id:user-' || v.visitor END,
               CASE WHEN oracle.pick(seed || 'd' || n, 10) < 6 THEN 'device:d' || CASE WHEN oracle.pick(seed || 'x' || n, 40) = 0 THEN oracle.pick(seed || 'y' || n, users * 2) ELSE v.visitor * 2 + n % 2 END END,
               CASE WHEN oracle.pick(seed || 's' || n, 10) < 4 THEN 'session:' || v.visitor || '/' || oracle.pick(seed || 'z' || n, 5) END], NULL)
    FROM generate_series(1, events) AS n
    CROSS JOIN LATERAL (SELECT oracle.pick(seed || 'v' || n, users) AS visitor, oracle.pick(seed || 'l' || n, 10) < 4 AS logged_in) AS v
    CROSS JOIN LATERAL (SELECT first + interval '1 second' * oracle.pick(seed || 'o' || n, days * 86400)
                               + interval '1 microsecond' * oracle.pick(seed || 'u' || n, 1000000) AS instant) AS t
$$;

-- By hand: a-b share a session, b-c a user, so that a, b, c are one; d and e share nothing with them, but
-- a device with each other; f has no identifier, and g is in another project. Three components here, one there.
INSERT INTO oracle.events (n, project, event_id, event_type, occurred_at, user_id, keys) VALUES
    (1, 'default', 'a', 'view', '2024-05-01 10:00Z', NULL,  '{session:1}'),
    (2, 'default', 'b', 'view', '2024-05-01 23:30Z', 'ann', '{session:1,user_id:ann}'),
    (3, 'default', 'c', 'buy',  '2024-05-08 00:00Z', 'ann', '{user_id:ann}'),
    (4, 'default', 'd', 'view', '2024-05-02 00:00Z', NULL,  '{device:7}'),
    (5, 'default', 'e', 'view', '2024-05-02 01:00Z', 'bob', '{user_id:bob,device:7}'),
    (6, 'default', 'f', 'view', '2024-05-02 02:00Z', NULL,  '{}'),
    (7, 'shop',    'a', 'view', '2024-05-02 02:00Z', 'ann', '{session:1}');
SELECT oracle.find_components();
SELECT component, string_agg(event_id, ' ' ORDER BY n) AS events FROM oracle.events JOIN oracle.components USING (n) GROUP BY 1 ORDER BY 1;
SELECT * FROM oracle.dau('2024-05-01', '2024-05-03') ORDER BY 1;
SELECT * FROM oracle.dau('2024-05-01', '2024-05-03', 'Asia/Kolkata') ORDER BY 1;
SELECT * FROM oracle.dau('2024-05-01', '2024-05-03', 'UTC', 'journey') ORDER BY 1;
SELECT * FROM oracle.retention('2024-05-01', 2);
SELECT * FROM oracle.retention('2024-05-01', 1, 'UTC', 'journey');
SELECT * FROM oracle.retention('2024-05-01', 1, 'UTC', 'user', 'none');
SELECT * FROM oracle.top_events('2024-05-01', '2024-05-08');

-- The extension agrees.
SELECT oracle.send(1, 7);
SELECT * FROM oracle.partition;
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM oracle.partition;
SELECT * FROM oracle.compare('2024-05-01', '2024-05-08');
-- And it can be seen to be wrong: with another event here, everything differs that has to.
INSERT INTO oracle.events VALUES (8, 'default', 'g', 'view', '2024-05-03 10:00Z', 'cid', '{user_id:cid}');
SELECT oracle.find_components();
SELECT * FROM oracle.partition;
SELECT * FROM oracle.compare('2024-05-01', '2024-05-08');
SELECT journey_stitch.clean();
TRUNCATE oracle.events, oracle.components;

-- The generator makes the same events everywhere.
SELECT oracle.generate('a seed', 3000, 300, '2024-02-20 00:00Z', 40);
SELECT oracle.find_components();
SELECT count(*), count(user_id) AS with_user, count(DISTINCT user_id) AS users, count(*) FILTER (WHERE keys = '{}') AS without_key,
       min(occurred_at), max(occurred_at), md5(string_agg(concat_ws('|', event_id, event_type, occurred_at, keys), ',' ORDER BY n))
FROM oracle.events;
SELECT size, count(*) FROM (SELECT count(*) AS size FROM oracle.components GROUP BY component) AS c GROUP BY 1 ORDER BY 1 DESC LIMIT 3;
TRUNCATE oracle.events, oracle.components;
