-- graph_check(): what somebody has done to the graph by hand is named and counted, label by label.
\set VERBOSITY default
\set SHOW_CONTEXT never
LOAD 'age';
SELECT journey_stitch.clean();

-- Two journeys that merged (1 to 4), another one (5, 6), one in another project, and one event that is pending.
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "1", "type": "view", "ts": "2024-05-01T10:00:00Z", "user_id": "ann"},
    {"id": "2", "type": "view", "ts": "2024-05-02T10:00:00Z", "anonymous_id": "cookie"},
    {"id": "5", "type": "buy",  "ts": "2024-05-02T10:00:00Z", "user_id": "bob", "session_id": "s"},
    {"id": "6", "type": "view", "ts": "2024-05-03T10:00:00Z", "user_id": "bob"}]');
SELECT inserted FROM journey_stitch.ingest_events('{"id": "1", "type": "view", "user_id": "ann"}', 'shop');
SELECT * FROM journey_stitch.stitch_pending();
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "3", "type": "log in", "ts": "2024-05-03T10:00:00Z", "anonymous_id": "cookie", "user_id": "ann"},
    {"id": "4", "type": "view", "ts": "2024-05-03T11:00:00Z", "anonymous_id": "cookie"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT inserted FROM journey_stitch.ingest_events('{"id": "7", "type": "view", "user_id": "cid"}');

-- Every label and problem, 0 where all is well.
SELECT * FROM journey_stitch.graph_check();

-- What is wrong, after what was done; then everything as it was.
CREATE VIEW public.found AS SELECT * FROM journey_stitch.graph_check() WHERE entries <> 0;

-- Through Cypher: vertices deleted with their edges, altered, and added, edges deleted, added, and given a property.
BEGIN;
SET LOCAL search_path = ag_catalog, public;
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event) WHERE e.id = '3' DETACH DELETE e $$) AS (none agtype);
SELECT * FROM found;
ROLLBACK;
BEGIN;
SET LOCAL search_path = ag_catalog, public;
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event) WHERE e.id = '5' SET e.id = 5 $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event) WHERE e.id = '6' SET e.note = 'mine' $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (k:Correlation) WHERE k.value = 'bob' REMOVE k.kind $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (j:Journey) SET j.created_at = 'once' $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (:Correlation {value: 's'})-[p:PART_OF]->() SET p.since = 1 $$) AS (none agtype);
SELECT * FROM found;
ROLLBACK;
BEGIN;
SET LOCAL search_path = ag_catalog, public;
SELECT * FROM cypher('journey_graph', $$ CREATE (:Event {id: 'x'})-[:HAS_KEY]->(:Correlation {kind: 'a', value: 'b'}) $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (e:Event)-[:HAS_KEY]->(k {value: 's'}) CREATE (e)-[:HAS_KEY]->(k) $$) AS (none agtype);
SELECT * FROM cypher('journey_graph', $$ MATCH (:Event)-[h:HAS_KEY]->({value: 'cookie'}) DELETE h $$) AS (none agtype);
SELECT * FROM found;
ROLLBACK;

-- Labels of one's own. Their entries' ids begin at 1, as ours do.
BEGIN;
SET LOCAL search_path = ag_catalog, public;
SELECT * FROM cypher('journey_graph', $$ CREATE (:Note)-[:ABOUT]->(), (:Note)-[:HAS_KEY]->(:Note) $$) AS (none agtype);
SELECT * FROM found;
ROLLBACK;

-- By SQL: an edge to another journey, ends that are gone, and what a unique index would not have let in.
BEGIN;
UPDATE journey_graph."PART_OF" p SET end_id = ag_catalog._graphid(journey_stitch.graph_label_id('Journey'), k.journey_id)
FROM journey_stitch.keys k
WHERE k.value = 'bob'
  AND journey_stitch.graph_entry_id(p.start_id) = (SELECT id FROM journey_stitch.keys WHERE value = 'cookie');
