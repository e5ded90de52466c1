#!/usr/bin/env bash
# What nobody may do: PUBLIC and a stranger have nothing, whatever the default privileges say, and no SQL of ours is
# led astray by a caller's search_path, settings or texts.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

OURS="('journey_stitch'::regnamespace, COALESCE(to_regnamespace('journey_graph'), 0::regnamespace))"
# Functions in C that run no SQL, and so look nothing up by search_path.
WITHOUT_SQL="'graph_entry_id', 'has_graph', 'is_preloaded', 'json_number', 'launcher_pid', 'library_version',
             'members_difference', 'members_ids', 'members_union', 'metric_users_count', 'metric_users_set',
             'metric_users_union', 'note_progress', 'progress_slots', 'sequence_add', 'sequence_count_result',
             'sequence_match_result', 'timed_events_combine', 'timed_events_deserialize', 'timed_events_serialize',
             'timeline_events', 'timeline_run', 'wake_worker', 'window_funnel_add', 'window_funnel_result',
             'worker_slots'"

# privileges_of DATABASE OID: whatever a role has in our schemas, by the catalog.
privileges_of() {
    sql "$1" "
        SELECT string_agg(format('%s %s', a.privilege_type, o.object), ', ' ORDER BY o.object, a.privilege_type)
        FROM (SELECT format('schema %s', nspname), nspacl, acldefault('n', nspowner)
              FROM pg_namespace WHERE oid IN $OURS
              UNION ALL
              SELECT oid::regclass::text, relacl,
                     acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", relowner)
              FROM pg_class WHERE relnamespace IN $OURS
              UNION ALL
              SELECT format('%s.%s', attrelid::regclass, attname), attacl, NULL
              FROM pg_attribute WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace IN $OURS)
              UNION ALL
              SELECT oid::regprocedure::text, proacl, acldefault('f', proowner)
              FROM pg_proc WHERE pronamespace IN $OURS
              UNION ALL
              -- Tables' row types have no privileges of their own, and arrays those of their elements.
              SELECT oid::regtype::text, typacl, acldefault('T', typowner)
              FROM pg_type WHERE typnamespace IN $OURS AND typelem = 0 AND typrelid = 0
             ) AS o (object, acl, usual), aclexplode(COALESCE(o.acl, o.usual)) AS a
        WHERE a.grantee = $2"
}

nobody_has_anything() {
    check "privileges of PUBLIC" "$(privileges_of rights 0)" ''
    check "privileges of the stranger" "$(privileges_of rights "'stranger'::regrole")" ''
    check "default privileges, large objects and other things that were left about" "$(sql rights "
        SELECT (SELECT count(*) FROM pg_default_acl) + (SELECT count(*) FROM pg_largeobject_metadata)
             + (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)
             + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)")" 0
    # USAGE of the schemas makes it the objects' own privileges that count; arguments that are no constants, the call.
    sql rights "GRANT USAGE ON SCHEMA journey_stitch, journey_graph, ag_catalog TO stranger"
    psql -d rights <<'SQL'
CREATE TABLE public.refusals (object text, answer text);
GRANT INSERT ON public.refusals TO stranger;
SET SESSION AUTHORIZATION stranger;
DO $$
DECLARE
    try record;
BEGIN
    FOR try IN
        SELECT p.oid::regprocedure::text AS object, format('SELECT journey_stitch.%I(%s)', p.proname,
               (SELECT string_agg(format(CASE WHEN n = p.pronargs AND p.provariadic <> 0 THEN 'VARIADIC ' ELSE '' END ||
                                         '(SELECT NULL::%s)', t::regtype), ', ' ORDER BY n)
                FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n))) AS call
        -- No SQL can call the parts of aggregates.
        FROM pg_proc p WHERE p.pronamespace = 'journey_stitch'::regnamespace
                         AND 'internal'::regtype <> ALL (p.proargtypes::oid[])
        UNION ALL
        SELECT c.oid::regclass::text, 'SELECT FROM ' || c.oid::regclass
        FROM pg_class c
        WHERE c.relnamespace IN ('journey_stitch'::regnamespace, 'journey_graph'::regnamespace)
          AND c.relkind IN ('r', 'p', 'v', 'S')
    LOOP
        BEGIN
            EXECUTE try.call;
            INSERT INTO public.refusals VALUES (try.object, 'allowed');
        EXCEPTION WHEN OTHERS THEN
            INSERT INTO public.refusals VALUES (try.object, SQLERRM);
        END;
    END LOOP;
END $$;
SQL
    check "what the stranger may call and read" "$(sql rights "
        SELECT string_agg(object || ': ' || answer, ', ') FROM public.refusals
        WHERE answer !~ '^permission denied for (function|aggregate|table|view|sequence) '")" ''
    check_true "and that this was tried" "$(sql rights "SELECT count(*) > 100 FROM public.refusals")"
    sql rights "DROP TABLE public.refusals;
        REVOKE USAGE ON SCHEMA journey_stitch, journey_graph, ag_catalog FROM stranger"
}

