-- Which of an event's identifiers stitch, and which never do.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Correlations: an array of texts "kind:value" (without a kind: correlation), one text, or an object of kinds.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "array",  "type": "t", "correlations": ["order:1", "bare", "cart:a:b", "9x:1", ":y", "z:", "http://x"]},
    {"id": "text",   "type": "t", "correlations": "order:2"},
    {"id": "object", "type": "t", "correlations": {"order": 3, "email": "Ann@Example.org", "my kind": "x", "nothing": null, "flag": [4, "5", null]}},
    {"id": "empty",  "type": "t", "correlations": []},
    {"id": "null",   "type": "t", "correlations": null}]');
SELECT event_id, identifiers FROM journey_stitch.events ORDER BY id;
SELECT * FROM journey_stitch.stitch_pending();
SELECT kind, value FROM journey_stitch.keys ORDER BY kind COLLATE "C", value COLLATE "C";
SELECT journey_stitch.clean();

-- However it is written, an identifier of one kind and value is the same, with white space around it, too; one value of two
-- kinds is not, nor is one in another case (but for emails).
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "1", "type": "t", "device_id": "d"},
    {"id": "2", "type": "t", "deviceId": "d"},
    {"id": "3", "type": "t", "correlations": ["device_id:d"]},
    {"id": "4", "type": "t", "correlations": {"device_id": ["d", "d"]}},
    {"id": "5", "type": "t", "session_id": "d"},
    {"id": "6", "type": "t", "correlations": ["session_id:d"]},
    {"id": "7", "type": "t", "user_id": "d"},
    {"id": "8", "type": "t", "correlations": ["D", "device_id:D"]},
    {"id": "9", "type": "t", "correlations": ["device_id: d\t"]}, {"id": "10", "type": "t", "device_id": "\u00a0d"},
    {"id": "11", "type": "t", "correlations": ["email:Ann@Example.org"]}, {"id": "12", "type": "t", "correlations": {"email": " ann@example.ORG"}}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT string_agg(event_id, ' ' ORDER BY event_id) AS together
FROM journey_stitch.events GROUP BY journey_stitch.journey_of(event_id) ORDER BY 1;
SELECT journey_stitch.clean();

-- Numbers and texts of the same digits are the same.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "1", "type": "t", "user_id": 42}, {"id": "2", "type": "t", "user_id": "42"}, {"id": "3", "type": "t", "correlations": {"user_id": 42}},
    {"id": "4", "type": "t", "user_id": 42.0}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT string_agg(event_id, ' ' ORDER BY event_id) AS together
FROM journey_stitch.events GROUP BY journey_stitch.journey_of(event_id) ORDER BY 1;
SELECT journey_stitch.clean();

-- Values that say "nobody" stay on their events, and stitch nothing: each twice here, in any case, with space around.
CREATE TEMP TABLE nobody (value text);
INSERT INTO nobody VALUES
    (''), ('null'), ('nil'), ('none'), ('n/a'), ('na'), ('undefined'), ('unknown'), ('anonymous'), ('anon'), ('guest'), ('NaN'),
    ('-1'), ('0'), ('true'), ('false'), ('[]'), ('{}'), ('[object Object]'), ('00000000-0000-0000-0000-000000000000'),
    ('000'), ('-'), ('0-0'), ('Unknown'), ('NULL'), ('  guest '), ('ANONYMOUS'), ('   ');
SELECT sum(inserted) AS inserted
FROM nobody, generate_series(1, 2) AS n,
     unnest(ARRAY['user_id', 'session_id', 'device_id', 'anonymous_id']) AS kind,
     journey_stitch.ingest_events(jsonb_build_object('id', format('%s %s %s', kind, value, n), 'type', 't', kind, value));
SELECT sum(inserted) AS inserted
FROM nobody, generate_series(1, 2) AS n,
     journey_stitch.ingest_events(jsonb_build_object('id', format('correlation %s %s', value, n), 'type', 't', 'correlations', jsonb_build_object('email', value)));
SELECT events, journeys_created, journeys_merged, remaining, events = journeys_created AS each_alone FROM journey_stitch.stitch_pending();
SELECT count(DISTINCT user_id) AS kept FROM journey_stitch.events;
SELECT kind, count(*) FROM journey_stitch.keys GROUP BY 1;
-- They have company, but it is not by them.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "x1", "type": "t", "user_id": "unknown", "device_id": "x"}, {"id": "x2", "type": "t", "user_id": "unknown", "device_id": "x"},
    {"id": "x3", "type": "t", "user_id": "unknown", "device_id": "other"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id FROM journey_stitch.get_journey('x1');
SELECT count(*) FROM journey_stitch.get_journey('user_id:unknown');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- What only looks like one of them does stitch.
SELECT * FROM journey_stitch.ingest_events((
    SELECT jsonb_agg(jsonb_build_object('id', format('%s %s', value, n), 'type', 't', 'user_id', value))
    FROM unnest(ARRAY['nobody', 'n.a.', '-2', '1', '00000000-0000-0000-0000-000000000001', 'guests', 'nullable', '[1]', '0x0', 'tr ue']) AS value, generate_series(1, 2) AS n));
SELECT * FROM journey_stitch.stitch_pending();
SELECT journey_stitch.clean();

-- An event without identifiers is in a journey of its own, and is found by its id.
SELECT * FROM journey_stitch.ingest_events('[{"id": "alone", "type": "t"}, {"id": "other", "type": "t"}, {"type": "t"}, {"id": "unknown", "type": "t"}, {"id": "0", "type": "t"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT count(DISTINCT journey_stitch.journey_of(event_id)) AS journeys FROM journey_stitch.events;
SELECT event_id FROM journey_stitch.get_journey('alone');
SELECT event_id FROM journey_stitch.get_journey('event_id:alone');
SELECT event_id FROM journey_stitch.get_journey('unknown');
SELECT kind, count(*) FROM journey_stitch.keys GROUP BY 1;
-- A correlation of that kind reaches it.
SELECT * FROM journey_stitch.ingest_events('{"id": "reply", "type": "t", "correlations": ["event_id:alone"]}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id FROM journey_stitch.get_journey('reply') ORDER BY event_id COLLATE "C";

-- event_keys() says so without stitching.
SELECT * FROM journey_stitch.event_keys(1, 'e', 'ann', 's1', '["order:1", "cart:a:b"]');
SELECT * FROM journey_stitch.event_keys(1, 'e', 'unknown', '0', '["order:", "email:null"]');
SELECT * FROM journey_stitch.event_keys(1, 'e', NULL, NULL, NULL);
SELECT * FROM journey_stitch.event_keys(1, 'e', 'ann', NULL, '["user_id:ann", "user_id:bob"]');
SELECT count(*) AS same
FROM journey_stitch.events e CROSS JOIN LATERAL journey_stitch.event_keys(e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS g
JOIN journey_stitch.keys k ON k.kind = g.kind AND k.value = g.value;

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
