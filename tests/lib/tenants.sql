-- What tests/cluster/tenants.sh puts into its database: events of three projects, the matrix of calls, the roles
-- that make them, and what each of them must get.

-- Three projects with the same ids of events, users and keys; they differ in how many there are, and in a property that
-- names the project. Each has events that are stitched and that are pending, dead letters, and journeys that merged.
CREATE TABLE public.shapes (project text, users integer);
INSERT INTO public.shapes VALUES ('alpha', 2), ('beta', 3), ('default', 4);
CREATE FUNCTION public.event(project text, event_id text, user_id text, more jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql AS $$
    SELECT jsonb_build_object('event_id', event_id, 'event_type', 'click', 'user_id', user_id, 'source', 'web',
                              'ts', '2026-03-02T12:00:00Z', 'ip_address', '192.0.2.1', 'user_agent', 'x',
                              'properties', jsonb_build_object('of', project)) || more
$$;
\o /dev/null
SELECT journey_stitch.ingest_events((SELECT jsonb_agg(event(project, 'e' || n, 'u' || n % users, jsonb_build_object(
           'session_id', 's' || n, 'event_type', CASE n % 2 WHEN 0 THEN 'click' ELSE 'only ' || project END)))
       FROM generate_series(1, 3 * users) AS n), project)
FROM public.shapes;
-- Rules of each project's own, and a metric with two dimensions, one of which names the project.
SELECT journey_stitch.create_metric('clicks', NULL, dimensions => '{event_type,$.of}', project => project,
           keep_minutes => '90 years', keep_5_minutes => '90 years', keep_hours => '90 years', keep_days => '90 years')
FROM public.shapes;
SELECT journey_stitch.set_identity_rule('phone', max_values => users, project => project) FROM public.shapes;
-- A journey by e-mail alone, which then turns out to be that of user u0: one merge in each project.
SELECT journey_stitch.ingest_events(event(project, 'tie 1', NULL, '{"correlations": {"email": "ann@x"}}'), project)
FROM public.shapes;
SELECT journey_stitch.stitch_pending();
SELECT journey_stitch.ingest_events(event(project, 'tie 2', 'u0', '{"correlations": {"email": "ann@x"}}'), project)
FROM public.shapes;
SELECT journey_stitch.stitch_pending();
-- A word, which is in the log, what it refuses, and what it moves.
SELECT journey_stitch.unmerge('session_id:s1', project => project, dry_run => false) FROM public.shapes;
SELECT journey_stitch.ingest_events(event(project, 'late' || n, 'u0'), project),
       journey_stitch.ingest_events(jsonb_build_object('of', project), project)
FROM public.shapes, generate_series(2, users) AS n;
SELECT journey_stitch.ingest_events(event(project, 'only ' || project, NULL), project) FROM public.shapes;

-- What there is to try, each with who may. Of a project (%1$L is its name): read and write, who has that right on it.
-- Otherwise: reader and writer, whoever has the role; either, whoever has one of them; admin; watch, admins and members
-- of pg_monitor; nobody. varies: no two projects have the same answer. of_superuser: it is what the superuser gets.
CREATE SCHEMA probe;
CREATE TABLE probe.cases (
    id serial PRIMARY KEY, object text NOT NULL, kind text NOT NULL, statement text NOT NULL,
    is_query boolean NOT NULL DEFAULT true, of_project boolean NOT NULL DEFAULT false,
    varies boolean NOT NULL DEFAULT false, of_superuser boolean NOT NULL DEFAULT true);
INSERT INTO probe.cases (object, kind, of_project, varies, statement)
SELECT v.object, v.kind, true, v.varies, v.statement
FROM (VALUES
    ('get_journey(text,text,timestamptz)', 'read', true, $$get_journey('e1', %1$L)$$),
    ('get_journey(text,text,timestamptz)', 'read', true, $$get_journey('user_id:u0', %1$L)$$),
    ('get_journey(text,text,timestamptz)', 'read', false, $$get_journey(probe.beta_journey(), %1$L)$$),
    ('get_journey(text,text,timestamptz)', 'read', false, $$get_journey('only beta', %1$L)$$),
    ('get_journey(text,text,timestamptz)', 'read', true, $$get_journey('e1', %1$L, 'infinity')$$),
    ('get_journey(text,text,timestamptz)', 'read', false, $$get_journey('e1', %1$L, '2020-01-01')$$),
    ('journey_history(text,text)', 'read', true, $$journey_history('user_id:u0', %1$L)$$),
    ('journey_history(text,text)', 'read', false, $$journey_history(probe.beta_journey(), %1$L)$$),
    ('journey_stats(text,text)', 'read', true, $$journey_stats('e1', %1$L)$$),
    ('journey_stats(text,text)', 'read', false, $$journey_stats(probe.beta_journey(), %1$L)$$),
    ('journey_graph(text,text,text)', 'read', true, $$journey_graph('user_id:u0', 'json', %1$L)$$),
    ('journey_graph(text,text,text)', 'read', false, $$journey_graph(probe.beta_journey(), project => %1$L)$$),
    ('identity_health(text)', 'read', true, $$identity_health(%1$L)$$),
    ('journey_of(text,text)', 'read', true, $$journey_of('e1', %1$L)$$),
    ('journey_of(text,text)', 'read', false, $$journey_of('only beta', %1$L)$$),
    ('find_journey(text,text)', 'read', true, $$find_journey('email:ann@x', %1$L)$$),
    ('find_journey(text,text)', 'read', false, $$find_journey(probe.beta_journey(), %1$L)$$),
    ('dau(date,date,text,text,text,text,jsonb)', 'read', true, $$dau('2026-03-01', '2026-03-03', %1$L)$$),
    ('dau(date,date,text,text,text,text,jsonb)', 'read', true,
     $$dau('2026-03-01', '2026-03-03', %1$L, 'Asia/Kathmandu', 'journey')$$),
    ('dau(date,date,text,text,text,text,jsonb)', 'read', true,
     $$dau('2026-03-01', '2026-03-03', %1$L, filter => jsonb_build_object('of', %1$L))$$),
    ('dau(date,date,text,text,text,text,jsonb)', 'read', false,
     $$dau('2026-03-01', '2026-03-03', %1$L, filter => '{"of": "beta"}')$$),
    ('wau(date,date,text,text,text,text,text,jsonb)', 'read', true,
     $$wau('2026-03-08', '2026-03-09', project => %1$L)$$),
    ('mau(date,date,text,text,text,text,text,jsonb)', 'read', true,
     $$mau('2026-03-31', '2026-03-31', 'calendar', %1$L, identity => 'journey')$$),
    ('stickiness(date,date,text,text,text,text,jsonb)', 'read', true, $$stickiness('2026-03-02', '2026-03-03', %1$L)$$),
    ('lifecycle(date,date,text,text,text,text,jsonb)', 'read', true, $$lifecycle('2026-03-02', '2026-03-03', %1$L)$$),
    ('retention(date,integer,text,text,text,text,text,text,text,text,text,jsonb)', 'read', true,
     $$retention('2026-03-01', 2, project => %1$L)$$),
    ('retention_matrix(date,date,text,text,text,text,text,text,text,text,text,jsonb)', 'read', true,
     $$retention_matrix('2026-03-01', '2026-03-02', 'day', 'new', project => %1$L, filter => '{}')$$),
    ('top_events(date,date,integer,text,text,text,text,jsonb)', 'read', true,
     $$top_events('2026-03-01', '2026-03-03', 9, %1$L)$$),
    ('dau_by(text,date,date,integer,text,text,text,text,jsonb)', 'read', true,
     $$dau_by('$.of', '2026-03-01', '2026-03-03', 9, %1$L)$$),
    ('dau_by(text,date,date,integer,text,text,text,text,jsonb)', 'read', false,
     $$dau_by('$[', '2026-03-01', '2026-03-03', 9, %1$L)$$),
    ('top_events_by(text,date,date,integer,text,text,text,text,jsonb)', 'read', true,
     $$top_events_by('event_type', '2026-03-01', '2026-03-03', 9, %1$L)$$),
    ('funnel(jsonb,date,date,interval,text,text,text,text,jsonb)', 'read', true,
     $$funnel('[{"event_type": "click", "name": "x", "filter": {}}, "click"]'::jsonb, '2026-03-01', '2026-03-03',
              project => %1$L)$$),
    ('funnel(jsonb,date,date,interval,text,text,text,text,jsonb)', 'read', false,
     $$funnel('[{"event_type": "click", "filter": {"of": "beta"}}]'::jsonb, '2026-03-01', '2026-03-03',
              project => %1$L)$$),
    ('funnel(text[],date,date,interval,text,text,text,text,jsonb)', 'read', true,
     $$funnel(ARRAY['click', 'only ' || %1$L], '2026-03-01', '2026-03-03', ordering => 'strict', project => %1$L)$$),
    ('funnel(text,date,date,interval,text,text,text,text,jsonb)', 'read', true,
     $$funnel('{click,click}', '2026-03-01', '2026-03-03', project => %1$L, identity => 'journey')$$),
    ('funnel_by(text,jsonb,date,date,interval,text,integer,text,text,text,jsonb)', 'read', true,
     $$funnel_by('$.of', '["click"]'::jsonb, '2026-03-01', '2026-03-03', project => %1$L)$$),
    ('funnel_by(text,text[],date,date,interval,text,integer,text,text,text,jsonb)', 'read', true,
     $$funnel_by('$.of', ARRAY['click'], '2026-03-01', '2026-03-03', project => %1$L)$$),
    ('funnel_by(text,text,date,date,interval,text,integer,text,text,text,jsonb)', 'read', true,
     $$funnel_by('$.of', '["click"]', '2026-03-01', '2026-03-03', project => %1$L)$$),
    ('paths(date,date,text,integer,integer,text,text,text,jsonb)', 'read', true,
     $$paths('2026-03-01', '2026-03-03', project => %1$L)$$),
    ('sessions(text,interval,interval,text,jsonb)', 'read', true, $$sessions('u0', project => %1$L)$$),
    ('sessions(text,interval,interval,text,jsonb)', 'read', true, $$sessions('email:ann@x', project => %1$L)$$),
    ('sessions(text,interval,interval,text,jsonb)', 'read', false, $$sessions(probe.beta_journey(), project => %1$L)$$),
    ('sessions(text,interval,interval,text,jsonb)', 'read', false, $$sessions('only beta', project => %1$L)$$),
    ('user_stats(text,text)', 'read', true, $$user_stats(project => %1$L)$$),
    ('user_stats(text,text)', 'read', true, $$user_stats('u0', %1$L)$$),
    ('dau_svg(date,date,text,text,text,text,jsonb)', 'read', true, $$dau_svg('2026-03-01', '2026-03-03', %1$L)$$),
    ('retention_svg(date,date,text,text,text,text,text,text,text,text,text,jsonb)', 'read', true,
     $$retention_svg('2026-03-02', '2026-03-09', project => %1$L)$$),
    ('metric(text,text,timestamptz,timestamptz,jsonb,text,text)', 'read', true,
     $$metric('clicks', '1 day', '2026-03-01', '2026-03-03', project => %1$L)$$),
    ('metric(text,text,timestamptz,timestamptz,jsonb,text,text)', 'read', true,
     $$metric('clicks', '1 hour', '2026-03-02', '2026-03-03', '{}', %1$L)$$),
    ('metric(text,text,timestamptz,timestamptz,jsonb,text,text)', 'read', false,
     $$metric('clicks', '1 day', '2026-03-02', '2026-03-03', '{"of": "beta"}', %1$L, 'Asia/Kathmandu')$$),
    ('metric(text,text,timestamptz,timestamptz,jsonb,text,text)', 'read', false,
     $$metric('no such', '1 day', '2026-03-02', '2026-03-03', project => %1$L)$$),
    ('events_list(text,jsonb,text,integer)', 'read', true, $$events_list(%1$L)$$),
    ('events_list(text,jsonb,text,integer)', 'read', true, $$events_list(%1$L, '{"user_id": "u0"}')$$),
    ('events_list(text,jsonb,text,integer)', 'read', true, $$events_list(%1$L, '{"source": "web"}', 'e5', 2)$$),
    ('events_list(text,jsonb,text,integer)', 'read', false, $$events_list(%1$L, after => 'only beta')$$),
    ('get_event(text,text)', 'read', true, $$get_event('e1', %1$L)$$),
    ('get_event(text,text)', 'read', false, $$get_event('only beta', %1$L)$$),
    ('ingest_status(text)', 'read', true, $$ingest_status(%1$L)$$),
    ('ingest_events(jsonb,text)', 'write', true, $$ingest_events('[{"event_id": "e1", "type": "t"},
        {"event_id": "e7", "type": "t"}, {"event_id": "e10", "type": "t"}, 5]', %1$L)$$),
    ('ingest_events(jsonb,text)', 'write', false, $$ingest_events('[]', %1$L)$$),
    ('retry_dead_letters(text,integer)', 'write', true, $$retry_dead_letters(%1$L)$$)
) AS v (object, kind, varies, statement);
INSERT INTO probe.cases (object, kind, of_superuser, statement)
SELECT v.object, v.kind, v.of_superuser, v.statement
FROM (VALUES
    ('get_journey(text,text,timestamptz)', 'reader', true, $$get_journey('e1', NULL)$$),
    ('journey_history(text,text)', 'reader', true, $$journey_history('e1', NULL)$$),
    ('journey_stats(text,text)', 'reader', true, $$journey_stats('e1', NULL)$$),
    ('journey_graph(text,text,text)', 'reader', true, $$journey_graph('e1', 'dot', NULL)$$),
    ('identity_health(text)', 'reader', true, $$identity_health(NULL)$$),
    ('journey_of(text,text)', 'reader', true, $$journey_of('e1', NULL)$$),
    ('find_journey(text,text)', 'reader', true, $$find_journey('e1', NULL)$$),
    ('dau(date,date,text,text,text,text,jsonb)', 'reader', true, $$dau(identity => 'x')$$),
    ('dau(date,date,text,text,text,text,jsonb)', 'reader', true, $$dau(project => NULL)$$),
    ('dau(date,date,text,text,text,text,jsonb)', 'reader', true, $$dau(project => 'beta', tz => 'nowhere')$$),
    ('wau(date,date,text,text,text,text,text,jsonb)', 'reader', true, $$wau(mode => 'x')$$),
    ('mau(date,date,text,text,text,text,text,jsonb)', 'reader', true, $$mau(project => NULL)$$),
    ('stickiness(date,date,text,text,text,text,jsonb)', 'reader', true, $$stickiness(NULL)$$),
    ('lifecycle(date,date,text,text,text,text,jsonb)', 'reader', true, $$lifecycle(filter => '[]')$$),
    ('retention(date,integer,text,text,text,text,text,text,text,text,text,jsonb)', 'reader', true,
     $$retention(windows => 0)$$),
    ('retention_matrix(date,date,text,text,text,text,text,text,text,text,text,jsonb)', 'reader', true,
     $$retention_matrix(unit => 'x')$$),
    ('top_events(date,date,integer,text,text,text,text,jsonb)', 'reader', true, $$top_events('2026-03-01', NULL)$$),
    ('dau_by(text,date,date,integer,text,text,text,text,jsonb)', 'reader', true, $$dau_by('source', project => NULL)$$),
    ('top_events_by(text,date,date,integer,text,text,text,text,jsonb)', 'reader', true,
     $$top_events_by('source', NULL, NULL)$$),
    ('funnel(jsonb,date,date,interval,text,text,text,text,jsonb)', 'reader', true, $$funnel('[]'::jsonb)$$),
    ('funnel(text[],date,date,interval,text,text,text,text,jsonb)', 'reader', true,
     $$funnel(ARRAY['t'], project => NULL)$$),
    ('funnel(text,date,date,interval,text,text,text,text,jsonb)', 'reader', true, $$funnel('t')$$),
    ('funnel_by(text,jsonb,date,date,interval,text,integer,text,text,text,jsonb)', 'reader', true,
     $$funnel_by('source', '["t"]'::jsonb, project => NULL)$$),
    ('paths(date,date,text,integer,integer,text,text,text,jsonb)', 'reader', true, $$paths(max_steps => 0)$$),
    ('sessions(text,interval,interval,text,jsonb)', 'reader', true, $$sessions('u0', project => NULL)$$),
    ('user_stats(text,text)', 'reader', true, $$user_stats('u0', NULL)$$),
    ('dau_svg(date,date,text,text,text,text,jsonb)', 'reader', true, $$dau_svg(project => NULL)$$),
    ('retention_svg(date,date,text,text,text,text,text,text,text,text,text,jsonb)', 'reader', true,
     $$retention_svg(cohort => 'x')$$),
    ('metric(text,text,timestamptz,timestamptz,jsonb,text,text)', 'reader', true,
     $$metric('clicks', '1 day', '2026-03-01', '2026-03-03', project => NULL)$$),
    ('events_list(text,jsonb,text,integer)', 'reader', true, $$events_list(max_rows => 0)$$),
    ('events_list(text,jsonb,text,integer)', 'reader', true, $$events_list(filters => '{"since": "never"}')$$),
    ('get_event(text,text)', 'reader', true, $$get_event('e1', NULL)$$),
    ('ingest_status(text)', 'reader', true, $$ingest_status(NULL)$$),
    ('members_ids(bigint,bytea)', 'reader', true, $$members_ids(0, '\x3a3000000100000000000000100000000000')$$),
    ('timeline_events(bytea)', 'reader', true, $$timeline_events('\x010206000002010280cca69a0d0280c60a000a22')$$),
    ('timeline_events(bytea)', 'reader', true, $$timeline_events('\x00')$$),
    ('ingest_events(jsonb,text)', 'writer', true, $$ingest_events('"x"')$$),
    ('retry_dead_letters(text,integer)', 'writer', true, $$retry_dead_letters(NULL, 0)$$),
    ('retry_dead_letters(text,integer)', 'writer', false, $$retry_dead_letters()$$),
    ('granted_projects(text)', 'either', false, $$granted_projects()$$),
    ('granted_projects(text)', 'either', false, $$granted_projects('write')$$),
    ('granted_projects(text)', 'either', true, $$granted_projects('all')$$),
    ('stitch_pending(bigint)', 'admin', true, $$stitch_pending()$$),
    ('stitch_pending(bigint)', 'admin', true, $$stitch_pending(0)$$),
    ('setup()', 'admin', true, $$setup()$$),
    ('clean()', 'admin', true, $$clean()$$),
    ('verify()', 'admin', true, $$verify()$$),
    ('rebuild_graph()', 'admin', true, $$rebuild_graph()$$),
    ('stat_reset(text)', 'admin', true, $$stat_reset()$$),
    ('stat_reset(text)', 'admin', true, $$stat_reset('nowhere')$$),
    ('grant_project(text,name,text)', 'admin', true, $$grant_project('beta', 'stranger')$$),
    ('grant_project(text,name,text)', 'admin', true, $$grant_project('beta', 'a', 'some')$$),
    ('revoke_project(text,name,text)', 'admin', true, $$revoke_project('alpha', 'a')$$),
    ('revoke_project(text,name,text)', 'admin', true, $$revoke_project('nowhere', 'a')$$),
    ('graph_check()', 'admin', true, $$graph_check()$$),
    ('set_identity_rule(text,boolean,integer,integer,text[],text[],text[],text)', 'admin', true,
     $$set_identity_rule('email', max_values => 2, project => 'beta')$$),
    ('drop_identity_rule(text,text)', 'admin', true, $$drop_identity_rule('phone', 'beta')$$),
    ('drop_identity_rule(text,text)', 'admin', true, $$drop_identity_rule('phone', 'nowhere')$$),
    ('use_identity_profile(text,text)', 'admin', true, $$use_identity_profile('people', 'beta')$$),
    ('set_max_journey_keys(integer,text)', 'admin', true, $$set_max_journey_keys(9, 'beta')$$),
    ('simulate(jsonb,text)', 'admin', true, $$simulate('[{"event_id": "new", "type": "t", "correlations":
        ["user_id:u0", "user_id:u1", "session_id:s1"]}, {"event_id": "e1", "type": "t"}, 5]', 'beta')$$),
    ('simulate(jsonb,text)', 'admin', true, $$simulate('[]', 'nowhere')$$),
    ('simulate_rules(text)', 'admin', true, $$simulate_rules('beta')$$),
    ('restitch(text)', 'admin', true, $$restitch('beta')$$),
    ('restitch(text)', 'admin', true, $$restitch('nowhere')$$),
    ('link(text,text,text,boolean)', 'admin', true, $$link('user_id:u0', 'user_id:u1', 'beta')$$),
    ('never_link(text,text,text,boolean)', 'admin', true, $$never_link('user_id:u0', 'email:ann@x', 'beta', true)$$),
    ('unmerge(text,text,text,boolean)', 'admin', true, $$unmerge('email:ann@x', project => 'beta')$$),
    ('retract(text,text,text,boolean)', 'admin', true, $$retract('session_id:s1', project => 'beta')$$),
    ('retract(text,text,text,boolean)', 'admin', true, $$retract('user_id:u0', project => 'beta')$$),
    ('forget(text,text,text,boolean)', 'admin', true, $$forget('u0', project => 'beta')$$),
    ('forget(text,text,text,boolean)', 'admin', true, $$forget('u0', 'anonymize', 'beta', false)$$),
    ('create_metric(text,text,text,text[],text,jsonb,interval,interval,interval,interval)', 'admin', true,
     $$create_metric('more', 'click', '$.amount', '{source}', 'beta')$$),
    ('create_metric(text,text,text,text[],text,jsonb,interval,interval,interval,interval)', 'admin', true,
     $$create_metric('clicks', 'click', project => 'beta')$$),
    ('drop_metric(text,text)', 'admin', true, $$drop_metric('clicks', 'beta')$$),
    ('drop_metric(text,text)', 'admin', true, $$drop_metric('clicks', 'nowhere')$$),
    ('health()', 'watch', true, $$health()$$),
    ('is_preloaded()', 'watch', true, $$is_preloaded()$$),
    ('launcher_pid()', 'watch', true, $$launcher_pid()$$),
    ('library_version()', 'watch', true, $$library_version()$$),
    ('worker_slots()', 'watch', true, $$worker_slots()$$),
    ('progress_slots()', 'watch', true, $$progress_slots()$$),
    ('drop_graph()', 'nobody', true, $$drop_graph()$$),
    ('ensure_event_partitions(bigint)', 'nobody', true, $$ensure_event_partitions(1)$$),
    ('ensure_graph()', 'nobody', true, $$ensure_graph()$$),
    ('ensure_policies()', 'nobody', true, $$ensure_policies()$$),
    ('event_keys(integer,text,text,text,jsonb)', 'nobody', true, $$event_keys(1, 'e1', 'u', 's', '[]')$$),
    ('whole_graph_labels()', 'nobody', true, $$whole_graph_labels()$$),
    ('survivor_at(bigint,bigint,timestamptz)', 'nobody', true, $$survivor_at(1, 0, 'infinity')$$),
    ('journey_at(bigint,timestamptz)', 'nobody', true, $$journey_at(1, 'infinity')$$),
    ('journey_of_entry_at(bigint,timestamptz)', 'nobody', true, $$journey_of_entry_at(1, 'infinity')$$),
    ('journey_of_key_at(bigint,timestamptz)', 'nobody', true, $$journey_of_key_at(1, 'infinity')$$),
    ('alias_at(bigint,timestamptz)', 'nobody', true, $$alias_at(1, 'infinity')$$),
    ('journeys_refused(bigint)', 'nobody', true, $$journeys_refused(1)$$),
    ('drawing_text(text)', 'nobody', true, $$drawing_text('x')$$),
    ('mermaid_text(text)', 'nobody', true, $$mermaid_text('x')$$),
    ('dot_text(text)', 'nobody', true, $$dot_text('x')$$),
    ('drawing_parts(bigint,integer)', 'nobody', true, $$drawing_parts(1, 500)$$),
    ('journey_drawing(bigint,text)', 'nobody', true, $$journey_drawing(1, 'json')$$),
    ('graph_entry_id(ag_catalog.graphid)', 'nobody', true, $$graph_entry_id(ag_catalog._graphid(1, 1))$$),
    ('graph_label_id(text)', 'nobody', true, $$graph_label_id('Event')$$),
    ('vertex_id(text,bigint)', 'nobody', true, $$vertex_id('Event', 1)$$),
    ('has_graph()', 'nobody', true, $$has_graph()$$),
    ('journey_of_entry(bigint)', 'nobody', true, $$journey_of_entry(1)$$),
    ('keep_private(regclass)', 'nobody', true, $$keep_private('journey_stitch.state')$$),
    ('keep_private_schema(regnamespace)', 'nobody', true, $$keep_private_schema('journey_stitch')$$),
    ('refuse_foreign_graph()', 'nobody', true, $$refuse_foreign_graph()$$),
    ('members_difference(bytea,bytea)', 'nobody', true, $$members_difference('', '')$$),
    ('members_union(bytea,bytea)', 'nobody', true, $$members_union('', '')$$),
    ('metric_users_count(bytea)', 'nobody', true, $$metric_users_count('')$$),
    ('metric_users_set(bigint[])', 'nobody', true, $$metric_users_set('{1}')$$),
    ('metric_users_union(bytea[])', 'nobody', true, $$metric_users_union('{}')$$),
    ('timeline_run(bigint[],timestamptz[],bigint[],bigint[])', 'nobody', true,
     $$timeline_run('{}', '{}', '{}', '{}')$$),
    ('json_number(jsonb)', 'nobody', true, $$json_number('"1"')$$),
    ('note_progress(text,text,integer,integer)', 'nobody', true, $$note_progress('x', 'y', 1, 1)$$),
    ('wake_worker()', 'nobody', true, $$wake_worker()$$)
) AS v (object, kind, of_superuser, statement);
-- Of what changes by itself there is only to see that it answers; of users' totals, what does not depend on now.
UPDATE probe.cases
SET statement = format(CASE WHEN object IN ('health()', 'worker_slots()', 'progress_slots()')
                            THEN 'SELECT count(*) >= 0 FROM journey_stitch.%s'
                            WHEN object = 'user_stats(text,text)'
                            THEN 'SELECT to_jsonb(s) - ''{engagement_score,churn_risk}''::text[]
                                  FROM journey_stitch.%s AS s'
                            ELSE 'SELECT * FROM journey_stitch.%s AS answer' END, statement);
-- The aggregates, for each type of times. What they are made of takes arguments that no SQL has.
INSERT INTO probe.cases (object, kind, statement)
SELECT format('%s(%s,%s,boolean[])', f.name, f.types, t.type), 'reader',
       format('SELECT journey_stitch.%s(%s, %L::%s, true, false) FROM generate_series(1, 3)',
              f.name, f.arguments, t.first, t.type)
FROM (VALUES ('timestamptz', 'interval', '2026-03-02', '1 day'), ('timestamp', 'interval', '2026-03-02', '1 day'),
             ('date', 'interval', '2026-03-02', '1 day'), ('bigint', 'bigint', '1', '1')) AS t (type, length, first, one)
CROSS JOIN LATERAL (VALUES
    ('window_funnel', length, format('%L::%s', one, length)),
    ('window_funnel', length || ',text', format('%L::%s, ''strict_order''', one, length)),
    ('sequence_match', 'text', '''(?1)(?1)'''),
    ('sequence_count', 'text', '''(?1).*(?1)''')) AS f (name, types, arguments);

-- Relations by who may read them. rows: whoever reads, those of its projects. letters: those too, and whoever writes may
-- mend the column event. log: admins. The rest is closed: partitions, sequences, the graph.
CREATE TABLE probe.relations (name text PRIMARY KEY, kind text NOT NULL);
INSERT INTO probe.relations
SELECT name, v.kind
FROM (VALUES ('rows', 'projects project_grants events event_ids pending journeys keys merges users activity'),
             ('rows', 'event_counts timeline stitched_events merge_conflicts key_moves identity_rules identity_words'),
             ('rows', 'metrics metric_definitions metric_granularities metric_combinations metric_windows'),
             ('log', 'identity_log'),
             ('letters', 'dead_letters'),
             ('watch', 'stat_stitch stat_worker stat_ingest stat_rejections stat_progress job_errors'),
             ('nobody', 'project_stats rejection_stats state stitched_keys')) AS v (kind, names), string_to_table(names, ' ') AS name;
CREATE VIEW probe.present AS
SELECT c.oid, c.relname AS name, format('%I.%I', c.relnamespace::regnamespace, c.relname) AS full_name,
       c.relkind AS type,
       CASE WHEN r.name IS NOT NULL THEN r.kind
            WHEN c.relnamespace = 'journey_graph'::regnamespace OR c.relkind = 'S' OR c.relispartition THEN 'nobody'
       END AS kind
FROM pg_class c
LEFT JOIN probe.relations r ON r.name = c.relname AND c.relnamespace = 'journey_stitch'::regnamespace
WHERE c.relnamespace IN ('journey_stitch'::regnamespace, 'journey_graph'::regnamespace)
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S');
INSERT INTO probe.cases (object, kind, is_query, of_superuser, statement)
SELECT p.full_name, a.kind, a.is_query, false, a.statement
FROM probe.present p
CROSS JOIN LATERAL (
    SELECT p.kind, true, format(CASE p.type WHEN 'S' THEN 'SELECT * FROM %s'
                                            ELSE 'SELECT * FROM %s AS r ORDER BY to_jsonb(r)::text' END, p.full_name)
    UNION ALL
    SELECT 'nobody', false, format(s.statement, p.full_name, t.attname)
    FROM (VALUES ('INSERT INTO %s DEFAULT VALUES'), ('UPDATE %s SET %I = DEFAULT'), ('DELETE FROM %s'),
                 ('TRUNCATE %s'), ('LOCK TABLE %s IN EXCLUSIVE MODE')) AS s (statement)
    JOIN pg_attribute t ON t.attrelid = p.oid AND t.attnum = 1
    WHERE p.type <> 'S' AND (p.type <> 'v' OR s.statement !~ '^TRUNCATE')
    UNION ALL
    SELECT 'nobody', true, format(s.statement, p.full_name)
    FROM (VALUES ('SELECT nextval(%L)'), ('SELECT setval(%L, 1)'), ('SELECT currval(%L)')) AS s (statement)
    WHERE p.type = 'S'
) AS a (kind, is_query, statement);
-- To change rows takes the right to write, to choose them that to read, too.
INSERT INTO probe.cases (object, kind, is_query, of_superuser, statement)
SELECT 'journey_stitch.dead_letters', v.kind, false, false, 'UPDATE journey_stitch.dead_letters SET ' || v.change
FROM (VALUES ('mend', 'event = ''{}'''), ('mend seen', 'event = ''{}'' WHERE id > 0'),
             ('nobody', 'event = ''{}'', status = ''open'''), ('nobody', 'project_id = project_id'))
     AS v (kind, change);
CREATE VIEW probe.tries AS
SELECT c.*, p.name AS project
FROM probe.cases c
JOIN unnest(ARRAY['alpha', 'beta', 'default', 'nowhere']) AS p (name) ON c.of_project OR p.name = 'alpha';

-- Trying a case: what it answers, or its error, with what it did undone; and if the role is the caller's again then.
CREATE TABLE probe.secret ();
CREATE TABLE probe.answers (label text, case_id integer, project text, answer text);
CREATE FUNCTION probe.attempt(statement text, is_query boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    me CONSTANT name := current_user;
    answer text;
    rows bigint;
    code text;
    detail text;
    hint text;
BEGIN
    BEGIN
        IF is_query THEN
            EXECUTE format('SELECT COALESCE(jsonb_agg(to_jsonb(t)), ''[]'')::text FROM (%s) AS t', statement)
                INTO answer;
        ELSE
            EXECUTE statement;
            GET DIAGNOSTICS rows = ROW_COUNT;
            answer := format('%s rows', rows);
        END IF;
        IF current_user <> me THEN
            answer := format('%s AND THEN the role was %s', answer, current_user);
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'UNDO0';
    EXCEPTION
        WHEN SQLSTATE 'UNDO0' THEN NULL;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, answer = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                                    hint = PG_EXCEPTION_HINT;
            answer := concat_ws(' | ', format('%s: %s', code, answer), NULLIF(detail, ''), NULLIF(hint, ''));
    END;
    IF current_user <> me THEN
        answer := format('%s AND AFTER ITS ERROR the role was %s', answer, current_user);
    END IF;
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = me) THEN
        BEGIN
            PERFORM FROM probe.secret;
            answer := answer || ' AND THEN everything could be read';
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
    END IF;
    RETURN answer;
END
$$;
CREATE FUNCTION probe.run(label text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    try record;
BEGIN
    FOR try IN
        SELECT t.id, t.project, format(t.statement, t.project) AS statement, t.is_query
        FROM probe.tries t
        -- What is tried on tables and sequences is to be refused, and here it would not be.
        WHERE run.label <> 'postgres' OR t.of_superuser
        ORDER BY t.id, t.project
    LOOP
        INSERT INTO probe.answers VALUES (run.label, try.id, try.project, probe.attempt(try.statement, try.is_query));
    END LOOP;
END
$$;
-- As whoever is to use Cypher has it.
GRANT USAGE ON SCHEMA ag_catalog TO PUBLIC;
GRANT USAGE ON SCHEMA probe TO PUBLIC;
GRANT SELECT ON probe.tries TO PUBLIC;
GRANT INSERT ON probe.answers TO PUBLIC;
SELECT format('CREATE FUNCTION probe.beta_journey() RETURNS text LANGUAGE sql IMMUTABLE RETURN %L',
              journey_stitch.journey_of('e1', 'beta')) \gexec

-- Roles. does: the kinds of cases that they may do at all; reads and writes: of which projects.
SELECT format('CREATE ROLE %I LOGIN', name)
FROM string_to_table('a b pair reads writes reader writer revoked ungranted', ' ') AS name
UNION ALL
SELECT format('CREATE ROLE %I LOGIN', name)
FROM string_to_table('in_team out_of_team stranger boss watcher', ' ') AS name \gexec
CREATE ROLE noinherit LOGIN NOINHERIT;
CREATE ROLE team;
GRANT journey_stitch_reader, journey_stitch_writer
    TO team, a, b, pair, reads, writes, revoked, ungranted, out_of_team, noinherit;
GRANT journey_stitch_reader TO reader;
GRANT journey_stitch_writer TO writer;
GRANT journey_stitch_admin TO boss;
GRANT pg_monitor TO watcher;
GRANT team TO in_team, noinherit;
GRANT team TO out_of_team WITH INHERIT FALSE;
\o /dev/null
SELECT journey_stitch.grant_project(v.project, v.grantee, v.privilege)
FROM (VALUES ('alpha', 'a', 'all'), ('alpha', 'reads', 'read'), ('alpha', 'writes', 'write'),
             ('alpha', 'reader', 'all'), ('alpha', 'writer', 'all'), ('alpha', 'pair', 'all'), ('beta', 'pair', 'read'),
             ('beta', 'b', 'all'), ('beta', 'team', 'all'), ('alpha', 'revoked', 'all'), ('beta', 'revoked', 'all'))
     AS v (project, grantee, privilege);
SELECT journey_stitch.revoke_project('alpha', 'revoked'), journey_stitch.revoke_project('beta', 'revoked', 'read'),
       journey_stitch.revoke_project('beta', 'revoked', 'write');
\o
CREATE TABLE probe.subjects (
    label text PRIMARY KEY, login name, role name, does text[], reads text[], writes text[], options text);
INSERT INTO probe.subjects VALUES
    ('postgres', 'postgres', 'postgres', NULL, NULL, NULL, ''),
    ('a', 'a', 'a', '{tenant}', '{alpha}', '{alpha}', ''),
    ('b', 'b', 'b', '{tenant}', '{beta}', '{beta}', ''),
    ('pair, beta for reading', 'pair', 'pair', '{tenant}', '{alpha,beta}', '{alpha}', ''),
    ('reads', 'reads', 'reads', '{tenant}', '{alpha}', '{}', ''),
    ('writes', 'writes', 'writes', '{tenant}', '{}', '{alpha}', ''),
    ('reader without journey_stitch_writer', 'reader', 'reader', '{read,reader,either,rows,letters}',
     '{alpha}', '{alpha}', ''),
    ('writer without journey_stitch_reader', 'writer', 'writer', '{write,writer,either,letters,mend,mend seen}',
     '{alpha}', '{alpha}', ''),
    ('revoked', 'revoked', 'revoked', '{tenant}', '{}', '{}', ''),
    ('ungranted', 'ungranted', 'ungranted', '{tenant}', '{}', '{}', ''),
    ('in_team', 'in_team', 'in_team', '{tenant}', '{beta}', '{beta}', ''),
    ('out_of_team, without INHERIT', 'out_of_team', 'out_of_team', '{tenant}', '{}', '{}', ''),
    ('out_of_team after SET ROLE team', 'out_of_team', 'team', '{tenant}', '{beta}', '{beta}', '-c role=team'),
    ('noinherit', 'noinherit', 'noinherit', '{}', '{}', '{}', ''),
    ('noinherit after SET ROLE team', 'noinherit', 'team', '{tenant}', '{beta}', '{beta}', '-c role=team'),
    ('stranger', 'stranger', 'stranger', '{}', '{}', '{}', ''),
    ('the superuser after SET ROLE a', 'postgres', 'a', '{tenant}', '{alpha}', '{alpha}', '-c role=a'),
    ('a with row_security = off', 'a', 'a', '{tenant}', '{alpha}', '{alpha}', '-c row_security=off'),
    ('a in parallel workers', 'a', 'a', '{tenant}', '{alpha}', '{alpha}', '-c debug_parallel_query=on'),
    ('boss, an admin', 'boss', 'boss', '{tenant,admin,watch,log}',
     '{alpha,beta,default}', '{alpha,beta,default,nowhere}', ''),
    ('watcher, of pg_monitor', 'watcher', 'watcher', '{watch}', '{}', '{}', '');
UPDATE probe.subjects SET does = does || '{read,write,reader,writer,either,rows,letters,mend,mend seen}'
WHERE 'tenant' = ANY (does);

-- What each is to see of the relations: the superuser's rows of its projects. Grants, of itself only, admins all; and the
-- rules that are shipped, which the superuser's own list leaves out.
CREATE FUNCTION probe.rows(object text, projects text[], role name) RETURNS text LANGUAGE sql AS $$
    SELECT probe.attempt(format('SELECT r.* FROM %s AS r LEFT JOIN journey_stitch.projects p ON %s
                                 WHERE (p.name = ANY (%L) AND %s) OR %s ORDER BY to_jsonb(r)::text', object,
        CASE object WHEN 'journey_stitch.projects' THEN 'p.id = r.id'
                    WHEN 'journey_stitch.metrics' THEN 'p.name = r.project'
                    ELSE 'p.id = r.project_id' END, projects,
        CASE object WHEN 'journey_stitch.project_grants'
                    THEN format('(%L = ''boss'' OR pg_has_role(%1$L, r.grantee, ''USAGE''))', role)
                    ELSE 'true' END,
        CASE object WHEN 'journey_stitch.identity_rules'
                    THEN format('(%L <> ''postgres'' AND r.project_id = 0)', role)
                    ELSE 'false' END), true)
$$;
CREATE TABLE probe.visible AS
SELECT s.label, c.id AS case_id,
       probe.rows(c.object, CASE c.object WHEN 'journey_stitch.projects' THEN s.reads || s.writes ELSE s.reads END,
                  s.role) AS answer
FROM probe.subjects s JOIN probe.cases c ON c.kind IN ('rows', 'letters', 'log') AND c.kind = ANY (s.does);

-- What each case must answer to each subject.
CREATE FUNCTION probe.letters(projects text[]) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM journey_stitch.dead_letters d JOIN journey_stitch.projects p ON p.id = d.project_id
    WHERE p.name = ANY (projects)
$$;
CREATE FUNCTION probe.right_of_relation(kind text, answer text, visible text, s probe.subjects) RETURNS boolean
LANGUAGE sql AS $$
    SELECT CASE
        WHEN s.options ~ 'row_security' OR kind <> ALL (s.does) THEN
            answer ~ '^42501: permission denied for (table|view|sequence|schema) [A-Za-z_0-9]+$'
            OR answer ~ '^55000: cannot .* view '
            OR s.options ~ 'row_security' AND answer ~ '^42501: query would be affected by row-level security policy'
        WHEN kind = 'watch' THEN answer LIKE '[%'
        WHEN kind = 'mend' THEN answer = format('%s rows', probe.letters(s.writes))
        WHEN kind = 'mend seen' THEN answer = format('%s rows', probe.letters(ARRAY(
            SELECT unnest(s.writes) INTERSECT SELECT unnest(s.reads))))
        ELSE answer = visible END
$$;
CREATE FUNCTION probe.right_of_function(c probe.tries, answer text, of_postgres text, s probe.subjects) RETURNS boolean
LANGUAGE sql AS $$
    SELECT CASE
        WHEN c.kind <> ALL (s.does) THEN
            answer IN ('42501: permission denied for function ' || split_part(c.object, '(', 1),
                       '42501: permission denied for aggregate ' || split_part(c.object, '(', 1),
                       '42501: permission denied for schema journey_stitch')
        -- Who may read all is told that there is none.
        WHEN c.of_project AND c.project <> ALL (CASE c.kind WHEN 'read' THEN s.reads ELSE s.writes END)
             AND NOT (c.project = 'nowhere' AND 'admin' = ANY (s.does)) THEN
            answer = format('42501: permission denied for project "%1$s" | An administrator can allow it: '
                            'SELECT journey_stitch.grant_project(''%1$s'', ''%2$s'', ''%3$s'');',
                            c.project, s.role, c.kind)
        WHEN c.of_superuser THEN answer = of_postgres
        WHEN c.object ~ '^retry_dead_letters' THEN answer::jsonb -> 0 ->> 'retried' = probe.letters(s.writes)::text
        WHEN c.object ~ '^granted_projects' THEN answer::jsonb -> 0 -> 'answer' = (
            SELECT COALESCE(jsonb_agg(p.id ORDER BY p.id), '[]') FROM journey_stitch.projects p
            WHERE p.name = ANY (CASE WHEN c.statement ~ 'write' THEN s.writes ELSE s.reads END))
        END
$$;
CREATE VIEW probe.verdicts AS
SELECT a.label, t.kind, format(t.statement, t.project) AS statement, t.project, a.answer,
       COALESCE(CASE WHEN t.object ~ '\(' THEN probe.right_of_function(t, a.answer, o.answer, s)
                     ELSE probe.right_of_relation(t.kind, a.answer, v.answer, s) END, false) AS is_right
FROM probe.answers a
JOIN probe.subjects s USING (label)
JOIN probe.tries t ON t.id = a.case_id AND t.project = a.project
LEFT JOIN probe.answers o ON o.label = 'postgres' AND o.case_id = a.case_id AND o.project = a.project
LEFT JOIN probe.visible v ON v.label = a.label AND v.case_id = a.case_id;
