-- events_list(), get_event() and ingest_status(): single events as an operator or an application looks at them.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set page 'event_id, event_type, event_name, occurred_at, user_id, session_id, source, properties'

-- Before there is anything.
SELECT * FROM journey_stitch.events_list();
SELECT * FROM journey_stitch.get_event('anything');
SELECT * FROM journey_stitch.ingest_status();

-- Some stitched, some pending, some that have the same id in another project.
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "e1", "type": "view", "event_name": "Landing", "ts": "2024-05-01T12:00:00Z", "anonymous_id": "cookie", "session_id": "s1",
     "source": "web", "ip": "192.0.2.1", "user_agent": "Agent/1", "properties": {"page": "/", "price": 1.50, "tags": ["a", "b"]}},
    {"id": "e2", "type": "log in", "ts": "2024-05-01T11:00:00Z", "session_id": "s1", "user_id": "ann"},
    {"id": "e3", "type": "buy", "ts": "2024-05-02T00:00:00Z", "user_id": "ann", "source": "shop", "properties": {"page": "/", "n": 12345678901234567890123}},
    {"id": "e4", "type": "view", "ts": "2024-05-03T12:00:00Z", "user_id": "unknown", "session_id": "s2", "source": "web"}]');
SELECT inserted FROM journey_stitch.ingest_events('[{"id": "e1", "type": "elsewhere", "user_id": "ann"}, {"id": "e9", "type": "view", "user_id": "ann"}]', 'shop');
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "e5", "type": "buy", "event_name": "Landing", "ts": "2024-04-30T23:59:59.999999Z", "user_id": "ann", "session_id": "s1", "properties": {"page": "/buy"}},
    {"id": "e6", "type": "view", "ts": "2024-05-04T12:00:00Z", "user_id": "bob", "session_id": "s2", "source": "app"},
    {"id": "e7", "type": "view", "ts": "2024-05-04T12:00:00Z", "user_id": "unknown", "source": "app"},
    {"id": "e8", "type": "view"}, {"id": "bad"}]');

-- All columns, the latest arrival first. journey_id is that of the journey, and NULL while the event is pending.
SELECT :page, journey_id = journey_stitch.journey_of(event_id) AS in_its_journey
FROM journey_stitch.events_list() WHERE event_id <> 'e8';
SELECT event_id, journey_id, occurred_at = received_at AS took_its_arrival, received_at BETWEEN now() - interval '10 minutes' AND now() AS just_now
FROM journey_stitch.events_list(max_rows => 1);

-- Each filter, and all of them: what is found is what a WHERE finds. Users and sessions that are pending, stitched,
-- both, no key at all ("unknown"), or not there.
CREATE FUNCTION pg_temp.compare(filters jsonb, project text DEFAULT 'default', OUT filter jsonb, OUT found text, OUT as_sql boolean) LANGUAGE sql AS $$
    SELECT filters, string_agg(l.event_id, ' ' ORDER BY l.n),
           string_agg(l.event_id, ' ' ORDER BY l.n) IS NOT DISTINCT FROM
           (SELECT string_agg(e.event_id, ' ' ORDER BY e.id DESC)
            FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id
            WHERE p.name = compare.project
              AND e.event_type = COALESCE(filters->>'event_type', e.event_type)
              AND (filters->>'event_name' IS NULL OR e.event_name = filters->>'event_name')
              AND (filters->>'user_id' IS NULL OR e.user_id = filters->>'user_id')
              AND (filters->>'session_id' IS NULL OR e.session_id = filters->>'session_id')
              AND (filters->>'source' IS NULL OR e.source = filters->>'source')
              AND e.occurred_at >= COALESCE(filters->>'since', '-infinity')::timestamptz
              AND e.occurred_at < COALESCE(filters->>'until', 'infinity')::timestamptz
              AND e.properties @> COALESCE(filters->'properties', '{}'))
    FROM journey_stitch.events_list(compare.project, compare.filters) WITH ORDINALITY
        AS l (event_id, event_type, event_name, occurred_at, received_at, user_id, session_id, source, properties, journey_id, n)
