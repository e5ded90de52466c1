-- restitch() and simulate_rules(): rules that come after the events, applied to all of them; ids stay with founding events.
\getenv abs_srcdir PG_ABS_SRCDIR
\set journeys :abs_srcdir '/include/journeys.sql'
\set ECHO none
\i :journeys
\set ECHO all

CREATE TEMP VIEW waiting AS
SELECT p.name AS project, r.kind, r.is_in_force, r.merges, r.max_values, r.blocked_values
FROM journey_stitch.identity_rules r JOIN journey_stitch.projects p ON p.id = r.project_id;

-- An email that says nothing has fused ann (e1) and bob (e1b, e2); cid (e3) has another.
SELECT pg_temp.send('junk', 'e1 user_id:ann email:none@shop.org', 'e1b user_id:bob email:NONE@shop.org', 'e2 user_id:bob', 'e3 user_id:cid email:cid@x.org', 'e4 email:none@shop.org');
SELECT * FROM pg_temp.journeys('junk');
SELECT day, active_users FROM journey_stitch.dau('2024-05-01', '2024-05-04', project => 'junk', identity => 'journey');
-- Nothing waits: nothing would change, nothing does, and the ids are as they were.
SELECT pg_temp.stored() AS stored \gset
SELECT * FROM journey_stitch.simulate_rules('junk');
SELECT pg_temp.stored() = :'stored' AS nothing_written;
BEGIN;
SELECT * FROM journey_stitch.restitch('junk');
DELETE FROM journey_stitch.identity_log WHERE action = 'restitch';
SELECT pg_temp.stored() = :'stored' AS as_before;
ROLLBACK;
-- Blocked. Until restitch() nothing is different, also for what comes meanwhile: e5 is stitched by the old rule, p6 is pending.
SELECT kind, blocked_values, is_in_force FROM journey_stitch.set_identity_rule('email', blocked_values => '{none@shop.org}', project => 'junk');
SELECT pg_temp.send('junk', 'e5 user_id:dora email:none@shop.org');
SELECT inserted FROM journey_stitch.ingest_events(pg_temp.event('p6 user_id:eve email:none@shop.org'), 'junk');
SELECT * FROM pg_temp.journeys('junk');
SELECT item, measure, value FROM journey_stitch.identity_health('junk') WHERE topic = 'rules';
-- Of one journey four: e1 (ann), e1b and e2 (bob), e4 (nobody), e5 (dora); so four events move. The email is no key any
-- longer, and e4 gets one of its own.
SELECT pg_temp.stored() AS stored \gset
SELECT * FROM journey_stitch.simulate_rules('junk');
SELECT pg_temp.stored() = :'stored' AS nothing_written;
SELECT * FROM journey_stitch.restitch('junk');
SELECT * FROM pg_temp.journeys('junk');
SELECT day, active_users FROM journey_stitch.dau('2024-05-01', '2024-05-05', project => 'junk', identity => 'journey');
SELECT * FROM waiting;
SELECT item, measure, value FROM journey_stitch.identity_health('junk') WHERE topic = 'rules';
SELECT change, pg_temp.name(other_journey_id) AS other, event_id, key, rule, made_by = current_user AS by_me FROM journey_stitch.journey_history('e1', 'junk') ORDER BY at, change, key;
SELECT * FROM pg_temp.wrong();
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys('junk');
SELECT * FROM pg_temp.wrong();
-- Taken back: all is one again, of the oldest id, and no id is lost.
SELECT journey_stitch.drop_identity_rule('email', 'junk');
SELECT * FROM journey_stitch.restitch('junk');
SELECT * FROM pg_temp.journeys('junk');
SELECT id, leads_to FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT count(*) AS rules FROM waiting;
SELECT * FROM pg_temp.wrong();

