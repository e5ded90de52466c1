-- Nothing is dropped: unknown fields, digits, duplicate keys, texts of every kind; addresses.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- A field that is not known is a property, beside those that were sent as such.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "p-1", "type": "t", "plan": "pro", "tags": ["a", "b"], "nested": {"x": {"y": null}}},
    {"id": "p-2", "type": "t", "plan": "pro", "properties": {"page": "/", "items": [{"sku": 1}]}},
    {"id": "p-3", "type": "t"}]');
SELECT event_id, properties FROM journey_stitch.events ORDER BY id;
SELECT journey_stitch.clean();

-- Both with one name: the event's own field is kept behind a $.
SELECT * FROM journey_stitch.ingest_events('{"id": "p-4", "type": "t", "plan": "outer", "properties": {"plan": "inner", "$plan": "other"}}');
SELECT properties FROM journey_stitch.events;
SELECT journey_stitch.clean();

-- Properties that are no object are kept too; so is what is null in them.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "p-5", "type": "t", "properties": [1, 2]},
    {"id": "p-6", "type": "t", "properties": "text"},
    {"id": "p-7", "type": "t", "properties": null},
    {"id": "p-8", "type": "t", "properties": {"a": null}},
    {"id": "p-9", "type": "t", "unknown": null, "context": [1]}]');
SELECT event_id, properties FROM journey_stitch.events ORDER BY id;
SELECT journey_stitch.clean();

-- Numbers keep their digits, those of ids too: 23 digits, the last of which differs, are two users and two events.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 12345678901234567890123, "type": "t", "user_id": 98765432109876543210987, "big": 12345678901234567890123, "price": 19.990},
    {"id": 12345678901234567890124, "type": "t", "user_id": 98765432109876543210988, "big": 1e30, "small": 0.00000000000000000001}]');
SELECT event_id, user_id, properties FROM journey_stitch.events ORDER BY id;
SELECT * FROM journey_stitch.stitch_pending();
SELECT kind, value FROM journey_stitch.keys ORDER BY id;
SELECT journey_stitch.journey_of('12345678901234567890123') <> journey_stitch.journey_of('12345678901234567890124') AS two_journeys;
SELECT journey_stitch.clean();

-- A number, a boolean and a text are texts where a text is meant.
SELECT * FROM journey_stitch.ingest_events('{"id": 7, "type": 8, "user_id": true, "session_id": 1.50, "event_name": false, "source": 3}');
SELECT event_id, event_type, user_id, session_id, event_name, source FROM journey_stitch.events;
SELECT journey_stitch.clean();

-- Of duplicate keys the last one counts, as jsonb has it.
SELECT * FROM journey_stitch.ingest_events('{"id": "d-1", "id": "d-2", "type": "first", "type": "last", "a": 1, "a": 2}');
SELECT event_id, event_type, properties FROM journey_stitch.events;
SELECT journey_stitch.clean();

-- Texts are kept as they are: quotes, backslashes, line ends, other scripts, the empty one.
SELECT * FROM journey_stitch.ingest_events('{"id": "ключ-№1", "type": "naïve ☕", "user_id": "O''Brien \"x\" \\ {,}", "session_id": "", "note": "a\nb\tc\u0001"}');
SELECT event_id, event_type, user_id, session_id = '' AS empty_session, properties FROM journey_stitch.events;
SELECT * FROM journey_stitch.stitch_pending();
SELECT kind, value FROM journey_stitch.keys;
SELECT event_id FROM journey_stitch.get_journey('user_id:O''Brien "x" \ {,}');
SELECT journey_stitch.clean();

-- An address that can be read has its column, IPv6 and mapped IPv4 too; another one is a property.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "t", "ip_address": "192.0.2.1"},
    {"id": 2, "type": "t", "ip_address": "2001:db8::1"},
    {"id": 3, "type": "t", "ip_address": "::ffff:192.0.2.3"},
    {"id": 4, "type": "t", "ip_address": "192.0.2.0/24"},
    {"id": 5, "type": "t", "ip_address": "300.1.2.3"},
    {"id": 6, "type": "t", "ip_address": "localhost"},
    {"id": 7, "type": "t", "ip_address": 3221225985},
    {"id": 8, "type": "t", "ip_address": ""},
    {"id": 9, "type": "t", "ip_address": "bad", "context": {"ip": "192.0.2.9"}}]');
SELECT event_id, ip, properties FROM journey_stitch.events ORDER BY id;

SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
