#!/usr/bin/env bash
# ALTER EXTENSION UPDATE, from each released version to the present one: the catalog that it leaves is the one that
# CREATE EXTENSION makes, in every property; the data, and what users had made and granted, live on, also in a restored
# dump, and journeys stay what they were until somebody wants the present rules. Before, the new library answers rightly
# or refuses clearly, and its worker waits.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/cluster.sh
. tests/lib/upgrade_data.sh

nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
violations="SELECT (SELECT sum(violations) FROM journey_stitch.verify())
                 + (SELECT sum(entries) FROM journey_stitch.graph_check())"

sales="SELECT * FROM journey_stitch.metric('sales', '1 day', '2026-03-04Z', '2026-03-08Z')"
clicks="SELECT * FROM journey_stitch.metric('clicks', '1 day', '2026-03-01Z', '2026-03-31Z')"

# What the script writes down goes here; the cluster's directory is the server's.
NOTES=$(mktemp -d "${TMPDIR:-/tmp}/journey_stitch_upgrade.XXXXXX")
PRIVATE_DIRS+=("$NOTES")
trap cluster_exit EXIT

# catalog DATABASE ['SQL']: what the catalog has of the extension, one line a property (tests/lib/catalog.sql). With
# SQL: as it is after that, of which nothing stays.
catalog() {
    psql -At -d "$1" -c '\o /dev/null' -c "BEGIN; ${2:-}" -c '\o' -f tests/lib/catalog.sql
}

# compare 'what' FILE FILE: prints where they differ; < is what should be there, > what is.
compare() {
    diff "$2" "$3" >"$NOTES/differences" || true
    check "$1: differences in $(wc -l <"$2") lines" "$(grep -c '^[<>]' "$NOTES/differences" || true)" 0
    # A line more in a function's body gives all that follow another number: a few are enough.
    awk -F ': ' '/^[<>]/ && n[$1]++ < 6 && all++ < 60' "$NOTES/differences" | cut -c 1-300
    [ -s "$2" ] || failed "$1: nothing to compare"
}

# quietly 'what' SECONDS DATABASE 'SQL': wait_until for what is no claim of the test; counted if it fails only.
quietly() {
    local before=$PASSED
    wait_until "$@" >"$NOTES/waited"
    [ "$PASSED" != "$before" ] || cat "$NOTES/waited"
    PASSED=$before
}

logged() { grep -cE "$1" "$CLUSTER_DIR/log" || true; }

# In a server that has none of the roles yet: the update makes what CREATE EXTENSION makes. Both where setup() comes
# afterwards, as in a database in which it had never been called.
part_bare() {
    make_old bare
    sql postgres "ALTER DATABASE bare SET journey_stitch.enabled = off"
    catalog bare "ALTER EXTENSION journey_stitch UPDATE; SELECT journey_stitch.setup()" >"$NOTES/bare"
    sql postgres "CREATE DATABASE fresh"
    sql postgres "ALTER DATABASE fresh SET journey_stitch.enabled = off"
    sql fresh "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE"
    sql fresh "SELECT journey_stitch.setup()" >/dev/null
    catalog fresh >"$NOTES/fresh"
    compare "catalogs, without data" "$NOTES/fresh" "$NOTES/bare"
    # Where a DBA has everything that is made granted to a role. (Of what the update to 0.2.0 made, it gets something.)
    [ "$OLD" = 0.1.0 ] || check "what default privileges give of what the update has made" "$(sql bare "
        ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO analyst;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO analyst;
        ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO analyst, PUBLIC;
        ALTER EXTENSION journey_stitch UPDATE;
        SELECT string_agg(o.name, ', ')
        FROM (SELECT oid::regclass::text, relacl FROM pg_class WHERE relnamespace = 'journey_stitch'::regnamespace
              UNION ALL
              SELECT oid::regprocedure::text, COALESCE(proacl, acldefault('f', proowner))
              FROM pg_proc WHERE pronamespace = 'journey_stitch'::regnamespace) AS o (name, acl),
             aclexplode(o.acl) AS a
        WHERE a.grantee IN (0, 'analyst'::regrole);
        DROP EXTENSION journey_stitch")" ''
    check "roles that both have made" "$(grep -c '^role .*: rolcanlogin = false' "$NOTES/bare")" 3
}

