-- Events go into their tables row by row, without a statement: everything that hangs on the tables is kept all the same,
-- and what only a statement does is left to one.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE FUNCTION pg_temp.events(first integer, last integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object('id', 'e' || n, 'type', 't' || n % 3, 'user_id', 'u' || n % 5, 'ip', '10.0.0.' || n % 250,
                                        'ts', 1700000000 + n, 'device_id', 'd' || n % 7, 'properties', jsonb_build_object('n', n)))
    FROM generate_series(first, last) AS n
$$;

-- Values of every length and kind: short and long texts, both families of addresses, more identifiers than jsonb has
-- between two of its offsets, properties that are compressed and that are not.
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(
    jsonb_build_object('id', 'short', 'type', 't', 'user_id', '', 'session_id', 's', 'ip', '2001:db8::1', 'source', repeat('x', 125)),
    jsonb_build_object('id', 'long', 'type', repeat('t', 126), 'user_id', repeat('é', 100), 'ip', '::ffff:10.1.2.3',
                       'user_agent', repeat('agent ', 5000), 'properties', jsonb_build_object('text', repeat('abc', 50000))),
    jsonb_build_object('id', 'many', 'type', 't', 'ip', '192.0.2.255', 'event_name', 'name',
                       'correlations', (SELECT jsonb_agg('k:' || repeat('v', n)) FROM generate_series(1, 100) AS n),
                       'properties', '{"a": [1, {"b": null}], "c": -0.10, "d": {"e": [[], {}], "f": true}, "g": "ü"}'::jsonb),
    jsonb_build_object('id', 'odd', 'type', 't', 'extra', 12345678901234567890123, 'payload', '[1, 2]'::jsonb)));
SELECT event_id, length(event_type) AS type, event_name, length(user_id) AS user_id, session_id, length(source) AS source, ip,
       family(ip), length(user_agent) AS agent, length(properties::text) AS properties
FROM journey_stitch.events ORDER BY id;
SELECT properties FROM journey_stitch.events WHERE event_id IN ('many', 'odd') ORDER BY id;
SELECT identifiers = (SELECT jsonb_agg('k:' || repeat('v', n) ORDER BY n) FROM generate_series(1, 100) AS n) AS are_all,
       identifiers -> 32 = to_jsonb('k:' || repeat('v', 33)) AS is_33rd, jsonb_array_length(identifiers) AS identifiers
FROM journey_stitch.events WHERE event_id = 'many';
SELECT count(*) FROM journey_stitch.events WHERE occurred_at = received_at;

-- More rows than go into a table together; duplicates before, between and behind.
SELECT * FROM journey_stitch.ingest_events(pg_temp.events(1, 250));
SELECT * FROM journey_stitch.ingest_events(pg_temp.events(200, 500) || pg_temp.events(1, 10) || pg_temp.events(490, 510));
SELECT count(*) AS events, count(DISTINCT event_id) AS event_ids, max(id) - min(id) < 1000 AS are_together,
       bool_and(occurred_at = to_timestamp(1700000000 + (properties ->> 'n')::integer)) AS have_their_time
FROM journey_stitch.events WHERE properties ? 'n';

-- Indexes that are there keep up, also one on jsonb.
SELECT (SELECT relid::regclass FROM pg_partition_tree('journey_stitch.events') WHERE isleaf) AS partition \gset
CREATE INDEX by_properties ON :partition USING gin (properties);
CREATE INDEX by_type ON :partition (lower(event_type)) WHERE user_id IS NOT NULL;
SELECT * FROM journey_stitch.ingest_events(pg_temp.events(511, 700));
SET enable_seqscan = off;
SELECT event_id FROM journey_stitch.events WHERE properties @> '{"n": 600}';
SELECT count(*) FROM journey_stitch.events WHERE lower(event_type) = 't1' AND user_id IS NOT NULL;
SELECT event_id FROM journey_stitch.events WHERE id = (SELECT id FROM journey_stitch.event_ids WHERE project_id = 1 AND event_id = 'e555');
RESET enable_seqscan;
CREATE UNIQUE INDEX one_of_each_time ON :partition (occurred_at) WHERE user_id = 'unique';
SELECT * FROM journey_stitch.ingest_events('[{"id": "o1", "type": "t", "user_id": "unique", "ts": 1}, {"id": "o2", "type": "t", "user_id": "unique", "ts": 1}]');
SELECT count(*) FROM journey_stitch.event_ids WHERE event_id LIKE 'o_';
DROP INDEX journey_stitch.by_properties, journey_stitch.by_type, journey_stitch.one_of_each_time;

