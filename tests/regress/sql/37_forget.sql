-- forget(): whatever an id leads to is erased, or made anybody's, and nothing else changes.
\getenv abs_srcdir PG_ABS_SRCDIR
\set journeys :abs_srcdir '/include/journeys.sql'
\set ECHO none
\i :journeys
\set ECHO all

-- Where a text still occurs, in any column of any table, whatever the case.
CREATE FUNCTION pg_temp.found(needle text) RETURNS TABLE ("table" text, rows bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR "table" IN SELECT c.oid::regclass::text FROM pg_class c
                   WHERE c.relnamespace IN ('journey_stitch'::regnamespace, 'journey_graph'::regnamespace) AND c.relkind IN ('r', 'v')
                   ORDER BY c.oid::regclass::text COLLATE "C" LOOP
        EXECUTE format('SELECT count(*) FROM %s AS r WHERE r::text ILIKE $1', "table") INTO rows USING '%' || needle || '%';
        CONTINUE WHEN rows = 0;
        RETURN NEXT;
    END LOOP;
END
$$;
-- The same events as pg_temp.event() makes, with all that an event may tell.
CREATE FUNCTION pg_temp.secret(line text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT pg_temp.event(line) || '{"ip": "10.9.8.7", "user_agent": "Secret-Agent/1", "properties": {"name": "Secret Ann"}}'
$$;
CREATE FUNCTION pg_temp.counts(project text) RETURNS TABLE (what text, counted text) LANGUAGE sql AS $$
    SELECT 'dau ' || i.identity, string_agg(d.active_users::text, ' ' ORDER BY d.day)
    FROM (VALUES ('user'), ('journey')) AS i (identity)
    CROSS JOIN LATERAL journey_stitch.dau('2024-05-01', '2024-05-07', project => counts.project, identity => i.identity) AS d
    GROUP BY i.identity
    UNION ALL
    SELECT 'top_events', string_agg(t.event_type || ' ' || t.events || ' of ' || t.users, ', ' ORDER BY t.event_type)
    FROM journey_stitch.top_events('2024-05-01', '2024-05-07', project => counts.project) AS t
    UNION ALL
    SELECT 'event_counts', sum(c.events)::text FROM journey_stitch.event_counts c JOIN journey_stitch.projects p ON p.id = c.project_id
    WHERE p.name = counts.project
$$;

-- Erased by user_id: e1 and e2 are ann's. They share a television with bob, and her email has an event (e3) that does not
-- say whose it is; all of it is one journey.
SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(pg_temp.secret(l)) FROM unnest(ARRAY[
    'secret-e1 user_id:secret-ann device:tv email:Secret-Ann@X.org', 'secret-e2 user_id:secret-ann session_id:secret-s']) AS l), 'erase');
SELECT pg_temp.send('erase', 'e1b user_id:bob device:tv', 'e3 email:secret-ann@x.ORG', 'e4 device:tv', 'e5 user_id:bob');
SELECT count(*) AS moves FROM journey_stitch.link('user_id:secret-ann', 'phone:1', 'erase');
SELECT count(*) AS moves FROM journey_stitch.never_link('session_id:secret-s', 'phone:2', 'erase');
SELECT count(*) AS moves FROM journey_stitch.link('device:tv', 'phone:3', 'erase');
SELECT * FROM pg_temp.journeys('erase');
SELECT * FROM pg_temp.counts('erase');
-- Pending: p6 is hers, too. Refused: of these letters the first five name her.
SELECT inserted, rejected FROM journey_stitch.ingest_events(jsonb_build_array(pg_temp.secret('secret-p6 user_id:secret-ann'), pg_temp.event('p6b user_id:bob'),
    '{"user_id": "secret-ann"}'::jsonb, '{"distinct_id": "secret-ann", "n": 1}'::jsonb, '{"correlations": {"user_id": ["x", "secret-ann"]}}'::jsonb,
    '{"correlations": ["user_id:secret-ann"]}'::jsonb, '{"user_id": " secret-ann "}'::jsonb,
    '{"user_id": "bob"}'::jsonb, '{"properties": {"note": "not-secret-ann-at-all"}}'::jsonb), 'erase');
