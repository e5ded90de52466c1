-- verify(): all zero on what the extension has made, and above zero where somebody has laid hands on it.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- With nothing at all.
SELECT * FROM journey_stitch.verify();

-- Two journeys that merged (1 to 4), another one (5, 6), one in another project, and one event that is pending.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "1", "type": "view", "ts": "2024-05-01T10:00:00Z", "user_id": "ann"},
    {"id": "2", "type": "view", "ts": "2024-05-02T10:00:00Z", "anonymous_id": "cookie"},
    {"id": "5", "type": "buy",  "ts": "2024-05-02T10:00:00Z", "user_id": "bob", "session_id": "s"},
    {"id": "6", "type": "view", "ts": "2024-05-03T10:00:00Z", "user_id": "bob"}]');
SELECT * FROM journey_stitch.ingest_events('{"id": "1", "type": "view", "user_id": "ann"}', 'shop');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "3", "type": "log in", "ts": "2024-05-03T10:00:00Z", "anonymous_id": "cookie", "user_id": "ann"},
    {"id": "4", "type": "view", "ts": "2024-05-03T11:00:00Z", "anonymous_id": "cookie"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('{"id": "7", "type": "view", "ts": "2024-05-04T10:00:00Z", "user_id": "cid"}');
SELECT * FROM journey_stitch.verify();

-- Does one thing, shows which invariants then fail, and undoes it.
CREATE FUNCTION pg_temp.damage(statement text) RETURNS TABLE (violated text)
LANGUAGE plpgsql AS $$
DECLARE
    found text;
    touched bigint;
BEGIN
    BEGIN
        EXECUTE statement;
        GET DIAGNOSTICS touched = ROW_COUNT;
        SELECT string_agg(invariant || ' ' || violations, ', ') INTO found FROM journey_stitch.verify() WHERE violations <> 0;
        RAISE EXCEPTION USING ERRCODE = 'UNDO0', MESSAGE = format('%s (rows touched: %s)', COALESCE(found, 'NOTHING'), touched);
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
        RETURN QUERY SELECT SQLERRM;
    END;
END
$$;
SET jit = off;
SET search_path = public, ag_catalog;  -- the operators on the graph's properties

-- The ledger.
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.event_ids WHERE event_id = '5' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.event_ids SELECT max(id) + 1, 1, 'ghost' FROM journey_stitch.event_ids $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.event_ids SET event_id = 'other' WHERE event_id = '5' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.event_ids SET id = -1 WHERE event_id = '5' $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.events WHERE event_id = '5' $$);
-- The queue: a wrong count, and an event that is not in it though nobody stitched it.
SELECT pg_temp.damage($$ UPDATE journey_stitch.pending SET events = 2 $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.pending $$);
-- An event that waits again though it is stitched.
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.pending (project_id, events, event_ranges) SELECT 1, 1, int8multirange(int8range(id, id + 1)) FROM journey_stitch.events WHERE event_id = '5' $$);
-- A queue row of a project that is not there, where no stitcher will ever look.
SELECT pg_temp.damage($$ UPDATE journey_stitch.pending SET project_id = -1 $$);
-- Users.
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.users WHERE user_id = 'bob' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.users SET user_id = 'rob' WHERE user_id = 'bob' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.users (id, project_id, user_id) SELECT max(id) + 1, 1, 'ghost' FROM journey_stitch.users $$);
-- Keys and their journeys.
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.keys WHERE kind = 'session_id' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET value = 'rob' WHERE value = 'bob' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.keys SELECT max(id) + 1, min(journey_id), min(journey_id), 1, 'ghost', '1' FROM journey_stitch.keys $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET journey_id = (SELECT journey_id FROM journey_stitch.keys WHERE value = 'bob') WHERE value = 'cookie' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET journey_id = first_journey_id WHERE value = 'cookie' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET first_journey_id = -1 WHERE value = 'cookie' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys k SET journey_id = o.journey_id FROM journey_stitch.keys o WHERE k.value = 'bob' AND o.value = 'ann' AND o.project_id = 1 $$);
-- Journeys: counts, times, founding events (of another journey, none); one that is missing, and another id.
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET event_count = event_count + 1 WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET key_count = key_count + 1 WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET first_seen = first_seen - interval '1 second' WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET last_seen = last_seen + interval '1 microsecond' WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET founder_id = (SELECT id FROM journey_stitch.events WHERE event_id = '2') WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET founder_id = NULL WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET founder_id = (SELECT id FROM journey_stitch.events WHERE event_id = '5') WHERE merged_into IS NOT NULL $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.journeys WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET uuid = gen_random_uuid() WHERE uuid = journey_stitch.journey_of('5') $$);
-- Aliases and merges.
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET merged_into = NULL WHERE merged_into IS NOT NULL $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET merged_into = (SELECT id FROM journey_stitch.journeys WHERE uuid = journey_stitch.journey_of('5')) WHERE merged_into IS NOT NULL $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.merges $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.merges SET absorbed_id = survivor_id $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.key_moves (project_id, key_id, from_journey_id, rule) SELECT project_id, id, journey_id, 'by hand' FROM journey_stitch.keys WHERE value = 'bob' $$);
-- Rollups: counts, users, journeys; a member too few, one too many, a row too few, one too many.
SELECT pg_temp.damage($$ UPDATE journey_stitch.event_counts SET events = events + 1 WHERE event_type = 'buy' $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.event_counts WHERE event_type = 'buy' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.event_counts SELECT starts_at, events, project_id, 'ghost' FROM journey_stitch.event_counts WHERE event_type = 'buy' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.activity SET members = journey_stitch.members_difference(members, members) WHERE identity = 'u' AND event_type = 'buy' $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.activity WHERE identity = 'u' AND event_type = 'buy' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.activity a SET members = journey_stitch.members_union(a.members, b.members) FROM journey_stitch.activity b
    WHERE a.identity = 'u' AND a.event_type = 'buy' AND b.identity = 'u' AND b.event_type = 'log in' $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.activity WHERE identity = 'j' AND event_type = '' AND starts_at = '2024-05-02Z' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.activity SET starts_at = starts_at + interval '1 day' WHERE identity = 'j' AND event_type = 'log in' $$);
