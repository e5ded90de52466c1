-- simulate(): what it says of events is what stitching them does.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- Compiling the queries of pg_temp.wrong() takes a hundred times as long as running them.
SET jit = off;

-- Journeys by short names, J1 being the first that the test met.
CREATE TEMP TABLE names (n integer, uuid uuid PRIMARY KEY);
CREATE FUNCTION pg_temp.name(journey uuid) RETURNS text LANGUAGE plpgsql STRICT AS $$
BEGIN
    INSERT INTO names SELECT COALESCE(max(n), 0) + 1, journey FROM names ON CONFLICT DO NOTHING;
    RETURN (SELECT 'J' || n FROM names WHERE uuid = journey);
END
$$;
CREATE FUNCTION pg_temp.id(name text) RETURNS text LANGUAGE sql AS $$ SELECT uuid::text FROM names WHERE 'J' || n = name $$;

-- 'e3b user_id:ann device:tv' is an event on the 3rd of May 2024, an hour for each letter after noon, with those keys.
CREATE FUNCTION pg_temp.event(line text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
               'id', w[1], 'type', 'view',
               'ts', timestamptz '2024-04-30 12:00Z' + make_interval(days => substring(w[1], '\d+')::integer,
                         hours => COALESCE(ascii(substring(w[1], '\d+([a-z])')) - 96, 0)),
               'correlations', COALESCE((SELECT jsonb_agg(k) FROM unnest(w[2:]) AS k WHERE k !~ '^(user|session)_id:'), '[]'))
           || COALESCE((SELECT jsonb_object_agg(split_part(k, ':', 1), split_part(k, ':', 2)) FROM unnest(w[2:]) AS k
                        WHERE k ~ '^(user|session)_id:'), '{}')
    FROM string_to_array(line, ' ') AS w
