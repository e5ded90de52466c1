-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Comments on the functions that the library declares.

COMMENT ON FUNCTION journey_stitch.retry_dead_letters(text, integer) IS
    'Ingests open dead letters again, the oldest first, of one project or (NULL) of all, at most max_rows. What is accepted now is resolved; what is refused again stays open with its present reason.';
COMMENT ON FUNCTION journey_stitch.stitch_pending(bigint) IS
    'Stitches pending events of all projects in the caller''s transaction, at most max_events (NULL: all that are due), waiting for projects that a worker is stitching. Answers how many events were stitched, journeys created and merged, and how many events remain pending.';
COMMENT ON FUNCTION journey_stitch.verify() IS
    'Recomputes from the events alone what the ledger, the queue, keys, journeys, rollups and the graph must hold; a row an invariant with the number of its violations. All are 0, or something is wrong. Reads everything: takes about a minute for a million events.';
COMMENT ON FUNCTION journey_stitch.find_journey(text, text) IS
    'The present journey (journeys.id) that an event id, else a journey id (also that of an absorbed journey), else a key kind:value, else a correlation names; NULL if nothing does.';
COMMENT ON FUNCTION journey_stitch.journey_of(text, text) IS
    'The id of the journey that an event is in; NULL while the event is pending, and if there is no such event.';
COMMENT ON FUNCTION journey_stitch.granted_projects(text) IS
    'The projects that the present role may read or (privilege ''write'') write to, as the policies of row level security ask.';
COMMENT ON FUNCTION journey_stitch.event_keys(integer, text, text, text, jsonb) IS
    'The keys that an event''s event_id, user_id, session_id and identifiers give by the rules in force of a project (projects.id): normalized, without blocked values; an event with none gets the key event_id of its own.';
COMMENT ON FUNCTION journey_stitch.journey_graph(text, text, text) IS
    'The journey that id names (as in get_journey) drawn as a graph of its events, keys, refused keys and absorbed journeys, in the language that format names: ''mermaid'', ''dot'' (Graphviz) or ''json'' (nodes and edges). Of more than 500 events those in the middle are left out, and a node says how many. NULL if nothing has that id.';
COMMENT ON FUNCTION journey_stitch.set_identity_rule(text, boolean, integer, integer, text[], text[], text[], text) IS
    'Sets the rule of a kind of keys in a project; kind ''*'' is every kind that has none. merges: whether such keys join journeys. max_values: the most of them in a journey, 0 any number. priority: who yields when a limit is hit, the highest number first. blocked_values, blocked_patterns: values that are no keys, as they are after normalizing, and regular expressions (those of the Rust crate regex) searched in them. normalize: what is done to a value before, of ''trim'' and ''lower''. NULL: says nothing, so that the rule of ''*'' or the shipped one holds. Replaces the kind''s rule as a whole; answers it. In force at once in a project without stitched events, else after restitch().';
COMMENT ON FUNCTION journey_stitch.drop_identity_rule(text, text) IS
    'Takes a project''s rule for a kind away, so that the rule of ''*'' or the shipped one holds. In force as set_identity_rule() says.';
COMMENT ON FUNCTION journey_stitch.use_identity_profile(text, text) IS
    'Replaces all of a project''s rules by a profile. ''default'': the shipped rules, any number of keys of any kind. ''people'': at most one user_id a journey (priority 1), five emails (priority 2) and five of every other kind. Answers the rules. In force as set_identity_rule() says.';
COMMENT ON FUNCTION journey_stitch.set_max_journey_keys(integer, text) IS
    'Sets max_journey_keys of a project: the most keys a journey may have; NULL: as shipped, 10000. A key that would lead to more is quarantined: it joins no journeys from that event on. In force as set_identity_rule() says.';
COMMENT ON FUNCTION journey_stitch.simulate_rules(text) IS
    'What restitch() would change, without changing anything: a row a measure, as it is and as it would be.';
COMMENT ON FUNCTION journey_stitch.restitch(text) IS
    'Puts a project''s waiting rules in force, and computes all of its journeys anew from the events by them, in one transaction. A journey''s id stays with its founding event. Answers, a row a measure, what was and what is. Stitching of the project waits meanwhile; ingesting and reading go on.';
COMMENT ON FUNCTION journey_stitch.link(text, text, text, boolean) IS
    'A person''s word, above every rule: two keys (kind:value) are one person''s, whatever the events say; also keys that come later. Answers what goes from which journey to which. dry_run: only shows it (becomes is NULL for a journey that would be new). What never_link() said of them, directly or by other links, is an error (55000). retract() takes it back.';
COMMENT ON FUNCTION journey_stitch.never_link(text, text, text, boolean) IS
    'A person''s word, above every rule: two keys (kind:value) are never one person''s. What holds them together is refused from the first event on that would do so, its least important key first. Answers as link() does.';
