-- get_journey() and journey_of(): by event id, journey id, kind:value and bare correlation.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Before anything is stitched, and before anything is there.
SELECT count(*) FROM journey_stitch.get_journey('anything');
SELECT journey_stitch.journey_of('anything');
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "e1", "type": "view", "event_name": "Landing", "ts": "2024-05-01T12:00:00Z", "anonymous_id": "cookie", "session_id": "s1",
     "source": "web", "properties": {"page": "/", "price": 1.50}},
    {"id": "e2", "type": "log in", "ts": "2024-05-01T11:00:00Z", "anonymous_id": "cookie", "user_id": "ann"},
    {"id": "e3", "type": "buy", "ts": "2024-05-01T12:00:00Z", "user_id": "ann", "correlations": ["order:1:a", "bare"]},
    {"id": "e4", "type": "view", "ts": "2024-05-01T12:00:00Z", "user_id": "ann"},
    {"id": "x1", "type": "view", "ts": "2024-05-01T09:00:00Z", "user_id": "bob"}]');
-- Pending: no rows, and NULL.
SELECT count(*) FROM journey_stitch.get_journey('e1');
SELECT count(*) FROM journey_stitch.get_journey('user_id:ann');
SELECT journey_stitch.journey_of('e1') IS NULL AS pending;
SELECT journey_stitch.find_journey('e1') IS NULL AS pending;
SELECT * FROM journey_stitch.stitch_pending();

-- All of it, by time, and by arrival where times are equal.
SELECT event_id, event_type, event_name, occurred_at, user_id, session_id, source, properties, journey_id = journey_stitch.journey_of('e3') AS own
FROM journey_stitch.get_journey('e1');

-- However it is named.
SELECT named, string_agg(event_id, ' ' ORDER BY n) AS events
FROM unnest(ARRAY['e2', 'e4', journey_stitch.journey_of('e1')::text, upper(journey_stitch.journey_of('e1')::text),
                  'user_id:ann', 'anonymous_id:cookie', 'session_id:s1', 'order:1:a', 'correlation:bare', 'bare',
                  'user_id: ann', ' bare ']) WITH ORDINALITY AS v (id, i)
CROSS JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(id, 'uuid') THEN 'the journey''s id' ELSE id END AS named) AS w
CROSS JOIN LATERAL journey_stitch.get_journey(id) WITH ORDINALITY AS g (journey_id, event_id, event_type, event_name, occurred_at, user_id, session_id, source, properties, n)
GROUP BY i, named ORDER BY i;

-- What names nothing: no rows, no error.
SELECT id, count(g.event_id)
FROM unnest(ARRAY['no such', '', ':', 'user_id:', ':ann', 'user_id:no such', 'ann', 'order:1', 'USER_ID:ann', 'user_id :ann', 'user_id:Ann',
                  '00000000-0000-0000-0000-000000000000', gen_random_uuid()::text, 'user_id:ann''; DROP TABLE x', repeat('x', 10000)]) WITH ORDINALITY AS v (id, i)
LEFT JOIN LATERAL journey_stitch.get_journey(v.id) AS g ON true
WHERE NOT pg_input_is_valid(id, 'uuid') OR id LIKE '0000%'
GROUP BY i, id HAVING length(id) < 100 ORDER BY i;
SELECT count(*) FROM journey_stitch.get_journey(gen_random_uuid()::text);
SELECT count(*) FROM journey_stitch.get_journey(NULL);
SELECT journey_stitch.journey_of('no such') AS no_such, journey_stitch.journey_of(NULL) AS null_id;
SELECT * FROM journey_stitch.get_journey('e1', NULL);
\echo :LAST_ERROR_SQLSTATE

-- An event id goes before a journey id, a journey id before a key, and a key before a bare correlation.
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(
    jsonb_build_object('id', 'user_id:ann', 'type', 'named like a key', 'ts', 1),
    jsonb_build_object('id', journey_stitch.journey_of('x1'), 'type', 'named like a journey', 'ts', 2),
    jsonb_build_object('id', 'k', 'type', 'with a correlation like a key', 'ts', 3, 'correlations', jsonb_build_object('correlation', 'user_id:bob')),
    jsonb_build_object('id', 'j', 'type', 'with a correlation like a journey', 'ts', 4, 'correlations', jsonb_build_array(journey_stitch.journey_of('e1')))));
-- While such an event is pending, its id is pending.
SELECT count(*) FROM journey_stitch.get_journey('user_id:ann');
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_type FROM journey_stitch.get_journey('user_id:ann');
SELECT event_type FROM journey_stitch.get_journey(journey_stitch.journey_of('x1')::text);
SELECT event_type FROM journey_stitch.get_journey('user_id:bob');
SELECT event_type FROM journey_stitch.get_journey(journey_stitch.journey_of('e1')::text);
SELECT event_type FROM journey_stitch.get_journey('correlation:user_id:bob');

-- It answers as of the statement: in a query over many events, too.
SELECT e.event_type, (SELECT count(*) FROM journey_stitch.get_journey(e.event_id)) AS in_its_journey,
       journey_stitch.journey_of(e.event_id) = j.uuid AS same_journey
FROM journey_stitch.events e
JOIN journey_stitch.journeys j ON j.id = journey_stitch.find_journey(e.event_id)
ORDER BY e.id;
SELECT journey_stitch.journey_of_entry(e.id) = journey_stitch.find_journey(e.event_id) AS same, count(*) FROM journey_stitch.events e GROUP BY 1;
SELECT journey_stitch.journey_of_entry(NULL) AS of_null, journey_stitch.journey_of_entry(140737488355327) AS of_none;

-- Read only, and in parallel plans.
BEGIN READ ONLY;
SELECT count(*) FROM journey_stitch.get_journey('e1');
SET LOCAL debug_parallel_query = on;
SELECT count(*) FROM journey_stitch.get_journey('e1');
SELECT count(DISTINCT journey_stitch.journey_of(event_id)) FROM journey_stitch.events;
COMMIT;

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
