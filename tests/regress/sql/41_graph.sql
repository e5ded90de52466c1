-- The graph: Cypher sees exactly what get_journey() sees, and what its documentation says works, works.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
LOAD 'age';
SET search_path = ag_catalog, "$user", public;

SELECT * FROM journey_stitch.ingest_events('[
    {"id": "e1", "type": "view", "ts": "2024-05-01T12:00:00.5Z", "anonymous_id": "cookie", "session_id": "s1"},
    {"id": "e2", "type": "log in", "ts": "2024-05-01T12:10:00Z", "anonymous_id": "cookie", "user_id": "ann"},
    {"id": "it''s \"e3\" \\", "type": "buy ☕", "ts": "1950-05-01T12:20:00Z", "user_id": "ann", "correlations": ["order:1:a", "bare"]},
    {"id": "x1", "type": "view", "ts": "2024-05-01T09:00:00Z", "user_id": "bob"},
    {"id": "y1", "type": "view", "ts": "2024-05-01T09:00:00Z"}]');
-- Nothing is in it before it is stitched.
SELECT * FROM cypher('journey_graph', $$ MATCH (n) RETURN count(n) $$) AS (vertices agtype);
SELECT * FROM journey_stitch.stitch_pending();

SELECT * FROM cypher('journey_graph', $$ MATCH (n) RETURN label(n), count(n) ORDER BY label(n) $$) AS (label agtype, vertices agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH ()-[r]->() RETURN label(startNode(r)), type(r), label(endNode(r)), count(r) ORDER BY type(r) $$)
    AS (of agtype, type agtype, "to" agtype, edges agtype);

-- Properties.
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event) RETURN e.id, e.type, e.ts ORDER BY e.ts, e.id $$) AS (id agtype, type agtype, ts agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (c:Correlation) RETURN c.kind, c.value ORDER BY c.kind, c.value $$) AS (kind agtype, value agtype);
SELECT count(*) AS journeys, bool_and(agtype_to_text(v.created)::timestamptz = j.created_at) AS created_when_the_table_says
FROM cypher('journey_graph', $$ MATCH (j:Journey) RETURN j.id, j.created_at $$) AS v (id agtype, created agtype)
JOIN journey_stitch.journeys j ON j.uuid = agtype_to_text(v.id)::uuid;

-- The journey of an event, as the README has it: in two clauses, because one never takes an edge twice.
SELECT * FROM cypher('journey_graph', $$
    MATCH (e:Event)-[:HAS_KEY]->()-[:PART_OF]->(j) WHERE e.id = 'e1'
    WITH DISTINCT j
    MATCH (j)<-[:PART_OF]-()<-[:HAS_KEY]-(e2)
    RETURN DISTINCT e2.id, e2.type, e2.ts ORDER BY e2.ts $$) AS (id agtype, type agtype, ts agtype);
-- From a key.
SELECT * FROM cypher('journey_graph', $$
    MATCH (c:Correlation)-[:PART_OF]->(j) WHERE c.value = 'ann' AND c.kind = 'user_id'
    WITH j MATCH (j)<-[:PART_OF]-(k) RETURN k.kind, k.value ORDER BY k.kind $$) AS (kind agtype, value agtype);
-- Which keys two events share.
SELECT * FROM cypher('journey_graph', $$
    MATCH (a:Event)-[:HAS_KEY]->(k)<-[:HAS_KEY]-(b:Event) WHERE a.id = 'e1' RETURN b.id, k.kind, k.value $$) AS (other agtype, kind agtype, value agtype);
-- A path, and one of variable length.
SELECT * FROM cypher('journey_graph', $$
    MATCH p = (e:Event)-[*2]->(j:Journey) WHERE e.id = 'x1' RETURN length(p), count(*) $$) AS (length agtype, paths agtype);
-- By parameter.
PREPARE events_of(agtype) AS
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event) WHERE e.id = $id RETURN e.type $$, $1) AS (type agtype);
EXECUTE events_of('{"id": "e2"}');
DEALLOCATE events_of;

-- Looking an event up uses the index.
SET enable_seqscan = off;
CREATE TEMP TABLE plan (line text);
DO $do$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE $q$ EXPLAIN (COSTS OFF) SELECT * FROM ag_catalog.cypher('journey_graph', $$ MATCH (e:Event) WHERE e.id = 'e1' RETURN e $$) AS (e ag_catalog.agtype) $q$ LOOP
        INSERT INTO plan VALUES (line);
    END LOOP;
