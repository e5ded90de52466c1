-- A person's word: link, never_link, unmerge and retract, each with the answer that follows from the events by hand.
\getenv abs_srcdir PG_ABS_SRCDIR
\set journeys :abs_srcdir '/include/journeys.sql'
\set ECHO none
\i :journeys
\set ECHO all
-- Days 1 and 2: three people, two of them on one day.
SELECT pg_temp.send('link', 'e1 user_id:ann device:d1', 'e1b user_id:bob device:d2', 'e2 user_id:cid');
SELECT * FROM pg_temp.journeys('link');
SELECT day, active_users FROM journey_stitch.dau('2024-05-01', '2024-05-02', project => 'link', identity => 'journey');
-- link(): J2, the younger, goes to J1 with its event and two keys. First only said, then done.
SELECT pg_temp.stored() AS stored \gset
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys
FROM journey_stitch.link('user_id:ann', 'user_id:bob', 'link', dry_run => true);
SELECT pg_temp.stored() = :'stored' AS nothing_written;
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys
FROM journey_stitch.link('user_id:ann', 'user_id:bob', 'link');
SELECT * FROM pg_temp.journeys('link');
-- J2's id leads on; the past counts one person less; the trail says why.
SELECT * FROM pg_temp.leads('J1', 'J2', 'J3');
SELECT day, active_users FROM journey_stitch.dau('2024-05-01', '2024-05-02', project => 'link', identity => 'journey');
SELECT pg_temp.name(s.uuid) AS survivor, pg_temp.name(a.uuid) AS absorbed, m.event_id, m.key_id, m.rule
FROM journey_stitch.merges m JOIN journey_stitch.journeys s ON s.id = m.survivor_id JOIN journey_stitch.journeys a ON a.id = m.absorbed_id;
SELECT * FROM pg_temp.wrong();
-- Once more: there is nothing to do, and it says so. Either order of the two, any way to write them.
SELECT * FROM journey_stitch.link('user_id:bob', 'user_id: ann ', 'link');
SELECT word, kind, value, other_kind, other_value, made_by = current_user AS by_me FROM journey_stitch.identity_words;
-- Events go on coming: e3 is bob's, and so J1's.
SELECT pg_temp.send('link', 'e3 device:d2', 'e4 user_id:cid device:d1');
-- e4 ties cid (J3) to d1 (J1): J3 is absorbed as ever.
SELECT * FROM pg_temp.journeys('link');
-- retract(): e1, e2, e3, e4 stay with the founding event of J1; bob's e1b and e3 become a new journey, to which J2's id leads.
SELECT pg_temp.stored() AS stored \gset
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys
FROM journey_stitch.retract('user_id:bob', 'user_id:ann', 'link', dry_run => true);
SELECT pg_temp.stored() = :'stored' AS nothing_written;
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys
FROM journey_stitch.retract('user_id:bob', 'user_id:ann', 'link');
SELECT * FROM pg_temp.journeys('link');
SELECT * FROM pg_temp.leads('J1', 'J2', 'J3');
SELECT day, active_users FROM journey_stitch.dau('2024-05-01', '2024-05-02', project => 'link', identity => 'journey');
SELECT change, pg_temp.name(other_journey_id) AS other, event_id, key, rule, made_by = current_user AS by_me
FROM journey_stitch.journey_history('e1', 'link');
SELECT * FROM pg_temp.wrong();
-- There is no word left to take back.
SELECT * FROM journey_stitch.retract('user_id:bob', 'user_id:ann', 'link');
-- unmerge() of two keys takes a link back, too; as every unmerge() it only says so first.
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys
FROM journey_stitch.link('user_id:ann', 'user_id:bob', 'link');
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys
FROM journey_stitch.unmerge('user_id:ann', 'user_id:bob', 'link');
SELECT count(*) AS words FROM journey_stitch.identity_words;
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys
FROM journey_stitch.unmerge('user_id:ann', 'user_id:bob', 'link', dry_run => false);
SELECT * FROM pg_temp.journeys('link');
SELECT * FROM pg_temp.leads('J1', 'J2', 'J3', 'J4');
SELECT * FROM pg_temp.wrong();
-- And says once more that there is nothing to do, by a notice.
SET client_min_messages = warning;
SELECT * FROM journey_stitch.unmerge('user_id:ann', 'user_id:bob', 'link', dry_run => false);
RESET client_min_messages;

