-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

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
                WHEN journey_stitch.launcher_pid() IS NULL OR NOT current_setting('journey_stitch.enabled')::boolean
                     OR (SELECT NOT s.is_ready FROM journey_stitch.state s) AND EXISTS (SELECT FROM journey_stitch.pending) THEN 'WARN'
                ELSE 'OK' END,
           CASE WHEN pg_is_in_recovery() THEN 'this is a standby: the primary stitches'
                WHEN NOT journey_stitch.is_preloaded() THEN
                    'workers are off: add journey_stitch to shared_preload_libraries and restart, or call stitch_pending() regularly'
                WHEN journey_stitch.launcher_pid() IS NULL THEN
                    'workers are off: the launcher is not running; the server''s log says why'
                WHEN NOT current_setting('journey_stitch.enabled')::boolean THEN
                    'workers are off in this database: journey_stitch.enabled = off; call stitch_pending() regularly'
                WHEN (SELECT NOT s.is_ready FROM journey_stitch.state s) AND EXISTS (SELECT FROM journey_stitch.pending) THEN
                    'workers wait, as after a restored dump: SELECT journey_stitch.setup()'
                ELSE format('launcher runs with process id %s', journey_stitch.launcher_pid()) END;

    RETURN QUERY
    SELECT 'graph',
           CASE WHEN g.labels = 5 OR g.labels = 0 AND NOT g.has_journeys THEN 'OK' ELSE 'FAIL' END,
           CASE WHEN g.labels = 5 THEN 'journey_graph exists'
                WHEN g.labels = 0 AND NOT g.has_journeys THEN 'journey_graph is made by setup() or by the first stitching'
                ELSE format('journey_graph has %s of its 5 labels: SELECT * FROM journey_stitch.rebuild_graph()', g.labels) END
    FROM (SELECT count(*) FILTER (WHERE journey_stitch.graph_label_id(l.name) IS NOT NULL
                                  AND to_regclass(format('journey_graph.%I', l.name)) IS NOT NULL) AS labels,
                 EXISTS (SELECT FROM journey_stitch.journeys) AS has_journeys
          FROM unnest(ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF']) AS l (name)) AS g;

    RETURN QUERY
    SELECT 'queue',
           CASE WHEN min(q.created_at) < now() - interval '1 minute' THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'no event waits to be stitched'
                ELSE format('%s events wait to be stitched, the oldest for %s s%s', sum(q.events),
                            floor(extract(epoch FROM now() - min(q.created_at))),
                            CASE WHEN min(q.created_at) < now() - interval '1 minute' THEN
                                 ': see stat_worker and stat_progress; stitch_pending() stitches now' END) END
    FROM journey_stitch.pending q
    WHERE q.events > 0;

    RETURN QUERY
    SELECT 'failing batches',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none'
                ELSE format('%s events failed and will be tried again; last error: %s; see journey_stitch.job_errors',
                            sum(q.events), (array_agg(q.last_error ORDER BY q.next_attempt_at DESC))[1]) END
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
           format('%s of 140737488355327 are used%s', s.last_value,
                  CASE WHEN s.last_value > 0.5 * 140737488355327 THEN ': plan to move to a new database' END)
    FROM journey_stitch.event_entry_id AS s;

    RETURN QUERY
    SELECT 'quarantined keys',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none'
                ELSE format('%s are quarantined, because a journey would have had more than max_journey_keys keys: see identity_health(); block such values by set_identity_rule(), or raise the limit by set_max_journey_keys()', count(*)) END
    FROM journey_stitch.keys k
    WHERE k.hold = 'q';

    RETURN QUERY
    SELECT 'identity rules',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none waits'
                ELSE format('rules of %s projects wait: see simulate_rules(), then call restitch()', count(DISTINCT r.project_id)) END
    FROM journey_stitch.identity_rules r
    WHERE NOT r.is_in_force;

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

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
