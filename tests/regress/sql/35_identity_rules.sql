-- Identity rules: what each does to keys and journeys, when it is in force, and which are none.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- The keys that are together, by project; a key in no journey stands alone, in brackets.
CREATE TEMP VIEW together AS
SELECT p.name AS project, CASE WHEN count(k.journey_id) = 0 THEN '(' || keys || ')' ELSE keys END AS keys
FROM journey_stitch.projects p
JOIN journey_stitch.keys k ON k.project_id = p.id
CROSS JOIN LATERAL (SELECT string_agg(o.kind || ':' || o.value, ' ' ORDER BY o.kind COLLATE "C", o.value COLLATE "C") AS keys
                    FROM journey_stitch.keys o
                    WHERE o.project_id = k.project_id
                      AND CASE WHEN k.journey_id IS NULL THEN o.id = k.id ELSE o.journey_id = k.journey_id END) AS g
GROUP BY p.name, g.keys;
CREATE TEMP VIEW refused AS
SELECT p.name AS project, e.event_id, k.kind || ':' || k.value AS key, c.rule
FROM journey_stitch.merge_conflicts c
JOIN journey_stitch.projects p ON p.id = c.project_id
JOIN journey_stitch.events e ON e.id = c.event_id
JOIN journey_stitch.keys k ON k.id = c.key_id;
CREATE TEMP VIEW stored AS
SELECT p.name AS project, r.kind, r.is_in_force, r.merges, r.max_values, r.priority, r.blocked_values, r.blocked_patterns, r.normalize
FROM journey_stitch.identity_rules r LEFT JOIN journey_stitch.projects p ON p.id = r.project_id;

-- Those that are shipped. Journeys are the connected components, but for max_journey_keys.
SELECT * FROM stored WHERE project IS NULL ORDER BY kind COLLATE "C";

SELECT COALESCE(max(id), 0) AS before FROM journey_stitch.identity_log \gset

-- One project for each rule. Each of its events is a minute after the one before it.
CREATE TEMP TABLE sent (project text, n integer, correlations jsonb);
INSERT INTO sent VALUES
    ('shipped', 1, '{"user_id": " ann ", "email": " Ann@Example.org "}'),
    ('shipped', 2, '{"email": "ANN@example.ORG", "ip": "10.0.0.1"}'),
    ('shipped', 3, '{"user_id": "Ann", "ip": "10.0.0.1 "}'),
    ('merges',  1, '{"user_id": "ann", "ip": "10.0.0.1"}'),
    ('merges',  2, '{"user_id": "bob", "ip": "10.0.0.1"}'),
    ('merges',  3, '{"ip": "10.0.0.1"}'),
    ('merges',  4, '{"user_id": "ann", "email": "a@b.c"}'),
    ('limit',   1, '{"user_id": "ann", "device_id": "d"}'),
    ('limit',   2, '{"user_id": "bob", "device_id": "d"}'),
    ('limit',   3, '{"user_id": "bob", "device_id": "e"}'),
    ('limit',   4, '{"device_id": ["d", "e"]}'),
    ('yield',   1, '{"order": "1", "device_id": "d"}'),
    ('yield',   2, '{"cart": "2", "device_id": "e"}'),
    ('yield',   3, '{"order": "1", "cart": "2"}'),
    ('even',    1, '{"order": "1", "device_id": "d"}'),
    ('even',    2, '{"cart": "2", "device_id": "e"}'),
    ('even',    3, '{"order": "1", "cart": "2"}'),
    ('blocked', 1, '{"email": "ann@b.c", "phone": "555"}'),
    ('blocked', 2, '{"email": "TEST@b.c ", "phone": "555"}'),
    ('blocked', 3, '{"email": "test@b.c", "phone": "556"}'),
    ('blocked', 4, '{"email": "no-reply@b.c"}'),
    ('blocked', 5, '{"email": "no-reply@b.c", "phone": "unknown"}'),
    ('as_sent', 1, '{"email": "A@b.c", "code": " X "}'),
    ('as_sent', 2, '{"email": "a@b.c", "code": " x "}'),
    ('as_sent', 3, '{"code": "x"}'),
    ('keys',    1, '{"user_id": "ann", "order": ["1", "2", "3"]}'),
    ('keys',    2, '{"user_id": "bob", "order": ["4", "5", "3"]}'),
    ('keys',    3, '{"user_id": "cid", "order": "3"}'),
    ('people',  1, '{"user_id": "ann", "email": "a@b.c", "device_id": "d"}'),
    ('people',  2, '{"user_id": "bob", "email": "a@b.c", "device_id": "e"}'),
    ('people',  3, '{"user_id": "ann", "device_id": ["d1", "d2", "d3", "d4", "d5"]}');