-- Words about keys that do not exist yet: said first, true once both have come.
SELECT count(*) AS projects FROM (VALUES ('early'), ('early2'), ('early3'), ('early4')) AS p (name), journey_stitch.ingest_events('[]', p.name);
SELECT * FROM journey_stitch.link('user_id:zoe', 'email: Zoe@X.org ', 'early');
SELECT word, kind, value, other_kind, other_value FROM journey_stitch.identity_words;
SELECT pg_temp.send('early', 'e1 user_id:zoe');
SELECT pg_temp.send('early', 'e2 email:ZOE@x.org', 'e3 email:zoe@x.org phone:1');
SELECT events, keys, refused FROM pg_temp.journeys('early');
SELECT * FROM pg_temp.wrong();
-- Both in one batch.
SELECT * FROM journey_stitch.link('user_id:zoe', 'email:zoe@x.org', 'early2');
SELECT pg_temp.send('early2', 'e1 user_id:zoe', 'e2 email:zoe@x.org', 'e3 user_id:yan');
SELECT events, keys, refused FROM pg_temp.journeys('early2');
-- never_link: e2 has both, of which the email is the less important one; e3 goes with the email, which no event tied before.
SELECT * FROM journey_stitch.never_link('user_id:zoe', 'email:zoe@x.org', 'early3');
SELECT pg_temp.send('early3', 'e1 user_id:zoe', 'e2 user_id:zoe email:zoe@x.org');
SELECT events, keys, refused FROM pg_temp.journeys('early3');
SELECT pg_temp.send('early3', 'e3 email:zoe@x.org');
SELECT events, keys, refused FROM pg_temp.journeys('early3');
SELECT * FROM pg_temp.wrong();
-- A key of a kind that joins nothing is joined by a word all the same.
SELECT kind, merges, is_in_force FROM journey_stitch.set_identity_rule('ip', merges => false, project => 'early4');
SELECT * FROM journey_stitch.link('user_id:zoe', 'ip:10.0.0.1', 'early4');
SELECT pg_temp.send('early4', 'e1 user_id:zoe');
SELECT pg_temp.send('early4', 'e2 ip:10.0.0.1');
SELECT events, keys, refused FROM pg_temp.journeys('early4');
SELECT * FROM pg_temp.wrong();
-- A key can be unmerged only once it is there.
SELECT * FROM journey_stitch.unmerge('user_id:nobody', project => 'early', dry_run => false);

-- A link is above limits, and counts for them: with ann and bob in it, a journey with one user_id at most lets cid's event
-- take nothing of it. (e3: cid is the more important key, x the one that yields.)
SELECT count(*) FROM journey_stitch.ingest_events('[]', 'limit');
SELECT kind, max_values, is_in_force FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'limit');
SELECT pg_temp.send('limit', 'e1 user_id:ann', 'e2 user_id:bob device:x');
SELECT count(*) AS moves FROM journey_stitch.link('user_id:ann', 'user_id:bob', 'limit');
SELECT pg_temp.send('limit', 'e3 user_id:cid device:x');
SELECT events, keys, refused FROM pg_temp.journeys('limit');
SELECT * FROM pg_temp.wrong();
-- Without it everything is as if it had never been said: x is bob's alone.
SELECT count(*) AS moves FROM journey_stitch.retract('user_id:ann', 'user_id:bob', 'limit');
SELECT events, keys, refused FROM pg_temp.journeys('limit');
SELECT * FROM pg_temp.wrong();
-- Also a linked key that ties no event counts: user_id and device_id are limited to one. e2: bob's group has a user_id, that of
-- d2 has ann's by the link, so d2 is refused, and ties nothing, but is ann's; e3: so d3 is refused.
SELECT count(*) FROM journey_stitch.ingest_events('[]', 'limit2');
SELECT kind, max_values, is_in_force FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'limit2');
SELECT kind, max_values, is_in_force FROM journey_stitch.set_identity_rule('device_id', max_values => 1, project => 'limit2');
SELECT * FROM journey_stitch.link('user_id:ann', 'device_id:d2', 'limit2');
SELECT pg_temp.send('limit2', 'e1 user_id:ann', 'e2 user_id:bob device_id:d2');
SELECT events, keys, refused FROM pg_temp.journeys('limit2');
SELECT pg_temp.send('limit2', 'e3 user_id:ann device_id:d3');
SELECT events, keys, refused FROM pg_temp.journeys('limit2');
SELECT * FROM pg_temp.wrong();