$$;
SELECT c.*
FROM unnest(ARRAY[
    NULL, '{}',
    '{"event_type": "view"}', '{"event_type": "VIEW"}', '{"event_type": ""}', '{"event_name": "Landing"}', '{"source": "web"}', '{"source": "app"}',
    '{"user_id": "ann"}', '{"user_id": "bob"}', '{"user_id": "unknown"}', '{"user_id": "null"}', '{"user_id": ""}', '{"user_id": "nobody"}', '{"user_id": "s1"}',
    '{"session_id": "s1"}', '{"session_id": "s2"}', '{"session_id": "nobody"}', '{"session_id": "-1"}',
    '{"user_id": "ann", "session_id": "s1"}', '{"user_id": "unknown", "session_id": "s2"}', '{"user_id": "bob", "session_id": "s1"}',
    '{"since": "2024-05-01T12:00:00Z"}', '{"until": "2024-05-01T12:00:00Z"}', '{"since": "2024-05-01T11:00:00Z", "until": "2024-05-01T12:00:00Z"}',
    '{"since": "2024-05-01T13:00:00+02:00", "until": "2024-05-01"}', '{"since": "2024-05-02", "until": "2024-05-03"}',
    '{"properties": {"page": "/"}}', '{"properties": {"n": 12345678901234567890123}}', '{"properties": {"n": 12345678901234567890124}}',
    '{"properties": {"tags": ["b"]}}', '{"properties": {"price": 1.5}}', '{"properties": {}}',
    '{"user_id": "ann", "event_type": "buy", "properties": {"page": "/"}, "since": "2024-05-01", "until": "2024-06-01", "source": "shop"}',
    '{"user_id": "ann", "event_type": "buy", "event_name": "Landing"}', '{"session_id": "s1", "until": "2024-05-01"}']::jsonb[]) WITH ORDINALITY AS f (filters, n)
CROSS JOIN LATERAL pg_temp.compare(f.filters) AS c ORDER BY n;
SELECT c.* FROM unnest(ARRAY[NULL, '{"user_id": "ann"}', '{"event_type": "elsewhere"}', '{"session_id": "s1"}']::jsonb[]) AS f (filters)
CROSS JOIN LATERAL pg_temp.compare(f.filters, 'shop') AS c;

-- A time without an offset is UTC, as it is for ingest_events(), whatever the session's time zone.
SET timezone = 'Asia/Kolkata';
SELECT string_agg(event_id, ' ') AS from_midnight_utc FROM journey_stitch.events_list(filters => '{"since": "2024-05-02", "until": "2024-05-02T00:00:01"}');
SET timezone = 'UTC';

-- Filters that are none.
SELECT * FROM journey_stitch.events_list(filters => '[]');
SELECT * FROM journey_stitch.events_list(filters => '"view"');
SELECT * FROM journey_stitch.events_list(filters => 'null');
SELECT * FROM journey_stitch.events_list(filters => '{"type": "view"}');
SELECT * FROM journey_stitch.events_list(filters => '{"event_type": "view", "": "view"}');
SELECT * FROM journey_stitch.events_list(filters => '{"event_type": null}');
SELECT * FROM journey_stitch.events_list(filters => '{"user_id": 5}');
SELECT * FROM journey_stitch.events_list(filters => '{"session_id": ["s1"]}');
SELECT * FROM journey_stitch.events_list(filters => '{"since": 1714564800}');
SELECT * FROM journey_stitch.events_list(filters => '{"properties": "page"}');
SELECT * FROM journey_stitch.events_list(filters => '{"properties": [1]}');
-- Times that are none: they say what a filter takes, too, whatever there is to be filtered.
CREATE FUNCTION pg_temp.error_of(filters jsonb, OUT filter jsonb, OUT is_about_an_argument boolean, OUT has_hint boolean) LANGUAGE plpgsql AS $$
DECLARE
    code text;
    hint text;
BEGIN
    filter := filters;
    PERFORM journey_stitch.events_list(filters => filters);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, hint = PG_EXCEPTION_HINT;
    is_about_an_argument := code LIKE '22%';
    has_hint := hint <> '';
END
$$;
SELECT e.* FROM unnest(ARRAY['{"since": "last week"}', '{"until": ""}', '{"user_id": "bob", "until": "2024-13-01"}', '{"user_id": "nobody", "since": "x"}']::jsonb[]) AS f (filters)
CROSS JOIN LATERAL pg_temp.error_of(f.filters) AS e;
-- Nor does a hostile one do anything.
SELECT count(*) FROM journey_stitch.events_list(filters => '{"user_id": "'' OR true --"}');
SELECT count(*) FROM journey_stitch.events_list(filters => '{"event_type": "\\'' OR true --"}', after => 'e8');