SELECT reason, count(*) FROM journey_stitch.dead_letters GROUP BY 1;
-- The dry run says what there is, and writes nothing.
SELECT pg_temp.stored() AS stored \gset
SELECT * FROM journey_stitch.forget('secret-ann', project => 'erase');
SELECT pg_temp.stored() = :'stored' AS nothing_written;
SELECT * FROM journey_stitch.forget('secret-ann', project => 'erase', dry_run => false);
-- The journey's id stays with what is left of it, though its founding event is gone; e3 is nobody's that is known.
SELECT * FROM pg_temp.journeys('erase');
SELECT * FROM pg_temp.leads('J1', 'J2');
SELECT * FROM pg_temp.counts('erase');
SELECT * FROM pg_temp.wrong();
SELECT count(*) AS events, count(*) FILTER (WHERE event_id LIKE 'secret%') AS secret FROM journey_stitch.event_ids;
SELECT user_id FROM journey_stitch.users ORDER BY 1;
-- bob's letter is left, and one that has her name within a text.
SELECT event FROM journey_stitch.dead_letters ORDER BY id;
-- Of words and log what named a key that is gone is gone, be it another one of her events.
SELECT word, kind, value, other_kind, other_value FROM journey_stitch.identity_words ORDER BY id;
SELECT action, arguments FROM journey_stitch.identity_log ORDER BY id;
-- Only her email is left (e3), and the letter.
SELECT * FROM pg_temp.found('secret-ann');
SELECT * FROM pg_temp.found('secret-s');
SELECT * FROM pg_temp.found('10.9.8.7');
-- What is pending is stitched without it. The same event_ids may come again.
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT inserted, duplicates FROM journey_stitch.ingest_events(jsonb_build_array(pg_temp.event('secret-e1 user_id:dora'), pg_temp.event('e4 user_id:dora')), 'erase');
SELECT events FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys('erase');
SELECT * FROM pg_temp.wrong();
-- A second time there is nobody, and it says so; no such user, too.
SELECT * FROM journey_stitch.forget('secret-ann', project => 'erase', dry_run => false);
SELECT * FROM journey_stitch.forget('nobody', project => 'erase');
SELECT count(*) AS logged FROM journey_stitch.identity_log WHERE action LIKE 'forget%';
-- By a key, in whatever form: all of J2 is e3, so that its id leads nowhere.
SELECT * FROM journey_stitch.forget('email: Secret-ANN@x.org', project => 'erase', dry_run => false);
SELECT * FROM pg_temp.leads('J1', 'J2');
SELECT count(*) AS left_of_it FROM journey_stitch.journeys WHERE uuid = pg_temp.id('J2')::uuid;
SELECT * FROM pg_temp.found('secret-ann@');
SELECT * FROM pg_temp.wrong();
-- By a key that people share: e1b and e4, and no more.
SELECT * FROM journey_stitch.forget('device:tv', project => 'erase', dry_run => false);
SELECT * FROM pg_temp.journeys('erase');
SELECT * FROM pg_temp.counts('erase');
SELECT word, kind, value, other_kind, other_value FROM journey_stitch.identity_words ORDER BY id;
SELECT * FROM pg_temp.wrong();

SELECT journey_stitch.clean();

-- Letters that name a key in another form than it is stored in, or without its kind.
SELECT pg_temp.send('letters', 'e1 email:secret@x.org loose-secret', 'e2 device_id:secret-d');
SELECT rejected FROM journey_stitch.ingest_events('[{"email": "Secret@X.org"}, {"correlations": {"email": [" SECRET@x.org"]}}, {"correlations": ["email:Secret@X.org"]},
    {"correlations": ["loose-secret"]}, {"correlations": "loose-secret"}, {"deviceId": "secret-d"}]', 'letters');
SELECT * FROM journey_stitch.forget('email:secret@x.org', project => 'letters', dry_run => false);
SELECT event FROM journey_stitch.dead_letters ORDER BY id;
-- Those of correlations are found by a journey's id, too. (e1 comes again for that.)
SELECT pg_temp.send('letters', 'e1 loose-secret');
SELECT journey_stitch.journey_of('e1', 'letters') AS journey \gset
SELECT * FROM journey_stitch.forget(:'journey', project => 'letters', dry_run => false);
SELECT * FROM journey_stitch.forget('device_id:secret-d', project => 'letters', dry_run => false);
SELECT * FROM pg_temp.found('secret');
SELECT * FROM pg_temp.wrong();

-- A user_id that has a colon is a user_id all the same.
SELECT pg_temp.send('colon', 'e1 user_id:a'), inserted FROM journey_stitch.ingest_events('{"id": "e2", "type": "t", "ts": "2024-05-02T12:00Z", "user_id": "auth0|x:1"}', 'colon');
SELECT events FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.forget('auth0|x:1', project => 'colon', dry_run => false);
SELECT events, keys FROM pg_temp.journeys('colon');