-- The timeline: a run too few, other ids, another day, another type; then nothing (NULL), another time, user, journey.
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.timeline WHERE event_type = 'buy' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.timeline SET last_id = last_id + 1 WHERE event_type = 'buy' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.timeline SET starts_at = starts_at + interval '1 day' WHERE event_type = 'buy' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.timeline SET event_type = 'sell' WHERE event_type = 'buy' $$);
SELECT pg_temp.damage(format($$ UPDATE journey_stitch.timeline t SET run =
    (SELECT journey_stitch.timeline_run(array_agg(r.id ORDER BY r.id), array_agg(%s ORDER BY r.id), array_agg(%s ORDER BY r.id), array_agg(%s ORDER BY r.id))
     FROM journey_stitch.timeline_events(t.run) AS r) WHERE event_type = 'buy' $$, v.at, v.users, v.journeys))
FROM (VALUES ('r.occurred_at', 'r.user_number', 'r.journey_number'), ('r.occurred_at + interval ''1 microsecond''', 'r.user_number', 'r.journey_number'),
             ('r.occurred_at', 'NULL::bigint', 'r.journey_number'), ('r.occurred_at', 'r.user_number', 'r.journey_number + 1')) AS v (at, users, journeys);
-- Users' totals, one after the other.
SELECT pg_temp.damage(format($$ UPDATE journey_stitch.users SET %s WHERE user_id = 'bob' $$, v.change))
FROM (VALUES ('total_events = total_events + 1'), ('first_seen = NULL'), ('last_active = last_active + interval ''1 s'''), ('total_purchases = 1'),
             ('total_spent = 0.01'), ('last_purchase = first_seen'), ('durations = 1'), ('total_duration = 1')) AS v (change);