# A second superuser does in the old version what was its caller's then, and updates: all is to be the owner's.
part_data() {
    make_old upgraded
    # Three partitions, of which one will have events.
    psql -U dba -d upgraded -c "SELECT journey_stitch.setup()" \
        -c "SELECT journey_stitch.ensure_event_partitions(29999999)" >/dev/null
    sql fresh "SELECT journey_stitch.ensure_event_partitions(29999999)" >/dev/null
    tables_of upgraded >"$NOTES/old_tables"
    fill
    last_event=$(sql fresh "SELECT max(id) FROM journey_stitch.stitched_events")
    last_journey=$(sql fresh "SELECT max(id) FROM journey_stitch.journeys")
    copy_data
    use_as_user fresh
    use_as_user upgraded
    check "in the old form: events, waiting, absorbed journeys, dead letters" "$(sql upgraded "
        SELECT (SELECT count(*) FROM journey_stitch.events), (SELECT sum(events) FROM journey_stitch.pending),
               (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NOT NULL),
               (SELECT string_agg(stage, ',' ORDER BY id) FROM journey_stitch.dead_letters)")" \
        "$((1069 + apart))|161|50|ingest,ingest,stitch"
    catalog upgraded >"$NOTES/old"
    rows upgraded >"$NOTES/old_rows"
    rollups fresh >"$NOTES/rollups"
    # As is done when a new library is installed.
    cluster_restart
}

# Every function of the old version: either it is refused, or its answer is that of the new version in fresh, where one
# that is gone has another statement for an oracle.
old_calls() { sed -n "s/^[0-9. ]*${OLD//./\\.}[0-9. ]*|//p" tests/lib/catalog_calls.txt; }

part_before() {
    local function call oracle answer expected='' actual='' refused=0
    check "functions of the old version that are called" "$(old_calls | cut -d '|' -f 1)" "$(sql upgraded "
        SELECT p.proname FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
        JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
        WHERE x.extname = 'journey_stitch' AND d.deptype = 'e' ORDER BY p.proname COLLATE \"C\"")"
    while IFS='|' read -r function call oracle; do
        answer=$(psql -At -d upgraded -v VERBOSITY=verbose -c "${call#refused: }" 2>&1) || true
        if [ "${call#refused: }" = "$call" ]; then
            expected+="$function $(sql fresh "${oracle:-$call}" 2>&1 || true)"$'\n'
            actual+="$function $answer"$'\n'
        elif grep -q "ERROR:  55000: $other_version" <<<"$answer" &&
            grep -q 'HINT:.*ALTER EXTENSION journey_stitch UPDATE' <<<"$answer"; then
            refused=$((refused + 1))
        else
            failed "$function is refused clearly"
            printf '  %s\n' "$answer"
        fi
    done < <(old_calls)
    check "answers of the new library with the old objects" "$actual" "$expected"
    check "functions that it refuses with a hint (55000)" "$refused" "$(old_calls | grep -c '|refused: ')"
    # In the first release journeys were found without the library.
    [ "$OLD" = 0.1.0 ] || return 0
    journeys fresh >"$NOTES/journeys"
    journeys upgraded >"$NOTES/journeys_of_old"
    compare "journeys of all events meanwhile" "$NOTES/journeys" "$NOTES/journeys_of_old"
    ids fresh >"$NOTES/ids"
    ids upgraded >"$NOTES/ids_of_old"
    compare "where ids lead meanwhile" "$NOTES/ids" "$NOTES/ids_of_old"
}