-- Contradictions: of the same two keys; through a chain of links; the same chain closed by a link.
SELECT pg_temp.send('chain', 'e1 a:1', 'e2 b:1', 'e3 c:1', 'e4 d:1');
SELECT count(*) AS moves FROM journey_stitch.link('a:1', 'b:1', 'chain');
SELECT * FROM journey_stitch.never_link('b:1', 'a:1', 'chain');
SELECT count(*) AS moves FROM journey_stitch.link('b:1', 'c:1', 'chain');
SELECT * FROM journey_stitch.never_link('a:1', 'c:1', 'chain');
SELECT * FROM journey_stitch.never_link('a:1', 'c:1', 'chain', dry_run => true);
SELECT count(*) AS moves FROM journey_stitch.never_link('d:1', 'a:1', 'chain');
SELECT * FROM journey_stitch.link('c:1', 'd:1', 'chain');
SELECT * FROM journey_stitch.link('a:1', 'd:1', 'chain', dry_run => true);
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS words FROM journey_stitch.identity_words WHERE project_id = (SELECT id FROM journey_stitch.projects WHERE name = 'chain');
SELECT events, keys, refused FROM pg_temp.journeys('chain');
-- A link in the middle taken back leaves the two others.
SELECT count(*) AS moves FROM journey_stitch.retract('b:1', 'c:1', 'chain');
SELECT events, keys, refused FROM pg_temp.journeys('chain');
SELECT * FROM pg_temp.wrong();