SELECT count(*) FROM (SELECT DISTINCT project FROM sent) AS s, journey_stitch.ingest_events('[]', s.project);
SELECT * FROM journey_stitch.set_identity_rule('ip', merges => false, project => 'merges');
SELECT * FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'limit');
SELECT * FROM journey_stitch.set_identity_rule('*', max_values => 1, project => 'yield');
SELECT * FROM journey_stitch.set_identity_rule('order', max_values => 0, priority => 5, project => 'yield');
SELECT * FROM journey_stitch.set_identity_rule('device_id', max_values => 1, project => 'even');
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_values => '{test@b.c}',
                                               blocked_patterns => '{^no-?reply@,@example\\.(org|com)$}', project => 'blocked');
SELECT * FROM journey_stitch.set_identity_rule('email', "normalize" => '{trim}', project => 'as_sent');
SELECT * FROM journey_stitch.set_identity_rule('code', "normalize" => '{lower,lower}', project => 'as_sent');
SELECT journey_stitch.set_max_journey_keys(4, 'keys');
SELECT * FROM journey_stitch.use_identity_profile('people', 'people');
SELECT project, kind, is_in_force, max_values, priority FROM stored WHERE project IN ('keys', 'people') ORDER BY project, kind COLLATE "C";

SELECT sum(i.inserted) AS inserted
FROM sent s,
     journey_stitch.ingest_events(jsonb_build_object('id', s.n::text, 'type', 't', 'correlations', s.correlations,
                                                     'ts', timestamptz '2024-05-01 10:00:00Z' + make_interval(mins => s.n)), s.project) AS i;
