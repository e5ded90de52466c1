-- What an operator asks first.

CREATE FUNCTION journey_stitch.health() RETURNS TABLE ("check" text, status text, detail text)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
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
                WHEN EXISTS (SELECT FROM journey_stitch.journeys) THEN 'journey_graph is gone, and journeys are not'
                ELSE 'journey_graph is made by setup() or by the first stitching' END;

    RETURN QUERY
    SELECT 'queue',
           CASE WHEN min(q.created_at) < now() - interval '1 minute' THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'no event waits to be stitched'
                ELSE format('%s events wait to be stitched, the oldest for %s s', sum(q.events),
                            floor(extract(epoch FROM now() - min(q.created_at)))) END
    FROM journey_stitch.pending q;

    RETURN QUERY
    SELECT 'failing batches',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none'
                ELSE format('%s events failed and will be tried again; last error: %s', sum(q.events), max(q.last_error)) END
    FROM journey_stitch.pending q
    WHERE q.attempts > 0;

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