COMMENT ON FUNCTION journey_stitch.unmerge(text, text, text, boolean) IS
    'Takes a key (kind:value) out of what ties events together, for good: its journey is computed anew from its events without it, the part without the founding event gets a new id, and events that have no other key are a journey of the key''s own. With other: takes back the link() of the two keys. Answers what goes from which journey to which; dry_run, the default, only shows it. Nothing to do: no rows, and a notice. retract(key) takes it back.';
COMMENT ON FUNCTION journey_stitch.retract(text, text, text, boolean) IS
    'Takes back what link() or never_link() said of two keys, or what unmerge() said of one, and computes their journeys anew. Answers as link() does. Nothing said: error 22023.';
COMMENT ON FUNCTION journey_stitch.simulate(jsonb, text) IS
    'What stitching events (as ingest_events() takes them) would do now: a row an event, with the journey it would be in (NULL: a new one), the journeys that would be absorbed because of it, and which of its keys would be refused, why. Nothing is stored: it is done, looked at, and undone. Other events that are pending are not looked at.';
COMMENT ON FUNCTION journey_stitch.forget(text, text, text, boolean) IS
    'Forgets events: those with a key (id is kind:value), of a user_id, or all of a journey (id is its uuid). mode ''erase'': the events go from events, ledger, dead letters, graph, journeys and rollups, in one transaction, so that every count is as if they had never come. mode ''anonymize'': their identifiers are replaced by random ones, and address, user agent and properties are emptied, so that counts and journeys stay. Answers how many rows of what; dry_run, the default, only says so.';
COMMENT ON FUNCTION journey_stitch.members_union(bytea, bytea) IS 'The union of two sets of one chunk of a rollup.';
COMMENT ON FUNCTION journey_stitch.members_difference(bytea, bytea) IS 'The members of the first set that are not in the second, of one chunk of a rollup.';
COMMENT ON FUNCTION journey_stitch.timeline_events(bytea) IS
    'The events of a run of the timeline: events.id, occurred_at, users.id of the user (NULL: sent without user_id), journeys.id of the journey that it was in when that was written.';
COMMENT ON FUNCTION journey_stitch.timeline_run(bigint[], timestamptz[], bigint[], bigint[]) IS
    'A run of the timeline, of events whose ids ascend.';
COMMENT ON FUNCTION journey_stitch.json_number(jsonb) IS
    'The number that a JSON value is: a number, or a text that is a decimal one. NULL for anything else, also NaN and infinity.';
COMMENT ON FUNCTION journey_stitch.members_ids(bigint, bytea) IS
    'The ids in a set of a rollup, of the given chunk: users.id or journeys.id; one NULL if the set cannot be read.';
COMMENT ON FUNCTION journey_stitch.create_metric(text, text, text, text[], text, jsonb, interval, interval, interval, interval) IS
    'Makes a metric of a project and fills it from the stitched events; the stitcher keeps it from then on. It counts events of event_type (NULL: any) whose properties contain filter, and their distinct users, by minutes, 5 minutes, hours and days. value: a JSON path into properties, such as ''$.amount'', of the number to sum; what is no number, nor a text that is one, is no value, and the event counts all the same. dimensions: up to 8 of ''event_type'', ''event_name'', ''source'' and JSON paths, by whose values all of that is told apart. keep_…: how long windows of each length are kept; older ones are computed from the events when they are asked for. Answers how many windows were made and how many events counted. A name that is taken: error 42710. metric() reads it, drop_metric() removes it.';
COMMENT ON FUNCTION journey_stitch.drop_metric(text, text) IS 'Removes a metric of a project with all its windows. No metric of that name: error 42704.';
COMMENT ON FUNCTION journey_stitch.metric_users_set(bigint[]) IS 'The set of users with the given numbers (users.id), as metric_windows.members stores it; NULLs are left out.';
COMMENT ON FUNCTION journey_stitch.metric_users_union(bytea[]) IS 'The union of sets of users, as metric_windows.members stores them.';
COMMENT ON FUNCTION journey_stitch.metric_users_count(bytea) IS 'How many users are in a set, as metric_windows.members stores it.';
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
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.merge_conflicts', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.key_moves', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_rules', $$WHERE project_id <> 0$$);
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_words', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_words_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_log', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_log_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.users', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.activity', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.event_counts', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.timeline', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.metric_definitions', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.metric_definitions_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.metric_granularities', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.metric_combinations', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.metric_combinations_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.metric_windows', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.project_stats', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.rejection_stats', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.job_errors', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.job_errors_id_seq', '');
-- What was granted to a role that is gone would be another role's where the dump is restored.
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.project_grants',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) grantee)');

COMMENT ON SCHEMA journey_stitch IS 'Stitches events into user journeys: start with ingest_events(), get_journey(), dau() and health().';

-- What the planner cannot know of the library's functions.
ALTER FUNCTION journey_stitch.event_keys(integer, text, text, text, jsonb) ROWS 3;
-- Its joins are of whole tables, whose statistics may be older than their rows.
ALTER FUNCTION journey_stitch.verify() SET enable_nestloop = off;

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
