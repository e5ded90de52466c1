-- clean(): all data of all projects goes, the extension stays, and ids go on.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE FUNCTION pg_temp.rows() RETURNS TABLE ("table" text, rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    t text;
    n bigint;
BEGIN
    FOR t IN SELECT c.oid::regclass::text FROM pg_class c
             WHERE c.relnamespace IN ('journey_stitch'::regnamespace, 'journey_graph'::regnamespace) AND c.relkind IN ('r', 'p')
               AND NOT c.relispartition AND c.relname NOT LIKE '\_ag%' ORDER BY c.oid::regclass::text COLLATE "C" LOOP
        EXECUTE format('SELECT count(*) FROM %s', t) INTO n;
        RETURN QUERY SELECT t, n;
    END LOOP;
END
$$;

SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t", "user_id": "ann"}, {"id": 2, "type": "t", "user_id": "bob"}, {"id": 3}]', 'shop');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('[{"id": 3, "type": "t", "correlations": ["user_id:ann", "user_id:bob"]}, {"id": 4}]', 'shop');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('{"id": 5, "type": "t"}');
INSERT INTO journey_stitch.job_errors (project_id, sqlstate, message, events, attempt, consequence) VALUES (1, 'XX000', 'm', 1, 1, 'c');
SELECT journey_stitch.grant_project('shop', 'pg_monitor');
-- Rules that wait, a word, what it refuses and moves, and who said it.
SELECT is_in_force FROM journey_stitch.set_identity_rule('phone', merges => false, project => 'shop');
SELECT events, keys FROM journey_stitch.unmerge('user_id:bob', project => 'shop', dry_run => false);
SELECT events FROM journey_stitch.create_metric('t', 't', dimensions => '{source}', project => 'shop');
SELECT "table", rows > 0 AS has_rows FROM pg_temp.rows();
SELECT max(id) AS last_event FROM journey_stitch.events \gset
SELECT journey_stitch.journey_of('1', 'shop') AS last_journey \gset

SELECT journey_stitch.clean();
SELECT * FROM pg_temp.rows() WHERE rows > 0;
SELECT name FROM journey_stitch.projects;
-- The rules that are left are those that are shipped.
SELECT kind, project_id FROM journey_stitch.identity_rules ORDER BY kind COLLATE "C";
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- It can be filled again: the same ids are new, and none that was given out comes back.
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t", "user_id": "ann"}, {"id": 2, "type": "t", "user_id": "ann"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id, id > :last_event AS later FROM journey_stitch.events ORDER BY id;
SELECT count(*) FROM journey_stitch.get_journey(:'last_journey');
SELECT event_id FROM journey_stitch.get_journey('user_id:ann');

-- Undone with its transaction.
BEGIN;
SELECT journey_stitch.clean();
SELECT count(*) FROM journey_stitch.events;
ROLLBACK;
SELECT event_id FROM journey_stitch.get_journey('user_id:ann');

-- In one transaction with what comes after it.
BEGIN;
SELECT journey_stitch.clean();
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t", "user_id": "bob"}]');
SELECT * FROM journey_stitch.stitch_pending();
COMMIT;
SELECT event_id FROM journey_stitch.get_journey('user_id:bob');
SELECT count(*) FROM journey_stitch.get_journey('user_id:ann');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- Without a graph.
SET client_min_messages = warning;
LOAD 'age';
SELECT ag_catalog.drop_graph('journey_graph', true);
RESET client_min_messages;
SELECT journey_stitch.clean();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t", "user_id": "ann"}]');
SELECT sum(active_users) FROM journey_stitch.dau(identity => 'journey');
SELECT count(*) FROM journey_stitch.get_journey('1');
-- The first stitching makes it again.
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id FROM journey_stitch.get_journey('1');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