# The worker of the old database, whose naptime is one second, says why it does nothing each time that it looks.
part_waiting() {
    local start before launcher ticks ms=0
    local line="worker .*LOG: .* ${other_version%\$}; workers wait for ALTER EXTENSION journey_stitch UPDATE\$"
    launcher=$(sql upgraded "SELECT journey_stitch.launcher_pid()")
    start=$(date +%s%N) before=$(logged "$line") ticks=$(ticks "$launcher")
    # However long it takes on a busy machine: what counts is how often in that time.
    while [ "$(logged "$line")" -lt $((before + 3)) ] && [ "$ms" -lt 60000 ]; do
        sleep 0.1
        ms=$((($(date +%s%N) - start) / 1000000))
    done
    before=$(($(logged "$line") - before)) ticks=$(($(ticks "$launcher") - ticks))
    check_true "its worker says why it waits, once a naptime of 1 s: $before times in $ms ms" \
        "$([ "$before" -ge 3 ] && [ "$before" -le $((ms / 1000 + 2)) ] && echo t)"
    check_true "the launcher waits meanwhile: $ticks ticks of 10 ms (limit of the test: 50)" \
        "$([ "$ticks" -le 50 ] && echo t)"
    rows upgraded >"$NOTES/rows"
    compare "data after all that" "$NOTES/old_rows" "$NOTES/rows"
}

# The processor time of a process, in ticks of 10 ms.
ticks() {
    local stat
    read -ra stat <"/proc/$1/stat"
    echo $((stat[13] + stat[14]))
}

part_rollback() {
    check "the update, rolled back, was there: rules, violations" "$(sql upgraded "
        SET client_min_messages = error;
        BEGIN; ALTER EXTENSION journey_stitch UPDATE;
        SELECT count(*) FROM journey_stitch.identity_rules;
        $violations; ROLLBACK")" "$(sql fresh "SELECT count(*) FROM journey_stitch.identity_rules; SELECT 0")"
    rollups upgraded "SET client_min_messages = error; ALTER EXTENSION journey_stitch UPDATE" \
        >"$NOTES/rollups_of_upgraded"
    compare "rollups, before anything else is stitched" "$NOTES/rollups" "$NOTES/rollups_of_upgraded"
    rollups upgraded "DELETE FROM journey_graph.\"HAS_KEY\" h USING journey_stitch.events e
                      WHERE e.event_id = 'e207' AND journey_stitch.graph_entry_id(h.start_id) = e.id;
                      SET client_min_messages = error; ALTER EXTENSION journey_stitch UPDATE" \
        >"$NOTES/rollups_of_upgraded"
    compare "rollups, where the graph has lost something" "$NOTES/rollups" "$NOTES/rollups_of_upgraded"
    # The one thing of users' that cannot live on.
    ! older_than 0.4.0 || check "where a view on half hours stands in the way, the update says so" "$(sql upgraded "
        CREATE VIEW public.half_hours AS SELECT starts_at, members FROM journey_stitch.activity WHERE grain = 'h';
        SET client_min_messages = error;
        ALTER EXTENSION journey_stitch UPDATE" 2>&1 | grep '^DETAIL')" \
        'DETAIL:  view public.half_hours depends on column grain of table journey_stitch.activity'
    catalog upgraded >"$NOTES/rolled_back"
    compare "catalogs before the update and after it was rolled back" "$NOTES/old" "$NOTES/rolled_back"
    rows upgraded >"$NOTES/rows"
    compare "data after that" "$NOTES/old_rows" "$NOTES/rows"
}

# A database of the new version whose worker is at work for long: every batch of 100 sleeps.
make_busy() {
    create_database busy
    sql busy "CREATE TABLE public.pause AS SELECT 0.2 AS seconds;
        CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(seconds) FROM public.pause WHERE seconds > 0; RETURN NULL; END';
        CREATE TRIGGER pause BEFORE INSERT ON journey_stitch.users EXECUTE FUNCTION public.pause()"
    sql busy "SELECT FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object('event_type', 'click', 'user_id', 'u' || n))
        FROM generate_series(1, 10000) AS n))"
}

