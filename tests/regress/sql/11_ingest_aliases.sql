-- The names that other systems send fields under.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

SELECT * FROM journey_stitch.ingest_events('[
    {"event_id":   "id-1", "event_type": "t1"},
    {"eventId":    "id-2", "eventType":  "t2"},
    {"messageId":  "id-3", "type":       "t3"},
    {"$insert_id": "id-4", "event":      "t4"},
    {"id":         "id-5", "type":       "t5"},
    {"uuid":       "id-6", "type":       "t6"}]');
SELECT event_id, event_type, properties FROM journey_stitch.events ORDER BY id;
SELECT journey_stitch.clean();

SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "t", "occurred_at":     "2024-05-01T10:00:00Z", "user_id":     "u-1"},
    {"id": 2, "type": "t", "timestamp":       "2024-05-01T10:00:01Z", "userId":      "u-2"},
    {"id": 3, "type": "t", "event_timestamp": "2024-05-01T10:00:02Z", "distinct_id": "u-3"},
    {"id": 4, "type": "t", "ts":              "2024-05-01T10:00:03Z"},
    {"id": 5, "type": "t", "time":            "2024-05-01T10:00:04Z"}]');
SELECT event_id, occurred_at, user_id, properties FROM journey_stitch.events ORDER BY id;
SELECT journey_stitch.clean();

SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "t", "session_id": "s-1", "device_id": "d-1", "anonymous_id": "a-1"},
    {"id": 2, "type": "t", "sessionId":  "s-2", "deviceId":  "d-2", "anonymousId":  "a-2"}]');
SELECT event_id, session_id, identifiers, properties FROM journey_stitch.events ORDER BY id;
SELECT journey_stitch.clean();

SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "t", "event_name": "Checkout", "source": "web", "ip_address": "192.0.2.1", "user_agent": "Firefox/1",
     "properties": {"page": "/"}},
    {"id": 2, "type": "t", "ip": "192.0.2.2", "userAgent": "Firefox/2", "payload": {"page": "/two"}}]');
SELECT event_id, event_name, source, ip, user_agent, properties FROM journey_stitch.events ORDER BY id;
SELECT journey_stitch.clean();

-- The first name of the list wins; the others are kept under their own names.
SELECT * FROM journey_stitch.ingest_events('{
    "uuid": "last", "id": "fifth", "eventId": "second", "event_id": "first",
    "event": "Order Completed", "type": "track",
    "time": 1714557600, "timestamp": "2024-05-01T10:00:00Z",
    "distinct_id": "third", "userId": "second", "user_id": "first",
    "payload": {"b": 2}, "properties": {"a": 1}}');
SELECT event_id, event_type, occurred_at, user_id, jsonb_pretty(properties) AS properties FROM journey_stitch.events;
SELECT journey_stitch.clean();

-- null is an absent field, and so is an empty event_id or event_type: the next name serves.
SELECT * FROM journey_stitch.ingest_events('{
    "event_id": null, "eventId": "", "messageId": "m-1", "event_type": "", "type": "t",
    "user_id": null, "userId": "u-1", "timestamp": null, "ts": "2024-05-01T10:00:00Z", "session_id": null}');
SELECT event_id, event_type, user_id, occurred_at, session_id, properties FROM journey_stitch.events;
SELECT journey_stitch.clean();

-- Names are matched exactly; what is not one of them is a property.
SELECT * FROM journey_stitch.ingest_events('{"id": "n-1", "type": "t", "User_Id": "u", "USER_ID": "u", "user-id": "u"}');
SELECT user_id, properties FROM journey_stitch.events;
SELECT journey_stitch.clean();

-- Where the event itself is silent, Segment's context says address and browser; it is kept whole.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "t", "context": {"ip": "192.0.2.7", "userAgent": "Safari", "locale": "en"}},
    {"id": 2, "type": "t", "context": {"ip": "192.0.2.8", "userAgent": "Safari"}, "ip": "192.0.2.9", "user_agent": "Own"}]');
SELECT event_id, ip, user_agent, properties FROM journey_stitch.events ORDER BY id;

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