-- Triggers fire, be they on the whole or on a partition, the ledger or the queue; constraints hold.
CREATE TABLE public.fired (what text);
CREATE FUNCTION public.fired() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.fired VALUES (TG_TABLE_NAME || ' ' || TG_LEVEL);
    RETURN NEW;
END
$$;
CREATE TRIGGER fired AFTER INSERT ON journey_stitch.events FOR EACH STATEMENT EXECUTE FUNCTION public.fired();
SELECT inserted FROM journey_stitch.ingest_events(pg_temp.events(701, 702));
DROP TRIGGER fired ON journey_stitch.events;
CREATE TRIGGER fired AFTER INSERT ON :partition FOR EACH ROW EXECUTE FUNCTION public.fired();
SELECT inserted FROM journey_stitch.ingest_events(pg_temp.events(702, 704));
DROP TRIGGER fired ON :partition;
CREATE TRIGGER fired AFTER INSERT ON journey_stitch.event_ids FOR EACH ROW EXECUTE FUNCTION public.fired();
CREATE TRIGGER fired AFTER INSERT ON journey_stitch.pending FOR EACH ROW EXECUTE FUNCTION public.fired();
SELECT * FROM journey_stitch.ingest_events(pg_temp.events(704, 706) || '[{"id": "no type"}, 5, {"id": "no type"}]');
DROP TRIGGER fired ON journey_stitch.event_ids;
DROP TRIGGER fired ON journey_stitch.pending;
SELECT what, count(*) FROM public.fired GROUP BY what ORDER BY what;
SELECT received, duplicates, rejected FROM journey_stitch.pending ORDER BY id DESC LIMIT 1;
DROP TABLE public.fired;
DROP FUNCTION public.fired;
ALTER TABLE :partition ADD CONSTRAINT has_source CHECK (source IS NOT NULL) NOT VALID;
SELECT * FROM journey_stitch.ingest_events(pg_temp.events(707, 707));
SELECT * FROM journey_stitch.ingest_events('{"id": "sourced", "type": "t", "source": "web"}');
ALTER TABLE :partition DROP CONSTRAINT has_source;
BEGIN;
DELETE FROM journey_stitch.events WHERE session_id IS NULL;
ALTER TABLE :partition ALTER COLUMN session_id SET NOT NULL;
SELECT * FROM journey_stitch.ingest_events(pg_temp.events(707, 707));
ROLLBACK;

-- A call whose ids do not fit into one partition, of which the next is made meanwhile.
SELECT last_value FROM journey_stitch.event_entry_id \gset
BEGIN;
SELECT setval('journey_stitch.event_entry_id', 9999990) IS NOT NULL AS is_set;
SELECT * FROM journey_stitch.ingest_events(pg_temp.events(1001, 1020));
SELECT tableoid::regclass AS partition, count(*), min(id), max(id) FROM journey_stitch.events
WHERE event_id ~ '^e10[0-2][0-9]$' GROUP BY tableoid ORDER BY min(id);
SELECT event_ranges, events FROM journey_stitch.pending ORDER BY id DESC LIMIT 1;
ROLLBACK;
SELECT setval('journey_stitch.event_entry_id', :last_value) IS NOT NULL AS is_set;

SELECT count(*) AS events, (SELECT count(*) FROM journey_stitch.event_ids) AS in_ledger FROM journey_stitch.events;
SELECT remaining FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
