#!/usr/bin/env bash
# Two tenants in one database, and every other kind of role, against every function, table and view: for its own project
# a role gets what the superuser gets for it, of any other project nothing, not even whether it exists. Who may do what
# stands here once more (probe.cases, probe.subjects); a function or relation that is missing here fails the test.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

# run LABEL: all cases as that subject, in a session of its login role.
run() {
    local login options
    IFS='|' read -r login options < <(sql tenants "SELECT login, options FROM probe.subjects WHERE label = '$1'")
    PGUSER=$login PGOPTIONS="-c client_min_messages=warning $options" sql tenants "SELECT probe.run('$1')" >/dev/null
}

# The first of the wrong answers, and how many there are of how many.
verdict() {
    sql tenants "SELECT format('%s -> %s', statement, left(answer, 300)) FROM probe.verdicts
                 WHERE label = '$1' AND NOT is_right ORDER BY kind, statement LIMIT 4"
    sql tenants "SELECT format('%s wrong of %s', count(*) FILTER (WHERE NOT is_right), count(*))
                 FROM probe.verdicts WHERE label = '$1'"
}

check_lists() {
    check "functions that no case tries" "$(sql tenants "
        SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'journey_stitch'::regnamespace
          -- No SQL can call what takes this type.
          AND 'internal'::regtype <> ALL (proargtypes::oid[])
          AND NOT EXISTS (SELECT FROM probe.cases WHERE to_regprocedure('journey_stitch.' || object) = oid)")" ''
    check "functions of the list that are not there" "$(sql tenants "
        SELECT object FROM probe.cases
        WHERE object ~ '\(' AND to_regprocedure('journey_stitch.' || object) IS NULL")" ''
    check "relations that no case tries" "$(sql tenants "SELECT full_name FROM probe.present WHERE kind IS NULL")" ''
    check "relations of the list that are not there" "$(sql tenants "
        SELECT name FROM probe.relations WHERE name NOT IN (SELECT name FROM probe.present WHERE kind IS NOT NULL)")" ''
    # Else nothing would follow from a tenant's getting the right one.
    check "calls to which two projects have the same answer" "$(sql tenants "
        SELECT DISTINCT c.statement FROM probe.cases c
        JOIN probe.answers x ON x.case_id = c.id JOIN probe.answers y ON y.case_id = c.id
        WHERE c.varies AND x.label = 'postgres' AND y.label = 'postgres'
          AND x.project < y.project AND x.answer = y.answer")" ''
    check "active users of alpha, beta and default" "$(sql tenants "
        SELECT string_agg(day ->> 'active_users', ' ' ORDER BY a.project)
        FROM probe.answers a JOIN probe.cases c ON c.id = a.case_id
        CROSS JOIN jsonb_array_elements(a.answer::jsonb) AS day
        WHERE a.label = 'postgres' AND c.statement ~ 'dau\(.*%1\\\$L\) AS' AND a.project <> 'nowhere'
          AND day ->> 'day' = '2026-03-02'")" '2 3 4'
    check "tables that have no rows of some project" "$(sql tenants "
        SELECT format('%s: %s', r.name, p) FROM probe.relations r, unnest(ARRAY['alpha', 'beta', 'default']) AS p
        WHERE r.kind IN ('rows', 'letters', 'log') AND r.name <> 'project_grants'
          AND probe.rows('journey_stitch.' || r.name, ARRAY[p], 'postgres') = '[]'")" ''
}

