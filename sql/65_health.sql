-- What an operator asks first.

CREATE FUNCTION journey_stitch.health() RETURNS TABLE ("check" text, status text, detail text)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SECURITY DEFINER: pg_monitor may execute it, who has no right to read the tables.
    RETURN QUERY
    SELECT 'version',
           CASE WHEN x.extversion = journey_stitch.library_version() THEN 'OK' ELSE 'FAIL' END,
           CASE WHEN x.extversion = journey_stitch.library_version() THEN format('library and objects are %s', x.extversion)
                ELSE format('the library is %s, the objects are %s: ALTER EXTENSION journey_stitch UPDATE, or restart the server if it runs an older library',
                            journey_stitch.library_version(), x.extversion) END
    FROM pg_extension x
    WHERE x.extname = 'journey_stitch';

    RETURN QUERY
    SELECT 'workers',
           CASE WHEN pg_is_in_recovery() THEN 'OK'
                WHEN journey_stitch.launcher_pid() IS NULL OR NOT current_setting('journey_stitch.enabled')::boolean THEN 'WARN'
                ELSE 'OK' END,
           CASE WHEN pg_is_in_recovery() THEN 'this is a standby: the primary stitches'
                WHEN NOT journey_stitch.is_preloaded() THEN
                    'workers are off: add journey_stitch to shared_preload_libraries and restart, or call stitch_pending() regularly'
                WHEN journey_stitch.launcher_pid() IS NULL THEN
                    'workers are off: the launcher is not running; the server''s log says why'
                WHEN NOT current_setting('journey_stitch.enabled')::boolean THEN
                    'workers are off in this database: journey_stitch.enabled = off; call stitch_pending() regularly'
                ELSE format('launcher runs with process id %s', journey_stitch.launcher_pid()) END;

    RETURN QUERY
    SELECT 'graph',
           CASE WHEN to_regclass('journey_graph."PART_OF"') IS NULL AND EXISTS (SELECT FROM journey_stitch.journeys) THEN 'FAIL'
                ELSE 'OK' END,
           CASE WHEN to_regclass('journey_graph."PART_OF"') IS NOT NULL THEN 'journey_graph exists'
                WHEN EXISTS (SELECT FROM journey_stitch.journeys) THEN 'journey_graph is gone, and journeys are not: SELECT * FROM journey_stitch.rebuild_graph()'
                ELSE 'journey_graph is made by setup() or by the first stitching' END;

    RETURN QUERY
    SELECT 'queue',
           CASE WHEN min(q.created_at) < now() - interval '1 minute' THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'no event waits to be stitched'
                ELSE format('%s events wait to be stitched, the oldest for %s s', sum(q.events),
                            floor(extract(epoch FROM now() - min(q.created_at)))) END
    FROM journey_stitch.pending q
    WHERE q.events > 0;

    RETURN QUERY
    SELECT 'failing batches',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none'
                ELSE format('%s events failed and will be tried again; last error: %s; see journey_stitch.job_errors',
                            sum(q.events), max(q.last_error)) END
    FROM journey_stitch.pending q
    WHERE q.attempts > 0;

    -- A worker that ends by an error says so in the server's log; here is that it does.
    RETURN QUERY
    SELECT 'failing workers',
           CASE WHEN max(w.failures) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN max(w.failures) > 0 THEN
                    format('the last %s workers of this database ended by an error, which the server''s log has', max(w.failures))
                ELSE 'none' END
    FROM journey_stitch.worker_slots() AS w
    WHERE w.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());

    RETURN QUERY
    SELECT 'event ids',
           CASE WHEN s.last_value > 0.9 * 140737488355327 THEN 'FAIL' WHEN s.last_value > 0.5 * 140737488355327 THEN 'WARN' ELSE 'OK' END,
           format('%s of 140737488355327 are used', s.last_value)
    FROM journey_stitch.event_entry_id AS s;

    RETURN QUERY
    SELECT 'dead letters',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none is open'
                ELSE format('%s open: see journey_stitch.dead_letters, mend them, then call retry_dead_letters()', count(*)) END
    FROM journey_stitch.dead_letters d
    WHERE d.status = 'open';
END
$$;
COMMENT ON FUNCTION journey_stitch.health() IS
    'What an operator asks first, a row a check: status OK, WARN or FAIL, and in detail what is so and what to do.';