-- max_rows.
SELECT count(*) FROM journey_stitch.events_list(max_rows => 1);
SELECT count(*) FROM journey_stitch.events_list(max_rows => 10000);
SELECT * FROM journey_stitch.events_list(max_rows => 0);
SELECT * FROM journey_stitch.events_list(max_rows => -1);
SELECT * FROM journey_stitch.events_list(max_rows => 10001);
SELECT * FROM journey_stitch.events_list(max_rows => NULL);
-- after: what is not there, is in another project, was refused.
SELECT * FROM journey_stitch.events_list(after => 'no such');
SELECT * FROM journey_stitch.events_list(after => 'e9');
SELECT * FROM journey_stitch.events_list(after => 'bad');
SELECT * FROM journey_stitch.events_list(after => '');
-- It need not match the filters.
SELECT string_agg(event_id, ' ') AS older_buys FROM journey_stitch.events_list(filters => '{"event_type": "buy"}', after => 'e4');
SELECT count(*) AS after_the_last FROM journey_stitch.events_list(after => 'e1');
-- Projects.
SELECT * FROM journey_stitch.events_list('no such');
SELECT * FROM journey_stitch.events_list('');
SELECT * FROM journey_stitch.events_list(NULL);

-- One event, with all columns: stitched, pending, of another project, and with identifiers of all kinds.
\x on
SELECT event_id, event_type, event_name, occurred_at, received_at <= now() AS has_arrived, user_id, session_id, identifiers, source, ip, user_agent,
       properties, journey_id = journey_stitch.journey_of('e1') AS in_its_journey
FROM journey_stitch.get_event('e1');
SELECT event_id, event_type, event_name, occurred_at, user_id, session_id, identifiers, source, ip, user_agent, properties, journey_id
FROM journey_stitch.get_event('e5');
\x off
SELECT event_type, user_id, journey_id = journey_stitch.journey_of('e1', 'shop') AS in_its_journey FROM journey_stitch.get_event('e1', 'shop');
-- As the table has it: every event, every column.
SELECT count(*) AS events, count(*) FILTER (WHERE to_jsonb(g) - 'journey_id' IS DISTINCT FROM to_jsonb(e) - '{id,project_id}'::text[]) AS differing
FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id
LEFT JOIN LATERAL journey_stitch.get_event(e.event_id, p.name) AS g ON true;
-- What is not there, or is not an event's id.
SELECT id, count(e.event_id)
FROM unnest(ARRAY['no such', '', 'E1', 'e1 ', 'bad', 'user_id:ann', 'e9', NULL, 'e1'' OR true --']) AS v (id)
LEFT JOIN LATERAL journey_stitch.get_event(v.id) AS e ON true GROUP BY id ORDER BY id;
SELECT * FROM journey_stitch.get_event('e1', 'no such');
SELECT * FROM journey_stitch.get_event('e1', NULL);

-- ingest_status(): every event is pending or processed, and what was refused is failed until it is mended.
SELECT p.name, s.*, s.pending + s.processed = (SELECT count(*) FROM journey_stitch.events e WHERE e.project_id = p.id) AS as_in_events
FROM journey_stitch.projects p CROSS JOIN LATERAL journey_stitch.ingest_status(p.name) AS s ORDER BY p.name;
UPDATE journey_stitch.dead_letters SET event = event || '{"type": "view"}';
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT * FROM journey_stitch.ingest_status();
SELECT events FROM journey_stitch.stitch_pending(2);
SELECT * FROM journey_stitch.ingest_status();
SELECT events FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_status();
SELECT * FROM journey_stitch.ingest_status('no such');
SELECT * FROM journey_stitch.ingest_status(NULL);
-- All of it stitched, the lists are the same.
SELECT count(*) AS lists, count(*) FILTER (WHERE NOT c.as_sql) AS differing
FROM unnest(ARRAY[NULL, '{"user_id": "ann"}', '{"user_id": "unknown"}', '{"user_id": "bob"}', '{"session_id": "s1"}', '{"session_id": "s2"}',
                  '{"user_id": "unknown", "session_id": "s2"}', '{"event_type": "buy", "user_id": "ann"}']::jsonb[]) AS f (filters)
CROSS JOIN LATERAL pg_temp.compare(f.filters) AS c;
SELECT journey_stitch.clean();