# A DBA who has everything that is made given to an application does not give it all tenants' events.
default_privileges() {
    sql postgres "CREATE DATABASE generous"
    psql -d generous <<'SQL'
CREATE ROLE app_of_all LOGIN;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO app_of_all;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, app_of_all;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC, app_of_all;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO app_of_all;
ALTER DATABASE generous SET journey_stitch.enabled = off;
SET client_min_messages = warning;
CREATE EXTENSION journey_stitch CASCADE;
\o /dev/null
SELECT journey_stitch.setup();
SELECT journey_stitch.ingest_events('[{"event_id": "e", "type": "t", "user_id": "u"}, 5]');
SELECT journey_stitch.stitch_pending();
SQL
    check "privileges by default privileges: of PUBLIC" "$(privileges_of generous 0 | cut -c 1-300)" ''
    check "of an application" "$(privileges_of generous "'app_of_all'::regrole" | cut -c 1-300)" ''
    local try got=''
    for try in "SELECT count(*) FROM journey_stitch.events_p0" "SELECT count(*) FROM journey_graph.\"Event\"" \
        "SELECT count(*) FROM journey_stitch.project_stats" "TRUNCATE journey_stitch.merges" \
        "SELECT journey_stitch.grant_project('default', 'app_of_all', 'all')"; do
        if PGUSER=app_of_all sql generous "$try" >/dev/null 2>&1; then got+="$try; "; fi
    done
    check "what an application gets by them" "$got" ''
}

functions_as_written() {
    check "SECURITY DEFINER functions that do not say why" "$(sql rights "
        SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc
        WHERE pronamespace IN $OURS AND prosecdef AND prosrc !~ 'SECURITY DEFINER: \w+'")" ''
    check "functions without pg_catalog, pg_temp as search_path that run SQL" "$(sql rights "
        SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace IN $OURS AND NOT COALESCE(p.proconfig, '{}') @> '{\"search_path=pg_catalog, pg_temp\"}'
          AND p.prokind <> 'a' AND NOT (l.lanname = 'c' AND p.proname IN ($WITHOUT_SQL))")" ''
}

# Events in two projects, some of them pending, with dead letters and merges.
make_events() {
    psql -d rights <<'SQL'
\o /dev/null
SELECT journey_stitch.ingest_events(jsonb_agg(jsonb_build_object(
           'event_id', 'e' || n, 'event_type', 'click', 'user_id', CASE n % 2 WHEN 0 THEN 'u0' END,
           'session_id', 's' || n / 2, 'ts', '2026-03-02T12:00:00Z',
           'properties', jsonb_build_object('of', project))), project)
FROM unnest(ARRAY['alpha', 'beta']) AS project, generate_series(1, 6) AS n
GROUP BY project;
SELECT journey_stitch.create_metric('clicks', NULL, dimensions => '{event_type}', project => project)
FROM unnest(ARRAY['alpha', 'beta']) AS project;
SELECT journey_stitch.stitch_pending();
SELECT journey_stitch.ingest_events('{"event_id": "e7", "event_type": "click", "user_id": "u0", "session_id": "s0",
                                      "ts": "2026-03-02T12:00:00Z"}', project)
FROM unnest(ARRAY['alpha', 'beta']) AS project;
SELECT journey_stitch.stitch_pending();
SELECT journey_stitch.ingest_events('[{"event_id": "late", "type": "click", "user_id": "u0",
                                       "ts": "2026-03-02T12:00:00Z"}, {}]', project),
       journey_stitch.grant_project(project, project, 'all')
FROM unnest(ARRAY['alpha', 'beta']) AS project;
SQL
}

# A partition that a tenant's call makes is made as the DBA has it, not as the tenant's session has it.
made_as_the_dba_has_it() {
    mkdir "$CLUSTER_DIR/elsewhere"
    [ "$(id -u)" != 0 ] || chown postgres: "$CLUSTER_DIR/elsewhere"
    sql postgres "CREATE TABLESPACE elsewhere LOCATION '$CLUSTER_DIR/elsewhere'"
    sql postgres "CREATE DATABASE fresh"
    sql fresh "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE"
    sql fresh "SELECT journey_stitch.grant_project('alpha', 'alpha', 'all')" >/dev/null
    PGUSER=alpha PGOPTIONS='-c default_tablespace=elsewhere' sql fresh "
        SELECT journey_stitch.ingest_events('{\"type\": \"t\"}', 'alpha')" >/dev/null
    check "what a tenant has put into a tablespace that it has no rights on" "$(sql fresh "
        SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE reltablespace <> 0 AND oid > 16384")" ''
}