-- By a journey's id, present or absorbed: J2 was absorbed by J1, so that both are the same journey, and J3 another.
TRUNCATE names;
SELECT pg_temp.send('uuid', 'e1 a:1', 'e2 b:1', 'e3 c:1', 'e3b e:1');
SELECT * FROM pg_temp.journeys('uuid');
SELECT pg_temp.send('uuid', 'e4 a:1 b:1');
SELECT inserted FROM journey_stitch.ingest_events(jsonb_build_array(pg_temp.event('p5 b:1'), pg_temp.event('p6 c:1')), 'uuid');
SELECT * FROM journey_stitch.forget(pg_temp.id('J2'), project => 'uuid');
-- Not in a project that it is not of.
SELECT * FROM journey_stitch.forget(pg_temp.id('J2'), project => 'colon');
SELECT * FROM journey_stitch.forget(pg_temp.id('J2'), project => 'uuid', dry_run => false);
SELECT * FROM pg_temp.journeys('uuid');
SELECT * FROM pg_temp.leads('J1', 'J2', 'J3');
SELECT count(*) AS merges FROM journey_stitch.merges m JOIN journey_stitch.projects p ON p.id = m.project_id WHERE p.name = 'uuid';
SELECT * FROM journey_stitch.forget(pg_temp.id('J1'), project => 'uuid', dry_run => false);
SELECT * FROM journey_stitch.forget(pg_temp.id('J3'), project => 'uuid', dry_run => false);
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys('uuid');
SELECT * FROM pg_temp.wrong();
-- An absorbed journey's founding event goes (e2), the rest stays: its id stays with the journey that absorbed it.
TRUNCATE names;
SELECT pg_temp.send('alias', 'e1 a:1', 'e2 b:1 z:1', 'e3 c:1');
SELECT * FROM pg_temp.journeys('alias');
SELECT pg_temp.send('alias', 'e4 a:1 b:1', 'e5 b:1 c:1');
SELECT * FROM journey_stitch.forget('z:1', project => 'alias', dry_run => false);
SELECT * FROM pg_temp.journeys('alias');
SELECT * FROM pg_temp.leads('J1', 'J2', 'J3');
SELECT * FROM pg_temp.wrong();
-- The event goes that tied the parts together: they come apart, and each id leads to the part with its founding event. (J2's is
-- erased: its id stays with J1, which absorbed it.)
SELECT * FROM journey_stitch.forget('b:1', project => 'alias', dry_run => false);
SELECT * FROM pg_temp.journeys('alias');
SELECT * FROM pg_temp.leads('J1', 'J2', 'J3');
SELECT * FROM pg_temp.wrong();

-- What was refused because of the forgotten events is not any longer: the device was ann's by e1, and is bob's without it;
-- and max_journey_keys (4) is not reached without e1, so that nothing is quarantined.
SELECT count(*) FROM (VALUES ('limits'), ('full')) AS p (name), journey_stitch.ingest_events('[]', p.name);
SELECT kind, max_values FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'limits');
SELECT pg_temp.send('limits', 'e1 user_id:ann device:d', 'e2 user_id:bob device:d', 'e3 device:d');
SELECT events, keys, refused FROM pg_temp.journeys('limits');
SELECT * FROM journey_stitch.forget('ann', project => 'limits', dry_run => false);
SELECT events, keys, refused FROM pg_temp.journeys('limits');
SELECT journey_stitch.set_max_journey_keys(4, 'full');
SELECT pg_temp.send('full', 'e1 user_id:ann a:1 b:1 c:1', 'e2 user_id:bob c:1', 'e3 user_id:cid c:1');
SELECT events, keys, refused FROM pg_temp.journeys('full');
SELECT * FROM journey_stitch.forget('user_id:ann', project => 'full', dry_run => false);
SELECT events, keys, refused FROM pg_temp.journeys('full');
SELECT * FROM pg_temp.wrong();

SELECT journey_stitch.clean();

-- Anonymized: e1 to e3 are ann's, on two days of two types, tied by her email; bob shares her television; e3b only has her email.
TRUNCATE names;
SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(pg_temp.secret(l) || CASE WHEN l ~ 'e3' THEN '{"type": "buy"}'::jsonb ELSE '{}' END) FROM unnest(ARRAY[
    'secret-e1 user_id:secret-ann device:tv email:Secret-Ann@X.org', 'secret-e1c user_id:secret-ann', 'secret-e2 user_id:secret-ann session_id:secret-s phone:secret-p',
    'secret-e3 user_id:secret-ann', 'e3b email:secret-ann@x.ORG']) AS l), 'anon');
