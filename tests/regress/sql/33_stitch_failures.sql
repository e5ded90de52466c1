-- An event that cannot be stitched: its neighbours are, and it ends up in dead_letters, from where it can come back.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- What goes wrong here: a key whose value starts with "poison", with the SQLSTATE that follows.
CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.value LIKE 'poison%' THEN
        RAISE EXCEPTION 'poisoned: %', NEW.value USING ERRCODE = COALESCE(substring(NEW.value FROM 'poison (.....)'), '23514');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER poison BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.poison();

-- Without patience, the batch is halved at once, until the event at fault is alone.
SET journey_stitch.max_attempts = 1;
SELECT * FROM journey_stitch.ingest_events((
    SELECT jsonb_agg(jsonb_build_object('id', 'e' || n, 'type', 't', 'user_id', CASE n WHEN 6 THEN 'poison' ELSE 'u' || n % 3 END, 'ts', n))
    FROM generate_series(1, 8) AS n));
SELECT * FROM journey_stitch.stitch_pending();
SELECT string_agg(event_id, ' ' ORDER BY id) AS stitched FROM journey_stitch.stitched_events;
SELECT stage, status, reason, message, event->>'event_id' AS event FROM journey_stitch.dead_letters;
-- It is gone from everything else, the ledger too, so that it can come again.
SELECT count(*) AS in_ledger FROM journey_stitch.event_ids WHERE event_id = 'e6';
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- Tried again without a remedy, it fails again.
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT * FROM journey_stitch.stitch_pending();
SELECT status, reason, event->>'event_id' AS event FROM journey_stitch.dead_letters ORDER BY id;

-- With the remedy it comes in.
ALTER TABLE journey_stitch.keys DISABLE TRIGGER poison;
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id, occurred_at FROM journey_stitch.get_journey('user_id:poison');
SELECT status, count(*) FROM journey_stitch.dead_letters GROUP BY 1;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- Several, in several calls and projects: each is found.
ALTER TABLE journey_stitch.keys ENABLE TRIGGER poison;
SET client_min_messages = error;
SELECT project, sum(i.inserted) AS inserted
FROM generate_series(0, 5) AS call, (VALUES ('default'), ('shop')) AS p (project),
     LATERAL (SELECT jsonb_agg(jsonb_build_object('id', n, 'type', 't', 'ts', n, 'user_id', CASE WHEN n % 37 = 5 THEN 'poison' || n ELSE 'u' || n % 50 END)) AS events
              FROM generate_series(call * 50 + 1, call * 50 + 50) AS n) AS c,
     LATERAL journey_stitch.ingest_events(c.events, p.project) AS i
GROUP BY 1 ORDER BY 1;
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT p.name, d.stage, d.status, string_agg(d.event->>'event_id', ' ' ORDER BY (d.event->>'event_id')::int) AS poisoned
FROM journey_stitch.dead_letters d JOIN journey_stitch.projects p ON p.id = d.project_id GROUP BY 1, 2, 3 ORDER BY 1;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
RESET client_min_messages;
SELECT journey_stitch.clean();
RESET journey_stitch.max_attempts;

