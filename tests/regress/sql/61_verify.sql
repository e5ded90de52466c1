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
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.users SELECT max(id) + 1, 1, 'ghost' FROM journey_stitch.users $$);
-- Keys and their journeys.
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.keys WHERE kind = 'session_id' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET value = 'rob' WHERE value = 'bob' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.keys SELECT max(id) + 1, min(journey_id), min(journey_id), 1, 'ghost', '1' FROM journey_stitch.keys $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET journey_id = (SELECT journey_id FROM journey_stitch.keys WHERE value = 'bob') WHERE value = 'cookie' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET journey_id = first_journey_id WHERE value = 'cookie' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys SET first_journey_id = -1 WHERE value = 'cookie' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.keys k SET journey_id = o.journey_id FROM journey_stitch.keys o WHERE k.value = 'bob' AND o.value = 'ann' AND o.project_id = 1 $$);
-- Journeys.
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET event_count = event_count + 1 WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET key_count = key_count + 1 WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET first_seen = first_seen - interval '1 second' WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET last_seen = last_seen + interval '1 microsecond' WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.journeys WHERE uuid = journey_stitch.journey_of('5') $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET uuid = gen_random_uuid() WHERE uuid = journey_stitch.journey_of('5') $$);
-- Aliases and merges.
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET merged_into = NULL WHERE merged_into IS NOT NULL $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.journeys SET merged_into = (SELECT id FROM journey_stitch.journeys WHERE uuid = journey_stitch.journey_of('5')) WHERE merged_into IS NOT NULL $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.merges $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.merges SET absorbed_id = survivor_id $$);
-- Rollups: counts, users, journeys; a member too few, one too many, a row too few, one too many.
SELECT pg_temp.damage($$ UPDATE journey_stitch.event_counts SET events = events + 1 WHERE grain = 'd' AND event_type = 'buy' $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.event_counts WHERE grain = 'h' AND event_type = 'buy' $$);
SELECT pg_temp.damage($$ INSERT INTO journey_stitch.event_counts SELECT starts_at, events, project_id, grain, 'ghost' FROM journey_stitch.event_counts WHERE event_type = 'buy' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.activity SET members = journey_stitch.members_difference(members, members) WHERE identity = 'u' AND grain = 'd' AND event_type = 'buy' $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.activity WHERE identity = 'u' AND grain = 'h' AND event_type = 'buy' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.activity a SET members = journey_stitch.members_union(a.members, b.members) FROM journey_stitch.activity b
    WHERE a.identity = 'u' AND a.grain = 'd' AND a.event_type = 'buy' AND b.identity = 'u' AND b.grain = 'd' AND b.event_type = 'log in' $$);
SELECT pg_temp.damage($$ DELETE FROM journey_stitch.activity WHERE identity = 'j' AND grain = 'd' AND event_type = '' AND starts_at = '2024-05-02Z' $$);
SELECT pg_temp.damage($$ UPDATE journey_stitch.activity SET starts_at = starts_at + interval '30 minutes' WHERE identity = 'j' AND grain = 'h' AND event_type = 'log in' $$);
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
UPDATE journey_stitch.activity SET members = '\x00' WHERE identity = 'u' AND grain = 'd' AND event_type = '' AND starts_at = '2024-05-02Z';
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
