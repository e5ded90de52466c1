-- Limits, and what is large without being over one.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Identifiers: 512 bytes, not characters. The limit is for each of them.
CREATE FUNCTION pg_temp.with_ids(n integer, text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_array(
        jsonb_build_object('id', repeat($2, n), 'type', 't'),
        jsonb_build_object('id', 'type ' || n, 'type', repeat($2, n)),
        jsonb_build_object('id', 'user ' || n, 'type', 't', 'user_id', repeat($2, n)),
        jsonb_build_object('id', 'session ' || n, 'type', 't', 'sessionId', repeat($2, n)),
        jsonb_build_object('id', 'device ' || n, 'type', 't', 'device_id', repeat($2, n)),
        jsonb_build_object('id', 'anonymous ' || n, 'type', 't', 'anonymous_id', repeat($2, n)),
        jsonb_build_object('id', 'value ' || n, 'type', 't', 'correlations', jsonb_build_object('order', repeat($2, n))),
        jsonb_build_object('id', 'kind ' || n, 'type', 't', 'correlations', jsonb_build_object(repeat($2, n), '1')))
$$;
SELECT * FROM journey_stitch.ingest_events(pg_temp.with_ids(512, 'x'));
SELECT * FROM journey_stitch.ingest_events(pg_temp.with_ids(513, 'x'));
SELECT reason, message FROM journey_stitch.dead_letters ORDER BY id;
SELECT * FROM journey_stitch.ingest_events(pg_temp.with_ids(257, 'é'));
-- A name or an agent may be longer: they identify nothing.
SELECT * FROM journey_stitch.ingest_events(jsonb_build_object('id', 'long texts', 'type', 't',
    'event_name', repeat('x', 5000), 'source', repeat('x', 5000), 'user_agent', repeat('x', 5000)));
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- The largest that the setting takes, of text that does not compress: keys of both kinds and values fit their index.
SET journey_stitch.max_id_bytes = 1000;
CREATE FUNCTION pg_temp.noise(seed text) RETURNS text LANGUAGE sql AS $$
    SELECT left(string_agg(md5(seed || n), ''), 1000) FROM generate_series(1, 40) AS n
$$;
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(
    jsonb_build_object('id', pg_temp.noise('id'), 'type', pg_temp.noise('type'), 'user_id', pg_temp.noise('user'),
                       'session_id', pg_temp.noise('session'), 'correlations', jsonb_build_object(pg_temp.noise('kind'), pg_temp.noise('value'))),
    jsonb_build_object('id', 'x' || pg_temp.noise('id'), 'type', 't')));
SELECT * FROM journey_stitch.stitch_pending();
SELECT kind = pg_temp.noise('kind') AS long_kind, length(value) FROM journey_stitch.keys ORDER BY id;
SET journey_stitch.max_id_bytes = 35;
SET journey_stitch.max_id_bytes = 1001;
SET journey_stitch.max_id_bytes = 36;
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(
    jsonb_build_object('id', repeat('i', 36), 'type', 't'), jsonb_build_object('id', repeat('i', 37), 'type', 't')));
SELECT message FROM journey_stitch.dead_letters WHERE event->>'id' = repeat('i', 37);
RESET journey_stitch.max_id_bytes;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- Nesting: 64 levels, the event's own object being the first.
CREATE FUNCTION pg_temp.nested(id text, levels integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT format('{"id": "%s", "type": "t", "a": %s1%s}', id, repeat('[', levels - 1), repeat(']', levels - 1))::jsonb
$$;
SELECT * FROM journey_stitch.ingest_events(pg_temp.nested('64 levels', 64));
SELECT * FROM journey_stitch.ingest_events(pg_temp.nested('65 levels', 65));
SELECT * FROM journey_stitch.ingest_events(pg_temp.nested('1000 levels', 1000));
SELECT event->>'id' AS event, reason, message FROM journey_stitch.dead_letters ORDER BY id;
SET journey_stitch.max_event_depth = 1000;
SELECT * FROM journey_stitch.ingest_events(pg_temp.nested('1000 levels', 1000));
SET journey_stitch.max_event_depth = 2;
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(pg_temp.nested('2 levels', 2), pg_temp.nested('3 levels', 3)));
RESET journey_stitch.max_event_depth;
SELECT event_id FROM journey_stitch.events ORDER BY id;
SELECT journey_stitch.clean();

-- Size: 1 MB. A property of 10 MB is refused, and kept; the neighbours go in.
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(
    jsonb_build_object('id', 'before', 'type', 't'),
    jsonb_build_object('id', '10 MB', 'type', 't', 'body', repeat('x', 10 * 1024 * 1024)),
    jsonb_build_object('id', 'after', 'type', 't', 'body', repeat('x', 1000 * 1024))));
SELECT event->>'id' AS event, reason, regexp_replace(message, '[0-9]{8}', '(size)') AS message, length(event->>'body') AS body
FROM journey_stitch.dead_letters;
-- Where it is allowed, it goes in, whole.
SET journey_stitch.max_event_bytes = '20MB';
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(
    jsonb_build_object('id', '10 MB', 'type', 't', 'user_id', 'u', 'properties',
                       jsonb_build_object('body', repeat('x', 10 * 1024 * 1024), 'n', 1))));
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id, length(properties->>'body') AS body, properties->>'n' AS n FROM journey_stitch.get_journey('user_id:u');
SET journey_stitch.max_event_bytes = 1023;
SET journey_stitch.max_event_bytes = 1024;
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(
    jsonb_build_object('id', 'small', 'type', 't', 'body', repeat('x', 900)),
    jsonb_build_object('id', 'large', 'type', 't', 'body', repeat('x', 1024))));
RESET journey_stitch.max_event_bytes;
SELECT event_id FROM journey_stitch.events ORDER BY id;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- Many members, and many identifiers on one event.
SELECT * FROM journey_stitch.ingest_events((
    SELECT jsonb_object_agg('field_' || n, n) || '{"id": "wide", "type": "t"}' FROM generate_series(1, 20000) AS n));
SELECT * FROM journey_stitch.ingest_events(jsonb_build_object('id', 'many keys', 'type', 't', 'correlations',
    (SELECT jsonb_agg('order:' || n) FROM generate_series(1, 5000) AS n)));
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id, (SELECT count(*) FROM jsonb_object_keys(properties)) AS properties,
       (SELECT count(*) FROM journey_stitch.keys k WHERE k.kind = 'order') AS keys
FROM journey_stitch.events ORDER BY id;
SELECT event_id FROM journey_stitch.get_journey('order:4321');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- A call of 100,000 events, of which 1,000 are duplicates and 1,000 are bad.
SELECT * FROM journey_stitch.ingest_events((
    SELECT jsonb_agg(jsonb_build_object('id', CASE WHEN n % 100 = 50 THEN n - 1 ELSE n END,
                                        CASE WHEN n % 100 = 7 THEN 'kind' ELSE 'type' END, 't',
                                        'user_id', n % 5000, 'timestamp', 1714521600 + n))
    FROM generate_series(1, 100000) AS n));
SELECT count(*) AS events, count(DISTINCT event_id) AS ids FROM journey_stitch.events;
SELECT sum(events) AS pending, max(events) AS largest_queue_row, count(*) AS queue_rows FROM journey_stitch.pending;
SELECT reason, count(*) FROM journey_stitch.dead_letters GROUP BY 1;
SELECT journey_stitch.clean();