-- Wrong arguments.
SELECT * FROM journey_stitch.link(NULL, 'a:1', 'chain');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.link('a:1', NULL, 'chain');
SELECT * FROM journey_stitch.unmerge(NULL, project => 'chain');
SELECT * FROM journey_stitch.retract(NULL, project => 'chain');
SELECT * FROM journey_stitch.link('a:1', 'b:1', NULL);
SELECT * FROM journey_stitch.link('a:1', ' a:1', 'nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.link('a:1', 'a: 1 ', 'chain');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.never_link('email:a@x', 'email: A@X', 'chain');
SELECT * FROM journey_stitch.link('user_id:null', 'a:1', 'chain');
SELECT * FROM journey_stitch.never_link('a:1', 'user_id: Guest ', 'chain');
SELECT * FROM journey_stitch.unmerge('device:0000-00', project => 'chain');
SELECT * FROM journey_stitch.retract('a:1', project => 'chain');
-- What does not say its kind is of kind correlation, as in events.
SELECT pg_temp.send('chain', 'e5 loose', 'e6 correlation:loose');
SELECT count(*) AS moves FROM journey_stitch.link('loose', 'a:1', 'chain');
SELECT kind, value, other_kind, other_value FROM journey_stitch.identity_words WHERE 'loose' IN (value, other_value);
-- A kind may be any text without a colon, where an event said it so.
SELECT count(*) FROM journey_stitch.ingest_events('{"id": "e7", "type": "t", "ts": "2024-05-07T12:00Z", "correlations": {"order no": "17"}}', 'chain'), journey_stitch.stitch_pending();
TRUNCATE names;
SELECT * FROM pg_temp.journeys('chain');
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.link('order no:17', 'a:1', 'chain');
SELECT * FROM pg_temp.journeys('chain');
SELECT * FROM pg_temp.wrong();

-- unmerge(): a television that two people share, and that is used alone, too.
TRUNCATE names;
SELECT pg_temp.send('tv', 'e1 user_id:ann device:tv', 'e1b user_id:bob device:tv', 'e2 device:tv', 'e3 user_id:ann', 'e4 user_id:bob phone:5');
SELECT * FROM pg_temp.journeys('tv');
SELECT day, active_users FROM journey_stitch.dau('2024-05-01', '2024-05-04', project => 'tv', identity => 'journey');
-- Without it: ann's e1 and e3, with the founding event; bob's e1b and e4 with two keys; and e2 of nobody else's.
SELECT pg_temp.stored() AS stored \gset
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.unmerge('device:tv', project => 'tv');
SELECT pg_temp.stored() = :'stored' AS nothing_written;
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.unmerge('device: tv ', project => 'tv', dry_run => false);
SELECT * FROM pg_temp.journeys('tv');
SELECT day, active_users FROM journey_stitch.dau('2024-05-01', '2024-05-04', project => 'tv', identity => 'journey');
SELECT k.kind || ':' || k.value AS key, pg_temp.name(f.uuid) AS from_journey, pg_temp.name(t.uuid) AS to_journey, m.rule, l.action
FROM journey_stitch.key_moves m JOIN journey_stitch.keys k ON k.id = m.key_id JOIN journey_stitch.projects p ON p.id = m.project_id
LEFT JOIN journey_stitch.journeys f ON f.id = m.from_journey_id LEFT JOIN journey_stitch.journeys t ON t.id = m.to_journey_id
LEFT JOIN journey_stitch.identity_log l ON l.id = m.log_id
WHERE p.name = 'tv' ORDER BY 1;
SELECT change, pg_temp.name(other_journey_id) AS other, event_id, key, rule, made_by = current_user AS by_me FROM journey_stitch.journey_history('e1', 'tv') ORDER BY at, change, key;
SELECT * FROM pg_temp.wrong();
-- A second time: nothing to do, dry or not.
SELECT * FROM journey_stitch.unmerge('device:tv', project => 'tv');
SELECT * FROM journey_stitch.unmerge('device:tv', project => 'tv', dry_run => false);
-- It does not rejoin by itself: e5 is ann's, e6 bob's, e7 the television's, e8 a new person's, e0 came late.
SELECT pg_temp.send('tv', 'e5 user_id:ann device:tv', 'e6 device:tv phone:5', 'e7 device:tv', 'e8 device:tv device:x', 'e0 user_id:bob device:tv user_agent:z');
SELECT * FROM pg_temp.journeys('tv');
SELECT * FROM pg_temp.wrong();
-- retract(): all of it is one again, of the oldest journey, and every id leads there.
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.retract('device:tv', project => 'tv');
SELECT * FROM pg_temp.journeys('tv');
SELECT id, leads_to FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();
-- And apart again: an id that was bob's leads to the part with its founding event, e1b, wherever that is.
SELECT count(*) AS moves FROM journey_stitch.unmerge('device:tv', project => 'tv', dry_run => false);
SELECT * FROM pg_temp.journeys('tv');
SELECT * FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();
SELECT * FROM journey_stitch.retract('device:fridge', project => 'tv');

-- The part with the founding event may be the key's own.
TRUNCATE names;
SELECT pg_temp.send('founder', 'e1 device:tv', 'e2 user_id:ann device:tv', 'e3 user_id:ann');
SELECT * FROM pg_temp.journeys('founder');
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.unmerge('device:tv', project => 'founder', dry_run => false);
SELECT * FROM pg_temp.journeys('founder');
-- A key that no other event has goes nowhere: no journey loses an event.
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.unmerge('user_id:ann', project => 'founder', dry_run => false);
SELECT * FROM pg_temp.journeys('founder');
SELECT * FROM pg_temp.wrong();

-- Both keys of e2 are unmerged, one after the other: then the more important one (email) is what e2 belongs to, with e1.
TRUNCATE names;
SELECT pg_temp.send('two', 'e1 email:b@x.org', 'e2 email:b@x.org ip:1');
SELECT count(*) AS moves FROM journey_stitch.unmerge('email:b@x.org', project => 'two', dry_run => false);
SELECT * FROM pg_temp.journeys('two');
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.unmerge('ip:1', project => 'two', dry_run => false);
SELECT * FROM pg_temp.journeys('two');
SELECT * FROM pg_temp.wrong();

-- Chains of merges and splits. J2 absorbs J3, J1 absorbs J2.
TRUNCATE names;
SELECT pg_temp.send('chains', 'e1 a:1'), pg_temp.send('chains', 'e2 b:1'), pg_temp.send('chains', 'e3 c:1');
SELECT * FROM pg_temp.journeys('chains');
SELECT pg_temp.send('chains', 'e4 b:1 c:1'), pg_temp.send('chains', 'e5 a:1 b:1');
SELECT * FROM pg_temp.journeys('chains');
SELECT * FROM pg_temp.leads('J1', 'J2', 'J3');
-- Without b: e1 and e5 (a), e2 (b's own), e3 and e4 (c). The ids of b and c lead to where e2 and e3 are.
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.unmerge('b:1', project => 'chains', dry_run => false);
SELECT * FROM pg_temp.journeys('chains');
SELECT * FROM pg_temp.leads('J1', 'J2', 'J3');
SELECT * FROM pg_temp.wrong();
-- a and c by a new event (e6), then kept apart by a word: e6 goes with a, which is first by name.
SELECT pg_temp.send('chains', 'e6 a:1 c:1');
SELECT * FROM pg_temp.journeys('chains');
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.never_link('a:1', 'c:1', 'chains', dry_run => true);
SELECT pg_temp.name(journey_id) AS journey, pg_temp.name(becomes) AS becomes, events, keys FROM journey_stitch.never_link('a:1', 'c:1', 'chains');
SELECT * FROM pg_temp.journeys('chains');
SELECT * FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();
SELECT * FROM journey_stitch.never_link('c:1', 'a:1', 'chains');
-- b tied again, with never_link in force: e4 ties b and c first, then e5 has a and b, of which b is refused.
SELECT count(*) AS moves FROM journey_stitch.retract('b:1', project => 'chains');
SELECT * FROM pg_temp.journeys('chains');
SELECT * FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();
-- e3b came late, between e3 and e4: a and b are one by then, and it is c that is refused b in e4.
SELECT pg_temp.send('chains', 'e3b a:1 b:1');
SELECT * FROM pg_temp.journeys('chains');
SELECT * FROM pg_temp.wrong();
SELECT count(*) AS moves FROM journey_stitch.retract('a:1', 'c:1', 'chains');
SELECT * FROM pg_temp.journeys('chains');
SELECT * FROM pg_temp.leads(VARIADIC (SELECT array_agg('J' || n) FROM names));
SELECT * FROM pg_temp.wrong();

-- never_link by way of others: e1 ties a and b, e2 has b and c, so c is refused and ties nothing.
SELECT pg_temp.send('never', 'e1 a:1 b:1', 'e2 b:1 c:1');
SELECT count(*) AS moves FROM journey_stitch.never_link('a:1', 'c:1', 'never');
SELECT events, keys, refused FROM pg_temp.journeys('never');
SELECT * FROM journey_stitch.get_journey('c:1', 'never');
-- With e0, which is earlier, b is c's: e1 then keeps a alone, and the id with it.
SELECT pg_temp.send('never', 'e0 b:1 c:1');
SELECT events, keys, refused FROM pg_temp.journeys('never');
SELECT journey_stitch.journey_of('e1', 'never') = (SELECT j.uuid FROM journey_stitch.journeys j JOIN journey_stitch.projects p ON p.id = j.project_id
                                                   WHERE p.name = 'never' ORDER BY j.id LIMIT 1) AS e1_has_the_oldest;
SELECT * FROM pg_temp.wrong();

-- A link joins what an unmerged key has of its own; its other events stay refused.
SELECT pg_temp.send('both', 'e1 user_id:ann device:tv', 'e2 device:tv', 'e3 user_id:bob device:tv');
SELECT count(*) AS moves FROM journey_stitch.unmerge('device:tv', project => 'both', dry_run => false);
SELECT count(*) AS moves FROM journey_stitch.link('device:tv', 'user_id:bob', 'both');
SELECT events, keys, refused FROM pg_temp.journeys('both');
SELECT * FROM pg_temp.wrong();

-- Undone with the transaction, or back to a savepoint.
SELECT pg_temp.stored() AS stored \gset
BEGIN;
SELECT count(*) AS moves FROM journey_stitch.retract('device:tv', project => 'both');
SAVEPOINT s;
SELECT pg_temp.stored() AS at_savepoint \gset
SELECT count(*) AS moves FROM journey_stitch.retract('device:tv', 'user_id:bob', project => 'both');
SELECT count(*) AS moves FROM journey_stitch.never_link('device:tv', 'user_id:bob', project => 'both');
SELECT events, keys, refused FROM pg_temp.journeys('both');
SELECT * FROM journey_stitch.link('a:1', 'a:1', 'both');
ROLLBACK TO s;
SELECT pg_temp.stored() = :'at_savepoint' AS as_at_savepoint;
SELECT * FROM pg_temp.wrong();
ROLLBACK;
SELECT pg_temp.stored() = :'stored' AS as_before;
SELECT * FROM pg_temp.wrong();
-- Nothing is said in a read-only transaction.
BEGIN READ ONLY;
SELECT * FROM journey_stitch.link('device:tv', 'user_id:ann', 'both');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM journey_stitch.unmerge('user_id:ann', project => 'both');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- Who may: administrators, and nobody who only reads or writes. The log names who it was.
CREATE ROLE words_nobody;
CREATE ROLE words_writer;
CREATE ROLE words_admin;
GRANT journey_stitch_reader, journey_stitch_writer TO words_writer;
GRANT journey_stitch_admin TO words_admin;
SELECT journey_stitch.grant_project('both', 'words_writer', 'all');
SET ROLE words_nobody;
SELECT * FROM journey_stitch.link('device:tv', 'user_id:ann', 'both');
\echo :LAST_ERROR_SQLSTATE
SET ROLE words_writer;
SELECT * FROM journey_stitch.link('device:tv', 'user_id:ann', 'both');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.never_link('device:tv', 'user_id:ann', 'both');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.unmerge('device:tv', project => 'both');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retract('device:tv', project => 'both');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) AS words FROM journey_stitch.identity_words;
SELECT count(*) FROM journey_stitch.identity_log;
SET ROLE words_admin;
SELECT count(*) AS moves FROM journey_stitch.retract('device:tv', 'user_id:bob', 'both');
SELECT count(*) AS moves FROM journey_stitch.unmerge('user_id:ann', project => 'both', dry_run => false);
RESET ROLE;
SELECT word, kind, value, made_by, made_at <= now() AS before_now FROM journey_stitch.identity_words w JOIN journey_stitch.projects p ON p.id = w.project_id
WHERE p.name = 'both' ORDER BY w.id;
SELECT l.action, l.arguments, CASE WHEN l.made_by = current_user THEN 'me' ELSE l.made_by END AS made_by, l.made_at <= now() AND l.made_at > now() - interval '1 hour' AS made_just_now
FROM journey_stitch.identity_log l JOIN journey_stitch.projects p ON p.id = l.project_id WHERE p.name IN ('link', 'both') ORDER BY l.id;
SELECT * FROM pg_temp.wrong();
SELECT journey_stitch.clean();
SELECT count(*) AS words FROM journey_stitch.identity_words;
DROP ROLE words_nobody, words_writer, words_admin;
