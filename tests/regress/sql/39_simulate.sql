-- simulate(): what it says of events is what stitching them does.
\getenv abs_srcdir PG_ABS_SRCDIR
\set journeys :abs_srcdir '/include/journeys.sql'
\set ECHO none
\i :journeys
\set ECHO all

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