matrix() {
    local label total
    run postgres
    check_lists
    total=$(sql tenants "SELECT count(*) FROM probe.tries")
    while read -r label; do
        run "$label"
        check "as $label" "$(verdict "$label")" "0 wrong of $total"
    done < <(sql tenants "SELECT label FROM probe.subjects WHERE label <> 'postgres'")
    # The same by another way.
    check "answers to a or b that hold anything of another project" "$(sql tenants "
        SELECT format('%s: %s', v.label, v.statement) FROM probe.verdicts v JOIN probe.subjects s USING (label)
        CROSS JOIN (VALUES ('alpha'), ('beta'), ('default')) AS p (name)
        WHERE v.label IN ('a', 'b', 'a in parallel workers') AND p.name <> ALL (s.reads)
          AND v.answer !~ '^[0-9A-Z]{5}: '
          AND (v.answer LIKE format('%%\"of\": \"%s\"%%', p.name) OR v.answer LIKE format('%%only %s%%', p.name)
               OR EXISTS (SELECT FROM journey_stitch.journeys j JOIN journey_stitch.projects q ON q.id = j.project_id
                          WHERE q.name = p.name AND v.answer LIKE format('%%%s%%', j.uuid)))")" ''
    check "privileges beside SELECT, and UPDATE of dead_letters.event" "$(sql tenants "
        SELECT DISTINCT format('%s: %s of %s', r.rolname, a.privilege_type, p.full_name)
        FROM probe.present p JOIN pg_class c ON c.oid = p.oid JOIN pg_attribute t ON t.attrelid = p.oid
        CROSS JOIN LATERAL (SELECT * FROM aclexplode(c.relacl) WHERE grantee <> c.relowner
                            UNION ALL SELECT * FROM aclexplode(t.attacl)) AS a
        LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE a.privilege_type <> 'SELECT'
          AND (p.full_name, t.attname, a.privilege_type) <> ('journey_stitch.dead_letters', 'event', 'UPDATE')")" ''
}

# as ROLE 'SQL' …: one session, statement by statement; errors are part of what it prints.
as() {
    local role=$1 statements=() statement
    shift
    for statement; do statements+=(-c "$statement"); done
    PGUSER=$role psql -At -d tenants -v ON_ERROR_STOP=0 -v VERBOSITY=sqlstate "${statements[@]}" 2>&1 || true
}

DENIED='ERROR:  42501'
lines() { printf '%s\n' "$@"; }

# Functions, views and triggers of others: it is always the present role whose rights count.
indirect_calls() {
    psql -d tenants <<'SQL'
CREATE ROLE broker LOGIN;
GRANT journey_stitch_reader, journey_stitch_writer TO broker;
GRANT CREATE, USAGE ON SCHEMA public TO broker, a, b;
SELECT journey_stitch.grant_project('beta', 'broker', 'all') \g /dev/null
SET ROLE broker;
CREATE FUNCTION public.brokered(project text) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    RETURN (SELECT count(*) FROM journey_stitch.get_journey('user_id:u0', project));
CREATE FUNCTION public.brokered_rows() RETURNS text LANGUAGE sql SECURITY DEFINER
    RETURN (SELECT string_agg(DISTINCT properties ->> 'of', ',') FROM journey_stitch.events);
SET ROLE b;
CREATE VIEW public.of_b AS SELECT properties ->> 'of' AS of FROM journey_stitch.events;
CREATE VIEW public.journey_of_b AS SELECT count(*) FROM journey_stitch.get_journey('e1', 'beta');
GRANT SELECT ON public.of_b, public.journey_of_b TO a;
SET ROLE a;
CREATE MATERIALIZED VIEW public.kept AS
    SELECT DISTINCT properties ->> 'of' AS of FROM journey_stitch.events WITH NO DATA;
CREATE MATERIALIZED VIEW public.kept_of_beta AS SELECT event_id FROM journey_stitch.events_list('beta') WITH NO DATA;
CREATE TABLE public.inbox (event jsonb, project text, refused text);
CREATE FUNCTION public.take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM journey_stitch.ingest_events(NEW.event, NEW.project);
    EXCEPTION WHEN OTHERS THEN
        NEW.refused := format('%s as %s', SQLSTATE, current_user);
    END;
    RETURN NEW;
END $$;
CREATE TRIGGER take BEFORE INSERT ON public.inbox FOR EACH ROW EXECUTE FUNCTION public.take();
SQL
    local mine sent='{"event_id": "by trigger", "event_type": "t"}'
    mine=$(sql tenants "SELECT count(*) FROM journey_stitch.get_journey('user_id:u0', 'beta')")
    check "a by a SECURITY DEFINER function of the broker, who has beta" \
        "$(as a "SELECT brokered('beta')" "SELECT brokered_rows()")" "$(lines "$mine" beta)"
    check "and alpha, which a has, but the broker has not" \
        "$(as a "SELECT brokered('alpha')" "SELECT current_user")" "$(lines "$DENIED" a)"
    check "a view of b's, read by a" \
        "$(as a "SELECT DISTINCT of FROM of_b" "SELECT * FROM journey_of_b" "SELECT current_user")" \
        "$(lines alpha "$DENIED" a)"
    check "materialized views of a's, refreshed by the superuser" \
        "$(as postgres "REFRESH MATERIALIZED VIEW kept" "REFRESH MATERIALIZED VIEW kept_of_beta" "TABLE kept")" \
        "$(lines "$DENIED" alpha)"
    check "a trigger sends to a's own project, and is refused another" \
        "$(as a "INSERT INTO inbox VALUES ('$sent', 'alpha'), ('$sent', 'beta') RETURNING COALESCE(refused, 'taken')" \
            "SELECT current_user" "TABLE probe.secret")" "$(lines taken '42501 as a' a "$DENIED")"
    check "what came in by it" "$(sql tenants "SELECT p.name FROM journey_stitch.events e
        JOIN journey_stitch.projects p ON p.id = e.project_id WHERE e.event_id = 'by trigger'")" alpha
}