-- A limit lowered: the phone is shared. e1 ann, e2 ann and d, e3 bob and d, e4 d, e5 bob and e, e6 e.
TRUNCATE names;
SELECT pg_temp.send('limit', 'e1 user_id:ann', 'e2 user_id:ann device_id:d');
SELECT pg_temp.send('limit', 'e3 user_id:bob device_id:d', 'e4 device_id:d', 'e5 user_id:bob device_id:e', 'e6 device_id:e');
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.journeys('limit');
TABLE before;
SELECT kind, max_values, is_in_force FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'limit');
SELECT * FROM journey_stitch.simulate_rules('limit');
SELECT * FROM journey_stitch.restitch('limit');
SELECT * FROM pg_temp.journeys('limit');
SELECT * FROM pg_temp.wrong();
-- Once more by the same rules: nothing changes.
SELECT pg_temp.stored() AS stored \gset
SELECT * FROM journey_stitch.restitch('limit');
SELECT * FROM pg_temp.journeys('limit');
SELECT * FROM pg_temp.wrong();
-- Raised again: as before, to the letter.
SELECT kind, max_values, is_in_force FROM journey_stitch.set_identity_rule('user_id', max_values => 2, project => 'limit');
SELECT * FROM journey_stitch.restitch('limit');
TABLE before EXCEPT SELECT * FROM pg_temp.journeys('limit');
SELECT * FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();
-- A rule that was in force from the first event on makes the same of them as one that came afterwards.
SELECT count(*) FROM journey_stitch.ingest_events('[]', 'from_the_first');
SELECT kind, max_values, is_in_force FROM journey_stitch.set_identity_rule('device_id', merges => false, project => 'from_the_first');
SELECT pg_temp.send('from_the_first', 'e1 user_id:ann', 'e2 user_id:ann device_id:d');
SELECT pg_temp.send('from_the_first', 'e3 user_id:bob device_id:d', 'e4 device_id:d', 'e5 user_id:bob device_id:e', 'e6 device_id:e');
SELECT kind, max_values, is_in_force FROM journey_stitch.set_identity_rule('user_id', max_values => NULL, project => 'limit');
SELECT kind, merges, is_in_force FROM journey_stitch.set_identity_rule('device_id', merges => false, project => 'limit');
SELECT * FROM journey_stitch.restitch('limit');
SELECT events, keys, refused FROM pg_temp.journeys('limit');
SELECT * FROM pg_temp.wrong();
SELECT events, keys, refused FROM pg_temp.journeys('limit') EXCEPT SELECT events, keys, refused FROM pg_temp.journeys('from_the_first');
-- merges = false taken away. (e0 came late, and would have been first to have d.)
SELECT pg_temp.send('limit', 'e0 user_id:cid device_id:d');
SELECT events, keys, refused FROM pg_temp.journeys('limit');
SELECT * FROM pg_temp.wrong();
SELECT journey_stitch.drop_identity_rule('device_id', 'limit');
SELECT * FROM journey_stitch.restitch('limit');
SELECT * FROM pg_temp.journeys('limit');
SELECT * FROM pg_temp.wrong();

-- Profile 'people', and back to 'default'. e1 and e2 have one user_id each and an email, that is refused to bob; of ann's seven
-- devices, which e3 to e5 bring, five are hers.
TRUNCATE names;
SELECT pg_temp.send('people', 'e1 user_id:ann email:a@x.org', 'e2 user_id:bob email:a@x.org', 'e3 user_id:ann device_id:1 device_id:2 device_id:3', 'e4 user_id:ann device_id:4 device_id:5',
                    'e5 user_id:ann device_id:6 device_id:7', 'e6 device_id:6');
DROP TABLE before;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.journeys('people');
TABLE before;
SELECT kind, max_values, priority, is_in_force FROM journey_stitch.use_identity_profile('people', 'people');
SELECT * FROM journey_stitch.simulate_rules('people');
SELECT * FROM journey_stitch.restitch('people');
SELECT * FROM pg_temp.journeys('people');
SELECT * FROM pg_temp.wrong();
SELECT * FROM journey_stitch.use_identity_profile('default', 'people');
SELECT kind, is_in_force FROM waiting WHERE project = 'people' ORDER BY is_in_force, kind COLLATE "C";
SELECT * FROM journey_stitch.restitch('people');
SELECT kind FROM waiting WHERE project = 'people';
TABLE before EXCEPT SELECT * FROM pg_temp.journeys('people');
SELECT id, leads_to FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();

