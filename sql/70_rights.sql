-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Who may do what. Three roles say what kinds of things one may do, grants of projects say to whose events.
-- Functions find out for themselves who calls them (src/rights.rs); row level security does the same for
-- SELECTs on the tables. The graph is granted to nobody: in AGE who may read it can write it.

-- Roles belong to the whole server: another database, or a restored dump, may have them already.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['journey_stitch_reader', 'journey_stitch_writer', 'journey_stitch_admin'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = role) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role);
        ELSIF EXISTS (SELECT FROM pg_catalog.pg_auth_members m
                      JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles a ON a.oid = m.member
                      WHERE r.rolname = role AND m.admin_option AND NOT a.rolsuper) THEN
            RAISE WARNING 'role % was there before, and others than superusers may grant it', role
                USING HINT = 'REVOKE ADMIN OPTION FOR it from whoever is not to give away rights on events.';
        END IF;
    END LOOP;
END
$$;

CREATE TABLE journey_stitch.project_grants (
    project_id integer     NOT NULL,
    grantee    regrole     NOT NULL,
    privilege  text        NOT NULL CHECK (privilege IN ('read', 'write')),
    granted_by name        NOT NULL DEFAULT session_user,
    granted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, grantee, privilege)
);
COMMENT ON TABLE journey_stitch.project_grants IS
    'Which role, and so its members, may read a project and write to it. Superusers, the owner and journey_stitch_admin may do so with all.';

-- Without a policy, row level security shows nothing to anybody but the owner, as whom functions work.
ALTER TABLE journey_stitch.projects ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.project_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.events ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.event_ids ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.pending ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.dead_letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.journeys ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.merges ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.merge_conflicts ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.key_moves ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.identity_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.identity_words ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.identity_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.activity ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.event_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.timeline ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.metric_definitions ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.metric_granularities ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.metric_combinations ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.metric_windows ENABLE ROW LEVEL SECURITY;

-- Minor versions of pg_dump differ in whether they carry the policies of an extension's tables, and where they
-- do, CREATE POLICY fails if the extension has made them: so this function makes them, and never this script.
CREATE FUNCTION journey_stitch.ensure_policies() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT v.name, v.relation, v.command, v.condition
        -- The subqueries are run once a statement, not once a row.
        FROM (SELECT 'granted' AS name, t.relation, 'SELECT' AS command,
                     'project_id = ANY ((SELECT journey_stitch.granted_projects())::integer[])' AS condition
              FROM unnest(ARRAY['events', 'event_ids', 'pending', 'dead_letters', 'journeys', 'keys', 'merges',
                                'merge_conflicts', 'key_moves', 'identity_words', 'identity_log', 'users', 'activity',
                                'event_counts', 'timeline', 'metric_definitions', 'metric_granularities',
                                'metric_combinations', 'metric_windows']) AS t (relation)
              UNION ALL
              VALUES ('granted', 'identity_rules', 'SELECT',
                      'project_id = 0 OR project_id = ANY ((SELECT journey_stitch.granted_projects())::integer[])'),
                     ('granted', 'projects', 'SELECT',
                      'id = ANY ((SELECT journey_stitch.granted_projects() || journey_stitch.granted_projects(''write''))::integer[])'),
                     ('granted', 'project_grants', 'SELECT',
                      'project_id = ANY ((SELECT journey_stitch.granted_projects())::integer[]) AND (pg_has_role(grantee, ''USAGE'') OR pg_has_role(''journey_stitch_admin'', ''USAGE''))'),
                     ('mended', 'dead_letters', 'UPDATE',
                      'project_id = ANY ((SELECT journey_stitch.granted_projects(''write''))::integer[])')) AS v
        WHERE NOT EXISTS (SELECT FROM pg_policy p
                          WHERE p.polname = v.name AND p.polrelid = format('journey_stitch.%I', v.relation)::regclass)
    LOOP
        EXECUTE format('CREATE POLICY %I ON journey_stitch.%I FOR %s USING (%s)',
                       wanted.name, wanted.relation, wanted.command, wanted.condition);
    END LOOP;
END
$$;
COMMENT ON FUNCTION journey_stitch.ensure_policies() IS
    'Makes the policies of row level security where they are missing. Called by setup() and grant_project().';