SELECT events, remaining FROM journey_stitch.stitch_pending();
-- Values in normal form are the same key; the events keep them as they were sent.
SELECT keys FROM together WHERE project = 'shipped' ORDER BY 1;
SELECT identifiers FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id
WHERE p.name = 'shipped' ORDER BY e.event_id;
-- merges = false: the key stays with whom it was first seen with, and brings an event without others there.
SELECT keys FROM together WHERE project = 'merges' ORDER BY 1;
SELECT event_id, key, rule FROM refused WHERE project = 'merges' ORDER BY 1, 2;
SELECT journey_stitch.journey_of('3', 'merges') = journey_stitch.journey_of('1', 'merges') AS with_the_first;
-- max_values: a device is shared, two people stay two; what came later goes with its person.
SELECT keys FROM together WHERE project = 'limit' ORDER BY 1;
SELECT event_id, key, rule FROM refused WHERE project = 'limit' ORDER BY 1, 2;
-- priority: of the keys that cannot all be together, the one with the highest number yields; else the later by name.
SELECT project, keys FROM together WHERE project IN ('yield', 'even') ORDER BY 1, 2;
SELECT project, event_id, key, rule FROM refused WHERE project IN ('yield', 'even') ORDER BY 1, 2, 3;
-- Blocked in normal form, for this kind and in this project only.
SELECT keys FROM together WHERE project = 'blocked' ORDER BY 1;
SELECT * FROM refused WHERE project = 'blocked';
-- normalize (as an argument's name it takes quotes: SQL has a word of its own for it).
SELECT keys FROM together WHERE project = 'as_sent' ORDER BY 1;
-- max_journey_keys: the key that would have made a journey too large is quarantined from then on.
SELECT keys FROM together WHERE project = 'keys' ORDER BY 1;
SELECT event_id, key, rule FROM refused WHERE project = 'keys' ORDER BY 1, 2;
SELECT k.kind, k.value, k.hold FROM journey_stitch.keys k WHERE k.hold IS NOT NULL;
-- People: one user_id a journey, five of any other kind.
SELECT keys FROM together WHERE project = 'people' ORDER BY 1;
SELECT event_id, key, rule FROM refused WHERE project = 'people' ORDER BY 1, 2;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- event_keys() says so without stitching, by the rules of each row's project.
SELECT s.project, s.n, k.kind, '[' || k.value || ']' AS value
FROM sent s
JOIN journey_stitch.projects p ON p.name = s.project
JOIN journey_stitch.events e ON e.project_id = p.id AND e.event_id = s.n::text
CROSS JOIN LATERAL journey_stitch.event_keys(e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS k
WHERE s.project IN ('shipped', 'blocked', 'as_sent')
ORDER BY s.n, s.project, k.kind COLLATE "C", k.value COLLATE "C";
SELECT * FROM journey_stitch.event_keys(1, 'e', ' A ', NULL, '["email: A ", "email:a", "code:X", "device_id:null"]');
SELECT * FROM journey_stitch.event_keys((SELECT id FROM journey_stitch.projects WHERE name = 'as_sent'), 'e', ' A ', NULL, '["email: A ", "email:a", "code:X"]');
SELECT * FROM journey_stitch.event_keys(1, ' e ', 'null', '', NULL);

-- Where there is a history, rules wait for restitch(); until then the old ones stitch.
SELECT * FROM journey_stitch.set_identity_rule('ip', merges => false, project => 'shipped');
SELECT * FROM journey_stitch.set_identity_rule('email', max_values => 3, project => 'limit');
SELECT kind, is_in_force, merges, max_values FROM stored WHERE project IN ('shipped', 'limit') ORDER BY project, is_in_force, kind COLLATE "C";
SELECT inserted FROM journey_stitch.ingest_events('{"id": "4", "type": "t", "correlations": {"user_id": "cid", "ip": "10.0.0.1"}}', 'shipped');
SELECT events FROM journey_stitch.stitch_pending();
SELECT keys FROM together WHERE project = 'shipped' ORDER BY 1;
SELECT * FROM refused WHERE project = 'shipped';
-- The same once more is no change, and is not logged; nor is what is in force.
SELECT * FROM journey_stitch.set_identity_rule('ip', merges => false, project => 'shipped');
SELECT * FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'merges');
SELECT journey_stitch.drop_identity_rule('user_id', 'merges');
SELECT * FROM stored WHERE project = 'merges';
SELECT * FROM journey_stitch.set_identity_rule('ip', merges => false, project => 'merges');
SELECT * FROM stored WHERE project IN ('merges', 'shipped') ORDER BY project;
-- None at all can be wanted, too.
SELECT * FROM journey_stitch.use_identity_profile('default', 'people');
SELECT project, kind, is_in_force, max_values, priority FROM stored WHERE project = 'people' ORDER BY is_in_force, kind COLLATE "C";
SELECT journey_stitch.drop_identity_rule('email', 'people');
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.set_max_journey_keys(50, 'people');
SELECT journey_stitch.set_max_journey_keys(NULL, 'people');
SELECT * FROM journey_stitch.use_identity_profile('people', 'people');
SELECT project, kind, is_in_force, max_values, priority FROM stored WHERE project = 'people' ORDER BY is_in_force, kind COLLATE "C";

SELECT p.name AS project, l.action, l.arguments, l.made_by = current_user AS by_me
FROM journey_stitch.identity_log l JOIN journey_stitch.projects p ON p.id = l.project_id
WHERE l.id > :before ORDER BY l.id;

-- A set has neither order nor repetitions.
SELECT blocked_values, blocked_patterns, normalize
FROM journey_stitch.set_identity_rule('email', blocked_values => '{b,a,b}', blocked_patterns => '{y,x,y}', "normalize" => '{lower,trim}');
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_values => '{a,b}', blocked_patterns => '{x,y}', "normalize" => '{trim,lower}');
SELECT count(*) FROM stored WHERE project = 'default';
-- Each call says all of the rule.
SELECT * FROM journey_stitch.set_identity_rule('email', priority => 7);
SELECT journey_stitch.drop_identity_rule('email');
SELECT count(*) FROM stored WHERE project = 'default';

