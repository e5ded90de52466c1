-- Each event_id of a project goes in once, for ever.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- In one call, the first to arrive stays.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "a", "type": "first"}, {"id": "b", "type": "first"}, {"id": "a", "type": "second"}, {"id": "a", "type": "third"}]');
SELECT event_id, event_type FROM journey_stitch.events ORDER BY id;

-- Across calls, pending or stitched.
SELECT * FROM journey_stitch.ingest_events('[{"id": "b", "type": "again"}, {"id": "c", "type": "new"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('[{"id": "a", "type": "again"}, {"id": "b", "type": "again"}, {"id": "c", "type": "again"}]');
SELECT * FROM journey_stitch.ingest_events('{"id": "a", "type": "again"}');
SELECT event_id, event_type FROM journey_stitch.events ORDER BY id;

-- A call of nothing but duplicates leaves nothing to stitch.
SELECT count(*) AS queue_rows FROM journey_stitch.pending WHERE events > 0;

-- Bad events are counted as rejected, not as duplicates, and every time.
SELECT * FROM journey_stitch.ingest_events('[{"id": "a", "type": "again"}, {"id": "d"}, {"id": "e", "type": "new"}]');
SELECT * FROM journey_stitch.ingest_events('[{"id": "a", "type": "again"}, {"id": "d"}, {"id": "e", "type": "new"}]');
SELECT count(*) AS dead_letters FROM journey_stitch.dead_letters;

-- Ids are compared as texts: 1 and "1" are the same, 1.0 is another.
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t"}, {"id": "1", "type": "t"}, {"id": 1.0, "type": "t"}, {"id": "01", "type": "t"}, {"id": "1 ", "type": "t"}]');
SELECT format('<%s>', event_id) AS event_id FROM journey_stitch.events WHERE event_id LIKE '%1%' ORDER BY id;

-- An event without id gets one of its own, so that it is never a duplicate.
SELECT * FROM journey_stitch.ingest_events('[{"type": "anonymous"}, {"type": "anonymous"}]');
SELECT * FROM journey_stitch.ingest_events('[{"type": "anonymous"}, {"type": "anonymous"}]');
SELECT count(*) AS events, count(DISTINCT event_id) AS ids, bool_and(pg_input_is_valid(event_id, 'uuid')) AS are_uuids
FROM journey_stitch.events WHERE event_type = 'anonymous';

-- Another project knows nothing of it.
SELECT * FROM journey_stitch.ingest_events('[{"id": "a", "type": "elsewhere"}]', 'shop');
SELECT * FROM journey_stitch.ingest_events('[{"id": "a", "type": "elsewhere"}]', project => 'shop');

-- Many, half of them known, in the opposite order.
SELECT received, inserted, duplicates, rejected
FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', n, 'type', 'many')) FROM generate_series(1001, 3000) AS n));
SELECT received, inserted, duplicates, rejected
FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', n, 'type', 'more') ORDER BY n DESC) FROM generate_series(2001, 4000) AS n));
SELECT event_type, count(*), min(event_id::int), max(event_id::int)
FROM journey_stitch.events WHERE event_type IN ('many', 'more') GROUP BY 1 ORDER BY 1;

-- Ids rise in order of arrival within a call.
SELECT bool_and(event_id::int < before) AS in_order_of_arrival
FROM (SELECT event_id, lag(event_id::int) OVER (ORDER BY id) AS before FROM journey_stitch.events WHERE event_type = 'more') AS neighbours;

SELECT * FROM journey_stitch.stitch_pending();
SELECT count(*) AS events, (SELECT count(*) FROM journey_stitch.event_ids) AS in_ledger FROM journey_stitch.events;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