-- Pages. 400 events of two projects in turn; between any two pages new events arrive, some are stitched, and journeys
-- merge. All pages together are just what was there when the first was read, in order and without repetition.
SELECT sum(i.inserted) AS inserted
FROM generate_series(0, 19) AS call, (VALUES ('default'), ('shop')) AS p (project),
     LATERAL (SELECT jsonb_agg(jsonb_build_object('id', 'e' || n, 'type', CASE WHEN n % 3 = 0 THEN 'buy' ELSE 'view' END, 'ts', n * 7919 % 1000,
                                                  'user_id', (ARRAY['ann', 'bob', 'unknown'])[n % 3 + 1], 'session_id', 's' || n / 20)) AS events
              FROM generate_series(call * 10 + 1, call * 10 + 10) AS n) AS c,
     LATERAL journey_stitch.ingest_events(c.events, p.project) AS i;
UPDATE journey_stitch.pending q SET next_attempt_at = 'infinity'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM journey_stitch.pending) AS r WHERE r.id = q.id AND r.n % 3 > 0;
SELECT events FROM journey_stitch.stitch_pending();
UPDATE journey_stitch.pending SET next_attempt_at = '-infinity';
CREATE TABLE public.pages (n serial, list text, event_id text, is_pending boolean);
CREATE TABLE public.wanted (list text, event_id text, id bigint);
CREATE PROCEDURE public.walk(list text, project text, filters jsonb, max_rows integer) LANGUAGE plpgsql AS $$
DECLARE
    last text;
    page text[];
    pages integer := 0;
BEGIN
    INSERT INTO public.wanted
    SELECT walk.list, e.event_id, e.id
    FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id
    WHERE p.name = project
      AND CASE list WHEN 'all' THEN true WHEN 'buys' THEN e.event_type = 'buy' AND e.occurred_at < to_timestamp(500)
                    WHEN 'ann' THEN e.user_id = 'ann' WHEN 'unknown' THEN e.user_id = 'unknown' WHEN 'session' THEN e.session_id = 's3' END;
    LOOP
        WITH page AS (
            INSERT INTO public.pages (list, event_id, is_pending)
            SELECT walk.list, event_id, journey_id IS NULL FROM journey_stitch.events_list(project, filters, last, max_rows)
            RETURNING n, event_id)
        SELECT array_agg(event_id ORDER BY n) INTO page FROM page;
        COMMIT;
        EXIT WHEN page IS NULL;
        last := page[cardinality(page)];
        pages := pages + 1;
        PERFORM journey_stitch.ingest_events(jsonb_build_array(jsonb_build_object(
            'id', list || '-new-' || pages, 'type', 'buy', 'ts', pages, 'user_id', (ARRAY['ann', 'unknown'])[pages % 2 + 1], 'session_id', 's3')), project);
        COMMIT;
        PERFORM journey_stitch.stitch_pending(3);
        COMMIT;
    END LOOP;
END
$$;
CALL public.walk('buys', 'default', '{"event_type": "buy", "until": "1970-01-01T00:08:20Z"}', 5);
CALL public.walk('ann', 'default', '{"user_id": "ann"}', 4);
CALL public.walk('unknown', 'default', '{"user_id": "unknown"}', 10);
CALL public.walk('session', 'shop', '{"session_id": "s3"}', 1);
CALL public.walk('all', 'shop', NULL, 17);
SELECT list, count(*) AS events, count(DISTINCT event_id) AS distinct, bool_or(is_pending) AS pending, bool_or(NOT is_pending) AS stitched,
       array_agg(event_id ORDER BY n) = (SELECT array_agg(w.event_id ORDER BY w.id DESC) FROM public.wanted w WHERE w.list = pages.list) AS as_sql
FROM public.pages GROUP BY list ORDER BY list;
SELECT sum(s.pending) > 0 AS not_all_is_stitched_yet FROM unnest(ARRAY['default', 'shop']) AS p (name), journey_stitch.ingest_status(p.name) AS s;
DROP PROCEDURE public.walk;
DROP TABLE public.pages, public.wanted;

-- All of it in a read-only transaction, too.
BEGIN READ ONLY;
SELECT count(*) FROM journey_stitch.events_list('shop', '{"user_id": "ann"}', max_rows => 5);
SELECT count(*) FROM journey_stitch.get_event('e1');
SELECT count(*) FROM journey_stitch.ingest_status();
COMMIT;
SELECT remaining FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
