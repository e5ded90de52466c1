-- stat_ingest, stat_rejections, stat_stitch, job_errors, stat_progress and stat_worker: what they count and show, what
-- they do not, and stat_reset().
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE TEMP VIEW ingest AS SELECT project, received, inserted, duplicates, rejected FROM journey_stitch.stat_ingest;
CREATE TEMP VIEW reasons AS SELECT project, reason, events FROM journey_stitch.stat_rejections;
CREATE TEMP VIEW stitch AS
SELECT project, events, batches, journeys_created AS created, journeys_merged AS merged, retries, errors, lag_events,
       oldest_pending IS NOT NULL AS waits
FROM journey_stitch.stat_stitch;

-- Nothing yet: a row of zeros for each project.
TABLE ingest;
TABLE reasons;
TABLE stitch;
SELECT events_per_second, lag_seconds, oldest_pending, last_batch_at FROM journey_stitch.stat_stitch;
SELECT count(*) AS job_errors FROM journey_stitch.job_errors;

-- Calls with all that can become of an event, with nothing new, with nothing good, with nothing at all, and into
-- another project, whose name is a hostile one.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "1", "type": "t", "user_id": "ann", "ts": 1}, {"id": "2", "type": "t", "user_id": "bob", "ts": 2}, {"id": "1", "type": "t"},
    {"id": "3"}, {"id": "4"}, {"id": "5", "type": "t", "ts": "yesterday"}, 6]');
SELECT * FROM journey_stitch.ingest_events('[{"id": "1", "type": "t"}, {"id": "2", "type": "t"}]');
SELECT * FROM journey_stitch.ingest_events('[{"id": "7"}, {"id": "8", "type": "t", "ts": 1e30}]');
SELECT * FROM journey_stitch.ingest_events('[]');
SELECT * FROM journey_stitch.ingest_events('[{"id": "1", "type": "t", "user_id": "ann", "ts": 1}, []]', 'shop '';--');
TABLE ingest ORDER BY project;
TABLE reasons ORDER BY project, reason;
-- Three events wait. Calls that inserted nothing do not.
TABLE stitch ORDER BY project;

-- What is undone, or fails, is not counted.
BEGIN;
SELECT * FROM journey_stitch.ingest_events('[{"id": "9", "type": "t"}, {"id": "9"}]');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT * FROM journey_stitch.ingest_events('[{"id": "9", "type": "t"}, {"id": "9"}]');
ROLLBACK TO s;
SELECT * FROM journey_stitch.ingest_events('{"id": "10", "type": "t", "user_id": "bob", "ts": 3}');
COMMIT;
SELECT * FROM journey_stitch.ingest_events('5');
TABLE ingest ORDER BY project;

-- Whether the calls' events are stitched makes no difference to what the calls brought: not at all, in part, or all.
CREATE TEMP TABLE before AS TABLE ingest;
CREATE TEMP TABLE reasons_before AS TABLE reasons;
CREATE FUNCTION pg_temp.differences() RETURNS bigint LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM ((TABLE ingest EXCEPT TABLE before) UNION ALL (TABLE before EXCEPT TABLE ingest)) AS d)
         + (SELECT count(*) FROM ((TABLE reasons EXCEPT TABLE reasons_before) UNION ALL (TABLE reasons_before EXCEPT TABLE reasons)) AS d)
$$;
SELECT * FROM journey_stitch.stitch_pending(1);
SELECT pg_temp.differences();
BEGIN;
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT pg_temp.differences();
ROLLBACK;
SELECT pg_temp.differences();
TABLE stitch ORDER BY project;
SELECT clock_timestamp() AS before_batch \gset
SELECT * FROM journey_stitch.stitch_pending();
SELECT pg_temp.differences();
SELECT count(*) AS queue_rows FROM journey_stitch.pending;
TABLE stitch ORDER BY project;
SELECT project, events_per_second > 0 AS has_a_rate, last_batch_at BETWEEN :'before_batch' AND clock_timestamp() AS just_now,
       lag_seconds, oldest_pending
FROM journey_stitch.stat_stitch ORDER BY project;

