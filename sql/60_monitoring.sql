-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- What is seen from outside: counters that the stitcher keeps in the transactions that it counts, and what
-- the processes are doing now. pg_monitor reads the views.

CREATE TABLE journey_stitch.project_stats (
    project_id       integer          NOT NULL PRIMARY KEY,
    received         bigint           NOT NULL DEFAULT 0,
    duplicates       bigint           NOT NULL DEFAULT 0,
    rejected         bigint           NOT NULL DEFAULT 0,
    events           bigint           NOT NULL DEFAULT 0,
    batches          bigint           NOT NULL DEFAULT 0,
    journeys_created bigint           NOT NULL DEFAULT 0,
    journeys_merged  bigint           NOT NULL DEFAULT 0,
    retries          bigint           NOT NULL DEFAULT 0,
    errors           bigint           NOT NULL DEFAULT 0,
    busy_seconds     double precision NOT NULL DEFAULT 0,
    last_batch_at    timestamptz,
    reset_at         timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE journey_stitch.project_stats IS
    'Counters a project, since stat_reset(). Written by the stitcher, in the transactions that they count; what calls of ingest_events() count waits in pending until then. The views stat_stitch and stat_ingest add both up.';

CREATE TABLE journey_stitch.rejection_stats (
    project_id integer NOT NULL,
    reason     text    NOT NULL,
    events     bigint  NOT NULL,
    PRIMARY KEY (project_id, reason)
) WITH (fillfactor = 50);
COMMENT ON TABLE journey_stitch.rejection_stats IS 'Counters of rejected events a project and reason, as project_stats.';

CREATE TABLE journey_stitch.job_errors (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id  integer     NOT NULL,
    sqlstate    text        NOT NULL,
    message     text        NOT NULL,
    events      bigint      NOT NULL,
    attempt     integer     NOT NULL,
    consequence text        NOT NULL,
    pid         integer     NOT NULL DEFAULT pg_backend_pid()
);
COMMENT ON TABLE journey_stitch.job_errors IS 'The last 10,000 batches that failed: why, and what became of them.';
COMMENT ON COLUMN journey_stitch.job_errors.events IS 'How many events the batch had.';
COMMENT ON COLUMN journey_stitch.job_errors.attempt IS 'The how-manieth failure of these events this was.';

CREATE VIEW journey_stitch.stat_ingest AS
SELECT p.name AS project,
       COALESCE(s.received, 0) + q.received AS received,
       COALESCE(s.received - s.duplicates - s.rejected, 0) + q.received - q.duplicates - q.rejected AS inserted,
       COALESCE(s.duplicates, 0) + q.duplicates AS duplicates,
       COALESCE(s.rejected, 0) + q.rejected AS rejected,
       COALESCE(s.reset_at, p.created_at) AS counted_since
FROM journey_stitch.projects p
LEFT JOIN journey_stitch.project_stats s ON s.project_id = p.id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(q.received), 0)::bigint AS received, COALESCE(sum(q.duplicates), 0)::bigint AS duplicates,
           COALESCE(sum((SELECT sum(r.events::bigint) FROM jsonb_each_text(q.rejected) AS r (reason, events))), 0)::bigint AS rejected
    FROM journey_stitch.pending q
    WHERE q.project_id = p.id
) AS q;
COMMENT ON VIEW journey_stitch.stat_ingest IS
    'What calls of ingest_events() and retry_dead_letters() have brought a project since stat_reset(): events received, and how many of them were inserted, duplicates, or rejected (an event that is rejected, mended and retried is received twice). Exact, as of the calls that have committed.';

CREATE VIEW journey_stitch.stat_rejections AS
SELECT p.name AS project, r.reason, sum(r.events)::bigint AS events
FROM (SELECT s.project_id, s.reason, s.events FROM journey_stitch.rejection_stats s
      UNION ALL
      SELECT q.project_id, r.reason, r.events::bigint
      FROM journey_stitch.pending q CROSS JOIN jsonb_each_text(q.rejected) AS r (reason, events)) AS r
JOIN journey_stitch.projects p ON p.id = r.project_id
GROUP BY p.name, r.reason;
COMMENT ON VIEW journey_stitch.stat_rejections IS
    'How many events of a project were rejected for which reason since stat_reset(). The reasons are those of dead_letters.';

CREATE VIEW journey_stitch.stat_stitch AS
SELECT p.name AS project,
       COALESCE(s.events, 0) AS events,
       COALESCE(s.batches, 0) AS batches,
       COALESCE(s.journeys_created, 0) AS journeys_created,
       COALESCE(s.journeys_merged, 0) AS journeys_merged,
       COALESCE(s.retries, 0) AS retries,
       COALESCE(s.errors, 0) AS errors,
       round((s.events / NULLIF(s.busy_seconds, 0))::numeric, 1) AS events_per_second,
       q.lag_events,
       round(extract(epoch FROM clock_timestamp() - q.oldest_pending), 3) AS lag_seconds,
       q.oldest_pending,
       s.last_batch_at,
       d.dead_letters,
       COALESCE(s.reset_at, p.created_at) AS counted_since,
       p.id AS project_id
