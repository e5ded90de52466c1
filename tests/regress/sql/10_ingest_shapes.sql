-- What ingest_events() takes as a whole: an object, an array, {"events": [...]}; and what it does not.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- One event, as an object.
SELECT * FROM journey_stitch.ingest_events('{"event_id": "one", "event_type": "view", "timestamp": "2024-05-01T10:00:00Z"}');
-- Several, as an array.
SELECT * FROM journey_stitch.ingest_events('[
    {"event_id": "two",   "event_type": "view", "timestamp": "2024-05-01T11:00:00Z"},
    {"event_id": "three", "event_type": "buy",  "timestamp": "2024-05-01T12:00:00Z"}]');
-- As Segment's and others' batches send them.
SELECT * FROM journey_stitch.ingest_events('{"events": [
    {"event_id": "four", "event_type": "view", "timestamp": "2024-05-01T13:00:00Z"},
    {"event_id": "five", "event_type": "view", "timestamp": "2024-05-01T14:00:00Z"}]}');
SELECT event_id, event_type, occurred_at FROM journey_stitch.events ORDER BY id;

-- An event of its own may have a member "events" too: the event type tells it from a batch.
SELECT * FROM journey_stitch.ingest_events('{"event_id": "six", "event_type": "summary", "events": [1, 2]}');
SELECT event_id, properties FROM journey_stitch.events WHERE event_id = 'six';

-- Nothing comes of nothing.
SELECT * FROM journey_stitch.ingest_events('[]');
SELECT * FROM journey_stitch.ingest_events('{"events": []}');
SELECT count(*) AS queue_rows, sum(events) AS events FROM journey_stitch.pending;

-- An empty object is an event, though not a good one.
SELECT * FROM journey_stitch.ingest_events('{}');
SELECT stage, reason, message, event FROM journey_stitch.dead_letters;

-- In an array, what is no object is a bad event, and never fails its neighbours.
SELECT * FROM journey_stitch.ingest_events('[1, "text", null, true, ["nested"], {"event_id": "seven", "event_type": "view"}]');
SELECT reason, message, event FROM journey_stitch.dead_letters ORDER BY id OFFSET 1;

-- A call that is no object or array at all is an error of the caller.
SELECT * FROM journey_stitch.ingest_events('1');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('"text"');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('true');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('null');
\echo :LAST_ERROR_SQLSTATE

-- So is NULL, for either argument.
SELECT * FROM journey_stitch.ingest_events(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('[]', NULL);
\echo :LAST_ERROR_SQLSTATE

-- What is no JSON never gets there; \u0000 is what jsonb cannot hold. Nothing of the call is stored.
SELECT * FROM journey_stitch.ingest_events('[{"event_id": "eight", "event_type": "view"}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.ingest_events('[{"event_id": "eight", "event_type": "view"}, {"event_id": "nine", "event_type": "a\u0000b"}]');
\echo :LAST_ERROR_SQLSTATE

SELECT count(*) AS events, (SELECT count(*) FROM journey_stitch.event_ids) AS in_ledger,
       (SELECT sum(events) FROM journey_stitch.pending) AS pending,
       (SELECT count(*) FROM journey_stitch.dead_letters) AS dead_letters
FROM journey_stitch.events;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
