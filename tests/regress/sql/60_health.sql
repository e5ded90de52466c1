-- health(): what an operator asks first.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE FUNCTION pg_temp.health() RETURNS TABLE ("check" text, status text, detail text) LANGUAGE sql AS $$
    SELECT h."check", h.status, regexp_replace(regexp_replace(regexp_replace(h.detail, 'process id \d+', 'process id (pid)'), 'for \d+ s', 'for (n) s'), '^\d+ of', '(n) of')
    FROM journey_stitch.health() AS h
$$;

-- In this database the workers are switched off, and nothing else is the matter.
SELECT * FROM pg_temp.health();
SET journey_stitch.enabled = on;
SELECT * FROM pg_temp.health() WHERE "check" = 'workers';
RESET journey_stitch.enabled;
SELECT journey_stitch.is_preloaded() AS preloaded,
       journey_stitch.launcher_pid() > 0 AS launcher_runs;

-- Events wait, but not for long.
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t"}, {"id": 2, "type": "t"}, {"id": 3}]');
SELECT * FROM journey_stitch.ingest_events('[{"id": 4, "type": "t"}]', 'shop');
SELECT * FROM pg_temp.health() WHERE "check" IN ('queue', 'dead letters');
-- For long.
UPDATE journey_stitch.pending SET created_at = now() - interval '61 seconds' WHERE events = 1;
SELECT * FROM pg_temp.health() WHERE "check" = 'queue';

-- Batches fail.
UPDATE journey_stitch.pending SET attempts = 2, last_error = '23514: no such luck' WHERE events = 2;
SELECT * FROM pg_temp.health() WHERE "check" = 'failing batches';

-- All is done, and mended.
UPDATE journey_stitch.dead_letters SET event = event || '{"type": "t"}';
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM pg_temp.health() WHERE "check" <> 'workers';

-- The graph is gone, though there are journeys.
BEGIN;
SET LOCAL client_min_messages = warning;
LOAD 'age';
SELECT ag_catalog.drop_graph('journey_graph', true);
SELECT * FROM pg_temp.health() WHERE "check" = 'graph';
SELECT sum(violations) > 0 AS verify_sees_it FROM journey_stitch.verify();
TRUNCATE journey_stitch.journeys, journey_stitch.keys;
SELECT * FROM pg_temp.health() WHERE "check" = 'graph';
ROLLBACK;

BEGIN READ ONLY;
SELECT count(*) AS checks FROM journey_stitch.health();
COMMIT;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