SELECT pg_temp.send('anon', 'e1b user_id:bob device:tv', 'e2b user_id:bob');
SELECT count(*) AS moves FROM journey_stitch.unmerge('device:tv', project => 'anon', dry_run => false);
SELECT count(*) AS moves FROM journey_stitch.never_link('session_id:secret-s', 'user_id:bob', 'anon');
SELECT count(*) AS moves FROM journey_stitch.unmerge('phone:secret-p', project => 'anon', dry_run => false);
SELECT * FROM pg_temp.journeys('anon');
SELECT * FROM pg_temp.counts('anon');
SELECT inserted, rejected FROM journey_stitch.ingest_events(jsonb_build_array(pg_temp.secret('secret-p4 user_id:secret-ann'), '{"user_id": "secret-ann"}'::jsonb), 'anon');
SELECT pg_temp.stored() AS stored \gset
SELECT * FROM journey_stitch.forget('user_id:secret-ann', mode => 'anonymize', project => 'anon');
SELECT pg_temp.stored() = :'stored' AS nothing_written;
SELECT * FROM journey_stitch.forget('user_id:secret-ann', mode => 'anonymize', project => 'anon', dry_run => false);
-- Her journey is as it was, but for e3b, which has only the email; p4 is pending still.
SELECT pg_temp.name(j.uuid) AS journey, j.event_count, j.first_seen::date, j.last_seen::date
FROM journey_stitch.journeys j JOIN journey_stitch.projects p ON p.id = j.project_id WHERE p.name = 'anon' AND j.merged_into IS NULL ORDER BY j.id;
SELECT * FROM pg_temp.counts('anon');
SELECT * FROM pg_temp.wrong();
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.counts('anon');
SELECT * FROM pg_temp.wrong();
-- One token for each value, so that user_id is the same six times; an event_id for each event; nothing else is left.
SELECT count(*) AS events, count(DISTINCT event_id) AS event_ids, count(DISTINCT user_id) AS user_ids, count(session_id) AS sessions,
       bool_and(event_id ~ '^forgotten-[0-9a-f-]{36}$') AS events_renamed, bool_and(user_id ~ '^forgotten-[0-9a-f-]{36}$') AS users_renamed,
       count(ip) + count(user_agent) AS addresses, string_agg(DISTINCT properties::text, ' ') AS properties
FROM journey_stitch.events e WHERE event_id LIKE 'forgotten%';
SELECT regexp_replace(i, '-[0-9a-f-]{36}$', ' …') AS identifier, count(*) FROM journey_stitch.events, jsonb_array_elements_text(identifiers) AS i WHERE event_id LIKE 'forgotten%' GROUP BY 1 ORDER BY 1;
-- Found is what e3b tells, and nothing of the others.
SELECT event_id FROM journey_stitch.events WHERE events::text ILIKE '%secret%' OR host(ip) = '10.9.8.7';
SELECT * FROM pg_temp.found('secret-e');
SELECT * FROM pg_temp.found('secret-p');
SELECT * FROM pg_temp.found('secret-s');
SELECT * FROM pg_temp.found('user_id:secret');
SELECT * FROM journey_stitch.forget('email:secret-ann@x.org', mode => 'anonymize', project => 'anon', dry_run => false);
SELECT * FROM pg_temp.found('secret');
SELECT * FROM pg_temp.found('10.9.8.7');
SELECT * FROM pg_temp.counts('anon');
SELECT * FROM pg_temp.wrong();
-- The same again: nobody has that key any more. An event_id that was anonymized may come again.
SELECT * FROM journey_stitch.forget('user_id:secret-ann', mode => 'anonymize', project => 'anon', dry_run => false);
SELECT pg_temp.send('anon', 'secret-e1 user_id:eve');
SELECT journey_stitch.clean();

-- All of a journey, by its id: one journey before, one after, also where a person's word made it one, or two.
TRUNCATE names;
SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(pg_temp.secret(l)) FROM unnest(ARRAY[
    'e1 user_id:secret-ann', 'e1b email:secret-ann@x.org', 'e1c user_id:secret-ann device:secret-d', 'e1d user_id:secret-eve device:secret-d']) AS l), 'word');
SELECT events FROM journey_stitch.stitch_pending();
SELECT count(*) AS moves FROM journey_stitch.link('user_id:secret-ann', 'email:secret-ann@x.org', 'word');
SELECT * FROM pg_temp.journeys('word');
SELECT * FROM pg_temp.counts('word');
SELECT * FROM journey_stitch.forget(pg_temp.id('J1'), mode => 'anonymize', project => 'word', dry_run => false);
SELECT * FROM pg_temp.counts('word');
SELECT * FROM pg_temp.found('secret');
SELECT * FROM pg_temp.wrong();
-- The device ties nothing, by a word: ann and eve are two, and stay two when what they did with it is made anybody's.
SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(pg_temp.secret(l)) FROM unnest(ARRAY[
    'e1 user_id:secret-ann device:secret-d', 'e1b user_id:secret-eve device:secret-d', 'e2 device:secret-d']) AS l), 'word2');
