-- The parts that the functions above are made of, as far as SQL can call them.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Sets of members: rows of the rollups, in the portable format of roaring bitmaps.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "a", "ts": "2024-05-01T10:10:00Z", "user_id": "ann"},
    {"id": 2, "type": "b", "ts": "2024-05-01T10:20:00Z", "user_id": "bob"},
    {"id": 3, "type": "b", "ts": "2024-05-01T10:40:00Z", "user_id": "ann"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT a.identity, a.event_type, a.starts_at, string_agg(u.user_id, ' ' ORDER BY u.user_id) AS users, count(*) AS members
FROM journey_stitch.activity a
CROSS JOIN LATERAL journey_stitch.members_ids(a.chunk, a.members) AS m (id)
LEFT JOIN journey_stitch.users u ON u.id = m.id AND a.identity = 'u'
GROUP BY a.identity, a.event_type, a.starts_at ORDER BY a.identity DESC, a.starts_at, a.event_type;
SELECT starts_at, event_type, events FROM journey_stitch.event_counts ORDER BY starts_at, event_type;
SELECT t.starts_at, t.event_type, r.occurred_at, u.user_id, r.journey_number > 0 AS has_journey
FROM journey_stitch.timeline t CROSS JOIN LATERAL journey_stitch.timeline_events(t.run) AS r LEFT JOIN journey_stitch.users u ON u.id = r.user_number ORDER BY r.id;
-- Union and difference of a's users and b's.
WITH a AS (SELECT chunk, members FROM journey_stitch.activity WHERE identity = 'u' AND event_type = 'a'),
     b AS (SELECT chunk, members FROM journey_stitch.activity WHERE identity = 'u' AND event_type = 'b')
SELECT (SELECT string_agg(u.user_id, ' ' ORDER BY u.user_id) FROM journey_stitch.members_ids(a.chunk, journey_stitch.members_union(a.members, b.members)) AS m (id) JOIN journey_stitch.users u USING (id)) AS a_or_b,
       (SELECT string_agg(u.user_id, ' ' ORDER BY u.user_id) FROM journey_stitch.members_ids(a.chunk, journey_stitch.members_difference(b.members, a.members)) AS m (id) JOIN journey_stitch.users u USING (id)) AS b_not_a,
       (SELECT count(*) FROM journey_stitch.members_ids(a.chunk, journey_stitch.members_difference(a.members, a.members))) AS a_not_a,
       journey_stitch.members_union(a.members, b.members) = journey_stitch.members_union(b.members, a.members) AS either_way
FROM a, b;
-- The format is the standard's: 1, 2, 3 and 65535 in an array container (cookie 12346, key 0, four values, offset 16).
SELECT array_agg(id) FROM journey_stitch.members_ids(0, '\x3a300000010000000000030010000000010002000300ffff') AS m (id);
SELECT array_agg(id) FROM journey_stitch.members_ids(2, journey_stitch.members_union('\x3a3000000100000002000000100000000100', '\x3a3000000100000002000000100000000700')) AS m (id);
SELECT journey_stitch.members_union(NULL, '\x3a30000000000000') IS NULL AS strict;
-- What is none is refused, whatever it is; members_ids() answers NULL, for verify() to count.
SELECT journey_stitch.members_ids(0, '');
SELECT journey_stitch.members_union('\x3a30000001', '\x3a30000000000000');
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.members_difference('\xdeadbeef', '\xdeadbeef');
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.members_ids(1, '\x3a300000010000000000030010000000010002000300ffff');

-- Partitions of events, made ahead of the ids that will need them. Once more changes nothing.
SELECT count(*) AS partitions FROM pg_inherits WHERE inhparent = 'journey_stitch.events'::regclass;
BEGIN;
SELECT journey_stitch.ensure_event_partitions(25000000);
SELECT journey_stitch.ensure_event_partitions(25000000);
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'journey_stitch.events'::regclass ORDER BY 1;
SELECT (SELECT count(*) FROM pg_index WHERE indrelid = 'journey_stitch.events_p2'::regclass) AS indexes;
ROLLBACK;

-- Views, names, numbers.
SELECT count(*) AS stitched FROM journey_stitch.stitched_events;
SELECT * FROM journey_stitch.ingest_events('{"id": 4, "type": "t"}');
SELECT count(*) AS stitched, (SELECT count(*) FROM journey_stitch.events) AS events FROM journey_stitch.stitched_events;
SELECT journey_stitch.graph_entry_id(ag_catalog._graphid(3, 12345)) AS entry, journey_stitch.graph_entry_id(NULL) IS NULL AS strict;
SELECT l.name, journey_stitch.graph_label_id(l.name) = l.id AS same
FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
WHERE g.name = 'journey_graph' AND l.name NOT LIKE '\_ag%' ORDER BY 1;

-- The tables' own constraints.
\set VERBOSITY terse
INSERT INTO journey_stitch.projects (name) VALUES ('default');
INSERT INTO journey_stitch.projects (name) VALUES ('');
INSERT INTO journey_stitch.pending (project_id, events, event_ranges) VALUES (1, -1, '{}');
INSERT INTO journey_stitch.event_ids SELECT * FROM journey_stitch.event_ids;
INSERT INTO journey_stitch.keys SELECT id + 1000, journey_id, first_journey_id, project_id, kind, value FROM journey_stitch.keys;
INSERT INTO journey_stitch.users (id, project_id, user_id) SELECT id + 1000, project_id, user_id FROM journey_stitch.users;
UPDATE journey_stitch.activity SET identity = 'w';
\set VERBOSITY default

SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