FROM journey_stitch.projects p
LEFT JOIN journey_stitch.project_stats s ON s.project_id = p.id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(q.events), 0)::bigint AS lag_events, min(q.created_at) AS oldest_pending
    FROM journey_stitch.pending q
    WHERE q.project_id = p.id AND q.events > 0
) AS q
CROSS JOIN LATERAL (
    SELECT count(*) AS dead_letters FROM journey_stitch.dead_letters d WHERE d.project_id = p.id AND d.status = 'open'
) AS d;
COMMENT ON VIEW journey_stitch.stat_stitch IS
    'Stitching, a row a project, since stat_reset(): events and batches stitched, journeys created and absorbed, batches that failed and were put back (retries), events given up to dead_letters (errors), events a second while stitching; and now: events that wait (lag_events), since when the oldest does (oldest_pending, lag_seconds; NULL if none waits), and open dead letters. The counters begin at counted_since.';

CREATE VIEW journey_stitch.stat_worker AS
SELECT w.role, d.datname, w.pid,
       -- Who is not in pg_monitor sees that a process is there, and no more.
       CASE WHEN w.pid IS NOT NULL THEN COALESCE(a.state, CASE WHEN a.pid IS NULL THEN 'starting' ELSE 'running' END)
            WHEN w.next_start > clock_timestamp() THEN 'backing off'
            WHEN w.is_wanted OR w.next_start IS NOT NULL THEN 'wanted'
            ELSE 'gone' END AS state,
       a.wait_event_type, a.wait_event, a.query AS activity, a.backend_start, w.failures, w.next_start
FROM (SELECT 'launcher' AS role, NULL::oid AS database, journey_stitch.launcher_pid() AS pid, false AS is_wanted,
             0 AS failures, NULL::timestamptz AS next_start
      UNION ALL
      SELECT 'worker', database, pid, is_wanted, failures, next_start FROM journey_stitch.worker_slots()) AS w
LEFT JOIN pg_catalog.pg_database d ON d.oid = w.database
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid;
COMMENT ON VIEW journey_stitch.stat_worker IS
    'The launcher, and each database (of the whole server) that has a worker or is to get one: what the process does and waits for, how many workers in a row have ended by an error, and when the next one is started.';

CREATE VIEW journey_stitch.stat_progress AS
SELECT g.pid, g.command, p.name AS project, g.step, g.steps_done, g.steps_total, g.events, g.started_at,
       round(extract(epoch FROM clock_timestamp() - g.started_at), 3) AS seconds
FROM journey_stitch.progress_slots() AS g
LEFT JOIN journey_stitch.projects p ON p.id = g.project_id;
COMMENT ON VIEW journey_stitch.stat_progress IS
    'What is being stitched or rebuilt in this database at this moment, a row a process: the step that it is at, how many steps are done of how many, and the events of the batch. Needs preloading.';

CREATE FUNCTION journey_stitch.stat_reset(project text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reset CONSTANT integer[] := ARRAY(SELECT p.id FROM journey_stitch.projects p
                                      WHERE stat_reset.project IS NULL OR p.name = stat_reset.project);
BEGIN
    -- SECURITY DEFINER: only journey_stitch_admin may execute it, who has no right to change the tables otherwise.
    IF stat_reset.project IS NOT NULL AND reset = '{}' THEN
        RAISE EXCEPTION 'project "%" does not exist', stat_reset.project USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE journey_stitch.pending q SET received = 0, duplicates = 0, rejected = NULL
    WHERE q.project_id = ANY (reset) AND (q.received > 0 OR q.rejected IS NOT NULL);
    DELETE FROM journey_stitch.rejection_stats s WHERE s.project_id = ANY (reset);
    DELETE FROM journey_stitch.job_errors e WHERE e.project_id = ANY (reset);
    -- The row may be there, or come in the meantime with a project's first batch.
    INSERT INTO journey_stitch.project_stats (project_id, reset_at) SELECT r.id, now() FROM unnest(reset) AS r (id)
    ON CONFLICT (project_id) DO UPDATE
    SET received = 0, duplicates = 0, rejected = 0, events = 0, batches = 0, journeys_created = 0, journeys_merged = 0,
        retries = 0, errors = 0, busy_seconds = 0, last_batch_at = NULL, reset_at = now();
END
$$;
COMMENT ON FUNCTION journey_stitch.stat_reset(text) IS
    'Sets the counters of one project, or (NULL) of all, to zero and forgets their job_errors.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