-- The graph: vertices, their properties, edges; too few, too many, another one.
SELECT pg_temp.damage($$ DELETE FROM journey_graph."Event" WHERE properties @> '{"id": "5"}' $$);
SELECT pg_temp.damage($$ UPDATE journey_graph."Event" SET properties = replace(format('%s', properties), 'buy', 'sell')::ag_catalog.agtype WHERE properties @> '{"id": "5"}' $$);
SELECT pg_temp.damage($$ UPDATE journey_graph."Event" SET properties = replace(format('%s', properties), '2024', '2023')::ag_catalog.agtype WHERE properties @> '{"id": "5"}' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_graph."Event" (properties) VALUES ('{"id": "ghost"}') $$);
SELECT pg_temp.damage($$ DELETE FROM journey_graph."Correlation" WHERE properties @> '{"value": "bob"}' $$);
SELECT pg_temp.damage($$ UPDATE journey_graph."Correlation" SET properties = '{"kind": "user_id", "value": "rob"}' WHERE properties @> '{"value": "bob"}' $$);
SELECT pg_temp.damage($$ DELETE FROM journey_graph."Journey" WHERE properties @> format('{"id": "%s"}', journey_stitch.journey_of('5'))::ag_catalog.agtype $$);
SELECT pg_temp.damage($$ UPDATE journey_graph."Journey" SET properties = '{}' WHERE properties @> format('{"id": "%s"}', journey_stitch.journey_of('5'))::ag_catalog.agtype $$);
SELECT pg_temp.damage($$ UPDATE journey_graph."Journey" SET properties = replace(format('%s', properties), '"created_at": "2', '"created_at": "1')::ag_catalog.agtype WHERE properties @> format('{"id": "%s"}', journey_stitch.journey_of('5'))::ag_catalog.agtype $$);
SELECT pg_temp.damage($$ DELETE FROM journey_graph."HAS_KEY" WHERE start_id = (SELECT id FROM journey_graph."Event" WHERE properties @> '{"id": "6"}') $$);
SELECT pg_temp.damage($$ INSERT INTO journey_graph."HAS_KEY" (start_id, end_id, properties) SELECT start_id, end_id, '{}' FROM journey_graph."HAS_KEY" WHERE start_id = (SELECT id FROM journey_graph."Event" WHERE properties @> '{"id": "6"}') $$);
SELECT pg_temp.damage($$ UPDATE journey_graph."HAS_KEY" SET end_id = (SELECT id FROM journey_graph."Correlation" WHERE properties @> '{"value": "cookie"}') WHERE start_id = (SELECT id FROM journey_graph."Event" WHERE properties @> '{"id": "6"}') $$);
SELECT pg_temp.damage($$ DELETE FROM journey_graph."PART_OF" WHERE start_id = (SELECT id FROM journey_graph."Correlation" WHERE properties @> '{"value": "bob"}') $$);
SELECT pg_temp.damage($$ UPDATE journey_graph."PART_OF" SET end_id = (SELECT end_id FROM journey_graph."PART_OF" WHERE start_id = (SELECT id FROM journey_graph."Correlation" WHERE properties @> '{"value": "cookie"}')) WHERE start_id = (SELECT id FROM journey_graph."Correlation" WHERE properties @> '{"value": "bob"}') $$);

-- A row of a rollup that is none is an error that says so.
BEGIN;
UPDATE journey_stitch.activity SET members = '\x00' WHERE identity = 'u' AND event_type = '' AND starts_at = '2024-05-02Z';
SAVEPOINT s;
SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-03');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
-- And its hint is worth following.
SELECT invariant, violations > 0 AS violated FROM journey_stitch.verify() WHERE violations <> 0;
ROLLBACK;