CREATE FUNCTION journey_stitch.grant_project(project text, grantee name, privilege text DEFAULT 'read') RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    -- SECURITY DEFINER: only journey_stitch_admin may execute it, who has no right to change the table otherwise.
    IF grant_project.privilege IS NULL OR grant_project.privilege NOT IN ('read', 'write', 'all') THEN
        RAISE EXCEPTION 'invalid privilege: there is no privilege "%"', grant_project.privilege
            USING ERRCODE = 'invalid_parameter_value', HINT = 'privilege takes ''read'', ''write'' or ''all''.';
    END IF;
    IF grant_project.project IS NULL OR octet_length(grant_project.project) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'invalid project: its name has % bytes', octet_length(grant_project.project)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'project takes a name of 1 to 200 bytes.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = grant_project.grantee) THEN
        RAISE EXCEPTION 'role "%" does not exist', grant_project.grantee USING ERRCODE = 'undefined_object';
    END IF;
    PERFORM journey_stitch.ensure_policies();
    -- What was granted to roles that are gone must not be their successors'.
    DELETE FROM journey_stitch.project_grants g WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = g.grantee);
    INSERT INTO journey_stitch.projects (name) VALUES (grant_project.project) ON CONFLICT (name) DO NOTHING;
    INSERT INTO journey_stitch.project_grants (project_id, grantee, privilege)
    SELECT p.id, r.oid::regrole, g.privilege
    FROM journey_stitch.projects p, pg_roles r, (VALUES ('read'), ('write')) AS g (privilege)
    WHERE p.name = grant_project.project AND r.rolname = grant_project.grantee
      AND grant_project.privilege IN (g.privilege, 'all')
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION journey_stitch.grant_project(text, name, text) IS
    'Lets a role and its members read a project, write to it (ingest), or both (privilege ''read'', ''write'', ''all''). A project that is new is made. The role also needs journey_stitch_reader or journey_stitch_writer, to execute the functions.';

CREATE FUNCTION journey_stitch.revoke_project(project text, grantee name, privilege text DEFAULT 'all') RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SECURITY DEFINER: only journey_stitch_admin may execute it, who has no right to change the table otherwise.
    IF revoke_project.privilege IS NULL OR revoke_project.privilege NOT IN ('read', 'write', 'all') THEN
        RAISE EXCEPTION 'invalid privilege: there is no privilege "%"', revoke_project.privilege
            USING ERRCODE = 'invalid_parameter_value', HINT = 'privilege takes ''read'', ''write'' or ''all''.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = revoke_project.grantee) THEN
        RAISE EXCEPTION 'role "%" does not exist', revoke_project.grantee USING ERRCODE = 'undefined_object';
    END IF;
    IF NOT EXISTS (SELECT FROM journey_stitch.projects p WHERE p.name = revoke_project.project) THEN
        RAISE EXCEPTION 'project "%" does not exist', revoke_project.project USING ERRCODE = 'invalid_parameter_value';
    END IF;
    DELETE FROM journey_stitch.project_grants g
    USING journey_stitch.projects p, pg_roles r
    WHERE p.id = g.project_id AND p.name = revoke_project.project
      AND r.oid = g.grantee AND r.rolname = revoke_project.grantee
      AND revoke_project.privilege IN (g.privilege, 'all');
END
$$;
COMMENT ON FUNCTION journey_stitch.revoke_project(text, name, text) IS 'Takes back what grant_project() has given.';

-- PUBLIC has nothing, and nobody has what ALTER DEFAULT PRIVILEGES may have granted.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA journey_stitch FROM PUBLIC;
DO $$
DECLARE
    granted record;
BEGIN
    PERFORM journey_stitch.keep_private_schema('journey_stitch');
    PERFORM journey_stitch.keep_private(c.oid::regclass) FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'journey_stitch'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S');
    FOR granted IN
        SELECT p.oid::regprocedure AS function, a.grantee::regrole AS role
        FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS a
        WHERE p.pronamespace = 'journey_stitch'::regnamespace AND a.grantee NOT IN (0, p.proowner)
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', granted.function, granted.role);
    END LOOP;
END
$$;

GRANT journey_stitch_reader, journey_stitch_writer TO journey_stitch_admin;
GRANT USAGE ON SCHEMA journey_stitch TO journey_stitch_reader, journey_stitch_writer, pg_monitor;

GRANT EXECUTE ON FUNCTION
    journey_stitch.get_journey(text, text, timestamptz), journey_stitch.journey_of(text, text),
    journey_stitch.find_journey(text, text), journey_stitch.journey_history(text, text),
    journey_stitch.journey_stats(text, text), journey_stitch.journey_graph(text, text, text),
    journey_stitch.identity_health(text),
    journey_stitch.dau(date, date, text, text, text, text, jsonb),
    journey_stitch.wau(date, date, text, text, text, text, text, jsonb),
    journey_stitch.mau(date, date, text, text, text, text, text, jsonb),
    journey_stitch.stickiness(date, date, text, text, text, text, jsonb),
    journey_stitch.lifecycle(date, date, text, text, text, text, jsonb),
    journey_stitch.retention(date, integer, text, text, text, text, text, text, text, text, text, jsonb),
    journey_stitch.retention_matrix(date, date, text, text, text, text, text, text, text, text, text, jsonb),
    journey_stitch.top_events(date, date, integer, text, text, text, text, jsonb),
    journey_stitch.dau_by(text, date, date, integer, text, text, text, text, jsonb),
    journey_stitch.top_events_by(text, date, date, integer, text, text, text, text, jsonb),
    journey_stitch.funnel(jsonb, date, date, interval, text, text, text, text, jsonb),
    journey_stitch.funnel(text, date, date, interval, text, text, text, text, jsonb),
    journey_stitch.funnel(text[], date, date, interval, text, text, text, text, jsonb),
    journey_stitch.funnel_by(text, jsonb, date, date, interval, text, integer, text, text, text, jsonb),
    journey_stitch.funnel_by(text, text, date, date, interval, text, integer, text, text, text, jsonb),
    journey_stitch.funnel_by(text, text[], date, date, interval, text, integer, text, text, text, jsonb),
    journey_stitch.paths(date, date, text, integer, integer, text, text, text, jsonb),
    journey_stitch.sessions(text, interval, interval, text, jsonb), journey_stitch.user_stats(text, text),
    journey_stitch.dau_svg(date, date, text, text, text, text, jsonb),
    journey_stitch.retention_svg(date, date, text, text, text, text, text, text, text, text, text, jsonb),
    journey_stitch.events_list(text, jsonb, text, integer), journey_stitch.get_event(text, text),
    journey_stitch.ingest_status(text),
    journey_stitch.metric(text, text, timestamptz, timestamptz, jsonb, text, text)
    TO journey_stitch_reader;
