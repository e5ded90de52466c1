-- rebuild_graph(): whatever has become of the graph, it is made anew from the tables, and everything goes on.
\set VERBOSITY default
\set SHOW_CONTEXT never
LOAD 'age';

-- On nothing at all.
SELECT * FROM journey_stitch.rebuild_graph();

-- Two journeys that merged (1 to 4), another one (5, 6), one without a key (8), one in another project, and two
-- events that are pending (7, 9), with a stitched one between them.
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "1", "type": "view", "ts": "2024-05-01T10:00:00Z", "user_id": "ann"},
    {"id": "2", "type": "view ☕", "ts": "2024-05-02T10:00:00.5Z", "anonymous_id": "cookie \"\\"},
    {"id": "5", "type": "buy",  "ts": "1950-05-02T10:00:00Z", "user_id": "bob", "session_id": "s"},
    {"id": "6", "type": "view", "ts": "2024-05-03T10:00:00Z", "user_id": "bob"}]');
SELECT inserted FROM journey_stitch.ingest_events('{"id": "1", "type": "view", "user_id": "ann"}', 'shop');
SELECT * FROM journey_stitch.stitch_pending();
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "3", "type": "log in", "ts": "2024-05-03T10:00:00Z", "anonymous_id": "cookie \"\\", "user_id": "ann"},
    {"id": "4", "type": "view", "ts": "2024-05-03T11:00:00Z", "anonymous_id": "cookie \"\\"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT inserted FROM journey_stitch.ingest_events('{"id": "7", "type": "view", "ts": "2024-05-04T10:00:00Z", "user_id": "cid"}');
SELECT inserted FROM journey_stitch.ingest_events('{"id": "8", "type": "view", "ts": "2024-05-04T10:00:00Z"}', 'shop');
UPDATE journey_stitch.pending SET next_attempt_at = 'infinity' WHERE project_id = 1;
SELECT events, remaining FROM journey_stitch.stitch_pending();
UPDATE journey_stitch.pending SET next_attempt_at = '-infinity';
SELECT inserted FROM journey_stitch.ingest_events('{"id": "9", "type": "view", "ts": "2024-05-04T10:00:00Z", "user_id": "cid"}');

-- What can be read: journeys, the graph by Cypher, and by what indexes.
CREATE SCHEMA rebuild;
CREATE FUNCTION rebuild.present() RETURNS TABLE (what text, line text)
LANGUAGE plpgsql
SET search_path = ag_catalog, public
SET timezone = 'UTC'
AS $function$
BEGIN
    RETURN QUERY
    SELECT 'journeys', concat_ws('|', p.name, e.event_id, journey_stitch.journey_of(e.event_id, p.name), g)
    FROM journey_stitch.events e
    JOIN journey_stitch.projects p ON p.id = e.project_id
    LEFT JOIN LATERAL journey_stitch.get_journey(e.event_id, p.name) AS g ON true;
    RETURN QUERY EXECUTE $q$
        SELECT 'vertices', format('%s', v) FROM cypher('journey_graph', $$ MATCH (v) RETURN v $$) AS (v agtype)
        UNION ALL
        -- Without the edges' own ids, which are new ones.
        SELECT 'edges', concat_ws('|', a, label, properties, b)
        FROM cypher('journey_graph', $$ MATCH (a)-[r]->(b) RETURN a, label(r), properties(r), b $$)
            AS (a agtype, label agtype, properties agtype, b agtype)
        $q$;
    RETURN QUERY
    SELECT 'indexes', concat_ws(' ', c.relname, i.indisunique, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', ''))
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = 'journey_graph'::regnamespace AND i.indisvalid;
END
$function$;
CREATE TABLE rebuild.before AS SELECT * FROM rebuild.present();
SELECT what, count(*) FROM rebuild.before GROUP BY what ORDER BY what;
-- What is missing, surplus or double against that.
CREATE VIEW rebuild.differences AS
SELECT (SELECT sum(violations) FROM journey_stitch.verify()) AS violations,
       count(*) FILTER (WHERE what = 'journeys') AS journeys, count(*) FILTER (WHERE what = 'vertices') AS vertices,
       count(*) FILTER (WHERE what = 'edges') AS edges, count(*) FILTER (WHERE what = 'indexes') AS indexes
FROM (SELECT what, line
      FROM (SELECT what, line, 1 AS n FROM rebuild.present() UNION ALL SELECT what, line, -1 FROM rebuild.before) AS b
      GROUP BY what, line HAVING sum(n) <> 0) AS d;

-- A graph that is as it should be stays so.
SELECT * FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- Vertices deleted, altered and added through Cypher: of our labels, of another one, and of none.
SET search_path = ag_catalog, public;
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event) WHERE e.id = '3' DETACH DELETE e $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (k:Correlation) WHERE k.value = 'bob' SET k.value = 'rob' $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event) WHERE e.id = '5' SET e.note = 'mine' $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ CREATE (:Event {id: 'foreign'})-[:HAS_KEY]->(:Correlation {kind: 'a', value: 'b'}) $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ CREATE (:Journey {id: 'foreign'}), ({id: 'foreign'}) $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event) WHERE e.id = '1' CREATE (:Note {text: 'x'})-[:ABOUT]->(e) $$) AS (none agtype);
RESET search_path;
SELECT violations > 0 AS violations, journeys > 0 AS journeys, vertices, edges, indexes FROM rebuild.differences;
SELECT * FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;
-- Who adds something by Cypher afterwards gets an id of his own, even if the sequence had been set back.
SELECT setval('journey_graph."Event_id_seq"', 1);
SELECT count(*) FROM journey_stitch.rebuild_graph();
BEGIN;
SELECT * FROM ag_catalog.cypher('journey_graph', $$ CREATE (e:Event {id: 'by hand'}) RETURN e.id $$) AS (made ag_catalog.agtype);
SELECT count(*) AS in_the_upper_half FROM journey_graph."Event" WHERE journey_stitch.graph_entry_id(id) >= 140737488355328;
ROLLBACK;

