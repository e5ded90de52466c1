-- What is wrong with one event: its reason, with the event as it was sent, in dead_letters.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

SELECT * FROM journey_stitch.ingest_events('[
    {"id": "good-1", "type": "t", "user_id": "u"},
    "not an object",
    {"id": "no type"},
    {"id": "empty type", "type": ""},
    {"id": "type is an object", "type": {"name": "t"}},
    {"id": ["a"], "type": "id is an array"},
    {"id": "user is an array", "type": "t", "userId": ["u"]},
    {"id": "session is an object", "type": "t", "session_id": {}},
    {"id": "device is an array", "type": "t", "device_id": []},
    {"id": "anonymous is an object", "type": "t", "anonymousId": {}},
    {"id": "name is an object", "type": "t", "event_name": {}},
    {"id": "source is an array", "type": "t", "source": ["a"]},
    {"id": "agent is an object", "type": "t", "user_agent": {}},
    {"id": "bad time", "type": "t", "timestamp": "yesterday"},
    {"id": "time is an object", "type": "t", "ts": {"$date": 0}},
    {"id": "time out of range", "type": "t", "occurred_at": 1e20},
    {"id": "correlations are a number", "type": "t", "correlations": 5},
    {"id": "correlations are true", "type": "t", "correlations": true},
    {"id": "correlation is an object", "type": "t", "correlations": [{"order": 1}]},
    {"id": "correlation is nested", "type": "t", "correlations": {"order": {"id": 1}}},
    {"id": "correlation is deeper", "type": "t", "correlations": {"order": [["a"]]}},
    {"id": "kind is empty", "type": "t", "correlations": {"": "a"}},
    {"id": "kind has a colon", "type": "t", "correlations": {"a:b": "c"}},
    {"id": "good-2", "type": "t", "user_id": "u"}]');
SELECT stage, status, attempts, COALESCE(event->>'id', event::text) AS event, reason, message
FROM journey_stitch.dead_letters ORDER BY id;

-- The event is kept verbatim: all its fields, under the names it was sent with.
SELECT event FROM journey_stitch.dead_letters WHERE event->>'id' = 'time is an object';
SELECT received_at = last_attempt_at AS tried_when_received FROM journey_stitch.dead_letters LIMIT 1;

-- Its neighbours are in, and nothing else is.
SELECT event_id FROM journey_stitch.events ORDER BY id;
SELECT (SELECT count(*) FROM journey_stitch.event_ids) AS in_ledger, (SELECT sum(events) FROM journey_stitch.pending) AS pending;

-- Every reason that an event can be refused for is one that the column's comment names.
SELECT DISTINCT reason,
       position(reason IN col_description('journey_stitch.dead_letters'::regclass, a.attnum)) > 0 AS documented
FROM journey_stitch.dead_letters, pg_attribute a
WHERE a.attrelid = 'journey_stitch.dead_letters'::regclass AND a.attname = 'reason'
ORDER BY 1;

-- A project's dead letters are its own.
SELECT * FROM journey_stitch.ingest_events('[{"id": "no type"}]', 'shop');
SELECT p.name, count(*) FROM journey_stitch.dead_letters d JOIN journey_stitch.projects p ON p.id = d.project_id GROUP BY 1 ORDER BY 1;

SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