busy_worker="SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = 'busy' AND backend_type = 'journey_stitch worker' AND wait_event = 'PgSleep')"
version="SELECT extversion FROM pg_extension WHERE extname = 'journey_stitch'"

# A client of the old version has sent five events and has not committed yet; the same five go into fresh. What is not
# under test here is the old library: its statements are written out.
part_update() {
    local holder updater answer
    make_busy
    rm -f "$NOTES/updated"
    touch "$NOTES/open"
    {
        cat <<'SQL'
BEGIN;
SELECT 'before', journey_id FROM journey_stitch.keys WHERE project_id = 1 AND kind = 'session_id' AND value = 's1';
SELECT FROM journey_stitch.projects WHERE name = 'default';
WITH event AS (
    INSERT INTO journey_stitch.events
        (id, occurred_at, received_at, project_id, event_id, event_type, session_id, properties)
    SELECT nextval('journey_stitch.event_entry_id'), timestamptz '2026-03-20 00:00Z' + n * interval '1 hour', now(), 1,
           'late' || n, 'click', 's' || n, '{}'
    FROM generate_series(1, 5) AS n
    RETURNING id, event_id
), ledger AS (
    INSERT INTO journey_stitch.event_ids (id, project_id, event_id) SELECT id, 1, event_id FROM event
)
INSERT INTO journey_stitch.pending (project_id, events, event_ranges)
SELECT 1, 5, range_agg(int8range(id, id, '[]')) FROM event;
SQL
        while [ -e "$NOTES/open" ]; do sleep 0.05; done
        printf 'COMMIT;\n'
        while [ ! -e "$NOTES/updated" ]; do sleep 0.05; done
        printf "SELECT 'after', journey_stitch.find_journey('e1');\n"
        printf "SELECT 'ingested', inserted FROM journey_stitch.ingest_events('%s');\n" "$same_session"
    } | psql -At -d upgraded >"$NOTES/session" &
    holder=$!
    quietly "the client has not committed" 20 upgraded "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = 'upgraded' AND state = 'idle in transaction' AND query LIKE '%range_agg%')"
    begun=$(sql upgraded "SELECT clock_timestamp()")
    psql -U dba -d upgraded -v VERBOSITY=terse -c "ALTER EXTENSION journey_stitch UPDATE" 2>"$NOTES/said" &
    updater=$!
    wait_until "the update waits for a client's open transaction" 20 upgraded "
        SELECT EXISTS (SELECT FROM pg_stat_activity
                       WHERE datname = 'upgraded' AND query LIKE 'ALTER EXTENSION%' AND wait_event_type = 'Lock')"
    check "nothing of it is to be seen" "$(sql upgraded "$version")" "$OLD"
    quietly "the worker of busy is at work" 20 postgres "$busy_worker"
    rm "$NOTES/open"
    wait "$updater"
    check "the client commits, and the update goes on" "$(sql upgraded "$version")" "$NEW"
    ! older_than 0.3.0 || check "it says that old journeys keep their rules" \
        "$(grep -o 'INFO:  2 project(s) with a history keep the keys' "$NOTES/said")" \
        'INFO:  2 project(s) with a history keep the keys'
    check "it says on which functions users' views rest now" \
        "$(sed -n 's/^WARNING: .* goes on with \(.*\)(.*/\1/p' "$NOTES/said" | sort)" "$kept"
    wait_until "another database's worker is at work all the while" 5 postgres "$busy_worker"
    touch "$NOTES/updated"
    wait "$holder"
    answer=$(sed -n 's/^before|\([0-9]*\)$/\1/p' "$NOTES/session")
    check "that client's session goes on: the same journey before and after, and one event sent" \
        "$(cat "$NOTES/session")" "$(printf '%s\n' "before|$answer" "after|$answer" 'ingested|1')"
    check_true "it was a journey" "$([ -n "$answer" ] && echo t)"
    check "a second update" "$(sql upgraded "ALTER EXTENSION journey_stitch UPDATE" 2>&1)" \
        "NOTICE:  version \"$NEW\" of extension \"journey_stitch\" is already installed"
    wait_until "the worker goes on by itself" 20 upgraded "$nothing_pending"
    sql busy "UPDATE public.pause SET seconds = 0"
    wait_until "and so has the other one" 60 busy "$nothing_pending"
    check "violations in the other database" "$(sql busy "$violations")" 0
}