-- The aggregates, which read nothing but what they are given. (What adds their rows is called as their owner.)
DO $$
DECLARE
    aggregate regprocedure;
BEGIN
    FOR aggregate IN
        SELECT p.oid FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'journey_stitch'::regnamespace AND p.prokind = 'a'
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO journey_stitch_reader', aggregate);
    END LOOP;
END
$$;
GRANT SELECT ON
    journey_stitch.projects, journey_stitch.project_grants, journey_stitch.events, journey_stitch.event_ids,
    journey_stitch.pending, journey_stitch.dead_letters, journey_stitch.journeys, journey_stitch.keys,
    journey_stitch.merges, journey_stitch.merge_conflicts, journey_stitch.key_moves, journey_stitch.identity_rules,
    journey_stitch.identity_words, journey_stitch.users, journey_stitch.activity, journey_stitch.event_counts,
    journey_stitch.timeline, journey_stitch.stitched_events, journey_stitch.metrics, journey_stitch.metric_definitions,
    journey_stitch.metric_granularities, journey_stitch.metric_combinations, journey_stitch.metric_windows
    TO journey_stitch_reader;
GRANT EXECUTE ON FUNCTION
    journey_stitch.ingest_events(jsonb, text), journey_stitch.retry_dead_letters(text, integer)
    TO journey_stitch_writer;
GRANT UPDATE (event), SELECT ON journey_stitch.dead_letters TO journey_stitch_writer;
-- What the policies ask, and what rollups are read with.
GRANT EXECUTE ON FUNCTION journey_stitch.granted_projects(text) TO journey_stitch_reader, journey_stitch_writer;
GRANT EXECUTE ON FUNCTION journey_stitch.members_ids(bigint, bytea), journey_stitch.timeline_events(bytea) TO journey_stitch_reader;

GRANT EXECUTE ON FUNCTION
    journey_stitch.stitch_pending(bigint), journey_stitch.setup(), journey_stitch.clean(), journey_stitch.verify(),
    journey_stitch.rebuild_graph(), journey_stitch.stat_reset(text), journey_stitch.health(),
    journey_stitch.grant_project(text, name, text), journey_stitch.revoke_project(text, name, text),
    journey_stitch.simulate(jsonb, text), journey_stitch.graph_check(), journey_stitch.forget(text, text, text, boolean),
    journey_stitch.link(text, text, text, boolean), journey_stitch.never_link(text, text, text, boolean),
    journey_stitch.unmerge(text, text, text, boolean), journey_stitch.retract(text, text, text, boolean),
    journey_stitch.set_identity_rule(text, boolean, integer, integer, text[], text[], text[], text),
    journey_stitch.drop_identity_rule(text, text), journey_stitch.use_identity_profile(text, text),
    journey_stitch.set_max_journey_keys(integer, text), journey_stitch.simulate_rules(text), journey_stitch.restitch(text),
    journey_stitch.create_metric(text, text, text, text[], text, jsonb, interval, interval, interval, interval),
    journey_stitch.drop_metric(text, text)
    TO journey_stitch_admin;
GRANT SELECT ON journey_stitch.identity_log TO journey_stitch_admin;

GRANT SELECT ON
    journey_stitch.stat_ingest, journey_stitch.stat_rejections, journey_stitch.stat_stitch, journey_stitch.stat_worker,
    journey_stitch.stat_progress, journey_stitch.job_errors
    TO pg_monitor, journey_stitch_admin;
GRANT EXECUTE ON FUNCTION
    journey_stitch.health(), journey_stitch.is_preloaded(), journey_stitch.launcher_pid(), journey_stitch.library_version(),
    journey_stitch.worker_slots(), journey_stitch.progress_slots()
    TO pg_monitor, journey_stitch_admin;

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