-- With patience (3 attempts), a failing batch waits, and nothing is lost or blocked meanwhile.
SELECT * FROM journey_stitch.ingest_events('[{"id": "bad", "type": "t", "user_id": "poison"}, {"id": "near", "type": "t", "user_id": "near"}]');
SELECT * FROM journey_stitch.ingest_events('{"id": "beside", "type": "t", "user_id": "beside"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT events, attempts, next_attempt_at > created_at AS waits, last_error FROM journey_stitch.pending ORDER BY id;
UPDATE journey_stitch.pending SET next_attempt_at = 'infinity';
-- Not due: nothing happens. Another call's events do not wait for it.
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('{"id": "later", "type": "t", "user_id": "later"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT "check", status, detail FROM journey_stitch.health() WHERE "check" = 'failing batches';
-- Due again: what was only in bad company goes in.
UPDATE journey_stitch.pending SET next_attempt_at = now();
SELECT * FROM journey_stitch.stitch_pending();
SELECT events, attempts FROM journey_stitch.pending ORDER BY id;
-- The third time is the last.
UPDATE journey_stitch.pending SET next_attempt_at = now();
SELECT * FROM journey_stitch.stitch_pending();
SELECT string_agg(event_id, ' ' ORDER BY id) AS stitched FROM journey_stitch.stitched_events;
SELECT attempts >= 3 AS was_tried, reason, event->>'event_id' AS event FROM journey_stitch.dead_letters;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- What fails for want of a lock, memory or disk, or in a conflict of transactions, is no event's fault: it is
-- tried again as long as it takes.
SET journey_stitch.max_attempts = 1;
SELECT sum(inserted) AS inserted FROM unnest(ARRAY['55P03', '40001', '40P01', '53100', '53200', '57P01', '58030', '08006']) AS code,
    journey_stitch.ingest_events(jsonb_build_object('id', code, 'type', 't', 'user_id', 'poison ' || code), 'project ' || code);
SET client_min_messages = error;
SELECT * FROM journey_stitch.stitch_pending();
RESET client_min_messages;
SELECT last_error, attempts, next_attempt_at > created_at AS waits FROM journey_stitch.pending ORDER BY id;
SELECT count(*) AS dead_letters FROM journey_stitch.dead_letters;
SELECT journey_stitch.clean();

-- A cancelled statement is cancelled, and leaves everything as it was.
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.slow();
SELECT * FROM journey_stitch.ingest_events('{"id": "patient", "type": "t"}');
SET statement_timeout = '200ms';
\set VERBOSITY sqlstate
SELECT * FROM journey_stitch.stitch_pending();
\set VERBOSITY default
RESET statement_timeout;
SELECT attempts, next_attempt_at, last_error FROM journey_stitch.pending;
DROP TRIGGER slow ON journey_stitch.keys;
DROP FUNCTION public.slow;
SELECT * FROM journey_stitch.stitch_pending();
SELECT journey_stitch.clean();

-- An event comes back from dead_letters as it went: every column of it, whatever it had.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "full", "type": "t", "event_name": "All of it", "ts": "2024-02-29T23:59:59.123456Z", "user_id": "poison", "session_id": "s",
     "device_id": "d", "anonymous_id": "a", "source": "web", "ip": "2001:db8::1", "user_agent": "Agent/1 (x; y)",
     "correlations": {"order": [1, "2"], "url": "http://x/y?z=1", "my kind": "v"}, "properties": {"user_id": "inner", "n": 12345678901234567890123, "event_type": "inner"},
     "unknown": [1], "context": {"ip": "192.0.2.1", "locale": "en"}, "uuid": "another"},
    {"id": "plain", "type": "t", "ts": "1850-07-01T12:00:00Z", "correlations": ["poison 23505"]},
    {"id": "guest", "type": "t", "ts": "9999-12-31T23:59:59Z", "user_id": "poison", "session_id": "", "source": "", "properties": [1]}]');
CREATE TEMP TABLE original AS SELECT * FROM journey_stitch.events;
-- A worker's or a session's time zone may be any, such as one whose offset once had seconds.
SET timezone = 'Asia/Kolkata';
SET client_min_messages = error;
SELECT * FROM journey_stitch.stitch_pending();
RESET client_min_messages;
SET timezone = 'UTC';
SELECT event->>'event_id' AS event, reason FROM journey_stitch.dead_letters ORDER BY id;
DROP TRIGGER poison ON journey_stitch.keys;
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT event->>'event_id' AS event, status, reason, message FROM journey_stitch.dead_letters WHERE status = 'open';
SELECT o.event_id, to_jsonb(e) - '{id,received_at}'::text[] IS NOT DISTINCT FROM to_jsonb(o) - '{id,received_at}'::text[] AS as_it_was
FROM original o LEFT JOIN journey_stitch.events e USING (event_id) ORDER BY o.id;
SELECT * FROM journey_stitch.stitch_pending();
SELECT string_agg(event_id, ' ' ORDER BY event_id) FROM journey_stitch.get_journey('order:1');
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- So does one that is as deep and as large as an event may be.
CREATE TRIGGER poison BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.poison();
SET journey_stitch.max_event_bytes = 2048;
SELECT * FROM journey_stitch.ingest_events(jsonb_build_array(
    jsonb_build_object('id', 'large', 'type', 't', 'user_id', 'poison 1', 'body', repeat('x', 1950)),
    format('{"id": "deep", "type": "t", "user_id": "poison 2", "a": %s1%s}', repeat('[', 63), repeat(']', 63))::jsonb));
SET client_min_messages = error;
SELECT * FROM journey_stitch.stitch_pending();
RESET client_min_messages;
DROP TRIGGER poison ON journey_stitch.keys;
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT event->>'event_id' AS event, status, reason, message FROM journey_stitch.dead_letters WHERE status = 'open';
RESET journey_stitch.max_event_bytes;
SELECT * FROM journey_stitch.stitch_pending();

DROP FUNCTION public.poison;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
RESET journey_stitch.max_attempts;
