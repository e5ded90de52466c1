-- Ingest is in its caller's transaction: there when it commits, and otherwise never.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE FUNCTION pg_temp.stored() RETURNS TABLE (events bigint, in_ledger bigint, queue_rows bigint, dead_letters bigint, projects bigint)
LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM journey_stitch.events), (SELECT count(*) FROM journey_stitch.event_ids),
           (SELECT count(*) FROM journey_stitch.pending), (SELECT count(*) FROM journey_stitch.dead_letters),
           (SELECT count(*) FROM journey_stitch.projects)
$$;

BEGIN;
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t"}, {"id": 2}]', 'shop');
SELECT * FROM pg_temp.stored();
ROLLBACK;
SELECT * FROM pg_temp.stored();

-- An error in the statement takes its ingest with it.
SELECT i.inserted, 1 / (i.inserted - 1) FROM journey_stitch.ingest_events('{"id": 1, "type": "t"}') AS i;
SELECT * FROM pg_temp.stored();

-- What was rolled back may be sent again.
BEGIN;
SELECT * FROM journey_stitch.ingest_events('{"id": 1, "type": "kept"}');
SAVEPOINT s;
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t"}, {"id": 2, "type": "undone"}]');
ROLLBACK TO s;
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t"}, {"id": 2, "type": "kept"}, {"id": 3}]');
COMMIT;
SELECT event_id, event_type FROM journey_stitch.events ORDER BY id;
SELECT * FROM pg_temp.stored();

-- Ingest and stitch in one transaction, and neither of them.
BEGIN;
SELECT * FROM journey_stitch.ingest_events('{"id": 4, "type": "t", "user_id": "u"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id FROM journey_stitch.get_journey('user_id:u');
ROLLBACK;
SELECT event_id FROM journey_stitch.get_journey('user_id:u');
SELECT * FROM pg_temp.stored();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- In a function that catches errors.
DO $$
BEGIN
    BEGIN
        PERFORM journey_stitch.ingest_events('{"id": 5, "type": "undone"}');
        PERFORM journey_stitch.ingest_events('5');
    EXCEPTION WHEN invalid_parameter_value THEN
        PERFORM journey_stitch.ingest_events('{"id": 5, "type": "kept"}');
    END;
END
$$;
SELECT event_id, event_type FROM journey_stitch.events WHERE event_id = '5';

-- Where nothing may be written, nothing can be ingested (25006).
\set VERBOSITY sqlstate
BEGIN READ ONLY;
SELECT * FROM journey_stitch.ingest_events('{"id": 6, "type": "t"}');
ROLLBACK;
\set VERBOSITY default

-- Any isolation level is fine.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM journey_stitch.ingest_events('[{"id": 6, "type": "t"}, {"id": 5, "type": "t"}]');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM journey_stitch.ingest_events('[{"id": 7, "type": "t"}, {"id": 6, "type": "t"}]', 'serializable');
SELECT * FROM journey_stitch.stitch_pending();
COMMIT;

-- As part of a larger query, a call for every row.
SELECT i.* FROM (VALUES ('web', 8), ('app', 9), ('web', 8)) AS s (project, id)
CROSS JOIN LATERAL journey_stitch.ingest_events(jsonb_build_object('id', s.id, 'type', 't'), s.project) AS i;

-- With settings that a session may have.
SET search_path = '';
SET default_transaction_isolation = 'repeatable read';
SET standard_conforming_strings = off;
SET row_security = off;
SET statement_timeout = '60s';
SELECT * FROM journey_stitch.ingest_events('{"id": 10, "type": "t", "user_id": "u"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id FROM journey_stitch.get_journey('user_id:u');
RESET ALL;

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