-- Edges that lead nowhere, to another vertex, and double ones, with the index gone that would not have had them.
DROP INDEX journey_graph."PART_OF_start_id_idx", journey_graph."Correlation_id_idx";
DELETE FROM journey_graph."Correlation" WHERE journey_stitch.graph_entry_id(id) = (SELECT id FROM journey_stitch.keys WHERE value = 'bob');
UPDATE journey_graph."HAS_KEY" SET end_id = start_id WHERE start_id OPERATOR(ag_catalog.=) (SELECT start_id FROM journey_graph."HAS_KEY" LIMIT 1);
INSERT INTO journey_graph."PART_OF" (start_id, end_id, properties) SELECT start_id, end_id, '{}' FROM journey_graph."PART_OF";
SELECT violations > 0 AS violations, indexes FROM rebuild.differences;
SELECT * FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- Every index gone.
DO $$
DECLARE
    one regclass;
BEGIN
    FOR one IN SELECT i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
               WHERE c.relnamespace = 'journey_graph'::regnamespace AND c.relname NOT LIKE '\_ag%' LOOP
        EXECUTE format('DROP INDEX %s', one);
    END LOOP;
END
$$;
SELECT * FROM rebuild.differences;
SELECT count(*) FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- A label dropped, by AGE's own function.
SET client_min_messages = warning;
SELECT ag_catalog.drop_label('journey_graph', 'Journey');
RESET client_min_messages;
-- verify() may count, or say which table it does not find.
CREATE FUNCTION rebuild.is_damaged() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT sum(violations) > 0 FROM journey_stitch.verify());
EXCEPTION WHEN undefined_table THEN
    RETURN true;