-- max_journey_keys lowered to 3: e2 would make ann's group (ann, a, hub) and bob's one of 4, for which hub, which leads to the
-- larger part, is quarantined; e3 and e5 are refused it for that. e6 has nothing else, and so is of the journey that hub is in.
TRUNCATE names;
SELECT pg_temp.send('hub', 'e1 user_id:ann a:1 hub:1', 'e2 user_id:bob hub:1', 'e3 user_id:cid hub:1', 'e4 user_id:cid b:1', 'e5 hub:1 user_id:ann', 'e5b hub:1 user_id:dora', 'e6 hub:1');
DROP TABLE before;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.journeys('hub');
TABLE before;
SELECT count(*) AS reports FROM journey_stitch.health() WHERE status <> 'OK' AND detail LIKE '%quarantine%';
SELECT journey_stitch.set_max_journey_keys(3, 'hub');
SELECT * FROM journey_stitch.simulate_rules('hub');
SELECT * FROM journey_stitch.restitch('hub');
SELECT * FROM pg_temp.journeys('hub');
SELECT count(*) AS reports FROM journey_stitch.health() WHERE status <> 'OK' AND detail LIKE '%quarantine%';
SELECT topic, item, measure, value FROM journey_stitch.identity_health('hub') WHERE topic IN ('quarantined key', 'refusals', 'rules');
SELECT * FROM pg_temp.wrong();
-- It goes on so; with 5 the sixth key is one too many: b in e4, for which cid yields, that leads to
-- the larger part; and ann's hub in e5b.
SELECT pg_temp.send('hub', 'e7 user_id:eve hub:1');
SELECT * FROM pg_temp.journeys('hub');
SELECT journey_stitch.set_max_journey_keys(5, 'hub');
SELECT * FROM journey_stitch.restitch('hub');
SELECT * FROM pg_temp.journeys('hub');
SELECT * FROM pg_temp.wrong();
SELECT journey_stitch.set_max_journey_keys(NULL, 'hub');
SELECT * FROM journey_stitch.restitch('hub');
SELECT * FROM pg_temp.journeys('hub');
SELECT count(*) AS reports FROM journey_stitch.health() WHERE status <> 'OK' AND detail LIKE '%quarantine%';
SELECT topic, item, measure, value FROM journey_stitch.identity_health('hub') WHERE topic IN ('quarantined key', 'refusals', 'rules');
SELECT id, leads_to FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();

-- Keys in another form: as sent, A@x.org and a@x.org are two.
TRUNCATE names;
SELECT pg_temp.send('form', 'e1 user_id:ann email:A@x.org', 'e2 email:a@x.org', 'e3 email:A@x.org', 'e4 user_id:Ann');
SELECT * FROM pg_temp.journeys('form');
SELECT kind, normalize, is_in_force FROM journey_stitch.set_identity_rule('email', "normalize" => '{}', project => 'form');
SELECT kind, normalize, is_in_force FROM journey_stitch.set_identity_rule('user_id', "normalize" => '{lower}', project => 'form');
SELECT * FROM journey_stitch.restitch('form');
SELECT * FROM pg_temp.journeys('form');
SELECT count(*) FROM journey_stitch.get_journey('user_id:ANN', 'form');
SELECT * FROM pg_temp.wrong();
SELECT count(*) AS rules FROM journey_stitch.use_identity_profile('default', 'form');
SELECT * FROM journey_stitch.restitch('form');
SELECT * FROM pg_temp.journeys('form');
SELECT * FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();