# What outlives a statement: cursors, errors in a transaction, COPY.
lasting_states() {
    check "in an open cursor the role is the caller's" "$(as a "BEGIN" \
        "DECLARE c CURSOR FOR SELECT event_id FROM journey_stitch.events_list('alpha') ORDER BY 1" "FETCH 1 FROM c" \
        "SELECT current_user" "SAVEPOINT s" "TABLE probe.secret" "ROLLBACK TO s" "FETCH 1 FROM c" \
        "TABLE journey_stitch.project_stats" "ROLLBACK")" "$(lines 'by trigger' a "$DENIED" e1 "$DENIED")"
    check "after an error, in the same transaction and after it" "$(as a "BEGIN" "SAVEPOINT s" \
        "SELECT journey_stitch.dau('2026-03-01', '2026-03-02', 'alpha', 'nowhere')" "ROLLBACK TO s" \
        "SELECT current_user" "TABLE probe.secret" "ROLLBACK" "SELECT current_user" "TABLE probe.secret")" \
        "$(lines 'ERROR:  22023' a "$DENIED" a "$DENIED")"
    check "COPY" "$(as a "COPY (SELECT count(DISTINCT project_id) FROM journey_stitch.events) TO STDOUT" \
        "COPY journey_stitch.projects (name) TO STDOUT" "COPY journey_stitch.dead_letters (event) FROM STDIN" \
        "COPY journey_stitch.events_p0 TO STDOUT" "SET row_security = off" "COPY journey_stitch.events TO STDOUT")" \
        "$(lines 1 alpha "$DENIED" "$DENIED" "$DENIED")"
}

# Kept plans serve whoever executes them, and rights end when they are taken back.
rights_are_looked_at_anew() {
    local mode rows="SELECT COALESCE(string_agg(DISTINCT properties ->> 'of', ','), 'none') FROM journey_stitch.events"
    local revoke="DO 'BEGIN PERFORM journey_stitch.revoke_project(''alpha'', ''a''); END'"
    local grant="DO 'BEGIN PERFORM journey_stitch.grant_project(''alpha'', ''a'', ''all''); END'"
    local journey="SELECT DISTINCT properties ->> 'of' FROM journey_stitch.get_journey('e1', \$1)"
    for mode in force_generic_plan auto; do
        check "statements prepared as a, executed as b and after a revoke ($mode)" \
            "$(PGOPTIONS="-c plan_cache_mode=$mode" as postgres \
                "SET ROLE a" "PREPARE rows AS $rows" "PREPARE j (text) AS $journey" \
                "EXECUTE rows" "EXECUTE j('alpha')" "EXECUTE j('beta')" \
                "SET ROLE b" "EXECUTE rows" "EXECUTE j('beta')" "EXECUTE j('alpha')" \
                "RESET ROLE" "EXECUTE rows" "EXECUTE j('alpha')" "$revoke" \
                "SET ROLE a" "EXECUTE rows" "EXECUTE j('alpha')" "RESET ROLE" "$grant" "SET ROLE a" "EXECUTE rows")" \
            "$(lines alpha alpha "$DENIED" beta beta "$DENIED" alpha,beta,default alpha none "$DENIED" alpha)"
    done
    # With an old snapshot, too. What it shows was readable when it was taken; what is written is written now.
    coproc old_snapshot { PGUSER=a psql -At -d tenants -v ON_ERROR_STOP=0 -v VERBOSITY=sqlstate 2>&1; }
    # shellcheck disable=SC2154 # coproc sets it
    local to=${old_snapshot[1]} from=${old_snapshot[0]} answer
    printf '%s\n' "BEGIN ISOLATION LEVEL REPEATABLE READ;" "SELECT 'begun' FROM journey_stitch.projects;" >&"$to"
    read -r answer <&"$from"
    sql tenants "$revoke"
    printf '%s\n' "SELECT inserted FROM journey_stitch.ingest_events('{\"type\": \"t\"}', 'alpha');" 'ROLLBACK;' \
        '\q' >&"$to"
    read -r answer <&"$from"
    wait
    sql tenants "$grant"
    check "a transaction that has begun before a revoke writes" "$answer" "$DENIED"
}