END
$$;
SELECT rebuild.is_damaged();
SELECT * FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- A label's table dropped in a session that has not loaded AGE, whose catalog then still has the label.
\c -
DROP TABLE journey_graph."HAS_KEY";
SELECT rebuild.is_damaged();
SELECT * FROM journey_stitch.rebuild_graph();
LOAD 'age';
SELECT * FROM rebuild.differences;
SELECT count(*) AS labels_without_graph FROM ag_catalog.ag_label l
WHERE NOT EXISTS (SELECT FROM ag_catalog.ag_graph g WHERE g.graphid = l.graph);

-- A column too many, on which Cypher's CREATE would crash.
ALTER TABLE journey_graph."Event" ADD COLUMN note text;
SELECT count(*) FROM journey_stitch.rebuild_graph();
SELECT attname FROM pg_attribute WHERE attrelid = 'journey_graph."Event"'::regclass AND attnum > 0 ORDER BY attnum;
SELECT * FROM rebuild.differences;

-- A label's table that is no longer one of the graph's vertices.
ALTER TABLE journey_graph."Correlation" NO INHERIT journey_graph._ag_label_vertex;
SELECT vertices > 0 AS vertices FROM rebuild.differences;
SELECT count(*) FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- The graph dropped.
SET client_min_messages = warning;
SELECT ag_catalog.drop_graph('journey_graph', true);
RESET client_min_messages;
SELECT rebuild.is_damaged();
SELECT * FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- Its schema dropped, in a session that has not loaded AGE.
\c -
SET client_min_messages = warning;
DROP SCHEMA journey_graph CASCADE;
RESET client_min_messages;
SELECT rebuild.is_damaged();
SELECT * FROM journey_stitch.rebuild_graph();
LOAD 'age';
SELECT * FROM rebuild.differences;