SELECT * FROM public.found;
ROLLBACK;
BEGIN;
DELETE FROM journey_graph."Correlation"
WHERE journey_stitch.graph_entry_id(id) = (SELECT id FROM journey_stitch.keys WHERE value = 'cookie');
SELECT * FROM public.found;
ROLLBACK;
BEGIN;
DROP INDEX journey_graph."PART_OF_start_id_idx", journey_graph."Correlation_id_idx", journey_graph.journey_stitch_event_id;
INSERT INTO journey_graph."Correlation" SELECT * FROM journey_graph."Correlation";
INSERT INTO journey_graph."PART_OF" (start_id, end_id, properties) SELECT start_id, end_id, '{}' FROM journey_graph."PART_OF";
SELECT * FROM public.found;
ROLLBACK;
-- Edges of one id, of which Cypher would walk only one, and vertices with the number of another label.
BEGIN;
UPDATE journey_graph."HAS_KEY" SET id = (SELECT max(id::text)::ag_catalog.graphid FROM journey_graph."HAS_KEY");
UPDATE journey_graph."Event" SET id = ag_catalog._graphid(9, journey_stitch.graph_entry_id(id));
SELECT * FROM public.found;
ROLLBACK;

-- An edge between entries of the right numbers, but of other labels.
BEGIN;
INSERT INTO journey_graph."HAS_KEY" (start_id, end_id, properties)
SELECT ag_catalog._graphid(9, journey_stitch.graph_entry_id(start_id)), end_id, '{}' FROM journey_graph."HAS_KEY" LIMIT 1;
INSERT INTO journey_graph."PART_OF" (start_id, end_id, properties)
SELECT ag_catalog._graphid(9, journey_stitch.graph_entry_id(start_id)), end_id, '{}' FROM journey_graph."PART_OF" LIMIT 1;
SELECT * FROM public.found;
ROLLBACK;

-- Tables that are empty, gone, or not as AGE makes them.
BEGIN;
TRUNCATE journey_graph."Journey";
SELECT * FROM public.found;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT ag_catalog.drop_label('journey_graph', 'Event');
SELECT * FROM public.found;
ROLLBACK;
BEGIN;
ALTER TABLE journey_graph."Correlation" ADD COLUMN note text;
ALTER TABLE journey_graph."Journey" NO INHERIT journey_graph._ag_label_vertex;
SELECT * FROM public.found;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT ag_catalog.drop_graph('journey_graph', true);
SELECT * FROM public.found;
ROLLBACK;

-- In a session that has not loaded AGE, whose catalog then still has the label.
\c -
\set VERBOSITY default
\set SHOW_CONTEXT never
BEGIN;
DROP TABLE journey_graph."HAS_KEY";
SELECT * FROM public.found;
ROLLBACK;

-- Keys that tie no event, and events that are not tied by a key: the graph has neither edge.
BEGIN;
INSERT INTO journey_stitch.merge_conflicts (event_id, key_id, project_id, rule, occurred_at)
SELECT e.id, k.id, e.project_id, 'unmerge', e.occurred_at
FROM journey_stitch.events e JOIN journey_stitch.keys k ON k.value = 's' WHERE e.event_id = '5';
UPDATE journey_stitch.keys SET journey_id = NULL WHERE value = 's';
SELECT * FROM public.found;
SELECT * FROM journey_stitch.rebuild_graph();
SELECT * FROM public.found;
ROLLBACK;

-- Nobody else's graph is looked at.
BEGIN;
CREATE ROLE graph_check_other;
ALTER TABLE journey_graph."Event" OWNER TO graph_check_other;
SELECT * FROM journey_stitch.graph_check();
ROLLBACK;

-- It can be asked where nothing can be written.
BEGIN READ ONLY;
SELECT * FROM public.found;
COMMIT;
DROP VIEW public.found;
SELECT journey_stitch.clean();