same_session='{"event_id": "later", "event_type": "click", "session_id": "s1", "occurred_at": "2026-03-21T00:00:00Z"}'

# fresh gets what the client sent, and stitches.
part_data_after() {
    sql fresh "SELECT FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object('event_id', 'late' || n, 'event_type', 'click', 'session_id', 's' || n,
                                            'occurred_at', timestamptz '2026-03-20 00:00Z' + n * interval '1 hour'))
        FROM generate_series(1, 5) AS n))"
    sql fresh "SELECT FROM journey_stitch.ingest_events('$same_session')"
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    local name
    for name in fresh upgraded; do
        check "retry_dead_letters() in $name: retried, inserted, duplicates, rejected" \
            "$(sql "$name" "SELECT * FROM journey_stitch.retry_dead_letters()")" '3|1|0|2'
    done
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    quietly "the retried event is stitched" 20 upgraded "$nothing_pending"
    for name in fresh upgraded; do
        journeys $name >"$NOTES/journeys_of_$name"
        ids $name >"$NOTES/ids_of_$name"
        analytics $name >"$NOTES/analytics_of_$name"
    done
    compare "journeys of all events" "$NOTES/journeys_of_fresh" "$NOTES/journeys_of_upgraded"
    compare "where old ids lead" "$NOTES/ids_of_fresh" "$NOTES/ids_of_upgraded"
    compare "dau, retention and top_events" "$NOTES/analytics_of_fresh" "$NOTES/analytics_of_upgraded"
    for name in fresh upgraded; do
        rollups $name >"$NOTES/rollups_of_$name"
        views $name >"$NOTES/views_of_$name"
        sql $name "SELECT FROM journey_stitch.create_metric('sales', 'purchase', '\$.amount')"
        sql $name "$sales" >"$NOTES/sales_of_$name"
        older_than 0.4.0 || sql $name "$clicks" >"$NOTES/clicks_of_$name"
    done
    compare "rollups" "$NOTES/rollups_of_fresh" "$NOTES/rollups_of_upgraded"
    compare "views on functions whose arguments have changed" "$NOTES/views_of_fresh" "$NOTES/views_of_upgraded"
    compare "a metric, made now" "$NOTES/sales_of_fresh" "$NOTES/sales_of_upgraded"
    older_than 0.4.0 || compare "a metric of old" "$NOTES/clicks_of_fresh" "$NOTES/clicks_of_upgraded"
    identity fresh >"$NOTES/identity"
    identity upgraded >"$NOTES/identity_of_upgraded"
    compare "rules, and founding events of old journeys" "$NOTES/identity" "$NOTES/identity_of_upgraded"
    check "violations" "$(sql upgraded "$violations")" 0
    check "events, absorbed journeys" "$(sql upgraded "SELECT (SELECT count(*) FROM journey_stitch.events),
        (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NOT NULL)")" "$((1076 + apart))|100"
    local counters="SELECT events, lag_events, counted_since BETWEEN '$begun' AND last_batch_at
                    FROM journey_stitch.stat_stitch ORDER BY project"
    if [ "$OLD" = 0.1.0 ]; then
        check "counters since the update: events stitched, waiting, and since when" "$(sql upgraded "$counters")" \
            "$(printf '%s\n' '158|0|t' '10|0|t')"
    else
        check "counters go on: events stitched, waiting" "$(sql upgraded "$counters")" "$(sql fresh "$counters")"
    fi
}