END
$do$;
SELECT count(*) > 0 AS by_index FROM plan WHERE line LIKE '%journey_stitch_event_id%';
RESET enable_seqscan;
SELECT journey_stitch.clean();
SELECT * FROM cypher('journey_graph', $$ MATCH (n) RETURN count(n) $$) AS (vertices agtype);

-- On many events with merges: for each journey, the same events by Cypher, by get_journey() and by the oracle.
SELECT oracle.generate('graph', 1500, 150, '2024-03-01 00:00Z', 14);
SELECT oracle.find_components();
SET journey_stitch.batch_size = 100;
SELECT oracle.send(1, 1500);
SELECT events, journeys_created - journeys_merged AS journeys, journeys_merged > 0 AS some_merged, remaining FROM journey_stitch.stitch_pending();
RESET journey_stitch.batch_size;
CREATE TEMP TABLE by_cypher (journey uuid, event_id text);
INSERT INTO by_cypher
SELECT agtype_to_text(j)::uuid AS journey, agtype_to_text(e) AS event_id
FROM cypher('journey_graph', $$ MATCH (e:Event)-[:HAS_KEY]->()-[:PART_OF]->(j:Journey) RETURN DISTINCT j.id, e.id $$) AS (j agtype, e agtype);
CREATE TEMP TABLE by_function AS
SELECT g.journey_id AS journey, g.event_id
FROM journey_stitch.journeys j CROSS JOIN LATERAL journey_stitch.get_journey(j.uuid::text) AS g
WHERE j.merged_into IS NULL;
SELECT (SELECT count(*) FROM by_cypher) AS by_cypher, (SELECT count(*) FROM by_function) AS by_function,
       (SELECT count(*) FROM (TABLE by_cypher EXCEPT ALL TABLE by_function) AS d) AS only_by_cypher,
       (SELECT count(*) FROM (TABLE by_function EXCEPT ALL TABLE by_cypher) AS d) AS only_by_function;
SELECT count(*) AS events, count(DISTINCT component) AS components, count(DISTINCT journey) AS journeys, count(DISTINCT (component, journey)) AS pairs
FROM by_cypher JOIN oracle.events USING (event_id) JOIN oracle.components USING (n);
-- Vertices and edges are as many as the tables say, and no absorbed journey has one.
SELECT (SELECT count(*) FROM journey_graph."Event") = (SELECT count(*) FROM journey_stitch.events) AS events,
       (SELECT count(*) FROM journey_graph."Correlation") = (SELECT count(*) FROM journey_stitch.keys) AS keys,
       (SELECT count(*) FROM journey_graph."Journey") = (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL) AS journeys,
       (SELECT count(*) FROM journey_graph."HAS_KEY") = (SELECT sum(greatest(cardinality(keys), 1)) FROM oracle.events) AS has_key,
       (SELECT count(*) FROM journey_graph."PART_OF") = (SELECT count(*) FROM journey_stitch.keys) AS part_of;
-- A vertex's entry id is the row's id.
SELECT count(*) AS events FROM journey_graph."Event" v JOIN journey_stitch.events e ON e.id = journey_stitch.graph_entry_id(v.id);
SELECT bool_and(v.id = _graphid(journey_stitch.graph_label_id('Journey'), j.id)) AS same
FROM journey_stitch.journeys j JOIN journey_graph."Journey" v ON agtype_to_text(agtype_object_field(v.properties, 'id'))::uuid = j.uuid;
SELECT journey_stitch.graph_label_id('no such') IS NULL AS no_such_label;

-- What a user adds to the graph with Cypher does not meet ours: its ids come from the upper half.
BEGIN;
SELECT * FROM cypher('journey_graph', $$ CREATE (e:Event {id: 'by hand'}) RETURN id(e) > 281474976710656 $$) AS (made agtype);
SELECT bool_and(journey_stitch.graph_entry_id(v.id) >= 140737488355328) AS in_the_upper_half
FROM journey_graph."Event" v WHERE agtype_to_text(agtype_object_field(v.properties, 'id')) = 'by hand';
ROLLBACK;

RESET search_path;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
TRUNCATE oracle.events, oracle.components;
