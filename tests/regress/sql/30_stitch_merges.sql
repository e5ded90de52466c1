-- Events that share an identifier are one journey; journeys that an event ties together become one.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE FUNCTION pg_temp.journeys() RETURNS TABLE (events text, keys integer, event_count bigint, first_seen timestamptz, last_seen timestamptz)
LANGUAGE sql AS $$
    SELECT string_agg(e.event_id, ' ' ORDER BY e.occurred_at, e.id), j.key_count, j.event_count, j.first_seen, j.last_seen
    FROM journey_stitch.events e
    JOIN journey_stitch.journeys j ON j.uuid = journey_stitch.journey_of(e.event_id)
    GROUP BY j.id ORDER BY j.id
$$;

-- A visitor browses on a phone, another on the web.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "phone-1", "type": "view", "device_id": "phone", "ts": "2024-05-01T10:00:00Z"},
    {"id": "web-1",   "type": "view", "anonymous_id": "cookie", "ts": "2024-05-02T10:00:00Z"},
    {"id": "phone-2", "type": "view", "device_id": "phone", "session_id": "s1", "ts": "2024-05-03T10:00:00Z"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys();
SELECT journey_stitch.journey_of('phone-1') AS phone_journey, journey_stitch.journey_of('web-1') AS web_journey \gset
SELECT count(*) AS merges FROM journey_stitch.merges;

-- The one on the web logs in: a key more, no merge.
SELECT * FROM journey_stitch.ingest_events('{"id": "web-2", "type": "log in", "anonymous_id": "cookie", "user_id": "ann", "ts": "2024-05-04T10:00:00Z"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys();

-- And then on the phone: the same person. The oldest journey survives, with what the other had.
SELECT * FROM journey_stitch.ingest_events('{"id": "phone-3", "type": "log in", "device_id": "phone", "user_id": "ann", "ts": "2024-05-05T10:00:00Z"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys();
SELECT journey_stitch.journey_of('web-1') = :'phone_journey' AS oldest_survives;

-- The absorbed journey's id leads to the survivor, and the answer says who it is now.
SELECT event_id, journey_id = :'phone_journey' AS is_phone_journey FROM journey_stitch.get_journey(:'web_journey');
SELECT merged_into IS NOT NULL AS absorbed, key_count, event_count FROM journey_stitch.journeys WHERE uuid = :'web_journey';

-- The audit trail: who absorbed whom, because of which event and key.
SELECT s.uuid = :'phone_journey' AS phone_survives, a.uuid = :'web_journey' AS web_absorbed, e.event_id AS because_of, k.kind, k.value, m.rule,
       m.merged_at > now() - interval '1 minute' AS just_now
FROM journey_stitch.merges m
JOIN journey_stitch.journeys s ON s.id = m.survivor_id JOIN journey_stitch.journeys a ON a.id = m.absorbed_id
JOIN journey_stitch.events e ON e.id = m.event_id JOIN journey_stitch.keys k ON k.id = m.key_id;
-- Keys remember where they were first seen.
SELECT k.kind, k.value, j.uuid = :'phone_journey' AS in_phone_journey, f.uuid = :'web_journey' AS first_in_web_journey
FROM journey_stitch.keys k JOIN journey_stitch.journeys j ON j.id = k.journey_id JOIN journey_stitch.journeys f ON f.id = k.first_journey_id
ORDER BY k.id;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- A chain: five journeys, tied together from the youngest end, one event at a time. Each merge's survivor
-- is absorbed by the next, and every old id leads to the one that is left.
SELECT journey_stitch.clean();
SELECT * FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', 'e' || n, 'type', 't', 'user_id', 'u' || n, 'ts', n)) FROM generate_series(1, 5) AS n));
SELECT * FROM journey_stitch.stitch_pending();
CREATE TEMP TABLE born AS SELECT n, journey_stitch.journey_of('e' || n) AS journey FROM generate_series(1, 5) AS n;
SELECT count(DISTINCT journey) FROM born;
SELECT * FROM journey_stitch.ingest_events('{"id": "tie4", "type": "t", "ts": 96, "correlations": ["user_id:u4", "user_id:u5"]}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('{"id": "tie3", "type": "t", "ts": 97, "correlations": ["user_id:u3", "user_id:u4"]}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('{"id": "tie2", "type": "t", "ts": 98, "correlations": ["user_id:u2", "user_id:u3"]}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('{"id": "tie1", "type": "t", "ts": 99, "correlations": ["user_id:u1", "user_id:u2"]}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys();
SELECT s.n AS survivor, a.n AS absorbed, e.event_id AS because_of, m.rule
FROM journey_stitch.merges m
JOIN journey_stitch.journeys sj ON sj.id = m.survivor_id JOIN born s ON s.journey = sj.uuid
JOIN journey_stitch.journeys aj ON aj.id = m.absorbed_id JOIN born a ON a.journey = aj.uuid
JOIN journey_stitch.events e ON e.id = m.event_id
ORDER BY m.id;
SELECT b.n, (SELECT count(*) FROM journey_stitch.get_journey(b.journey::text)) AS events,
       (SELECT bool_and(g.journey_id = first.journey) FROM journey_stitch.get_journey(b.journey::text) AS g) AS in_the_oldest
FROM born b, born first WHERE first.n = 1 ORDER BY 1;
-- An alias leads straight to a present journey, never to another alias.
SELECT count(*) AS aliases, count(*) FILTER (WHERE j.merged_into IS NOT NULL) AS of_aliases
FROM journey_stitch.journeys a JOIN journey_stitch.journeys j ON j.id = a.merged_into;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- The same in one batch, with one event that ties all: one journey from the start, no merge.
SELECT journey_stitch.clean();
SELECT * FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', 'e' || n, 'type', 't', 'user_id', 'u' || n, 'ts', n)) FROM generate_series(1, 5) AS n)
    || '[{"id": "tie", "type": "t", "correlations": ["user_id:u1", "user_id:u2", "user_id:u3", "user_id:u4", "user_id:u5"]}]'::jsonb);
SELECT * FROM journey_stitch.stitch_pending();
SELECT count(DISTINCT journey_stitch.journey_of(event_id)) AS journeys, (SELECT count(*) FROM journey_stitch.merges) AS merges FROM journey_stitch.events;

-- Of several journeys that one event ties, the oldest absorbs all others.
SELECT journey_stitch.clean();
SELECT * FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', 'e' || n, 'type', 't', 'user_id', 'u' || n, 'ts', 1000 - n) ORDER BY n) FROM generate_series(1, 5) AS n));
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('{"id": "tie", "type": "t", "ts": 5000, "correlations": {"user_id": ["u3", "u1", "u5"]}}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.journeys();
SELECT count(*) AS merges, count(DISTINCT survivor_id) AS survivors,
       bool_and(m.survivor_id < m.absorbed_id) AS older_survives, bool_and(e.event_id = 'tie') AS because_of_the_tie
FROM journey_stitch.merges m JOIN journey_stitch.events e ON e.id = m.event_id;

-- An event that arrives late, and before all others in time, changes when its journey began, not who it is.
SELECT journey_stitch.journey_of('e1') AS before \gset
SELECT * FROM journey_stitch.ingest_events('{"id": "late", "type": "t", "user_id": "u1", "ts": "1969-07-20T20:17:40Z"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT journey_stitch.journey_of('late') = :'before' AS same_journey;
SELECT first_seen, last_seen FROM journey_stitch.journeys WHERE uuid = :'before';

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