# Where the graph is gone, the events say what was founded by which, and the graph can be made anew.
part_without_graph() {
    sql postgres "ALTER DATABASE gone SET journey_stitch.enabled = off"
    # Not by AGE's drop_graph(), whose session may end with "cache corrupted" when catalogs change a lot meanwhile.
    sql gone "SET client_min_messages = warning;
        DROP SCHEMA journey_graph CASCADE;
        DELETE FROM ag_catalog.ag_label l USING ag_catalog.ag_graph g
        WHERE g.graphid = l.graph AND g.name = 'journey_graph';
        DELETE FROM ag_catalog.ag_graph WHERE name = 'journey_graph'"
    sql gone "SET client_min_messages = error; ALTER EXTENSION journey_stitch UPDATE"
    identity gone >"$NOTES/identity_of_gone"
    identity fresh >"$NOTES/identity"
    compare "rules and founding events, from the events alone" "$NOTES/identity" "$NOTES/identity_of_gone"
    rollups gone >"$NOTES/rollups_of_gone"
    compare "rollups, from the events alone" "$NOTES/rollups" "$NOTES/rollups_of_gone"
    sql gone "SELECT FROM journey_stitch.rebuild_graph()"
    check "violations after rebuild_graph()" "$(sql gone "$violations")" 0
}

# Once somebody wants them, the rules of new projects are applied to what is there, as they are in fresh.
part_restitch() {
    local name people="SELECT count(DISTINCT journey_stitch.journey_of(id))
                       FROM unnest(ARRAY['case 1', 'case 2', 'space 1', 'space 2']) AS id"
    sql fresh "SELECT FROM journey_stitch.ingest_events(
        '{\"event_id\": \"of app\", \"type\": \"click\", \"user_id\": \"u1\"}')"
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    for name in fresh restored; do
        membership "$name" >"$NOTES/members_of_$name"
    done
    compare "members of journeys by the rules of old" "$NOTES/members_of_fresh" "$NOTES/members_of_restored"
    check "restored: values that differ in case or spaces are different people's" "$(sql restored "$people")" 4
    for name in fresh restored; do
        sql "$name" "SET client_min_messages = warning;
            SELECT FROM journey_stitch.projects p, journey_stitch.use_identity_profile('default', p.name)"
        sql "$name" "SELECT FROM journey_stitch.projects p, journey_stitch.restitch(p.name)"
        check "$name: after restitch() they are not" "$(sql "$name" "$people")" 2
        check "$name: violations after that" "$(sql "$name" "$violations")" 0
        membership "$name" >"$NOTES/members_of_$name"
        ids "$name" | cut -d '|' -f 1,2,4 >"$NOTES/ids_of_$name"
    done
    compare "members of journeys by the present rules" "$NOTES/members_of_fresh" "$NOTES/members_of_restored"
    compare "where old ids lead by the present rules" "$NOTES/ids_of_fresh" "$NOTES/ids_of_restored"
    check "rules that are left" "$(sql restored "
        SELECT count(*) FROM journey_stitch.identity_rules WHERE project_id <> 0")" 0
}

# as_user DATABASE ROLE 'SQL'
as_user() { psql -At -d "$1" -c "SET ROLE $2" -c "$3" 2>&1 || true; }