$$;
-- Ingests such events and stitches them.
CREATE FUNCTION pg_temp.send(project text, VARIADIC lines text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    done record;
BEGIN
    PERFORM journey_stitch.ingest_events((SELECT jsonb_agg(pg_temp.event(line)) FROM unnest(lines) AS line), project);
    SELECT * INTO done FROM journey_stitch.stitch_pending();
    RETURN format('%s events, %s journeys created, %s merged', done.events, done.journeys_created, done.journeys_merged);
END
$$;

-- A project's journeys in order of creation, then its keys that are in none. [u]: unmerged, [q]: quarantined.
CREATE FUNCTION pg_temp.journeys(in_project text) RETURNS TABLE (journey text, events text, keys text, refused text) LANGUAGE sql AS $$
    SELECT pg_temp.name(j.uuid),
           (SELECT string_agg(e.event_id, ' ' ORDER BY e.occurred_at, e.event_id COLLATE "C") FROM journey_stitch.events e
            WHERE e.project_id = j.project_id AND journey_stitch.journey_of_entry(e.id) = j.id),
           (SELECT string_agg(k.kind || ':' || k.value || COALESCE('[' || k.hold::text || ']', ''), ' ' ORDER BY k.kind COLLATE "C", k.value COLLATE "C")
            FROM journey_stitch.keys k WHERE k.journey_id = j.id),
           (SELECT string_agg(e.event_id || ' ' || k.kind || ':' || k.value || ' (' || c.rule || ')', ', '
                              ORDER BY e.occurred_at, e.event_id COLLATE "C", k.kind COLLATE "C", k.value COLLATE "C")
            FROM journey_stitch.merge_conflicts c
            JOIN journey_stitch.events e ON e.id = c.event_id JOIN journey_stitch.keys k ON k.id = c.key_id
            WHERE c.project_id = j.project_id AND journey_stitch.journey_of_entry(c.event_id) = j.id)
    FROM (SELECT j.* FROM journey_stitch.journeys j JOIN journey_stitch.projects p ON p.id = j.project_id
          WHERE p.name = in_project AND j.merged_into IS NULL ORDER BY j.id OFFSET 0) AS j
    UNION ALL
    SELECT NULL, NULL, string_agg(k.kind || ':' || k.value || COALESCE('[' || k.hold::text || ']', ''), ' ' ORDER BY k.kind COLLATE "C", k.value COLLATE "C"), NULL
    FROM journey_stitch.keys k JOIN journey_stitch.projects p ON p.id = k.project_id
    WHERE p.name = in_project AND k.journey_id IS NULL
    HAVING count(*) > 0
$$;
-- What ids of journeys lead to, present ones and others.
CREATE FUNCTION pg_temp.leads(VARIADIC ids text[]) RETURNS TABLE (id text, leads_to text, events text) LANGUAGE sql AS $$
    SELECT i.id, pg_temp.name(g.journey_id), string_agg(g.event_id, ' ' ORDER BY g.n)
    FROM unnest(ids) AS i (id)
    JOIN names n ON 'J' || n.n = i.id
    LEFT JOIN journey_stitch.journeys j ON j.uuid = n.uuid
    LEFT JOIN journey_stitch.projects p ON p.id = j.project_id
    LEFT JOIN LATERAL journey_stitch.get_journey(n.uuid::text, COALESCE(p.name, 'default')) WITH ORDINALITY
        AS g (journey_id, event_id, event_type, event_name, occurred_at, user_id, session_id, source, properties, n) ON true
    GROUP BY i.id, g.journey_id ORDER BY i.id
$$;

-- Whatever is wrong: by verify() and graph_check(); by get_journey(), asked for every key, event and id of a journey; by
-- dau() and top_events(), held against the events of May 2024.
CREATE FUNCTION pg_temp.wrong() RETURNS TABLE (what text, entries bigint) LANGUAGE sql AS $$
    SELECT invariant, violations FROM journey_stitch.verify() WHERE violations <> 0
    UNION ALL
    SELECT label || ' ' || problem, entries FROM journey_stitch.graph_check() WHERE entries <> 0
    UNION ALL
    SELECT 'get_journey ' || n.what, count(*)
    FROM (SELECT 'by key' AS what, k.project_id, k.kind || ':' || k.value AS id, k.journey_id FROM journey_stitch.keys k
          UNION ALL
          SELECT 'by event', e.project_id, e.event_id, journey_stitch.journey_of_entry(e.id) FROM journey_stitch.events e
          UNION ALL
          SELECT 'by journey', j.project_id, j.uuid::text, COALESCE(j.merged_into, j.id) FROM journey_stitch.journeys j) AS n
    JOIN journey_stitch.projects p ON p.id = n.project_id
    LEFT JOIN journey_stitch.journeys j ON j.id = n.journey_id
    WHERE (SELECT (count(*), min(g.journey_id::text), max(g.journey_id::text)) FROM journey_stitch.get_journey(n.id, p.name) AS g)
          IS DISTINCT FROM (COALESCE(j.event_count, 0), j.uuid::text, j.uuid::text)
    GROUP BY n.what
    UNION ALL
    SELECT 'dau ' || i.identity, count(*)
    FROM journey_stitch.projects p
    CROSS JOIN (VALUES ('user'), ('journey')) AS i (identity)
    CROSS JOIN LATERAL journey_stitch.dau('2024-04-25', '2024-06-05', project => p.name, identity => i.identity) AS d
    WHERE d.active_users <> (SELECT CASE i.identity WHEN 'user' THEN count(DISTINCT e.user_id)
                                                    ELSE count(DISTINCT journey_stitch.journey_of_entry(e.id)) END
                             FROM journey_stitch.events e
                             WHERE e.project_id = p.id AND (e.occurred_at AT TIME ZONE 'UTC')::date = d.day)
      -- Of pending events only dau() knows the journeys.
      AND (i.identity = 'user' OR NOT EXISTS (SELECT FROM journey_stitch.pending q WHERE q.project_id = p.id))
    GROUP BY i.identity
    UNION ALL
    SELECT 'top_events', count(*)
    FROM journey_stitch.projects p
    CROSS JOIN LATERAL (SELECT t.event_type, t.events, t.users
                        FROM journey_stitch.top_events('2024-04-25', '2024-06-05', 100, project => p.name) AS t) AS t
    FULL JOIN (SELECT e.project_id, e.event_type, count(*) AS events, count(DISTINCT e.user_id) AS users
               FROM journey_stitch.events e GROUP BY 1, 2) AS e ON e.project_id = p.id AND e.event_type = t.event_type
    WHERE (t.events, t.users) IS DISTINCT FROM (e.events, e.users)
    HAVING count(*) > 0
$$;
-- All that is stored, in one value. (A writer's lock raises projects.version.)
CREATE FUNCTION pg_temp.stored() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t text;
    rows text;
    hash text := '';
BEGIN
    FOR t IN SELECT c.oid::regclass::text FROM pg_class c
             WHERE c.relnamespace IN ('journey_stitch'::regnamespace, 'journey_graph'::regnamespace) AND c.relkind = 'r'
               AND c.relname <> 'projects' ORDER BY c.oid::regclass::text COLLATE "C" LOOP
        EXECUTE format('SELECT md5(string_agg(r::text, E''\n'' ORDER BY r::text COLLATE "C")) FROM %s AS r', t) INTO rows;
        hash := md5(hash || t || COALESCE(rows, ''));
    END LOOP;
    RETURN hash;
END
$$;

-- Simulates events, then ingests and stitches them: what was said of each, and (is) what has become of it, if that differs.
-- A journey that is new has no name before; so has none what was merged into one.
CREATE FUNCTION pg_temp.both(in_project text, events jsonb) RETURNS TABLE (event_id text, journey text, merges text, refused text, "is" text) LANGUAGE plpgsql
SET client_min_messages = warning AS $$
DECLARE
    known uuid[] := (SELECT COALESCE(array_agg(j.uuid), '{}') FROM journey_stitch.journeys j);
BEGIN
    DROP TABLE IF EXISTS said;
    CREATE TEMP TABLE said AS
        SELECT s.*, row_number() OVER () AS n,
               EXISTS (SELECT FROM journey_stitch.event_ids l JOIN journey_stitch.projects p ON p.id = l.project_id
                       WHERE p.name = in_project AND l.event_id = s.event_id) AS was_stored
        FROM journey_stitch.simulate(events, in_project) AS s;
    PERFORM journey_stitch.ingest_events(events, in_project);
    PERFORM journey_stitch.stitch_pending();
    RETURN QUERY
    SELECT s.event_id, pg_temp.name(s.journey_id), NULLIF((SELECT string_agg(pg_temp.name(m), ' ' ORDER BY pg_temp.name(m)) FROM unnest(s.merges) AS m), ''),
           NULLIF((SELECT string_agg(regexp_replace(r, '^duplicate:.*', 'duplicate'), ', ' ORDER BY r COLLATE "C") FROM unnest(s.refused) AS r), ''),
           CASE WHEN s.event_id IS NULL OR s.was_stored OR s.is_repeated THEN
                    CASE WHEN s.journey_id IS NOT NULL OR s.merges <> '{}' OR NOT s.refused[1] ~ '^(rejected|duplicate)' OR s.refused = '{}' THEN 'not so' END
                WHEN (s.journey_id, s.merges, s.refused) IS DISTINCT FROM (i.journey, i.merges, i.refused) THEN
                    format('journey %s, merges %s, refused %s', COALESCE(pg_temp.name(i.journey), 'new'),
                           (SELECT string_agg(pg_temp.name(m), ' ' ORDER BY pg_temp.name(m)) FROM unnest(i.merges) AS m), array_to_string(i.refused, ', ')) END
    FROM (SELECT s.event_id, s.journey_id, s.was_stored, s.n, row_number() OVER (PARTITION BY s.event_id ORDER BY s.n) > 1 AS is_repeated,
                 ARRAY(SELECT m FROM unnest(s.merges) AS m ORDER BY m) AS merges, ARRAY(SELECT r FROM unnest(s.refused) AS r ORDER BY r COLLATE "C") AS refused
          FROM said s) AS s
    LEFT JOIN LATERAL (
        SELECT (SELECT u FROM journey_stitch.journey_of(s.event_id, in_project) AS u WHERE u = ANY (known)) AS journey,
               ARRAY(SELECT a.uuid FROM journey_stitch.merges m JOIN journey_stitch.journeys a ON a.id = m.absorbed_id
                     WHERE m.event_id = e.id AND a.uuid = ANY (known) ORDER BY a.uuid) AS merges,
               ARRAY(SELECT r FROM (SELECT k.kind || ':' || k.value || ' (' || c.rule || ')' AS r
                                    FROM journey_stitch.merge_conflicts c JOIN journey_stitch.keys k ON k.id = c.key_id WHERE c.event_id = e.id) AS r
                     ORDER BY r COLLATE "C") AS refused
        FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id
        WHERE p.name = in_project AND e.event_id = s.event_id) AS i ON true
    ORDER BY s.n;
END
$$;
CREATE FUNCTION pg_temp.events(VARIADIC lines text[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_agg(pg_temp.event(line)) FROM unnest(lines) AS line $$;

-- Nothing is there yet: each is of a journey that would be new.
SELECT count(*) FROM journey_stitch.ingest_events('[]', 'plain');
SELECT pg_temp.stored() AS stored \gset
SELECT * FROM journey_stitch.simulate(pg_temp.events('e1 user_id:ann', 'e2 user_id:bob', 'e3 user_id:ann device:d'), 'plain');
SELECT pg_temp.stored() = :'stored' AS nothing_written;
SELECT * FROM pg_temp.both('plain', pg_temp.events('e1 user_id:ann', 'e2 user_id:bob', 'e3 user_id:ann device:d', 'e3b user_id:cid', 'e3c user_id:dora', 'e3d user_id:eve'));
SELECT * FROM pg_temp.journeys('plain');
-- e4 is ann's (J1); e5 ties bob (J2) to her, which is the older; e6 is new, e7 ties cid, dora and eve (J3 to J5) at once;
-- e8 has no key; e9 says eve's name otherwise.
SELECT * FROM pg_temp.both('plain', pg_temp.events('e4 device:d', 'e5 device:d user_id:bob', 'e6 x:1', 'e7 y:1 z:1', 'e7b y:1 user_id:cid', 'e7c z:1 user_id:dora', 'e7d user_id:eve y:1', 'e8', 'e9 x:null user_id:EVE'));
SELECT * FROM pg_temp.journeys('plain');
SELECT * FROM pg_temp.wrong();
-- Not in the order of time, and given as one object, or wrapped.
SELECT * FROM pg_temp.both('plain', pg_temp.events('e12 q:1 user_id:ann', 'e11 q:1', 'e10 q:1 user_id:eve'));
SELECT * FROM pg_temp.both('plain', pg_temp.event('e13 user_id:ann w:1'));
SELECT * FROM pg_temp.both('plain', jsonb_build_object('events', pg_temp.events('e14 w:1', 'e15 v:1')));
-- Of events that are stored already it says so; also of one that comes twice in the call, of which the first counts.
SELECT * FROM pg_temp.both('plain', pg_temp.events('e1 user_id:zoe', 'e16 user_id:zoe', 'e16 user_id:ann', 'e13 user_id:zoe'));
-- Rejected: why, in words. What has no event_id gets a random one.
SELECT * FROM pg_temp.both('plain', '[{"id": "e17"}, 17, {"id": "e17", "type": "t", "ts": "yesterday"}, {"type": "t", "correlations": 1}, null]');
SELECT event_id ~ '^[0-9a-f]{8}-[0-9a-f-]{27}$' AS is_random, pg_temp.name(journey_id) AS journey, merges, refused
FROM journey_stitch.simulate('[{"type": "t", "user_id": "ann"}, {"type": "t", "user_id": "ann"}, {"type": "t"}]', 'plain');
SELECT * FROM journey_stitch.simulate('[]', 'plain');
SELECT * FROM journey_stitch.simulate('{"events": []}', 'plain');
SELECT * FROM pg_temp.wrong();

-- Rules: one user_id a journey, ip joins nothing, at most 4 keys.
TRUNCATE names;
SELECT count(*) FROM journey_stitch.ingest_events('[]', 'rules');
SELECT kind FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'rules');
SELECT kind FROM journey_stitch.set_identity_rule('ip', merges => false, project => 'rules');
SELECT kind FROM journey_stitch.set_identity_rule('email', blocked_values => '{none@x.org}', project => 'rules');
SELECT journey_stitch.set_max_journey_keys(4, 'rules');
SELECT * FROM pg_temp.both('rules', pg_temp.events('e1 user_id:ann ip:1', 'e2 user_id:bob ip:1', 'e3 ip:1', 'e4 user_id:cid email:none@x.org', 'e5 user_id:dora email:none@x.org'));
SELECT * FROM pg_temp.journeys('rules');
-- e6: ann and bob are two; e7: the hub makes four of ann's keys; e8: with z they would be five, so that
-- the hub is quarantined; e9: by then it is.
SELECT * FROM pg_temp.both('rules', pg_temp.events('e6 user_id:ann device:d', 'e6b device:d user_id:bob', 'e7 hub:1 user_id:ann', 'e8 hub:1 z:1', 'e9 hub:1 user_id:dora', 'e10 hub:1'));
SELECT * FROM pg_temp.journeys('rules');
SELECT * FROM pg_temp.wrong();
-- e5b comes late: bob was the first to have d, so that ann has it no longer, and z is the
-- fourth of her keys, which may be. Now it is her user_id that keeps the hub from dora (e9).
SELECT * FROM pg_temp.both('rules', pg_temp.events('e5b user_id:bob device:d', 'e11 device:d'));
SELECT * FROM pg_temp.journeys('rules');
SELECT * FROM pg_temp.wrong();

-- A person's word: a key that is unmerged, two that are never one, two that are one, of which one is new.
TRUNCATE names;
SELECT pg_temp.send('words', 'e1 user_id:ann device:tv', 'e2 user_id:bob device:tv', 'e3 user_id:cid');
SELECT count(*) AS moves FROM journey_stitch.unmerge('device:tv', project => 'words', dry_run => false);
SELECT count(*) AS moves FROM journey_stitch.never_link('user_id:ann', 'user_id:cid', 'words');
SELECT count(*) AS moves FROM journey_stitch.link('user_id:bob', 'email:bob@x.org', 'words');
SELECT * FROM pg_temp.journeys('words');
SELECT * FROM pg_temp.both('words', pg_temp.events('e4 user_id:ann device:tv', 'e5 device:tv', 'e6 user_id:ann x:1', 'e7 x:1 user_id:cid'));
SELECT * FROM pg_temp.both('words', pg_temp.events('e8 email:bob@x.org', 'e9 email:Bob@x.org y:1'));
SELECT * FROM pg_temp.journeys('words');
SELECT * FROM pg_temp.wrong();

-- Rules that wait are not in force; events that are pending are not looked at.
SELECT kind FROM journey_stitch.set_identity_rule('x', merges => false, project => 'words');
SELECT * FROM pg_temp.both('words', pg_temp.events('e10 x:1'));
SELECT inserted FROM journey_stitch.ingest_events(pg_temp.event('e11 user_id:fay'), 'words');
SELECT event_id, journey_id, refused FROM journey_stitch.simulate(pg_temp.events('e12 user_id:fay', 'e11 user_id:fay'), 'words');
-- As it is before anything else in the transaction, also where that is read-only.
BEGIN READ ONLY;
SELECT event_id, pg_temp.id('J1')::uuid = journey_id AS in_j1, refused FROM journey_stitch.simulate(pg_temp.events('e12 user_id:ann'), 'words');
COMMIT;

-- Wrong arguments, and who may.
\set VERBOSITY sqlstate
SELECT * FROM journey_stitch.simulate('17', 'words');
SELECT * FROM journey_stitch.simulate('"e1"', 'words');
\set VERBOSITY default
SELECT * FROM journey_stitch.simulate(NULL, 'words');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.simulate('[]', NULL);
SELECT * FROM journey_stitch.simulate('[]', 'nowhere');
\echo :LAST_ERROR_SQLSTATE
CREATE ROLE simulate_reader;
CREATE ROLE simulate_writer;
GRANT journey_stitch_reader TO simulate_reader;
GRANT journey_stitch_writer TO simulate_writer;
SELECT journey_stitch.grant_project('words', 'simulate_reader', 'read'), journey_stitch.grant_project('words', 'simulate_writer', 'all');
SET ROLE simulate_reader;
SELECT event_id, refused FROM journey_stitch.simulate('{"id": "e12", "type": "t", "user_id": "ann"}', 'words');
SELECT * FROM journey_stitch.simulate('{"id": "e12", "type": "t", "user_id": "ann"}', 'rules');
\echo :LAST_ERROR_SQLSTATE
SET ROLE simulate_writer;
SELECT * FROM journey_stitch.simulate('{"id": "e12", "type": "t", "user_id": "ann"}', 'words');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT * FROM pg_temp.wrong();
SELECT journey_stitch.clean();
DROP ROLE simulate_reader, simulate_writer;
