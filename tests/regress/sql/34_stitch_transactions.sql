-- stitch_pending() is in its caller's transaction, and leaves the caller's settings, constraints and cursors alone.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Undone with its transaction, or with a savepoint.
SELECT * FROM journey_stitch.ingest_events('[{"id": 1, "type": "t", "user_id": "ann"}, {"id": 2, "type": "t", "user_id": "bob"}]');
BEGIN;
SELECT * FROM journey_stitch.stitch_pending(1);
SAVEPOINT s;
SELECT * FROM journey_stitch.stitch_pending();
ROLLBACK TO s;
SELECT * FROM journey_stitch.stitch_pending();
ROLLBACK;
SELECT count(*) AS journeys, (SELECT sum(events) FROM journey_stitch.pending) AS pending FROM journey_stitch.journeys;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- In a block that catches an error.
DO $$
BEGIN
    PERFORM journey_stitch.stitch_pending(1);
    BEGIN
        PERFORM journey_stitch.stitch_pending();
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
END
$$;
SELECT count(*) AS stitched FROM journey_stitch.stitched_events;
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- Where nothing may be written, nothing can be stitched (25006).
SELECT * FROM journey_stitch.ingest_events('[{"id": 3, "type": "t", "user_id": "ann"}]');
\set VERBOSITY sqlstate
BEGIN READ ONLY;
SELECT * FROM journey_stitch.stitch_pending();
ROLLBACK;
\set VERBOSITY default

-- The planner's settings are the session's again afterwards, also when a batch has failed.
SET enable_mergejoin = off;
CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poisoned'; END $$;
CREATE TRIGGER poison BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.poison();
SELECT * FROM journey_stitch.ingest_events('[{"id": 4, "type": "t", "user_id": "cid"}]');
SELECT * FROM journey_stitch.stitch_pending();
DROP TRIGGER poison ON journey_stitch.keys;
DROP FUNCTION public.poison;
UPDATE journey_stitch.pending SET next_attempt_at = now();
SELECT * FROM journey_stitch.stitch_pending();
SELECT name, setting FROM pg_settings
WHERE name IN ('enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_nestloop', 'jit', 'search_path') ORDER BY name;
RESET enable_mergejoin;

-- What the caller has deferred stays deferred: it is no fault of the events, and may yet be put right.
CREATE TABLE public.part (id integer PRIMARY KEY, of integer REFERENCES public.part DEFERRABLE INITIALLY DEFERRED);
SELECT * FROM journey_stitch.ingest_events('[{"id": 5, "type": "t", "correlations": ["user_id:ann", "user_id:bob"]}]');
BEGIN;
INSERT INTO public.part VALUES (1, 2);
SELECT * FROM journey_stitch.stitch_pending();
INSERT INTO public.part VALUES (3, 4);
INSERT INTO public.part VALUES (2, NULL), (4, NULL);
COMMIT;
SELECT * FROM public.part ORDER BY id;
SELECT event_id FROM journey_stitch.get_journey('user_id:bob') ORDER BY event_id;
DROP TABLE public.part;

-- A cursor goes on with the snapshot it was opened with.
SELECT * FROM journey_stitch.ingest_events('[{"id": 6, "type": "t", "user_id": "dan"}, {"id": 7, "type": "t", "user_id": "eve"}]');
BEGIN;
DECLARE c CURSOR FOR SELECT events FROM journey_stitch.pending;
SELECT * FROM journey_stitch.stitch_pending();
FETCH ALL FROM c;
COMMIT;

SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
