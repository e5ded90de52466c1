-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Comments on the functions that the library declares.

COMMENT ON FUNCTION journey_stitch.ingest_events(jsonb, text) IS
    'Takes events: one object, an array, or {"events": [...]}. Answers how many were received, inserted, duplicates of earlier ones (by event_id), and rejected; a rejected event is in dead_letters with its reason, and never fails its neighbours. Not an object or array: error 22023. The events are stitched soon after the caller commits.';
COMMENT ON FUNCTION journey_stitch.retry_dead_letters(text, integer) IS
    'Ingests open dead letters again, the oldest first, of one project or (NULL) of all, at most max_rows. What is accepted now is resolved; what is refused again stays open with its present reason.';
COMMENT ON FUNCTION journey_stitch.stitch_pending(bigint) IS
    'Stitches pending events of all projects in the caller''s transaction, at most max_events (NULL: all that are due), waiting for projects that a worker is stitching. Answers how many events were stitched, journeys created and merged, and how many events remain pending.';
COMMENT ON FUNCTION journey_stitch.dau(date, date, text, text, text, text) IS
    'Active users of each day from start_date to end_date, both included: distinct user_id (identity ''user'') or distinct present journeys (identity ''journey'') with an event that day, of event_type if given. Days are those of time zone tz. Exact, with events that are accepted but not stitched yet, and moving with merges of journeys, for past days too. Days without activity appear as 0.';
COMMENT ON FUNCTION journey_stitch.retention(date, integer, text, text, text, text) IS
    'Weekly retention of one cohort: everyone active in the seven days from start_date (window 0), and how many of them were active in each of the following weeks, window 1 to windows. retention_rate is in percent with one decimal, NULL for an empty cohort. identity, tz and event_type as in dau().';
COMMENT ON FUNCTION journey_stitch.top_events(date, date, integer, text, text, text) IS
    'The commonest event types from start_date to end_date, both included: events of the type and distinct users (or journeys, by identity), most events first, ties by event_type.';
COMMENT ON FUNCTION journey_stitch.verify() IS
    'Recomputes from the events alone what the ledger, the queue, keys, journeys, rollups and the graph must hold; a row an invariant with the number of its violations. All are 0, or something is wrong. Reads everything: takes about a minute for a million events.';
COMMENT ON FUNCTION journey_stitch.find_journey(text, text) IS
    'The present journey (journeys.id) that an event id, else a journey id (also that of an absorbed journey), else a key kind:value, else a correlation names; NULL if nothing does.';
COMMENT ON FUNCTION journey_stitch.journey_of(text, text) IS
    'The id of the journey that an event is in; NULL while the event is pending, and if there is no such event.';
COMMENT ON FUNCTION journey_stitch.granted_projects(text) IS
    'The projects that the present role may read or (privilege ''write'') write to, as the policies of row level security ask.';
COMMENT ON FUNCTION journey_stitch.event_keys(text, text, text, jsonb) IS
    'The keys that an event''s event_id, user_id, session_id and identifiers give: blocked values are left out; an event with none gets the key event_id of its own.';
COMMENT ON FUNCTION journey_stitch.members_union(bytea, bytea) IS 'The union of two sets of one chunk of a rollup.';
COMMENT ON FUNCTION journey_stitch.members_difference(bytea, bytea) IS 'The members of the first set that are not in the second, of one chunk of a rollup.';
COMMENT ON FUNCTION journey_stitch.members_ids(bigint, bytea) IS
    'The ids in a set of a rollup, of the given chunk: users.id or journeys.id; one NULL if the set cannot be read.';
COMMENT ON FUNCTION journey_stitch.is_preloaded() IS 'Whether shared_preload_libraries holds journey_stitch, so that there are workers.';
COMMENT ON FUNCTION journey_stitch.launcher_pid() IS 'The process id of the launcher of workers; NULL if it does not run.';
COMMENT ON FUNCTION journey_stitch.has_graph() IS
    'Whether the graph''s tables are there and the extension owner''s; what they hold, rebuild_graph() can make.';
COMMENT ON FUNCTION journey_stitch.wake_worker() IS 'Has a worker look at this database when the transaction commits.';
COMMENT ON FUNCTION journey_stitch.library_version() IS
    'The version of the library that this session has loaded. Another one than that of the extension''s objects: ALTER EXTENSION journey_stitch UPDATE is due.';
COMMENT ON FUNCTION journey_stitch.worker_slots() IS 'The databases that have work or a worker, as the view stat_worker shows them.';
COMMENT ON FUNCTION journey_stitch.progress_slots() IS 'The long work that is being done in this database, as the view stat_progress shows it.';
COMMENT ON FUNCTION journey_stitch.note_progress(text, text, integer, integer) IS
    'Shows in stat_progress, until the transaction ends, which step of a command this session is at. For the extension''s own functions; done = 0 begins.';

-- What a dump must carry. (The settings of identity columns' sequences too.)

SELECT pg_catalog.pg_extension_config_dump('journey_stitch.projects', $$WHERE name <> 'default'$$);
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.projects_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.event_entry_id', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.key_entry_id', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.journey_entry_id', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.user_entry_id', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.event_ids', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.pending', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.pending_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.dead_letters', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.dead_letters_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.journeys', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.keys', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.merges', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.merges_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.users', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.activity', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.event_counts', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.project_stats', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.rejection_stats', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.job_errors', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.job_errors_id_seq', '');
-- What was granted to a role that is gone would be another role's where the dump is restored.
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.project_grants',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) grantee)');

COMMENT ON SCHEMA journey_stitch IS 'Stitches events into user journeys: start with ingest_events(), get_journey(), dau() and health().';

-- What the planner cannot know of the library's functions.
ALTER FUNCTION journey_stitch.event_keys(text, text, text, jsonb) ROWS 3;
-- Its joins are of whole tables, whose statistics may be older than their rows.
ALTER FUNCTION journey_stitch.verify() SET enable_nestloop = off;

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
