-- DROP EXTENSION and CREATE EXTENSION again; a graph that is left over, and one that is somebody else's;
-- and the second partition of events. The last file: it leaves nothing behind.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "old", "user_id": "ann"}, {"id": 2, "type": "old", "user_id": "bob"}, {"id": 3, "type": "old", "user_id": "cid"}]');
SELECT * FROM journey_stitch.stitch_pending();
-- AGE cannot go before it.
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION age;
\set VERBOSITY default
DROP SCHEMA oracle CASCADE;
RESET client_min_messages;
-- A session in which AGE has looked at its caches can end where the catalog changes much (AGE 1.5.0, its issue 2245).
\c -
DROP EXTENSION journey_stitch;
SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('journey_stitch');
SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace('journey_stitch');
-- The graph is not the extension's, and stays, with what was in it.
SELECT count(*) AS vertices_left FROM journey_graph."Event";

-- Again: what is left over does not come into the way of what is new.
CREATE EXTENSION journey_stitch;
SELECT * FROM journey_stitch.health() WHERE "check" = 'graph';
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "new", "user_id": "ann"}, {"id": 4, "type": "new", "user_id": "ann"}]');
SELECT count(*) AS not_yet FROM journey_stitch.get_journey('1');
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id, event_type FROM journey_stitch.get_journey('1');
SELECT count(*) AS vertices FROM journey_graph."Event";
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
LOAD 'age';
SELECT * FROM ag_catalog.cypher('journey_graph', $$ MATCH (e:Event) RETURN e.id, e.type ORDER BY e.id $$) AS (id ag_catalog.agtype, type ag_catalog.agtype);

-- The same by setup().
DROP EXTENSION journey_stitch;
CREATE EXTENSION journey_stitch;
SELECT journey_stitch.setup();
SELECT count(*) AS vertices FROM journey_graph."Event";
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- A graph of that name that is somebody else's is left alone.
DROP EXTENSION journey_stitch;
SET client_min_messages = warning;
SELECT ag_catalog.drop_graph('journey_graph', true);
SELECT ag_catalog.create_graph('journey_graph');
RESET client_min_messages;
SELECT * FROM ag_catalog.cypher('journey_graph', $$ CREATE (:Person {name: 'Ann'}) $$) AS (nothing ag_catalog.agtype);
\c -
LOAD 'age';
CREATE EXTENSION journey_stitch;
SELECT journey_stitch.setup();
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('{"id": 1, "type": "t", "user_id": "ann"}');
-- Stitching cannot be, and says why; the event waits.
SELECT * FROM journey_stitch.stitch_pending();
UPDATE journey_stitch.pending SET next_attempt_at = now();
SELECT * FROM ag_catalog.cypher('journey_graph', $$ MATCH (p) RETURN p.name $$) AS (name ag_catalog.agtype);
-- Once it is out of the way, all is well.
SET client_min_messages = warning;
SELECT ag_catalog.alter_graph('journey_graph', 'RENAME', 'their_graph');
RESET client_min_messages;
SELECT journey_stitch.setup();
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT * FROM ag_catalog.cypher('their_graph', $$ MATCH (p) RETURN p.name $$) AS (name ag_catalog.agtype);
SELECT journey_stitch.clean();

-- Ids beyond the first ten million go into the next partition, in the middle of a call.
SELECT setval('journey_stitch.event_entry_id', 9999994);
SELECT * FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', n, 'type', 't', 'user_id', n % 2, 'ts', n)) FROM generate_series(1, 10) AS n));
SELECT tableoid::regclass AS partition, count(*), min(id), max(id) FROM journey_stitch.events GROUP BY 1 ORDER BY 1;
SELECT * FROM journey_stitch.stitch_pending();
SELECT string_agg(event_id, ' ') FROM journey_stitch.get_journey('user_id:1');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
-- Beyond the middle of one, stitching makes the next ahead of need.
SELECT setval('journey_stitch.event_entry_id', 16000000);
SELECT * FROM journey_stitch.ingest_events('{"id": "middle", "type": "t"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT count(*) AS partitions FROM pg_inherits WHERE inhparent = 'journey_stitch.events'::regclass;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- A schema of that name with something in it.
DROP EXTENSION journey_stitch;
CREATE TABLE journey_stitch.other (n integer);
CREATE EXTENSION journey_stitch;
SELECT * FROM journey_stitch.ingest_events('{"id": 1, "type": "t"}');
DROP EXTENSION journey_stitch;
DROP SCHEMA journey_stitch CASCADE;
SET client_min_messages = warning;
SELECT ag_catalog.drop_graph('journey_graph', true);
SELECT ag_catalog.drop_graph('their_graph', true);
DROP EXTENSION age CASCADE;
SELECT nspname FROM pg_namespace WHERE nspname IN ('journey_stitch', 'journey_graph', 'their_graph', 'oracle');
-- Nothing of it is left to keep its roles.
DROP ROLE journey_stitch_admin, journey_stitch_writer, journey_stitch_reader;
SELECT rolname FROM pg_roles WHERE rolname LIKE 'journey\_stitch%';
