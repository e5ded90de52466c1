-- Projects: made by their first call, and strangers to each other.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

SELECT name FROM journey_stitch.projects ORDER BY id;
SELECT * FROM journey_stitch.ingest_events('{"id": 1, "type": "view", "user_id": "ann", "ts": "2024-05-01T10:00:00Z"}');
SELECT * FROM journey_stitch.ingest_events('{"id": 1, "type": "view", "user_id": "ann", "ts": "2024-05-02T10:00:00Z"}', 'shop');
SELECT * FROM journey_stitch.ingest_events('{"id": 2, "type": "view", "user_id": "ann", "ts": "2024-05-03T10:00:00Z"}', project => 'магазин №1');
SELECT name FROM journey_stitch.projects ORDER BY id;

-- A call without events makes one too, and so does one whose events are all bad.
SELECT * FROM journey_stitch.ingest_events('[]', 'empty');
SELECT * FROM journey_stitch.ingest_events('[1]', 'bad');
SELECT name FROM journey_stitch.projects ORDER BY id;

-- Names have 1 to 200 bytes.
SELECT * FROM journey_stitch.ingest_events('[]', '');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('[]', repeat('x', 201));
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('[]', repeat('é', 101));
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('[]', repeat('x', 200));
SELECT * FROM journey_stitch.ingest_events('[]', repeat('é', 100));
SELECT octet_length(name) AS bytes, count(*) FROM journey_stitch.projects GROUP BY 1 ORDER BY 1;

-- stitch_pending() stitches all of them; the same user_id is a person of each.
SELECT * FROM journey_stitch.stitch_pending();
SELECT p.name, k.kind, k.value FROM journey_stitch.keys k JOIN journey_stitch.projects p ON p.id = k.project_id ORDER BY k.id;
SELECT count(DISTINCT journey_id) AS journeys FROM journey_stitch.keys;
SELECT event_id, occurred_at FROM journey_stitch.get_journey('user_id:ann');
SELECT event_id, occurred_at FROM journey_stitch.get_journey('user_id:ann', 'shop');
SELECT event_id, occurred_at FROM journey_stitch.get_journey('user_id:ann', project => 'магазин №1');
SELECT journey_stitch.journey_of('1') <> journey_stitch.journey_of('1', 'shop') AS two_journeys;
SELECT journey_stitch.journey_of('2') AS none, journey_stitch.journey_of('2', 'магазин №1') IS NOT NULL AS there;
-- Another project's journey id leads nowhere.
SELECT count(*) FROM journey_stitch.get_journey(journey_stitch.journey_of('1', 'shop')::text);
SELECT count(*) FROM journey_stitch.get_journey(journey_stitch.journey_of('1', 'shop')::text, 'shop');

SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-03', project => 'shop');
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03', project => 'магазин №1');
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03', project => 'empty');

-- A project that is not there, with every function that reads one.
SELECT * FROM journey_stitch.get_journey('1', 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.journey_of('1', 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.find_journey('1', 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT journey_stitch.find_journey('e', 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(project => 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention(project => 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03', project => 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retry_dead_letters('no such');
\echo :LAST_ERROR_SQLSTATE

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
SELECT name FROM journey_stitch.projects ORDER BY id;