-- A query sees the rules of its snapshot: also where they were set in a subtransaction that is undone.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM journey_stitch.event_keys(1, 'e', 'Ann', NULL, NULL);
SAVEPOINT a;
SELECT kind FROM journey_stitch.set_identity_rule('user_id', "normalize" => '{lower}');
SELECT * FROM journey_stitch.event_keys(1, 'e', 'Ann', NULL, NULL);
ROLLBACK TO a;
SELECT * FROM journey_stitch.event_keys(1, 'e', 'Ann', NULL, NULL);
SELECT kind FROM journey_stitch.set_identity_rule('user_id', blocked_values => '{Ann}');
SELECT * FROM journey_stitch.event_keys(1, 'e', 'Ann', NULL, NULL);
ROLLBACK;
SELECT * FROM journey_stitch.event_keys(1, 'e', 'Ann', NULL, NULL);

-- Kinds that are none, and kinds that were meant.
SELECT * FROM journey_stitch.set_identity_rule(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('9lives');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('kind:value');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('Größe');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('emial', max_values => 3);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('E-Mail', max_values => 3);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('userid', max_values => 1);
\echo :LAST_ERROR_SQLSTATE
-- A kind of the project's keys is known, here and not in other projects.
SELECT * FROM journey_stitch.set_identity_rule('crat', max_values => 1, project => 'yield');
\echo :LAST_ERROR_SQLSTATE
SELECT kind FROM journey_stitch.set_identity_rule('crat', max_values => 1);
SELECT kind FROM journey_stitch.set_identity_rule('carts', max_values => 1);
SELECT inserted FROM journey_stitch.ingest_events('[{"id": "1", "type": "t", "correlations": {"emial": "x", "my kind": "y"}}]', 'odd');
SELECT kind FROM journey_stitch.set_identity_rule('my kind', max_values => 1, project => 'odd');
\echo :LAST_ERROR_SQLSTATE
SELECT events FROM journey_stitch.stitch_pending();
SELECT kind FROM journey_stitch.set_identity_rule('emial', max_values => 1, project => 'odd');
SELECT kind FROM journey_stitch.set_identity_rule('my kind', max_values => 1, project => 'odd');
SELECT * FROM journey_stitch.use_identity_profile('default');

-- Limits and priorities.
SELECT * FROM journey_stitch.set_identity_rule('email', max_values => -1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', max_values => 1000001);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', priority => 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', priority => 1001);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('event_id', max_values => 1);
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.set_max_journey_keys(1);
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.set_max_journey_keys(-5);
\echo :LAST_ERROR_SQLSTATE

-- Values, patterns, normalization.
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_values => '{a@b.c,""}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_values => '{NULL}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_values => '{Test@B.c}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('order', blocked_values => '{" x"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_values => '{Test@B.c}', "normalize" => '{}');
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_patterns => '{^ok$,bad(}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_patterns => ARRAY['(?!x)y']);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', blocked_patterns => '{""}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', "normalize" => '{trim,upper}');
\echo :LAST_ERROR_SQLSTATE

-- Profiles, rules that are not there, projects.
SELECT * FROM journey_stitch.use_identity_profile('People');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.use_identity_profile(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.drop_identity_rule('phone');
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.drop_identity_rule('emails');
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.drop_identity_rule(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.drop_identity_rule('');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', max_values => 1, project => 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.set_identity_rule('email', max_values => 1, project => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.set_max_journey_keys(5, 'no such');
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT * FROM journey_stitch.use_identity_profile('default');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
-- Nothing of what was refused is stored.
SELECT * FROM stored WHERE project = 'default';

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
SELECT count(*) AS own_rules FROM journey_stitch.identity_rules WHERE project_id <> 0;
DROP VIEW together, refused, stored;
DROP TABLE sent;