-- A person's word stays above the new rules. (One user_id a journey; ann and bob are linked, cid is not.)
TRUNCATE names;
SELECT pg_temp.send('words', 'e1 user_id:ann d:1', 'e2 user_id:bob d:1', 'e3 user_id:cid d:1', 'e4 email:junk@x.org', 'e5 user_id:dora d:2', 'e6 user_id:eve d:2');
SELECT count(*) AS moves FROM journey_stitch.link('user_id:ann', 'user_id:bob', 'words');
SELECT count(*) AS moves FROM journey_stitch.link('user_id:dora', 'email:junk@x.org', 'words');
SELECT count(*) AS moves FROM journey_stitch.unmerge('d:2', project => 'words', dry_run => false);
SELECT * FROM pg_temp.journeys('words');
SELECT kind FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'words');
SELECT kind FROM journey_stitch.set_identity_rule('email', blocked_values => '{junk@x.org}', project => 'words');
SELECT * FROM journey_stitch.restitch('words');
SELECT * FROM pg_temp.journeys('words');
SELECT * FROM pg_temp.wrong();
-- A word about a value that is blocked since can be taken back.
SELECT * FROM journey_stitch.retract('user_id:dora', 'email:junk@x.org', 'words');
SELECT word, kind, value, other_kind, other_value FROM journey_stitch.identity_words ORDER BY id;

-- What comes late may change what was refused to others, though no journey becomes smaller by it. Two limits: e5 was refused d
-- because of ann; with e1 d has an email, too, and email comes before user_id.
SELECT count(*) FROM (VALUES ('late1'), ('late2'), ('late3')) AS p (name), journey_stitch.ingest_events('[]', p.name);
SELECT kind, max_values FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'late1');
SELECT kind, max_values FROM journey_stitch.set_identity_rule('email', max_values => 1, project => 'late1');
SELECT pg_temp.send('late1', 'e2 user_id:ann d:1', 'e3 user_id:bob email:y', 'e5 user_id:bob d:1');
SELECT pg_temp.send('late1', 'e1 d:1 email:x');
SELECT events, keys, refused FROM pg_temp.journeys('late1');
SELECT * FROM pg_temp.wrong();
-- Three keys at most: hub is quarantined in e3; with e2, which comes late, it is so from then on, and e3 finds it so.
SELECT journey_stitch.set_max_journey_keys(3, 'late2');
SELECT pg_temp.send('late2', 'e1 a:1 b:1 hub:1', 'e3 email:x hub:1');
SELECT pg_temp.send('late2', 'e2 user_id:eve hub:1');
SELECT events, keys, refused FROM pg_temp.journeys('late2');
SELECT * FROM pg_temp.wrong();
-- Three keys at most: in e4 user_id dora leads to the larger part (3 to 1), so she is quarantined; with e2, which comes late, email
-- x leads to three keys as well, and is quarantined instead.
SELECT journey_stitch.set_max_journey_keys(3, 'late3');
SELECT pg_temp.send('late3', 'e1 user_id:dora x:1 x:2', 'e3 user_id:ann ip:1', 'e4 user_id:dora email:x');
SELECT pg_temp.send('late3', 'e2 user_id:ann email:x');
SELECT events, keys, refused FROM pg_temp.journeys('late3');
SELECT * FROM pg_temp.wrong();

-- Each project has its own: rules wait in two, one is restitched.
TRUNCATE names;
SELECT pg_temp.send('one', 'e1 user_id:ann x:1', 'e2 user_id:bob x:1'), pg_temp.send('two', 'e1 user_id:ann x:1', 'e2 user_id:bob x:1');
SELECT p.name, kind, merges, is_in_force FROM (VALUES ('one'), ('two')) AS p (name), journey_stitch.set_identity_rule('x', merges => false, project => p.name);
SELECT * FROM journey_stitch.restitch('one');
SELECT * FROM pg_temp.journeys('one');
SELECT * FROM pg_temp.journeys('two');
SELECT project, kind, is_in_force FROM waiting WHERE project IN ('one', 'two') ORDER BY project;
SELECT * FROM pg_temp.wrong();

-- A change of mind before restitch(): the last rules count; none at all are none.
SELECT kind, max_values FROM journey_stitch.set_identity_rule('x', max_values => 1, project => 'two');
SELECT journey_stitch.drop_identity_rule('x', 'two');
SELECT * FROM journey_stitch.simulate_rules('two');
SELECT * FROM journey_stitch.restitch('two');
SELECT * FROM pg_temp.journeys('two');