-- After all that, nothing has happened.
RESET jit;
RESET search_path;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- With rules and words: journeys of one user_id and three keys at most, addresses that join nothing, a device that several
-- people share. What is refused: to event 3 the email of event 1, because ann and bob would be one; to 5 the address of 4;
-- to 8 the third phone, because of which dan is quarantined; to 9 and 10 the device. One journey is taken apart: 10 goes.
SELECT kind, max_values, merges, is_in_force
FROM journey_stitch.set_identity_rule('user_id', max_values => 1)
UNION ALL SELECT kind, max_values, merges, is_in_force FROM journey_stitch.set_identity_rule('address', merges => false);
SELECT journey_stitch.set_max_journey_keys(3);
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "1",  "type": "t", "ts": "2024-05-01T10:00:00Z", "user_id": "ann", "correlations": ["email:e1"]},
    {"id": "2",  "type": "t", "ts": "2024-05-01T11:00:00Z", "user_id": "bob", "correlations": ["email:e2"]},
    {"id": "3",  "type": "t", "ts": "2024-05-01T12:00:00Z", "user_id": "bob", "correlations": ["email:e1"]},
    {"id": "4",  "type": "t", "ts": "2024-05-01T13:00:00Z", "user_id": "cid", "correlations": ["address:x"]},
    {"id": "5",  "type": "t", "ts": "2024-05-01T14:00:00Z", "user_id": "bob", "correlations": ["address:x"]},
    {"id": "6",  "type": "t", "ts": "2024-05-01T15:00:00Z", "user_id": "dan", "correlations": ["phone:1"]},
    {"id": "7",  "type": "t", "ts": "2024-05-01T16:00:00Z", "user_id": "dan", "correlations": ["phone:2"]},
    {"id": "8",  "type": "t", "ts": "2024-05-01T17:00:00Z", "user_id": "dan", "correlations": ["phone:3"]},
    {"id": "9",  "type": "t", "ts": "2024-05-01T18:00:00Z", "device_id": "d", "correlations": ["email:e3"]},
    {"id": "10", "type": "t", "ts": "2024-05-01T19:00:00Z", "device_id": "d", "correlations": ["email:e4"]}]');
SELECT events, journeys_created, journeys_merged FROM journey_stitch.stitch_pending();
SELECT events, keys FROM journey_stitch.unmerge('device_id:d', dry_run => false) ORDER BY 1, 2;
SELECT e.event_id, k.kind, k.value, c.rule
FROM journey_stitch.merge_conflicts c JOIN journey_stitch.events e ON e.id = c.event_id JOIN journey_stitch.keys k ON k.id = c.key_id
ORDER BY e.id;
SELECT kind, value, hold, since, journey_id IS NULL AS ties_nothing FROM journey_stitch.keys WHERE hold IS NOT NULL OR since IS NOT NULL OR journey_id IS NULL ORDER BY id;
SELECT j.kind_counts FROM journey_stitch.journeys j WHERE j.uuid = journey_stitch.journey_of('1');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
-- Refusals: one that is missing, one for another reason, one too many, one of a key that the event has not.
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.merge_conflicts WHERE rule = 'merges = false' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.merge_conflicts SET rule = 'never_link' WHERE rule = 'max_values of user_id' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.merge_conflicts SELECT e.id, k.id, 1, 'unmerge', e.occurred_at FROM journey_stitch.events e, journey_stitch.keys k WHERE e.event_id = '1' AND k.value = 'e1' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.merge_conflicts SELECT e.id, k.id, 1, 'unmerge', e.occurred_at FROM journey_stitch.events e, journey_stitch.keys k WHERE e.event_id = '1' AND k.value = 'd' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.merge_conflicts SET project_id = -1 WHERE rule = 'merges = false' $$);
-- Keys that join nothing: one that is not said to, one that is and does, another reason, another time.
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET hold = NULL, since = NULL WHERE value = 'dan' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET hold = 'q', since = '2024-05-01T10:00:00Z' WHERE value = 'ann' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET hold = 'u', since = NULL WHERE value = 'dan' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET since = since + interval '1 microsecond' WHERE value = 'x' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET hold = NULL WHERE value = 'd' $$);
-- The words and rules themselves, of which the rest follows.
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.identity_words $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.identity_rules SET max_values = 0 WHERE project_id = 1 AND kind = 'user_id' $$);
-- How a key came to where it is.
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.key_moves WHERE to_journey_id IS NOT NULL $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.key_moves WHERE to_journey_id IS NULL $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.key_moves SET to_journey_id = from_journey_id $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET first_journey_id = NULL WHERE value = 'e1' $$);
-- A key that ties no event and is in a journey; one that ties some and is in none.
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET journey_id = first_journey_id WHERE value = 'd' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET journey_id = NULL WHERE value = 'x' $$);
-- How many keys of a limited kind: too many, too few, not counted, no kind counted.
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET kind_counts = '{"user_id": 2}' WHERE uuid = journey_stitch.journey_of('1') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET kind_counts = '{"user_id": 0}' WHERE uuid = journey_stitch.journey_of('1') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET kind_counts = '{}' WHERE uuid = journey_stitch.journey_of('1') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET kind_counts = NULL WHERE uuid = journey_stitch.journey_of('1') $$);
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