-- Journeys that become one.
SELECT * FROM journey_stitch.ingest_events('[{"id": "11", "type": "t", "user_id": "ann", "session_id": "s"}, {"id": "12", "type": "t", "user_id": "bob", "session_id": "s"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT s.created = (SELECT count(*) FROM journey_stitch.journeys j WHERE j.project_id = 1) AS created_as_there_are,
       s.merged = (SELECT count(*) FROM journey_stitch.merges m WHERE m.project_id = 1) AS merged_as_there_are,
       s.events = (SELECT count(*) FROM journey_stitch.events e WHERE e.project_id = 1) AS events_as_there_are, merged
FROM stitch s WHERE project = 'default';

-- Calls that bring nothing to stitch are no batch, and no news of the last one.
SELECT batches, last_batch_at FROM journey_stitch.stat_stitch WHERE project = 'default' \gset
SELECT * FROM journey_stitch.ingest_events('[{"id": "11", "type": "t"}]');
SELECT * FROM journey_stitch.stitch_pending();
SELECT batches - :batches AS more_batches, last_batch_at = :'last_batch_at' AS last_batch_as_before
FROM journey_stitch.stat_stitch WHERE project = 'default';

-- Since when the oldest waits.
SELECT * FROM journey_stitch.ingest_events('{"id": "13", "type": "t", "user_id": "ann"}');
UPDATE journey_stitch.pending SET created_at = now() - interval '90 seconds';
SELECT * FROM journey_stitch.ingest_events('{"id": "14", "type": "t", "user_id": "ann"}');
SELECT lag_events, lag_seconds >= 90 AND lag_seconds < 600 AS about_90_s,
       oldest_pending = (SELECT min(created_at) FROM journey_stitch.pending) AS since_then
FROM journey_stitch.stat_stitch WHERE project = 'default';
SELECT journey_stitch.clean();
-- Nothing is left of it.
TABLE ingest;
TABLE reasons;
TABLE stitch;

-- 90 calls of all sorts, some undone, stitched now and then in batches of 7: the views say what the calls answered,
-- and the tables have.
CREATE TEMP TABLE answers (project text, received bigint, inserted bigint, duplicates bigint, rejected bigint);
DO $$
DECLARE
    call integer;
    answer record;
    differing bigint;
BEGIN
    PERFORM set_config('journey_stitch.batch_size', '7', true);
    FOR call IN 1..90 LOOP
        BEGIN
            SELECT CASE call % 3 WHEN 0 THEN 'default' ELSE 'p' || call % 3 END AS project, i.*
            INTO answer
            FROM journey_stitch.ingest_events(COALESCE((
                     SELECT jsonb_agg(CASE n * call % 11 WHEN 3 THEN '{}'::jsonb WHEN 5 THEN '{"type": "t", "ts": "never"}'::jsonb
                                      ELSE jsonb_build_object('id', n * call % 200, 'type', 't', 'ts', n, 'user_id', 'u' || n % 5) END)
                     FROM generate_series(1, call * 7 % 25) AS n), '[]'),
                 CASE call % 3 WHEN 0 THEN 'default' ELSE 'p' || call % 3 END) AS i;
            IF call % 8 = 5 THEN
                RAISE EXCEPTION 'undone';
            END IF;
            INSERT INTO answers VALUES (answer.project, answer.received, answer.inserted, answer.duplicates, answer.rejected);
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
        IF call % 7 = 0 THEN
            PERFORM journey_stitch.stitch_pending(CASE WHEN call % 2 = 0 THEN 20 END);
        END IF;
        SELECT count(*) INTO differing
        FROM journey_stitch.stat_ingest i
        FULL JOIN (SELECT project, sum(received) AS received, sum(inserted) AS inserted, sum(duplicates) AS duplicates, sum(rejected) AS rejected
                   FROM answers GROUP BY project) AS a USING (project)
        WHERE (i.received, i.inserted, i.duplicates, i.rejected)
              IS DISTINCT FROM (COALESCE(a.received, 0), COALESCE(a.inserted, 0), COALESCE(a.duplicates, 0), COALESCE(a.rejected, 0));
        IF differing > 0 THEN
            RAISE EXCEPTION 'after call % figures differ', call;
        END IF;
    END LOOP;
END
$$;
SELECT project, count(*) > 20 AS several_calls, sum(inserted) > 50 AND sum(duplicates) > 50 AND sum(rejected) > 20 AS of_all_sorts
FROM answers GROUP BY project ORDER BY project;
SELECT remaining FROM journey_stitch.stitch_pending();
SELECT i.project, i.inserted = (SELECT count(*) FROM journey_stitch.events e WHERE e.project_id = p.id) AS as_in_events,
       s.events = i.inserted AS stitched, s.batches > 5 AS several_batches,
       (SELECT array_agg((r.reason, r.events) ORDER BY r.reason) FROM journey_stitch.stat_rejections r WHERE r.project = i.project)
       = (SELECT array_agg((d.reason, d.events) ORDER BY d.reason)
          FROM (SELECT reason, count(*) AS events FROM journey_stitch.dead_letters WHERE project_id = p.id GROUP BY reason) AS d) AS as_in_dead_letters
FROM journey_stitch.stat_ingest i JOIN journey_stitch.stat_stitch s USING (project) JOIN journey_stitch.projects p ON p.name = i.project
ORDER BY project;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- Batches that fail: a key whose value starts with "poison".
CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.value LIKE 'poison%' THEN
        RAISE EXCEPTION 'poisoned: %', NEW.value USING ERRCODE = COALESCE(substring(NEW.value FROM 'poison (.....)'), '23514');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER poison BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.poison();
CREATE TEMP VIEW failures AS
SELECT e.id, p.name AS project, e.sqlstate, e.message, e.events, e.attempt, e.consequence,
       e.pid = pg_backend_pid() AS by_this_session, e.happened_at BETWEEN now() - interval '10 minutes' AND clock_timestamp() AS just_now
FROM journey_stitch.job_errors e LEFT JOIN journey_stitch.projects p ON p.id = e.project_id;
SET client_min_messages = error;
SET journey_stitch.max_attempts = 2;
SELECT inserted FROM journey_stitch.ingest_events('[{"id": "1", "type": "t", "user_id": "poison"}, {"id": "2", "type": "t", "user_id": "ann"}]');
SELECT inserted FROM journey_stitch.ingest_events('{"id": "1", "type": "t", "user_id": "poison 40001"}', 'shop');
-- The first time, both wait for a second try. A failure that is undone with its transaction is not counted.
BEGIN;
SELECT * FROM journey_stitch.stitch_pending();
SELECT retries FROM stitch WHERE retries > 0;
ROLLBACK;
SELECT * FROM journey_stitch.stitch_pending();
TABLE stitch ORDER BY project;
SELECT project, sqlstate, message, events, attempt, consequence, by_this_session, just_now FROM failures ORDER BY id;
-- The second time, the batch of two is halved until one event is alone, which goes to dead_letters. A conflict of
-- transactions is no event's fault, and waits on.
UPDATE journey_stitch.pending SET next_attempt_at = '-infinity';
SELECT * FROM journey_stitch.stitch_pending();
UPDATE journey_stitch.pending SET next_attempt_at = '-infinity';
SELECT * FROM journey_stitch.stitch_pending();
SELECT project, sqlstate, events, attempt, consequence FROM failures ORDER BY id;
-- Every failed batch but the last of the buried one was put back: retries. That one is an error.
TABLE stitch ORDER BY project;
SELECT count(*) FILTER (WHERE consequence LIKE '%dead_letters') AS errors, count(*) FILTER (WHERE consequence NOT LIKE '%dead_letters') AS retries
FROM journey_stitch.job_errors;
-- What was given up had been received and inserted all the same.
TABLE ingest ORDER BY project;
TABLE reasons ORDER BY project, reason;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- retry_dead_letters() brings events again. What it still refuses has been counted when it first came.
SELECT rejected FROM journey_stitch.ingest_events('[{"id": "3"}, {"id": "4"}, {"id": "2", "typ": "t"}]');
UPDATE journey_stitch.dead_letters SET event = event || '{"type": "t"}' WHERE event->>'id' IN ('3', '2');
DROP TRIGGER poison ON journey_stitch.keys;
CREATE TEMP TABLE before_retry AS TABLE ingest;
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT project, i.received - b.received AS received, i.inserted - b.inserted AS inserted, i.duplicates - b.duplicates AS duplicates,
       i.rejected - b.rejected AS rejected
FROM ingest i JOIN before_retry b USING (project) ORDER BY project;
UPDATE journey_stitch.pending SET next_attempt_at = '-infinity';
SELECT events, remaining FROM journey_stitch.stitch_pending();
TABLE stitch ORDER BY project;
TABLE reasons ORDER BY project, reason;

-- Of failures, the last 10,000 are kept.
INSERT INTO journey_stitch.job_errors (project_id, sqlstate, message, events, attempt, consequence)
SELECT 1, '23514', 'filler ' || n, 1, 1, 'none' FROM generate_series(1, 10010) AS n;
CREATE TRIGGER poison BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.poison();
SELECT inserted FROM journey_stitch.ingest_events('{"id": "5", "type": "t", "user_id": "poisoned"}');
SELECT * FROM journey_stitch.stitch_pending();
SELECT count(*), (array_agg(message ORDER BY id))[1] AS first, (array_agg(message ORDER BY id DESC))[1] AS last FROM journey_stitch.job_errors;

-- stat_reset() of one project: its calls so far, stitched or not, are forgotten, and its failures; what waits, waits on.
SELECT * FROM journey_stitch.ingest_events('[{"id": "6", "type": "t", "user_id": "poison"}, {"id": "7"}]', 'shop');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.ingest_events('[{"id": "8", "type": "t", "user_id": "eve"}, {"id": "1", "type": "t"}, {"id": "9"}]', 'shop');
CREATE TEMP TABLE others AS SELECT i.*, s.events, s.batches, s.retries, s.errors FROM ingest i JOIN stitch s USING (project) WHERE project = 'default';
SELECT count(*) AS others_failures FROM journey_stitch.job_errors WHERE project_id = 1 \gset
SELECT clock_timestamp() AS before_reset \gset
SELECT journey_stitch.stat_reset('shop');
SELECT * FROM ingest WHERE project = 'shop';
SELECT * FROM reasons WHERE project = 'shop';
SELECT * FROM stitch WHERE project = 'shop';
SELECT count(*) AS failures FROM failures WHERE project = 'shop';
SELECT s.counted_since BETWEEN :'before_reset' AND clock_timestamp() AS just_now, i.counted_since = s.counted_since AS both, s.events_per_second, s.last_batch_at
FROM journey_stitch.stat_stitch s JOIN journey_stitch.stat_ingest i USING (project) WHERE project = 'shop';
-- The other project's figures are as they were.
SELECT count(*) AS unchanged FROM others JOIN (SELECT i.*, s.events, s.batches, s.retries, s.errors FROM ingest i JOIN stitch s USING (project)) AS now
USING (project, received, inserted, duplicates, rejected, events, batches, retries, errors);
SELECT count(*) = :others_failures AS failures_too FROM journey_stitch.job_errors WHERE project_id = 1;
-- What comes after the reset is counted; of what came before, its stitching.
SELECT inserted FROM journey_stitch.ingest_events('[{"id": "10", "type": "t", "user_id": "eve"}, {"id": "11"}]', 'shop');
DROP TRIGGER poison ON journey_stitch.keys;
DROP FUNCTION public.poison;
UPDATE journey_stitch.pending SET next_attempt_at = '-infinity';
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT * FROM ingest WHERE project = 'shop';
SELECT * FROM reasons WHERE project = 'shop';
SELECT * FROM stitch WHERE project = 'shop';
RESET client_min_messages;
RESET journey_stitch.max_attempts;

-- Undone, it did nothing. Of a project that is not there, it says so.
BEGIN;
SELECT journey_stitch.stat_reset();
SELECT sum(received) AS received FROM ingest;
ROLLBACK;
SELECT * FROM ingest WHERE project = 'shop';
SELECT journey_stitch.stat_reset('no such project');
SELECT journey_stitch.stat_reset('');
-- Of all projects.
SELECT inserted FROM journey_stitch.ingest_events('[{"id": "12", "type": "t"}, {"id": "13"}]');
SELECT inserted FROM journey_stitch.ingest_events('[{"id": "1", "type": "t"}, {"id": "2"}]', 'new');
SELECT journey_stitch.stat_reset();
TABLE ingest ORDER BY project;
TABLE reasons;
TABLE stitch ORDER BY project;
SELECT count(*) AS job_errors FROM journey_stitch.job_errors;
SELECT count(*) AS with_the_time FROM journey_stitch.stat_stitch WHERE counted_since > :'before_reset';
-- Twice is once.
SELECT journey_stitch.stat_reset(NULL);
SELECT events, remaining FROM journey_stitch.stitch_pending();
TABLE ingest ORDER BY project;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- stat_progress, as it is while a batch writes to its tables.
CREATE TABLE public.seen (n serial, pid integer, command text, project text, step text, steps_done integer, steps_total integer, events bigint, seconds numeric);
CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.seen (pid, command, project, step, steps_done, steps_total, events, seconds)
    SELECT pid, command, project, step, steps_done, steps_total, events, seconds FROM journey_stitch.stat_progress;
    IF TG_ARGV[0] IS NOT NULL THEN
        RAISE EXCEPTION 'failed on purpose' USING ERRCODE = TG_ARGV[0];
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER look AFTER INSERT ON journey_stitch.journeys EXECUTE FUNCTION public.look();
CREATE TRIGGER look AFTER INSERT ON journey_stitch.keys EXECUTE FUNCTION public.look();
CREATE TRIGGER look AFTER INSERT ON journey_stitch.users EXECUTE FUNCTION public.look();
CREATE TRIGGER look AFTER INSERT ON journey_graph."HAS_KEY" EXECUTE FUNCTION public.look();
CREATE TRIGGER look AFTER INSERT ON journey_stitch.event_counts EXECUTE FUNCTION public.look();
CREATE TRIGGER look AFTER DELETE ON journey_stitch.pending EXECUTE FUNCTION public.look();
SELECT inserted FROM journey_stitch.ingest_events('[{"id": "1", "type": "t", "user_id": "ann"}, {"id": "2", "type": "t", "user_id": "bob"}]', 'shop');
SELECT events FROM journey_stitch.stitch_pending();
SELECT pid = pg_backend_pid() AS by_this_session, command, project, step, steps_done, steps_total, events, seconds BETWEEN 0 AND 600 AS since_a_moment
FROM public.seen GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY min(n);
TABLE journey_stitch.stat_progress;
-- A batch that fails, and one that is cancelled.
DROP TRIGGER look ON journey_stitch.users;
CREATE TRIGGER look AFTER INSERT ON journey_stitch.users EXECUTE FUNCTION public.look('23514');
SELECT inserted FROM journey_stitch.ingest_events('{"id": "3", "type": "t", "user_id": "cid"}', 'shop');
TRUNCATE public.seen;
SELECT events FROM journey_stitch.stitch_pending();
SELECT count(*) > 0 AS was_seen FROM public.seen;
TABLE journey_stitch.stat_progress;
DROP TRIGGER look ON journey_stitch.users;
CREATE TRIGGER look AFTER INSERT ON journey_stitch.users EXECUTE FUNCTION public.look('57014');
UPDATE journey_stitch.pending SET next_attempt_at = '-infinity';
SELECT events FROM journey_stitch.stitch_pending();
TABLE journey_stitch.stat_progress;
DROP TRIGGER look ON journey_stitch.users;
DROP TRIGGER look ON journey_stitch.journeys;
DROP TRIGGER look ON journey_stitch.keys;
DROP TRIGGER look ON journey_graph."HAS_KEY";
DROP TRIGGER look ON journey_stitch.event_counts;
DROP TRIGGER look ON journey_stitch.pending;
DROP FUNCTION public.look;
DROP TABLE public.seen;
SELECT events, remaining FROM journey_stitch.stitch_pending();
-- rebuild_graph() is shown until its transaction ends, either way.
BEGIN;
SELECT count(*) AS labels FROM journey_stitch.rebuild_graph();
SELECT pid = pg_backend_pid() AS by_this_session, command, project, step, steps_done, steps_total FROM journey_stitch.stat_progress;
COMMIT;
TABLE journey_stitch.stat_progress;
BEGIN;
SELECT count(*) AS labels FROM journey_stitch.rebuild_graph();
ROLLBACK;
TABLE journey_stitch.stat_progress;

-- stat_worker. (Rows of workers come and go: those of other databases, too.)
SELECT role, datname, pid = journey_stitch.launcher_pid() AS is_it, state <> 'starting' AS is_up, wait_event_type, wait_event, failures, next_start
FROM journey_stitch.stat_worker WHERE role = 'launcher';
SELECT count(*) AS of_an_unknown_kind FROM journey_stitch.stat_worker
WHERE role NOT IN ('launcher', 'worker') OR (role = 'worker') IS DISTINCT FROM (datname IS NOT NULL);

-- All of it in a read-only transaction, too.
BEGIN READ ONLY;
SELECT count(*) > 0 AS answers FROM journey_stitch.stat_ingest, journey_stitch.stat_stitch, journey_stitch.stat_worker;
COMMIT;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