# check_users DATABASE N: each role has just what it had, and N events of app's are accepted.
check_users() {
    local events seen='SELECT count(*) FROM journey_stitch.events'
    local active="SELECT sum(active_users) FROM journey_stitch.dau('2026-03-01', '2026-03-31')"
    check "$1: app sends" "$(as_user "$1" app "SELECT inserted FROM journey_stitch.ingest_events(
        '{\"event_id\": \"of app\", \"event_type\": \"click\", \"user_id\": \"u1\"}')")" "$2"
    events=$(sql "$1" "$seen")
    check "$1: app reads events" "$(as_user "$1" app "$seen")" "$events"
    check "$1: app reads no rollups" "$(as_user "$1" app "TABLE journey_stitch.activity")" \
        'ERROR:  permission denied for table activity'
    check "$1: analyst reads events" "$(as_user "$1" analyst "$seen")" "$events"
    check "$1: analyst has daily users" "$(as_user "$1" analyst "$active")" "$(sql "$1" "$active")"
    check "$1: analyst sends nothing" "$(as_user "$1" analyst "SELECT journey_stitch.ingest_events('[]')")" \
        'ERROR:  permission denied for function ingest_events'
    quietly "the event of app's is stitched" 20 "$1" "$nothing_pending"
    check "$1: viewer reads the view" \
        "$(as_user "$1" viewer "SELECT count(*) FROM journey_stitch.stitched_events")" "$events"
    check "$1: users' views on ours" "$(sql "$1" "
        SELECT (SELECT count(*) FROM public.last_events), (SELECT count(*) > 1 FROM public.one_journey),
               (SELECT journey IS NOT NULL AND uuid IS NOT NULL FROM public.one_id),
               (SELECT count(*) > 5 FROM public.checks)")" "$events|t|t|t"
}

part_catalog() {
    # What the update grants to users beside their own grants, so that these go on working.
    [ "$OLD" != 0.1.0 ] || grant_projects fresh
    catalog fresh >"$NOTES/fresh"
    catalog upgraded "$drop_kept" >"$NOTES/upgraded"
    compare "catalogs, with data and users' grants" "$NOTES/fresh" "$NOTES/upgraded"
}

# A restored dump waits for setup(), which also makes what dumps do not carry.
part_dump() {
    sql postgres "CREATE DATABASE restored"
    "$PG_BIN/pg_dump" -d upgraded >"$NOTES/dump.sql"
    psql -d restored -v ON_ERROR_STOP=0 -f "$NOTES/dump.sql" >"$NOTES/restored.out" 2>"$NOTES/restored.err"
    check "what restoring a dump complains of" "$(cat "$NOTES/restored.err")" ''
    sql restored "SELECT journey_stitch.setup()" >/dev/null
    catalog upgraded >"$NOTES/upgraded"
    catalog restored >"$NOTES/restored"
    compare "catalogs of the updated database and of its restored dump" "$NOTES/upgraded" "$NOTES/restored"
    # The project "default" comes with CREATE EXTENSION and has a version and a date of its own.
    rows upgraded | grep -v '^journey_stitch.projects|' >"$NOTES/rows"
    rows restored | grep -v '^journey_stitch.projects|' >"$NOTES/rows_of_restored"
    compare "data of both" "$NOTES/rows" "$NOTES/rows_of_restored"
    rollups upgraded >"$NOTES/rollups_of_upgraded"
    rollups restored >"$NOTES/rollups_of_restored"
    compare "rollups of both" "$NOTES/rollups_of_upgraded" "$NOTES/rollups_of_restored"
    compare "the metric, restored" "$NOTES/sales_of_fresh" <(sql restored "$sales")
    check "violations in the restored one" "$(sql restored "$violations")" 0
    compare "views on functions whose arguments have changed, restored" "$NOTES/views_of_fresh" <(views restored)
    catalog restored "$drop_kept" >"$NOTES/restored"
    compare "catalogs of the restored one without them, and of a fresh one" "$NOTES/fresh" "$NOTES/restored"
}