-- AGE's entries for it gone, and the tables still there.
DELETE FROM ag_catalog.ag_label WHERE graph = (SELECT graphid FROM ag_catalog.ag_graph WHERE name = 'journey_graph');
DELETE FROM ag_catalog.ag_graph WHERE name = 'journey_graph';
SELECT journey_stitch.graph_label_id('Journey') IS NULL AS unknown_to_age;
SELECT * FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- Undone with its transaction.
DELETE FROM journey_graph."HAS_KEY";
BEGIN;
SELECT count(*) FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;
ROLLBACK;
SELECT violations > 0 AS violations, edges > 0 AS edges FROM rebuild.differences;
SELECT count(*) FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- Stitching goes on: the pending ones, and one that merges two old journeys.
SELECT * FROM journey_stitch.stitch_pending();
SELECT inserted FROM journey_stitch.ingest_events('{"id": "10", "type": "view", "ts": "2024-05-05T10:00:00Z", "user_id": "bob", "anonymous_id": "cookie \"\\"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id FROM journey_stitch.get_journey('user_id:ann');
SELECT event_id FROM journey_stitch.get_journey('user_id:cid');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
TRUNCATE rebuild.before;
INSERT INTO rebuild.before SELECT * FROM rebuild.present();
SELECT * FROM journey_stitch.rebuild_graph();
SELECT * FROM rebuild.differences;

-- Over a graph that lacks something, stitching may be refused, but it must not write anything wrong into the
-- tables: merges are found through the graph.
CREATE FUNCTION rebuild.try_to_stitch() RETURNS void LANGUAGE plpgsql SET client_min_messages = error AS $$
BEGIN
    PERFORM journey_stitch.stitch_pending();
EXCEPTION WHEN OTHERS THEN
    NULL;
END
$$;
CREATE FUNCTION rebuild.rebuild_and_stitch() RETURNS TABLE (labels bigint, remaining bigint) LANGUAGE plpgsql AS $$
BEGIN
    labels := (SELECT count(*) FROM journey_stitch.rebuild_graph());
    UPDATE journey_stitch.pending SET next_attempt_at = '-infinity';
    remaining := (SELECT s.remaining FROM journey_stitch.stitch_pending() AS s);
    RETURN NEXT;
END
$$;
DELETE FROM journey_graph."PART_OF";
SELECT inserted FROM journey_stitch.ingest_events('{"id": "11", "type": "view", "ts": "2024-05-06T10:00:00Z", "user_id": "ann", "correlations": {"user_id": "cid"}}');
SELECT rebuild.try_to_stitch();
SELECT * FROM rebuild.rebuild_and_stitch();
SELECT string_agg(event_id, ' ') FROM journey_stitch.get_journey('user_id:ann');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
DELETE FROM journey_graph."HAS_KEY";
SELECT inserted FROM journey_stitch.ingest_events('{"id": "12", "type": "view", "ts": "2024-05-06T10:00:00Z", "user_id": "dan"}');
SELECT rebuild.try_to_stitch();
SELECT * FROM rebuild.rebuild_and_stitch();
DELETE FROM journey_graph."HAS_KEY";
SELECT inserted FROM journey_stitch.ingest_events('{"id": "13", "type": "view", "ts": "2024-05-07T10:00:00Z", "user_id": "ann", "correlations": {"user_id": "dan"}}');
SELECT rebuild.try_to_stitch();
SELECT * FROM rebuild.rebuild_and_stitch();
SELECT string_agg(event_id, ' ') FROM journey_stitch.get_journey('user_id:ann');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT inserted FROM journey_stitch.ingest_events('{"id": "14", "type": "view", "ts": "2024-05-08T10:00:00Z", "user_id": "eve"}');
SELECT * FROM rebuild.rebuild_and_stitch();
SET client_min_messages = warning;
SELECT ag_catalog.drop_graph('journey_graph', true);
RESET client_min_messages;
SELECT inserted FROM journey_stitch.ingest_events('{"id": "15", "type": "view", "ts": "2024-05-09T10:00:00Z", "user_id": "ann", "correlations": {"user_id": "eve"}}');
SELECT rebuild.try_to_stitch();
SELECT * FROM rebuild.rebuild_and_stitch();
SELECT string_agg(event_id, ' ') FROM journey_stitch.get_journey('user_id:ann');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT count(*) AS dead_letters FROM journey_stitch.dead_letters;

-- The tables of a graph that AGE does not know, and no journey, as a dump of only the schema leaves them.
SELECT journey_stitch.clean();
DELETE FROM ag_catalog.ag_label WHERE graph = (SELECT graphid FROM ag_catalog.ag_graph WHERE name = 'journey_graph');
DELETE FROM ag_catalog.ag_graph WHERE name = 'journey_graph';
SELECT * FROM journey_stitch.rebuild_graph();
SELECT inserted FROM journey_stitch.ingest_events('{"id": "1", "type": "view", "user_id": "ann"}');
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- Labels that get other numbers than those that this session knows.
SELECT count(*) FROM journey_stitch.get_journey('1');
SET client_min_messages = warning;
SELECT ag_catalog.drop_graph('journey_graph', true);
SELECT ag_catalog.create_graph('journey_graph');
SELECT ag_catalog.create_vlabel('journey_graph', 'Journey');
SELECT ag_catalog.create_vlabel('journey_graph', 'Event');
SELECT ag_catalog.create_vlabel('journey_graph', 'Correlation');
SELECT ag_catalog.create_elabel('journey_graph', 'PART_OF');
SELECT ag_catalog.create_elabel('journey_graph', 'HAS_KEY');
RESET client_min_messages;
SELECT sum(entries) AS entries FROM journey_stitch.rebuild_graph();
SELECT count(*) FROM journey_stitch.get_journey('1');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- A graph of that name that is somebody else's, where there is no journey, is left alone.
SELECT journey_stitch.clean();
SET client_min_messages = warning;
SELECT ag_catalog.drop_graph('journey_graph', true);
SELECT ag_catalog.create_graph('journey_graph');
SELECT ag_catalog.create_vlabel('journey_graph', 'Event');
RESET client_min_messages;
SELECT journey_stitch.rebuild_graph();
\echo :LAST_ERROR_SQLSTATE
SET client_min_messages = warning;
SELECT ag_catalog.drop_graph('journey_graph', true);
SELECT journey_stitch.setup();
DROP SCHEMA rebuild CASCADE;
RESET client_min_messages;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