# Every function, with arguments that make it do its work. They are told by their names.
make_calls() {
    psql -d rights <<'SQL'
CREATE SCHEMA probe;
-- By function and name, by name and type, by name, or by type.
CREATE TABLE probe.usual (name text PRIMARY KEY, value text);
INSERT INTO probe.usual VALUES
    ('id', $$'e1'$$), ('event_id', $$'e1'$$), ('project', $$'alpha'$$), ('tz', $$'Asia/Kathmandu'$$), ('after', 'NULL'),
    ('events', $$'[{"event_id": "new", "type": "t", "user_id": "u0", "correlations": {"email": "x"}},
                   {"event_id": "e1", "type": "t"}, 5]'$$),
    ('filters', $$'{"event_type": "click", "user_id": "u0", "since": "2026-01-01", "until": "2027-01-01",
                    "properties": {}}'$$),
    ('start_date', $$'2026-03-01'$$), ('end_date', $$'2026-03-03'$$), ('windows', '2'), ('identity', $$'journey'$$),
    ('event_type', $$'click'$$), ('privilege', $$'read'$$), ('grantee', $$'beta'$$), ('label', $$'Event'$$),
    ('user_id', $$'u'$$), ('session_id', $$'s'$$), ('identifiers', $$'["email:x"]'$$),
    ('as_of', 'NULL'), ('timestamp with time zone', $$'infinity'$$), ('format', $$'json'$$), ('mode', $$'trailing'$$),
    ('forget.mode', $$'erase'$$), ('window_funnel.mode', $$'strict_order'$$),
    ('dry_run', 'false'), ('a', $$'user_id:u0'$$), ('b', $$'session_id:s0'$$), ('key', $$'session_id:s1'$$),
    ('other', 'NULL'), ('kind', $$'phone'$$), ('merges', 'true'), ('max_values', '2'), ('priority', '7'),
    ('blocked_values', $$'{none@x}'$$), ('blocked_patterns', $$'{^test}'$$), ('normalize', $$'{trim}'$$),
    ('profile', $$'people'$$), ('max_keys', '9'), ('sessions.id', $$'u0'$$), ('user_stats.id', $$'u0'$$),
    ('filter', $$'{"of": "alpha"}'$$), ('breakdown', $$'$.of'$$), ('unit', $$'day'$$), ('cohort', $$'new'$$),
    ('criterion', $$'on_or_after'$$), ('start_event', 'NULL'), ('return_event', $$'click'$$), ('max_steps', '3'),
    ('max_edges', '9'), ('ordering', $$'unordered'$$), ('window', $$'1 day'$$), ('steps', $$'["click", "click"]'$$),
    ('steps text[]', $$'{click,click}'$$),
    ('timeout', $$'1 hour'$$), ('max_duration', $$'1 day'$$), ('name', $$'clicks'$$),
    ('create_metric.name', $$'more'$$), ('create_metric.value', $$'$.amount'$$),
    ('create_metric.dimensions', $$'{source,$.plan}'$$), ('granularity', $$'1 hour'$$),
    ('start', $$'2026-03-02'$$), ('end', $$'2026-03-03'$$), ('dimensions', $$'{}'$$),
    ('keep_minutes', $$'90 years'$$), ('keep_5_minutes', $$'90 years'$$), ('keep_hours', $$'90 years'$$),
    ('keep_days', $$'90 years'$$), ('pattern', $$'(?1)(?t<=1)(?2)'$$), ('conditions', $$'{t,f}'$$),
    ('timestamp', $$'2026-03-02'$$), ('ids', $$'{1}'$$),
    ('run', $$pg_catalog.decode('010206000002010280cca69a0d0280c60a000a22', 'hex')$$),
    ('occurred_at', $$'{2026-03-02}'$$), ('user_numbers', $$'{1}'$$), ('journey_numbers', $$'{1}'$$),
    ('numbers', $$'{1,2}'$$), ('sets', $$'{}'$$), ('set', $$''$$), ('json_number.value', $$'" 1e3 "'$$),
    ('relation', $$'journey_stitch.state'$$), ('schema', $$'journey_stitch'$$),
    ('integer', '1'), ('bigint', '1'), ('bytea', $$pg_catalog.decode('3a3000000100000000000000100000000000', 'hex')$$),
    ('a bytea', $$pg_catalog.decode('3a3000000100000000000000100000000000', 'hex')$$),
    ('b bytea', $$pg_catalog.decode('3a3000000100000000000000100000000000', 'hex')$$),
    ('ag_catalog.graphid', 'ag_catalog._graphid(1, 1)');
-- Where several functions have one name, literals need their type.
CREATE VIEW probe.arguments AS
SELECT a.*, COALESCE(of_function.value, of_both.value, named.value, typed.value, $$'x'$$) AS value,
       CASE WHEN a.is_aggregate OR a.name = 'steps'
            THEN (SELECT '::pg_catalog.' || t.typname FROM pg_type t WHERE t.oid = a.type) ELSE '' END AS cast
FROM (SELECT p.oid, p.proname, p.prokind = 'a' AS is_aggregate, n, p.proargtypes[n - 1]::regtype AS type,
             p.proargnames[n] AS name, n = p.pronargs AND p.provariadic <> 0 AS is_variadic
      FROM pg_proc p CROSS JOIN LATERAL generate_series(1, p.pronargs) AS n
      WHERE p.pronamespace = 'journey_stitch'::regnamespace
        -- The parts of aggregates, which no SQL can call.
        AND 'internal'::regtype <> ALL (p.proargtypes::oid[])) AS a
LEFT JOIN probe.usual AS of_function ON of_function.name = format('%s.%s', a.proname, a.name)
LEFT JOIN probe.usual AS of_both ON of_both.name = format('%s %s', a.name, a.type)
LEFT JOIN probe.usual AS named ON named.name = a.name AND (a.type <> 'bigint'::regtype OR NOT a.is_aggregate)
LEFT JOIN probe.usual AS typed ON typed.name = a.type::text;
-- The call of a function with one of its arguments replaced, or (0) none.
CREATE FUNCTION probe.call(function oid, replaced integer DEFAULT 0, value text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
    SELECT format(CASE p.prokind WHEN 'a' THEN '(SELECT journey_stitch.%I(%s))' ELSE 'journey_stitch.%I(%s)' END,
                  p.proname, string_agg(CASE WHEN a.is_variadic THEN 'VARIADIC ' ELSE '' END
                                        || CASE a.n WHEN call.replaced THEN call.value ELSE a.value END || a.cast,
                                        ', ' ORDER BY a.n))
    FROM pg_proc p LEFT JOIN probe.arguments a ON a.oid = p.oid WHERE p.oid = call.function
    GROUP BY p.oid
$$;
-- Of what changes by itself there is only to see that it answers.
CREATE VIEW probe.calls AS
SELECT p.oid, p.proname,
       format('SELECT pg_catalog.to_jsonb(t) FROM %s AS t%s', probe.call(p.oid),
              CASE WHEN p.proname IN ('health', 'worker_slots', 'progress_slots') THEN ' LIMIT 0' END) AS call
FROM pg_proc p
WHERE p.pronamespace = 'journey_stitch'::regnamespace AND 'internal'::regtype <> ALL (p.proargtypes::oid[])
UNION ALL
SELECT NULL, v.name, format('SELECT pg_catalog.to_jsonb(t) FROM %s AS t', v.call)
FROM (VALUES
    ('get_journey as of', $$journey_stitch.get_journey('e1', 'alpha', 'infinity')$$),
    ('dau of events', $$journey_stitch.dau('2026-03-01', '2026-03-03', 'alpha', filter => '{"of": "alpha"}')$$),
    ('mau of calendar', $$journey_stitch.mau('2026-03-01', '2026-03-03', 'calendar', 'alpha')$$),
    ('funnel, strict', $$journey_stitch.funnel(ARRAY['click', 'click'], '2026-03-01', '2026-03-03',
                                               ordering => 'strict', project => 'alpha')$$),
    ('metric of all', $$journey_stitch.metric('clicks', '1 day', '2026-03-02', '2026-03-03', project => 'alpha')$$),
    ('sessions of a journey', $$journey_stitch.sessions('session_id:s1', project => 'alpha')$$),
    ('user_stats of all', $$journey_stitch.user_stats(project => 'alpha')$$),
    ('forget events', $$journey_stitch.forget('user_id:u0', 'erase', 'alpha', false)$$),
    ('forget names', $$journey_stitch.forget('user_id:u0', 'anonymize', 'alpha', false)$$),
    ('restitch by a rule', $$journey_stitch.set_identity_rule('session_id', false, project => 'alpha') AS r
                             CROSS JOIN LATERAL journey_stitch.restitch(pg_catalog.concat('alpha', r.max_values))$$))
    AS v (name, call);
GRANT USAGE ON SCHEMA probe TO PUBLIC;
SQL
    # As a script, each call in a transaction that is undone; ids of new journeys are drawn at random. Relations, too:
    # what is computed when they are read is only to run.
    sql rights "SELECT format(E'\\\\echo %s\\nBEGIN;\\n%s;\\nROLLBACK;', proname, call)
                FROM probe.calls ORDER BY proname, call" >"$CLUSTER_DIR/calls.sql"
    sql rights "SELECT format(E'\\\\o /dev/null\\nTABLE %s;\\n\\\\o', oid::regclass) FROM pg_class
                WHERE relnamespace = 'journey_stitch'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
                ORDER BY relname" >>"$CLUSTER_DIR/calls.sql"
}

# transcript ROLE [psql option …]: what all functions answer to that role.
transcript() {
    PGUSER=$1 psql -At -d rights -v ON_ERROR_STOP=0 -v VERBOSITY=terse "${@:2}" -f "$CLUSTER_DIR/calls.sql" 2>&1 |
        sed -E -e "s,^psql:$CLUSTER_DIR/calls.sql:[0-9]*: ,," -e 's/"becomes": "[0-9a-f-]*"/"becomes": "an id"/' \
            -e 's/"(churn_risk|engagement_score)": [0-9.]+/"\1": "depends on now"/g'
}

# Else there would be little that can go wrong below.
calls_work() {
    check "calls that are errors, of $(sql rights "SELECT count(*) FROM probe.calls")" \
        "$(transcript postgres | grep -E 'ERROR|FATAL')" "$(printf '%s\n' \
            'ERROR:  project "alpha" has no rule for kind "phone"' \
            'ERROR:  invalid a: nobody has said anything to take back of session_id:s0 and user_id:u0')"
}

# Settings that any role may change, and that change how SQL is read, planned or run.
settings() {
    local setting role options=()
    for setting in transform_null_equals=on array_nulls=off standard_conforming_strings=off escape_string_warning=off \
        quote_all_identifiers=on bytea_output=escape DateStyle=SQL,DMY IntervalStyle=sql_standard \
        extra_float_digits=-15 plan_cache_mode=force_generic_plan jit_above_cost=0 jit_inline_above_cost=0 \
        jit_optimize_above_cost=0 enable_indexscan=off enable_bitmapscan=off enable_nestloop=off \
        from_collapse_limit=1 join_collapse_limit=1 geqo_threshold=2 work_mem=64kB row_security=off \
        plpgsql.extra_errors=all default_transaction_isolation=serializable check_function_bodies=off \
        constraint_exclusion=on xmloption=document; do
        options+=(-c "$setting")
    done
    # Relations are refused by another error then, and intervals are shown in another style.
    answered() {
        transcript "$1" | grep -vE 'affected by row-level|permission denied for (table|view|sequence)' |
            sed -E 's/"(duration|median_time)": "[^"]*"/"\1": "an interval"/'
    }
    for role in boss alpha; do
        check "what all functions answer otherwise to $role with $((${#options[@]} / 2)) odd settings" \
            "$(PGOPTIONS=${options[*]} answered "$role" | diff - <(answered "$role"))" ''
    done
}

# Shadows of what SQL commonly uses, owned by mallory: of pg_catalog's operators and functions on common types, of types
# (with a check), of catalogs and of our tables. Each that runs draws from public.caught, which no rollback takes back.
make_shadows() {
    psql -d rights <<'SQL'
CREATE SEQUENCE public.caught;
GRANT USAGE ON SEQUENCE public.caught TO PUBLIC;
CREATE SCHEMA shadow AUTHORIZATION mallory;
GRANT USAGE ON SCHEMA shadow TO PUBLIC;
SET SESSION AUTHORIZATION mallory;
SET check_function_bodies = off;
CREATE FUNCTION shadow.caught(what text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM nextval('public.caught');
    RAISE EXCEPTION 'the shadow of % ran as %', what, current_user;
END $$;
CREATE FUNCTION shadow.cast(name text, arguments text, result text, what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('CREATE FUNCTION shadow.%I(%s) RETURNS %s LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
                    AS $f$ BEGIN PERFORM shadow.caught(%L); END $f$', name, arguments, result, what);
END $$;
DO $$
DECLARE
    types CONSTANT oid[] := '{text,name,"char",boolean,integer,bigint,smallint,numeric,double precision,oid,regclass,
        regrole,regnamespace,regtype,regprocedure,uuid,date,timestamp,timestamptz,interval,jsonb,jsonpath,bytea,inet,
        int8range,int8multirange,bytea[],text[],integer[],bigint[],date[],timestamptz[],jsonpath[],aclitem[],anyarray,
        anyelement,anynonarray,anycompatible,anycompatiblearray,anyrange,anymultirange,tid,xid}'::regtype[];
    relations CONSTANT text := 'projects project_grants events event_ids pending dead_letters journeys keys merges '
        'users activity timeline event_counts metrics metric_definitions metric_granularities metric_combinations '
        'metric_windows project_stats rejection_stats job_errors identity_rules identity_words '
        'identity_log merge_conflicts key_moves stitched_events stitched_keys event_entry_id pg_roles pg_authid '
        'pg_class pg_namespace pg_proc pg_policy pg_index pg_inherits pg_constraint pg_attribute pg_extension '
        'pg_database pg_stat_activity ag_label ag_graph';
    shadowed record;
BEGIN
    PERFORM shadow.cast(p.proname, array_to_string(p.proargtypes::oid[]::regtype[], ', '),
                        CASE WHEN p.proretset THEN 'SETOF ' ELSE '' END || p.prorettype::regtype, p.proname)
    FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proargtypes::oid[] <@ types
      AND (p.prorettype = ANY (types) OR p.prorettype = 'record'::regtype AND p.proretset);
    -- These take "any"; these shadows fit texts better.
    PERFORM shadow.cast(name, arguments, 'text', name)
    FROM string_to_table('format concat jsonb_build_object jsonb_build_array', ' ') AS name,
         unnest(ARRAY['VARIADIC text[]', 'text, text']) AS arguments;
    FOR shadowed IN
        SELECT 'operator_' || o.oid AS function, o.oprname AS name, NULLIF(o.oprleft, 0)::regtype AS "left",
               o.oprright::regtype AS "right", o.oprresult::regtype::text AS result
        FROM pg_operator o
        WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND (o.oprleft = 0 OR o.oprleft = ANY (types))
          AND o.oprright = ANY (types) AND o.oprresult = ANY (types)
    LOOP
        PERFORM shadow.cast(shadowed.function, concat_ws(', ', shadowed."left", shadowed."right"), shadowed.result,
                            shadowed.name);
        EXECUTE format('CREATE OPERATOR shadow.%s (FUNCTION = shadow.%s, %s RIGHTARG = %s)', shadowed.name,
                       shadowed.function, 'LEFTARG = ' || shadowed."left" || ',', shadowed."right");
    END LOOP;
    FOR shadowed IN
        SELECT format('CREATE DOMAIN shadow.%I AS pg_catalog.%1$I CHECK (shadow.caught(%1$L))', name) AS statement
        FROM string_to_table('text name int4 int8 bool oid uuid regclass regrole regnamespace jsonb jsonpath numeric '
                             'timestamptz date interval bytea inet int8range int8multirange', ' ') AS name
        UNION ALL
        SELECT format('CREATE VIEW shadow.%I AS SELECT shadow.caught(%1$L) AS id, 1 AS oid', name)
        FROM string_to_table(relations, ' ') AS name
    LOOP
        EXECUTE shadowed.statement;
    END LOOP;
END $$;
SQL
}

# The path that finds them first, and temporary relations that would be found before all.
HOSTILE_PATH="shadow, pg_temp, pg_catalog, public"
HOSTILE_SESSION=(-c "DO \$\$ DECLARE statement pg_catalog.text; BEGIN
        FOR statement IN
            SELECT pg_catalog.format('CREATE TEMPORARY VIEW %I AS TABLE shadow.%1\$I', relname) FROM pg_catalog.pg_class
            WHERE relnamespace = 'shadow'::pg_catalog.regnamespace AND relkind = 'v'
        LOOP
            EXECUTE statement;
        END LOOP;
    END \$\$" -c "SET search_path = $HOSTILE_PATH")
hostile() { psql -At -d rights -v ON_ERROR_STOP=0 "${HOSTILE_SESSION[@]}" "$@" 2>&1; }

caught() { sql rights "SELECT is_called FROM public.caught"; }

# First that the trap works; then the functions, a worker, and the extension made anew. The last test in its database.
shadows() {
    local role before try count="SELECT count(*) FROM"
    check_true "there are shadows: $(sql rights "SELECT format('%s functions, %s operators',
            ($count pg_proc WHERE pronamespace = 'shadow'::regnamespace),
            ($count pg_operator WHERE oprnamespace = 'shadow'::regnamespace))")" \
        "$(sql rights "SELECT ($count pg_operator WHERE oprnamespace = 'shadow'::regnamespace) > 400")"
    for try in "SELECT now()" "SELECT 1 + 1" "SELECT '{}'::jsonb ->> 'a'" "SELECT 'x'::text" "TABLE pg_roles"; do
        check "a statement that is led astray: $try" \
            "$(hostile -c "$try" | grep -c 'the shadow of .* ran as postgres')" 1
    done
    check_true "and caught" "$(caught)"
    sql rights "ALTER SEQUENCE public.caught RESTART" # is_called is false again
    for role in postgres boss alpha; do
        before=$(transcript "$role")
        check "what all functions answer otherwise to $role with shadows first in search_path" \
            "$(transcript "$role" "${HOSTILE_SESSION[@]}" | diff - <(printf '%s\n' "$before"))" ''
    done
    # By get_event and, with and without a time, by get_journey.
    check "the tenant's events in that" "$(grep -c '^{.*"of": "alpha"' <<<"$before")" "$(sql rights "
        SELECT 1 + 2 * count(*) FROM journey_stitch.get_journey('e1', 'alpha') WHERE properties ? 'of'")"
    check "shadows that ran" "$(caught)" f
    # The owner of a database, who need not be a superuser, may set this.
    sql rights "ALTER DATABASE rights SET search_path = $HOSTILE_PATH;
        ALTER DATABASE rights RESET journey_stitch.enabled"
    sql rights "SELECT journey_stitch.ingest_events('[{\"event_id\": \"w1\", \"type\": \"t\", \"user_id\": \"u0\"},
                                                      {\"event_id\": \"w2\", \"type\": \"t\", \"user_id\": \"u1\"}]',
                                                    'alpha')" >/dev/null
    wait_until "a worker stitches with that path" 20 rights \
        "SET search_path = pg_catalog; SELECT journey_stitch.journey_of('w2', 'alpha') IS NOT NULL"
    sql rights "ALTER DATABASE rights RESET search_path; ALTER DATABASE rights SET journey_stitch.enabled = off"
    check "violations" "$(sql rights "SELECT sum(violations) FROM journey_stitch.verify()")" 0
    wait_until "the worker is gone" 30 postgres "
        SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"
    sql rights "DROP EXTENSION journey_stitch"
    check "CREATE EXTENSION and setup() anew with that path" "$(hostile -c "CREATE EXTENSION journey_stitch" \
        -c "SELECT journey_stitch.setup()" -c "SELECT inserted FROM journey_stitch.ingest_events('{\"type\": \"t\"}')" \
        -c "SELECT events FROM journey_stitch.stitch_pending()")" "$(printf '\n1\n1')"
    check "shadows that ran" "$(caught)" f
}

# Texts that break out of quotes, out of formats, and out of limits; every text argument of every function, and every
# place of a jsonb one, with each of them.
make_hostile_texts() {
    psql -d rights <<'SQL'
CREATE TABLE public.canary AS SELECT 'alive' AS state;
CREATE TABLE probe.texts (id integer GENERATED ALWAYS AS IDENTITY, value text);
GRANT SELECT ON probe.texts TO PUBLIC;
INSERT INTO probe.texts (value) VALUES
    ($t$'; DROP TABLE public.canary; --$t$), ($t$"; DROP TABLE public.canary; --$t$),
    ($t$'); DROP TABLE public.canary; SELECT ('$t$), ($t$$$; DROP TABLE public.canary; $$$t$), ($t$\$t$),
    ($t$\'; DROP TABLE public.canary; --$t$), ('%s%I%L%%n%1$s%n'), ('$1'), ('{}'), ('{"a"'), ('NULL'), (','), (''),
    (' '), ('a.b.c.d'), ('pg_catalog.x'), ('journey_stitch.events'), ('public'), ('current_user'), ('pg_monitor'),
    (E'a\nb\r\n\t'), (E'\u202Egnp.exe'), (E'\U0001F9F5'), ('e1:'), (':e1'), ('user_id:'), ('../../../../etc/passwd'),
    ('/etc/passwd'), (repeat('x', 63)), (repeat('x', 64)), (repeat('x', 10000)), (repeat('"', 100)),
    ('beta'' OR ''1''=''1'), ('{beta}'), ('[0,9)'), ('0'), ('-1'), ('1e400'), ('infinity'),
    ('00000000-0000-0000-0000-000000000000');
CREATE FUNCTION probe.in_json(value text) RETURNS SETOF jsonb LANGUAGE sql AS $$
    SELECT to_jsonb(value) UNION ALL SELECT jsonb_build_array(value) UNION ALL SELECT jsonb_build_object(value, value)
    UNION ALL
    SELECT jsonb_build_object(name, value)
    FROM unnest(ARRAY['event_type', 'user_id', 'source', 'since', 'until', 'properties', 'events']) AS name
    UNION ALL
    SELECT jsonb_build_object('properties', jsonb_build_object(value, value))
    UNION ALL
    SELECT jsonb_build_object('type', 't', name, value)
    FROM unnest(ARRAY['event_id', 'user_id', 'session_id', 'ts', 'ip_address', 'user_agent', 'event_name']) AS name
    UNION ALL
    SELECT jsonb_build_object('type', value, 'correlations', c)
    FROM unnest(ARRAY[to_jsonb(value), jsonb_build_array(value), jsonb_build_object(value, value),
                      jsonb_build_object('email', value)]) AS c
$$;
CREATE TABLE probe.hostile_calls AS
SELECT a.oid, a.proname, a.name, t.id AS text_id,
       format('SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(t)) FROM %s AS t',
              probe.call(a.oid, a.n, format('%L', j.value))) AS call
FROM probe.arguments a
CROSS JOIN probe.texts t
CROSS JOIN LATERAL (
    SELECT t.value WHERE a.type NOT IN ('jsonb'::regtype, 'text[]'::regtype)
    UNION ALL
    SELECT ARRAY[t.value]::text WHERE a.type = 'text[]'::regtype
    UNION ALL
    SELECT v::text FROM probe.in_json(t.value) AS v
    WHERE a.type = 'jsonb'::regtype AND a.name NOT IN ('filter', 'steps', 'dimensions')
    UNION ALL
    SELECT jsonb_build_object(t.value, t.value)::text
    WHERE a.type = 'jsonb'::regtype AND a.name IN ('filter', 'dimensions')
    UNION ALL
    SELECT jsonb_build_array(t.value, jsonb_build_object(
               'name', t.value, 'event_type', t.value, 'filter', jsonb_build_object(t.value, t.value)))::text
    WHERE a.type = 'jsonb'::regtype AND a.name = 'steps'
    UNION ALL
    -- Within JSON paths, so that they get to be evaluated.
    SELECT v FROM unnest(ARRAY['$.' || to_jsonb(t.value)::text, '$."' || t.value,
                               format('$ ? (@.of like_regex %s)', to_jsonb(t.value))]) AS v
    WHERE a.type = 'text'::regtype AND a.name IN ('breakdown', 'value')) AS j (value)
WHERE a.type = ANY ('{text,text[],name,jsonb}'::regtype[]);
GRANT SELECT ON probe.hostile_calls TO PUBLIC;
CREATE TABLE probe.answers (role name, function text, argument text, text_id integer, code text, answer text);
GRANT INSERT ON probe.answers TO PUBLIC;
CREATE FUNCTION probe.try_hostile() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    try record;
    answer text;
    code text;
BEGIN
    FOR try IN SELECT * FROM probe.hostile_calls c WHERE has_function_privilege(c.oid, 'EXECUTE') LOOP
        BEGIN
            EXECUTE try.call INTO answer;
            code := '00000';
            RAISE EXCEPTION USING ERRCODE = 'UNDO0';
        EXCEPTION
            WHEN SQLSTATE 'UNDO0' THEN NULL;
            WHEN OTHERS THEN code := SQLSTATE; answer := SQLERRM;
        END;
        INSERT INTO probe.answers VALUES (current_user, try.proname, try.name, try.text_id, code, left(answer, 20000));
    END LOOP;
END $$;
SQL
}

hostile_texts() {
    local role
    make_hostile_texts
    for role in postgres boss alpha; do
        PGOPTIONS="-c client_min_messages=warning" PGUSER=$role sql rights "SELECT probe.try_hostile()" >/dev/null
    done
    check_true "hostile texts were tried: $(sql rights "SELECT count(*) || ' calls' FROM probe.answers")" \
        "$(sql rights "SELECT count(DISTINCT (function, argument)) > 120 FROM probe.answers")"
    check "what they killed" "$(sql rights "SELECT state FROM public.canary")" alive
    # An invalid value, somebody without rights, a role that is not there. No syntax error, no internal one.
    check "errors that do not say what is wrong with the text" "$(sql rights "
        SELECT format('%s %s %s: %s', function, argument, code, left(min(answer), 80)) FROM probe.answers
        WHERE code !~ '^(00000|22\w{3}|42501|42704)$' GROUP BY function, argument, code")" ''
    check "answers to the tenant that hold another's" "$(sql rights "
        SELECT count(*) FROM probe.answers WHERE role = 'alpha' AND answer ~ '\"of\": \"beta\"'")" 0
    check "projects that a tenant gets at by another name" "$(sql rights "
        SELECT string_agg(DISTINCT function || ' ' || code, ', ') FROM probe.answers
        WHERE role = 'alpha' AND argument = 'project' AND code <> '42501'")" ''
    check "and what it is told of them beside that" "$(sql rights "
        SELECT count(*) FROM probe.answers a JOIN probe.texts t ON t.id = a.text_id
        WHERE role = 'alpha' AND argument = 'project'
          AND answer <> format('permission denied for project \"%s\"', t.value)")" 0
    check "crashes and panics in the log" \
        "$(grep -cE 'PANIC|panicked|was terminated by signal|internal error' "$CLUSTER_DIR/log" || true)" 0
}

# All the way: stored, stitched, in the graph, and back as they were; and as names of projects.
hostile_events() {
    psql -d rights <<'SQL'
CREATE TABLE probe.sent AS
SELECT id, value, jsonb_build_object(value, value) AS properties FROM probe.texts
WHERE octet_length(value) BETWEEN 1 AND 200 AND value <> ' ';
\o /dev/null
SELECT journey_stitch.ingest_events(jsonb_agg(jsonb_build_object(
           'event_id', value, 'event_type', value, 'event_name', value, 'user_id', value, 'source', value,
           'ts', '2026-03-02', 'correlations', jsonb_build_object('email', value),
           'properties', properties)), 'hostile')
FROM probe.sent;
SELECT journey_stitch.ingest_events('{"event_id": "e", "event_type": "t"}', value) FROM probe.sent;
SELECT journey_stitch.stitch_pending();
SQL
    check "hostile events that do not come back as they were" "$(sql rights "
        SELECT string_agg(s.value, ' ') FROM probe.sent s
        LEFT JOIN LATERAL journey_stitch.get_journey(s.value, 'hostile') AS j ON true
        WHERE (j.event_id, j.event_type, j.event_name, j.user_id, j.source, j.properties) IS DISTINCT FROM
              (s.value, s.value, s.value, s.value, s.value, s.properties)
           OR s.value NOT IN (SELECT event_id FROM journey_stitch.events_list('hostile',
                                  jsonb_build_object('source', s.value, 'properties', s.properties)))")" ''
    check "and that analytics do not find" "$(sql rights "
        SELECT string_agg(s.value, ' ') FROM probe.sent s
        LEFT JOIN LATERAL journey_stitch.dau('2026-03-02', '2026-03-02', 'hostile', event_type => s.value) AS d ON true
        LEFT JOIN LATERAL journey_stitch.dau('2026-03-02', '2026-03-02', 'hostile', filter => s.properties) AS f ON true
        LEFT JOIN LATERAL journey_stitch.funnel(
            jsonb_build_array(jsonb_build_object('event_type', s.value, 'name', s.value, 'filter', s.properties)),
            '2026-03-02', '2026-03-02', project => 'hostile', filter => s.properties) AS w ON w.step = s.value
        LEFT JOIN LATERAL journey_stitch.paths('2026-03-02', '2026-03-02', s.value, project => 'hostile') AS p
            ON p.source = s.value
        LEFT JOIN LATERAL journey_stitch.sessions(s.value, project => 'hostile') AS e ON e.first_event = s.value
        LEFT JOIN LATERAL journey_stitch.user_stats(s.value, 'hostile') AS u ON u.user_id = s.value
        LEFT JOIN journey_stitch.top_events_by('source', '2026-03-02', '2026-03-02', 99, 'hostile') AS b
            ON b.value = s.value
        LEFT JOIN LATERAL journey_stitch.top_events_by('$.' || to_jsonb(s.value)::text, '2026-03-02', '2026-03-02', 99,
            'hostile') AS v ON v.value = s.value
        WHERE (d.active_users, f.active_users, w.users, p.journeys, e.events, u.total_events, b.users, v.users)
              IS DISTINCT FROM (1, 1, 1, 1, 1, 1, 1, 1)")" ''
    check "projects of hostile names that have not their event" "$(sql rights "
        SELECT string_agg(s.value, ' ') FROM probe.sent s
        WHERE (SELECT count(*) FROM journey_stitch.get_journey('e', s.value)) <> 1")" ''
    check "violations" "$(sql rights "SELECT sum(violations) FROM journey_stitch.verify()")" 0
    check "what they killed" "$(sql rights "SELECT state FROM public.canary")" alive
}

# The hint of an error is a statement to run: it must do what it says and nothing else.
hostile_hint() {
    local role='we"ird'\''; $$ %I \ role' project='pro'\''ject"; DROP TABLE public.canary; --' hint
    psql -d rights -v role="$role" -v project="$project" >/dev/null <<'SQL'
CREATE ROLE :"role" LOGIN IN ROLE journey_stitch_reader;
SELECT journey_stitch.ingest_events('{"type": "t", "event_id": "e"}', :'project');
SQL
    read_it() {
        PGUSER=$role psql -At -d rights -v project="$project" 2>&1 \
            <<<"SELECT event_id FROM journey_stitch.events_list(:'project')" || true
    }
    hint=$(read_it | sed -n 's/^HINT:  An administrator can allow it: \(.*\)$/\1/p')
    check "what role $role reads without a grant" "$(read_it | head -n 1)" \
        "ERROR:  permission denied for project \"$project\""
    PGUSER=boss sql rights "$hint" >/dev/null
    check "after what the hint says" "$(read_it)" e
    check "what that killed" "$(sql rights "SELECT state FROM public.canary")" alive
}

# The README's two lines that let a role send events, as they stand there.
readme_grants() {
    local grants
    grants=$(sed -n -e 's/^    \(GRANT journey_stitch_writer TO app;.*\)/\1/p' \
        -e 's/^    \(SELECT journey_stitch.grant_project(.*app.*\)/\1/p' README.md)
    if [ "$(grep -c . <<<"$grants")" != 2 ]; then
        skip "README.md has not the two lines GRANT journey_stitch_writer TO app and SELECT grant_project(… app …)"
        return
    fi
    sql rights "CREATE ROLE app LOGIN"
    psql -At -d rights <<<"$grants" >/dev/null
    app() { PGUSER=app psql -At -d rights -v VERBOSITY=terse -c "SELECT * FROM journey_stitch.$1" 2>&1 || true; }
    check "a role with the README's grants sends events" \
        "$(app "ingest_events('[{\"event_type\": \"t\"}, 5]')")" '2|1|0|1'
    check "to no other project" "$(app "ingest_events('[]', 'new')")" 'ERROR:  permission denied for project "new"'
    check "and reads no analytics" "$(app "dau()")" 'ERROR:  permission denied for function dau'
}

cluster_start rights "fsync = off"
create_database rights
sql postgres "ALTER DATABASE rights SET journey_stitch.enabled = off"
sql rights "CREATE ROLE stranger LOGIN; CREATE ROLE mallory LOGIN; CREATE ROLE beta;
    CREATE ROLE alpha LOGIN IN ROLE journey_stitch_reader, journey_stitch_writer;
    CREATE ROLE boss LOGIN IN ROLE journey_stitch_admin"
make_events
nobody_has_anything
functions_as_written
default_privileges
readme_grants
made_as_the_dba_has_it
make_calls
calls_work
settings
hostile_texts
hostile_events
hostile_hint
make_shadows
shadows
summary