-- Without any event, and undone with the transaction.
SELECT count(*) FROM journey_stitch.ingest_events('[]', 'empty');
SELECT * FROM journey_stitch.simulate_rules('empty');
SELECT * FROM journey_stitch.restitch('empty');
SELECT kind, merges, is_in_force FROM journey_stitch.set_identity_rule('x', merges => false, project => 'two');
SELECT pg_temp.stored() AS stored \gset
BEGIN;
SELECT count(*) FROM journey_stitch.restitch('two');
SELECT * FROM pg_temp.journeys('two');
SELECT * FROM pg_temp.wrong();
ROLLBACK;
SELECT pg_temp.stored() = :'stored' AS as_before;
SELECT project, kind, is_in_force FROM waiting WHERE project = 'two';

-- Wrong arguments, and who may.
SELECT * FROM journey_stitch.restitch('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.restitch(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.simulate_rules(NULL);
BEGIN READ ONLY;
SELECT * FROM journey_stitch.restitch('two');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
CREATE ROLE restitch_nobody;
CREATE ROLE restitch_admin;
GRANT journey_stitch_reader, journey_stitch_writer TO restitch_nobody;
GRANT journey_stitch_admin TO restitch_admin;
SELECT journey_stitch.grant_project('two', 'restitch_nobody', 'all');
SET ROLE restitch_nobody;
SELECT * FROM journey_stitch.restitch('two');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.simulate_rules('two');
\echo :LAST_ERROR_SQLSTATE
SET ROLE restitch_admin;
SELECT count(*) AS measures FROM journey_stitch.simulate_rules('two');
SELECT count(*) AS measures FROM journey_stitch.restitch('two');
RESET ROLE;
SELECT p.name, l.action, l.arguments, CASE WHEN l.made_by = current_user THEN 'me' ELSE l.made_by END AS made_by
FROM journey_stitch.identity_log l JOIN journey_stitch.projects p ON p.id = l.project_id WHERE p.name IN ('limit', 'two') ORDER BY l.id;
SELECT * FROM pg_temp.wrong();
SELECT journey_stitch.clean();

-- Whatever rules come and go: what restitch() makes of events, words and refusals is what the rules make of them that were
-- in force from the first event on. Some journeys stay as they are each time, others do not. (e0 comes late.)
CREATE FUNCTION pg_temp.fill(project text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_temp.send(project, 'e1 user_id:ann email:A@x.org', 'e2 email:a@x.org d:1', 'e3 user_id:bob d:1', 'e4 user_id:cid email:junk',
                        'e5 user_id:dora email:junk', 'e6 s:1', 'e7 s:1 user_id:eve', 'e8 s:1 user_id:fay', 'e9');
    SELECT pg_temp.send(project, 'e10 user_id:gil a:1 a:2', 'e11 a:2 a:3', 'e12 user_id:hal w:1', 'e13 user_id:ian w:1', 'e14 x:1 user_id:Jo', 'e15 x:1', 'e0 user_id:ann s:1');
    SELECT count(*) FROM journey_stitch.unmerge('w:1', project => project, dry_run => false);
    SELECT count(*) FROM journey_stitch.link('user_id:gil', 'user_id:hal', project);
    SELECT count(*) FROM journey_stitch.never_link('x:1', 'user_id:ann', project);
$$;
CREATE FUNCTION pg_temp.differences(n integer, VARIADIC rules text[]) RETURNS TABLE (project text, events text, keys text, refused text) LANGUAGE plpgsql AS $$
DECLARE
    fresh text := 'fresh' || n;
    in_project text;
    rule text;
BEGIN
    PERFORM journey_stitch.ingest_events('[]', fresh);
    PERFORM journey_stitch.use_identity_profile('default', 'mixed'), journey_stitch.set_max_journey_keys(NULL, 'mixed');
    FOREACH in_project IN ARRAY ARRAY[fresh, 'mixed'] LOOP
        FOREACH rule IN ARRAY rules LOOP
            EXECUTE 'SELECT journey_stitch.' || replace(rule, ')', ', project => ' || quote_literal(in_project) || ')');
        END LOOP;
    END LOOP;
    PERFORM pg_temp.fill(fresh), journey_stitch.restitch('mixed');
    RETURN QUERY (SELECT 'mixed', j.events, j.keys, j.refused FROM pg_temp.journeys('mixed') AS j
                  EXCEPT SELECT 'mixed', j.events, j.keys, j.refused FROM pg_temp.journeys(fresh) AS j)
           UNION ALL
                 (SELECT fresh, j.events, j.keys, j.refused FROM pg_temp.journeys(fresh) AS j
                  EXCEPT SELECT fresh, j.events, j.keys, j.refused FROM pg_temp.journeys('mixed') AS j)
           UNION ALL
                 SELECT fresh, w.what, w.entries::text, NULL FROM pg_temp.wrong() AS w;
END
$$;
SET client_min_messages = warning;
SELECT pg_temp.fill('mixed');
SELECT journeys.* FROM pg_temp.journeys('mixed');
SELECT d.* FROM (VALUES
    (1, ARRAY[$$set_identity_rule('email', blocked_values => '{junk}')$$]),
    (2, ARRAY[$$set_identity_rule('email', "normalize" => '{}')$$]),
    (3, ARRAY[$$set_identity_rule('user_id', max_values => 1)$$]),
    (4, ARRAY[$$set_identity_rule('s', merges => false)$$]),
    (5, ARRAY[$$set_identity_rule('s', merges => false)$$, $$set_identity_rule('d', merges => false)$$, $$set_identity_rule('x', merges => false)$$]),
    (6, ARRAY[$$set_max_journey_keys(3)$$]),
    (7, ARRAY[$$set_identity_rule('a', max_values => 2)$$, $$set_identity_rule('user_id', "normalize" => '{lower}')$$]),
    (8, ARRAY[$$set_identity_rule('*', blocked_patterns => '{^[2j]}')$$]),
    (9, ARRAY[$$set_identity_rule('s', priority => 1)$$, $$set_identity_rule('user_id', max_values => 1, priority => 5)$$]),
    (10, ARRAY[$$set_identity_rule('*', merges => false)$$]),
    (11, ARRAY[]::text[])) AS r (n, rules)
CROSS JOIN LATERAL pg_temp.differences(r.n, VARIADIC r.rules) AS d;
RESET client_min_messages;

-- Events that wait stay out of it, also those between others; so does what another project says of the same values.
SELECT pg_temp.send('mixed2', 'e1 user_id:ann email:junk', 'e2 user_id:bob email:junk');
SELECT inserted FROM journey_stitch.ingest_events(pg_temp.event('e4 user_id:ann email:junk'), 'mixed2');
SELECT count(*) FROM journey_stitch.set_identity_rule('email', blocked_values => '{junk}', project => 'mixed2');
SELECT measure, before, after FROM journey_stitch.restitch('mixed2');
SELECT * FROM pg_temp.journeys('mixed2');
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys('mixed2');

-- A project that is small among many events is computed anew as a whole.
SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', n, 'type', 'view', 'ts', '2024-05-01T00:00:00Z', 'user_id', 'u' || n % 5000))
                                                   FROM generate_series(1, 20000) AS n), 'large');
SELECT pg_temp.send('small', 'e1 user_id:ann email:junk', 'e2 user_id:bob email:junk', 'e3 user_id:cid');
SELECT count(*) FROM journey_stitch.set_identity_rule('email', blocked_values => '{junk}', project => 'small');
SELECT * FROM journey_stitch.simulate_rules('small');
SELECT * FROM journey_stitch.restitch('small');
SELECT * FROM pg_temp.journeys('small');
-- The large one is not, and nothing of it changes.
SELECT count(*) FROM journey_stitch.set_identity_rule('email', blocked_values => '{junk}', project => 'large');
SELECT * FROM journey_stitch.restitch('large');
SELECT invariant, violations FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

DROP ROLE restitch_nobody, restitch_admin;