SELECT events FROM journey_stitch.stitch_pending();
SELECT count(*) AS moves FROM journey_stitch.unmerge('device:secret-d', project => 'word2', dry_run => false);
SELECT * FROM pg_temp.counts('word2');
SELECT * FROM journey_stitch.forget('device:secret-d', mode => 'anonymize', project => 'word2', dry_run => false);
SELECT * FROM pg_temp.counts('word2');
SELECT * FROM pg_temp.found('secret');
SELECT * FROM pg_temp.wrong();

-- A value that a project's rule blocks is no key, and tells who it is all the same.
SELECT count(*) FROM journey_stitch.ingest_events('[]', 'blocked');
SELECT kind, blocked_patterns FROM journey_stitch.set_identity_rule('email', blocked_patterns => '{@corp[.]example$}', project => 'blocked');
SELECT kind, blocked_patterns FROM journey_stitch.set_identity_rule('user_id', blocked_patterns => '{^test-}', project => 'blocked');
SELECT pg_temp.send('blocked', 'e1 user_id:ann email:ann.secret@corp.example', 'e2 user_id:ann device:null', 'e3 user_id:test-secret device:d');
SELECT events, keys FROM pg_temp.journeys('blocked');
SELECT * FROM journey_stitch.forget('ann', mode => 'anonymize', project => 'blocked', dry_run => false);
SELECT * FROM pg_temp.found('ann.secret');
SELECT * FROM journey_stitch.forget('device:d', mode => 'anonymize', project => 'blocked', dry_run => false);
SELECT * FROM pg_temp.found('test-secret');
-- So does one that says nothing, of any kind.
SELECT pg_temp.send('blocked', 'e4 user_id:guest phone:5', 'e5 user_id:guest phone:6');
SELECT * FROM journey_stitch.forget('phone:5', project => 'blocked', dry_run => false);
SELECT * FROM pg_temp.counts('blocked');
SELECT * FROM pg_temp.wrong();

-- Undone with the transaction.
SELECT pg_temp.send('undo', 'e1 user_id:bob d:1', 'e2 user_id:eve d:1', 'e3 user_id:bob');
SELECT pg_temp.stored() AS stored \gset
BEGIN;
SELECT sum(entries) > 0 AS some FROM journey_stitch.forget('bob', project => 'undo', dry_run => false);
SELECT sum(entries) > 0 AS some FROM journey_stitch.forget('user_id:eve', mode => 'anonymize', project => 'undo', dry_run => false);
SELECT * FROM pg_temp.wrong();
ROLLBACK;
SELECT pg_temp.stored() = :'stored' AS as_before;

-- A journey that was absorbed, taken out again, and is forgotten: the way of a key that went through it stays whole.
SELECT pg_temp.send('trail', 'e1 a:1');
SELECT pg_temp.send('trail', 'e2 b:1');
SELECT pg_temp.send('trail', 'e3 c:1');
SELECT pg_temp.send('trail', 'e4 b:1 c:1');
SELECT pg_temp.send('trail', 'e5 c:1 a:1');
SELECT events, keys FROM journey_stitch.unmerge('b:1', project => 'trail', dry_run => false);
SELECT object, entries FROM journey_stitch.forget(journey_stitch.journey_of('e2', 'trail')::text, project => 'trail', dry_run => false);
SELECT * FROM pg_temp.wrong();

-- Wrong arguments, and who may.
SELECT * FROM journey_stitch.forget(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.forget('ann', mode => 'hide');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.forget('ann', mode => NULL);
SELECT * FROM journey_stitch.forget('ann', project => 'nowhere');
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT * FROM journey_stitch.forget('ann', dry_run => false);
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
CREATE ROLE forget_nobody;
GRANT journey_stitch_reader, journey_stitch_writer TO forget_nobody;
SELECT journey_stitch.grant_project('undo', 'forget_nobody', 'all');
SET ROLE forget_nobody;
SELECT * FROM journey_stitch.forget('bob', project => 'undo');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT action, arguments, count(*) FROM journey_stitch.identity_log WHERE action LIKE 'forget%' GROUP BY 1, 2 ORDER BY 1;
SELECT journey_stitch.clean();
DROP ROLE forget_nobody;