# The matrix has run in them, too; here is that they were there.
parallel_workers() {
    local plan="EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)" what
    for what in "count(*) FROM journey_stitch.get_journey('e1', 'alpha')" "journey_stitch.journey_of('e1', 'alpha')" \
        "count(*) FROM journey_stitch.events"; do
        check "run by a parallel worker: $what" \
            "$(as a "SET debug_parallel_query = on" "$plan SELECT $what" | grep -c 'Workers Launched: 1')" 1
        check "and its answer is the same" "$(as a "SET debug_parallel_query = on" "SELECT $what")" \
            "$(as a "SELECT $what")"
    done
    check "another's project, asked for by a parallel worker" "$(as a "SET debug_parallel_query = on" \
        "SELECT journey_stitch.journey_of('e1', 'beta')" "SELECT current_user")" "$(lines "$DENIED" a)"
}

# All rows of a project, in all tables.
digest() {
    sql tenants "SELECT md5(string_agg(probe.rows('journey_stitch.' || name, ARRAY['$1'], 'boss'), ';' ORDER BY name))
                 FROM probe.relations WHERE kind IN ('rows', 'letters', 'log') AND name <> 'projects'"
}

# What a writes, with ids that beta has too, leaves beta as it was, also once it is stitched.
writing_stays_at_home() {
    local before
    sql tenants "SELECT journey_stitch.stitch_pending()" >/dev/null
    before=$(digest beta)
    check "a sends, mends and retries" "$(as a "SELECT * FROM journey_stitch.ingest_events('[
            {\"event_id\": \"e9\", \"type\": \"t\", \"user_id\": \"u2\"},
            {\"event_id\": \"tie\", \"type\": \"t\", \"user_id\": \"u0\", \"session_id\": \"s2\"}, {}]', 'alpha')" \
        "UPDATE journey_stitch.dead_letters SET event = '{\"type\": \"mended\", \"event_id\": \"only beta\"}'
         WHERE reason = 'missing_event_type'" \
        "SELECT * FROM journey_stitch.retry_dead_letters()")" "$(lines '3|2|0|1' '2|1|1|0')"
    sql tenants "SELECT journey_stitch.stitch_pending()" >/dev/null
    check "what is beta's is as it was" "$(digest beta)" "$before"
    check "violations" "$(sql tenants "SELECT sum(violations) FROM journey_stitch.verify()")" 0
}

# Grants go with their role: neither a new role of the name has them, nor, in a restored dump, whoever has its number.
dropped_role() {
    sql tenants "CREATE ROLE leaver LOGIN IN ROLE journey_stitch_reader;
        SELECT journey_stitch.grant_project('beta', 'leaver')" >/dev/null
    check "a role with a grant" "$(as leaver "SELECT count(*) > 0 FROM journey_stitch.events_list('beta')")" t
    sql tenants "DROP ROLE leaver; CREATE ROLE leaver LOGIN IN ROLE journey_stitch_reader"
    check "its successor of the same name" "$(as leaver "SELECT count(*) > 0 FROM journey_stitch.events_list('beta')" \
        "SELECT count(*) FROM journey_stitch.events")" "$(lines "$DENIED" 0)"
    check "grants of a dump that are to a number" "$("$PG_BIN/pg_dump" -d tenants 2>/dev/null |
        sed -n '/^COPY journey_stitch.project_grants /,/^\\\.$/p' | cut -f 2 | grep -c '^[0-9]*$' || true)" 0
    sql tenants "SELECT journey_stitch.grant_project('beta', 'b', 'all')" >/dev/null
    check "grants to roles that are gone, after the next grant" "$(sql tenants "
        SELECT count(*) FROM journey_stitch.project_grants WHERE grantee::text ~ '^[0-9]+$'")" 0
}

# An admin who is no superuser, in a database that nobody has set up yet.
admin() {
    sql postgres "CREATE DATABASE fresh"
    sql fresh "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE"
    sql postgres "ALTER DATABASE fresh SET journey_stitch.enabled = off"
    boss() { PGUSER=boss psql -At -d fresh -v VERBOSITY=terse -c "SELECT $1" 2>&1 || true; }
    check "an admin: setup()" "$(boss "journey_stitch.setup()")" ''
    check "its partition and graph are the extension's owner's" "$(sql fresh "
        SELECT string_agg(DISTINCT relowner::regrole::text, ' '), count(*) > 10 FROM pg_class
        WHERE relnamespace IN ('journey_graph'::regnamespace, 'journey_stitch'::regnamespace)")" 'postgres|t'
    check "an admin: grant_project()" "$(boss "journey_stitch.grant_project('made', 'a', 'all')")" ''
    check "a tenant sends" "$(PGUSER=a sql fresh "
        SELECT inserted FROM journey_stitch.ingest_events('[{\"type\": \"t\", \"user_id\": \"u\"}, 5]', 'made')")" 1
    check "an admin: stitch_pending()" "$(boss "* FROM journey_stitch.stitch_pending()")" '1|1|0|0'
    check "an admin: rebuild_graph()" "$(boss "sum(entries) > 0 FROM journey_stitch.rebuild_graph()")" t
    check "an admin: verify()" "$(boss "sum(violations) FROM journey_stitch.verify()")" 0
    check "an admin: who has what" \
        "$(boss "string_agg(privilege, ' ' ORDER BY privilege) FROM journey_stitch.project_grants")" 'read write'
    check "an admin: health()" "$(boss "count(*) FILTER (WHERE status = 'FAIL') FROM journey_stitch.health()")" 0
    check "an admin: stat_reset()" "$(boss "journey_stitch.stat_reset('made')")" ''
    check "an admin: revoke_project()" "$(boss "journey_stitch.revoke_project('made', 'a')")" ''
    check "the tenant sends no more" "$(PGUSER=a psql -d fresh -v VERBOSITY=sqlstate \
        -c "SELECT journey_stitch.ingest_events('[]', 'made')" 2>&1 || true)" "$DENIED"
    check "an admin: clean()" "$(boss "journey_stitch.clean()")" ''
    check "what is left" "$(sql fresh "SELECT name FROM journey_stitch.projects")" default
}

# Views show what their owner may see, but of pg_stat_activity what the reader may: an admin who is not in pg_monitor
# sees that a process runs.
monitor() {
    local role
    check "what the launcher does, as pg_monitor sees it" "$(PGUSER=watcher sql tenants "
        SELECT state IN ('idle', 'active') AND wait_event IS NOT NULL FROM journey_stitch.stat_worker
        WHERE role = 'launcher'")" t
    check "and an admin" "$(PGUSER=boss sql tenants "
        SELECT state FROM journey_stitch.stat_worker WHERE role = 'launcher'")" running
    for role in watcher boss; do
        check "counters, as $role sees them" "$(PGUSER=$role sql tenants "
            SELECT string_agg(project, ' ' ORDER BY project) FROM journey_stitch.stat_stitch")" 'alpha beta default'
    done
}

cluster_start tenants "fsync = off"
create_database tenants
sql postgres "ALTER DATABASE tenants SET journey_stitch.enabled = off"
sql_file tenants tests/lib/tenants.sql
matrix
indirect_calls
lasting_states
rights_are_looked_at_anew
parallel_workers
writing_stays_at_home
dropped_role
monitor
admin
summary