# Changes of all sorts, and below each the property that the comparison must find different.
part_mutations() {
    local mutation pattern all='' n=0 found=0
    catalog upgraded >"$NOTES/unchanged"
    compare "catalogs once more, before the comparison is put to the test" "$NOTES/upgraded" "$NOTES/unchanged"
    while read -r mutation && read -r pattern; do all+="$mutation; "; done <tests/lib/catalog_changes.txt
    catalog upgraded "$all" >"$NOTES/changed"
    diff "$NOTES/unchanged" "$NOTES/changed" >"$NOTES/differences" || true
    while read -r mutation && read -r pattern; do
        n=$((n + 1))
        if grep -qE -- "^[<>] $pattern" "$NOTES/differences"; then
            found=$((found + 1))
        else
            failed "found by the comparison: $mutation"
        fi
    done <tests/lib/catalog_changes.txt
    check "changes that the comparison finds, of $n" "$found" "$n"
}

upgrade_from() {
    OLD=$1 apart=0 kept='' drop_kept=''
    # Events of keep_apart().
    older_than 0.3.0 || apart=4
    # What the update leaves behind of functions on which users' views rest, and what these may do with it.
    if older_than 0.4.0; then
        kept=$(printf 'journey_stitch.%s_before_0_4_0\n' dau retention top_events)
        drop_kept="DROP VIEW public.days, public.weeks, public.types; DROP FUNCTION ${kept//$'\n'/, }"
    fi
    printf '\n--- from %s\n' "$OLD"
    # Without autovacuum, whose workers are ended by CREATE DATABASE if they are in its template.
    cluster_start upgrade "fsync = off" "autovacuum = off" "journey_stitch.naptime = '1s'" \
        "journey_stitch.idle_exit = '100ms'" "journey_stitch.batch_size = 100" "journey_stitch.max_workers = 8"
    NEW=$(sql postgres "SELECT default_version FROM pg_available_extensions WHERE name = 'journey_stitch'")
    other_version="the library of journey_stitch is of version $NEW, this database's objects are of version $OLD\$"
    sql postgres "CREATE ROLE dba SUPERUSER LOGIN"
    for role in app analyst viewer; do sql postgres "CREATE ROLE $role"; done
    part_bare
    part_data
    # Not counted are the processes that the restart has ended.
    ended='terminated by signal| (FATAL|PANIC): '
    before="$(cluster_pid) $(logged "$ended")"
    part_before
    part_waiting
    part_rollback
    sql postgres "CREATE DATABASE gone TEMPLATE upgraded"
    part_update
    part_data_after
    part_without_graph
    part_catalog
    check_users upgraded 1
    part_dump
    check_users restored 0
    part_mutations
    part_restitch
    check "the postmaster is still the same, and no process has ended by a signal or FATAL" \
        "$(cluster_pid) $(logged "$ended")" "$before"
}

# A session in which the library has found that the catalog is its own's, and that goes on when it no longer is.
part_newer() {
    printf '\n--- to a newer version than the library\n'
    cluster_start newer "fsync = off"
    NEW=$(sql postgres "SELECT default_version FROM pg_available_extensions WHERE name = 'journey_stitch'")
    # What every update does at least.
    echo "ALTER FUNCTION journey_stitch.has_graph() COST 10;" \
        >"$("$PG_CONFIG" --sharedir)/extension/journey_stitch--$NEW--99.0.0.sql"
    create_database newer
    check "a session that worked before an update is refused after it" "$(psql -At -d newer -v ON_ERROR_STOP=0 -v VERBOSITY=terse 2>&1 <<SQL
SELECT inserted FROM journey_stitch.ingest_events('{"event_type": "click"}');
\! "$PG_BIN/psql" -X -q -d newer -c "ALTER EXTENSION journey_stitch UPDATE TO '99.0.0'"
SELECT inserted FROM journey_stitch.ingest_events('{"event_type": "click"}');
SQL
    )" "1
ERROR:  the library of journey_stitch is of version $NEW, this database's objects are of version 99.0.0"
}

private_postgres
cp sql/journey_stitch--*.sql "$("$PG_CONFIG" --sharedir)/extension/"
for released in 0.1.0 0.2.0 0.3.0 0.4.0 0.5.0; do upgrade_from "$released"; done
part_newer
summary
