#!/usr/bin/env bash
# What a DBA sees from outside, on a real cluster: Prometheus figures through Debian's prometheus-sql-exporter and the
# configuration in sql/monitoring, every query of the Grafana dashboard, progress of long work while it runs, what
# stat_worker and pg_stat_activity say of the processes, what is logged and what is not, and health() in trouble.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh
. tests/lib/monitoring_files.sh

EXPORTER_CONFIG=sql/monitoring/sql_exporter.yml DASHBOARD=sql/monitoring/grafana.json
LONG=50000
exporter_pid='' exporter_port=''

nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
no_worker="SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"

# As what a DBA gives to a monitoring system.
as_monitor() { PGUSER=monitor sql "$@"; }

# await 'what' SECONDS COMMAND …: polls until the command succeeds; a failed check if it never does.
await() {
    local what=$1 seconds=$2 start=$SECONDS
    shift 2
    until "$@" >"$CLUSTER_DIR/awaited" 2>&1; do
        if [ $((SECONDS - start)) -gt "$seconds" ]; then
            failed "$what (not within $seconds s)"
            sed 's/^/  /' "$CLUSTER_DIR/awaited"
            return
        fi
        sleep 0.1
    done
    passed "$what"
}

# quietly 'what' SECONDS DATABASE 'SQL': wait_until for what is no claim of the test; counted if it fails only.
quietly() {
    local before=$PASSED
    wait_until "$@" >"$CLUSTER_DIR/waited"
    [ "$PASSED" != "$before" ] || cat "$CLUSTER_DIR/waited"
    PASSED=$before
}

# ingest DATABASE PREFIX N [PROJECT]: N events of a tenth as many users.
ingest() {
    sql "$1" "SELECT inserted FROM journey_stitch.ingest_events(
        (SELECT jsonb_agg(jsonb_build_object('id', '$2' || n, 'type', 'click', 'user_id', '$2' || n % ($3 / 10 + 1)))
         FROM generate_series(1, $3) AS n), '${4:-default}')"
}

# call PROJECT 'events': into "busy", and what the call answers is kept.
call() {
    psql -d busy -v project="$1" -v events="$2" <<'SQL'
INSERT INTO public.answers SELECT :'project', i.* FROM journey_stitch.ingest_events(:'events', :'project') AS i;
SQL
}

stitch() { sql "$1" "SET client_min_messages = error; SELECT journey_stitch.stitch_pending()" >/dev/null; }

configure() {
    sql postgres "ALTER SYSTEM SET $1 = '$2'"
    sql postgres "SELECT pg_reload_conf()" >/dev/null
    # A new session is the postmaster's child, as a new worker is.
    quietly "$1 is $2" 10 postgres "SELECT current_setting('$1') = '$2'"
}

# Lines of the server's log that match, from a line of it on.
logged() { tail -n "+$2" "$CLUSTER_DIR/log" | grep -cE "$1" || true; }
log_end() { echo $(($(wc -l <"$CLUSTER_DIR/log") + 1)); }

# check_health DATABASE CHECK STATUS [PATTERN of what the detail must say to do]
check_health() {
    local row
    row=$(as_monitor "$1" "SELECT status, detail FROM journey_stitch.health() WHERE \"check\" = '$2'")
    check "health(): $2 is $3" "${row%%|*}" "$3"
    [ -n "${4:-}" ] || return 0
    check_true "and says what to do: ${row#*|}" "$(grep -qE "$4" <<<"${row#*|}" && echo t)"
}
unwell() {
    as_monitor "$1" "SELECT string_agg(\"check\", ', ') FROM journey_stitch.health() WHERE status <> 'OK'"
}

progress() { as_monitor busy "SELECT $1 FROM journey_stitch.stat_progress WHERE command = 'stitch'"; }

# Batches of "busy" stop where they write to a table whose gate is closed.
make_gates() {
    sql busy "CREATE TABLE public.closed (gate text);
        CREATE FUNCTION public.gate() RETURNS trigger LANGUAGE plpgsql AS \$\$
        BEGIN
            WHILE EXISTS (SELECT FROM public.closed WHERE gate = TG_TABLE_NAME) LOOP PERFORM pg_sleep(0.01); END LOOP;
            RETURN NULL;
        END \$\$;
        CREATE TRIGGER gate BEFORE INSERT ON journey_stitch.keys EXECUTE FUNCTION public.gate();
        CREATE TRIGGER gate BEFORE INSERT ON journey_stitch.users EXECUTE FUNCTION public.gate()"
}
close_gates() { sql busy "INSERT INTO public.closed VALUES ('keys'), ('users')"; }
open_gate() { sql busy "DELETE FROM public.closed WHERE gate = '$1'"; }
at_gate() {
    echo "SELECT EXISTS (SELECT FROM journey_stitch.stat_progress
          WHERE (command, project, step, events) = ('stitch', 'long', '$1', $LONG))"
}

test_progress() {
    local first begun
    configure journey_stitch.batch_size 100000
    quietly "no worker is left that has the old setting" 30 busy "$no_worker"
    make_gates
    close_gates
    ingest busy long "$LONG" long >/dev/null
    wait_until "stat_progress shows a batch of $LONG events at its step \"keys\", while it runs" 60 \
        busy "$(at_gate keys)"
    first=$(progress pid) begun=$(progress started_at)
    check "stat_worker: the worker works" "$(as_monitor busy "
        SELECT datname, state, activity ~ '^stitching project \d+\$', wait_event, failures, next_start IS NULL
        FROM journey_stitch.stat_worker WHERE role = 'worker' AND pid = $first")" 'busy|active|t|PgSleep|0|t'
    check "pg_stat_activity: what it is and does" "$(as_monitor busy "
        SELECT application_name, backend_type, state, datname, query ~ '^stitching project'
        FROM pg_stat_activity WHERE pid = $first")" 'journey_stitch worker|journey_stitch worker|active|busy|t'
    if [ -n "$exporter_pid" ]; then
        await "/metrics has the worker at work" 20 is_metric 'worker{datname="busy",state="active"}' 1
        await "and the events that wait for it" 20 is_metric 'lag_events{project="long"}' "$LONG"
        check_true "and the batch that runs" "$(our_metrics |
            grep -qE "_progress_seconds\{command=\"stitch\",pid=\"$first\",project=\"long\"\} [0-9]" && echo t)"
        stop_exporter
    fi
    open_gate keys
    wait_until "it moves on to the step \"users\"" 60 busy "$(at_gate users)"
    check "in the same process, begun at the same time" "$(progress "pid, started_at")" "$first|$begun"
    [ -z "$JQ" ] || test_dashboard_queries
    sql busy "INSERT INTO public.closed VALUES ('keys')"
    killed "$first"
    # Then it is logged at the default settings.
    quietly "the batch has run for a second" 20 busy "SELECT seconds > 1 FROM journey_stitch.stat_progress"
    open_gate keys
    open_gate users
    wait_until "in the end all of it is stitched" 60 busy "$nothing_pending"
    wait_until "and nothing is in progress" 20 busy "SELECT NOT EXISTS (SELECT FROM journey_stitch.stat_progress)"
    check "no event is missing in the graph" "$(sql busy "
        SELECT (SELECT count(*) FROM journey_stitch.events) - (SELECT count(*) FROM journey_graph.\"Event\")")" 0
    check_health busy 'failing workers' OK
}

# The worker is terminated twice, then killed; each time another one comes to the gate.
killed() {
    local pid=$1 gone="SELECT NOT EXISTS (SELECT FROM journey_stitch.stat_progress WHERE pid ="
    sql busy "SELECT pg_terminate_backend($pid)" >/dev/null
    wait_until "terminated, it is no longer in progress" 20 busy "$gone $pid)"
    wait_until "another worker begins anew" 60 busy "$(at_gate keys)"
    pid=$(progress pid)
    # The second back-off is of two seconds.
    sql busy "SELECT pg_terminate_backend($pid)" >/dev/null
    wait_until "stat_worker: after the second time it is backing off" 20 busy "SELECT EXISTS (
        SELECT FROM journey_stitch.stat_worker
        WHERE (role, datname, state, failures) = ('worker', 'busy', 'backing off', 2)
          AND pid IS NULL AND next_start > clock_timestamp())"
    check_health busy 'failing workers' WARN 'log'
    quietly "another worker begins anew" 60 busy "$(at_gate keys)"
    pid=$(progress pid)
    kill -9 "$pid"
    quietly "the server is up again after kill -9" 60 busy "$gone $pid)"
    quietly "another worker begins anew" 60 busy "$(at_gate keys)"
    check "after kill -9 and the restart there is one batch in progress, of another process" \
        "$(progress "count(*), bool_or(pid = $pid)")" '1|f'
}

# In "calm", whose worker is off.
test_rebuild_progress() {
    local rebuild
    if [ "$(sql calm "SELECT prosrc LIKE '%note_progress%' FROM pg_proc
                      WHERE oid = 'journey_stitch.rebuild_graph'::regproc")" != t ]; then
        skip "progress of rebuild_graph(): it does not call note_progress() yet"
        return
    fi
    sql calm "CREATE FUNCTION public.gate() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
        CREATE TRIGGER gate BEFORE INSERT ON journey_graph.\"PART_OF\" EXECUTE FUNCTION public.gate()"
    sql calm "SELECT journey_stitch.rebuild_graph()" >"$CLUSTER_DIR/rebuild" 2>&1 &
    rebuild=$!
    wait_until "stat_progress shows rebuild_graph() and its step, while it runs" 30 calm "SELECT EXISTS (
        SELECT FROM journey_stitch.stat_progress
        WHERE (command, step) = ('rebuild_graph', 'PART_OF') AND project IS NULL AND steps_done > 0 AND steps_done < steps_total)"
    sql calm "SELECT pg_cancel_backend(pid) FROM journey_stitch.stat_progress" >/dev/null
    wait_until "cancelled, it is no longer in progress" 20 \
        calm "SELECT NOT EXISTS (SELECT FROM journey_stitch.stat_progress)"
    wait "$rebuild" || true
    check_true "it ended by that" "$(grep -q 'canceling statement' "$CLUSTER_DIR/rebuild" && echo t)"
    sql calm "DROP TRIGGER gate ON journey_graph.\"PART_OF\"; DROP FUNCTION public.gate"
}

# A line of a batch, as log_min_duration has it. batch_line EVENTS PROJECT
batch_line() {
    printf 'journey_stitch: stitched %s events of project %s: in ms %s' "$1" "$2" \
        'read [0-9]+, plan [0-9]+, merge [0-9]+, journeys [0-9]+, keys [0-9]+, graph [0-9]+, '
    printf 'users [0-9]+, rollups [0-9]+, metrics [0-9]+, queue [0-9]+, '
    printf 'waited [0-9]+, [0-9]+ blocks read, [0-9]+ kB of WAL'
}

# calm_stitch SETTING: a batch of three events with log_min_duration set so; how many bytes of WAL it wrote at most.
calm_stitch() {
    ingest calm "$RANDOM-" 3 >/dev/null
    psql -At -d calm <<SQL
SET journey_stitch.log_min_duration = '$1';
SELECT pg_current_wal_insert_lsn() AS before \\gset
SELECT events FROM journey_stitch.stitch_pending() \\gset
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'before');
SQL
}

test_log() {
    local from wal kb lines
    from=$(log_end)
    check "20,000 events go in, at default settings" "$(ingest busy many 20000)" 20000
    quietly "they are stitched" 60 busy "$nothing_pending"
    lines=$(($(log_end) - from))
    check_true "that was logged in $lines lines (limit of the test: 40)" "$([ "$lines" -lt 40 ] && echo t)"

    from=$(log_end)
    wal=$(calm_stitch 0)
    check "log_min_duration = 0: a batch of three events is logged, with its steps" \
        "$(logged "$(batch_line 3 1) \([0-9]+ ms\)" "$from")" 1
    kb=$(tail -n "+$from" "$CLUSTER_DIR/log" | sed -nE 's/.* ([0-9]+) kB of WAL.*/\1/p')
    check_true "its $kb kB of WAL are no more than the server's $((wal / 1024)) kB" \
        "$([ "$kb" -gt 0 ] && [ $((kb * 1024)) -le "$wal" ] && echo t)"
    from=$(log_end)
    calm_stitch -1 >/dev/null
    calm_stitch 10min >/dev/null
    check "log_min_duration = -1, or longer than the batch takes: none is" "$(logged 'journey_stitch: ' "$from")" 0

    # Waiting for another stitcher of the project is time, too. This one lets go when somebody has waited for 0.3 s.
    from=$(log_end)
    ingest calm waited 3 >/dev/null
    psql -d calm <<'SQL' >/dev/null &
BEGIN;
UPDATE journey_stitch.projects SET version = version WHERE name = 'default';
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'calm' AND wait_event_type = 'Lock'
                      AND query_start < clock_timestamp() - interval '0.3 s') LOOP
        PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
    END LOOP;
END $$;
COMMIT;
SQL
    quietly "somebody has the project" 20 calm "SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = 'calm')"
    sql calm "SET journey_stitch.log_min_duration = 200; SELECT journey_stitch.stitch_pending()" >/dev/null
    wait $!
    check "waiting for another stitcher is logged, with the project" \
        "$(logged 'journey_stitch: waited for project 1, which another stitcher had \([0-9]+ ms\)' "$from")" 1
}

# The worker's line for the long batch, at the default of 1 s.
test_log_of_worker() {
    local line sum total
    line=$(grep -E "$(batch_line "$LONG" '[0-9]+'); commit [0-9]+ \([0-9]+ ms\)" "$CLUSTER_DIR/log" | tail -n 1) || true
    check_true "the worker's long batch is logged at default settings: steps, blocks, WAL and commit" \
        "$([ -n "$line" ] && echo t)"
    read -r sum total < <(sed -E 's/.*in ms (.*), waited .* \(([0-9]+) ms\)/\1 \2/; s/[a-z, ]+/ /g' <<<"$line" |
        awk '{ for (n = 1; n < NF; n++) sum += $n; print sum + 0, $NF }')
    check_true "its steps took $sum ms of its $total ms" "$([ "$sum" -gt 0 ] && [ "$sum" -le "$total" ] && echo t)"
}

test_processes() {
    wait_until "pg_stat_activity: the launcher's name and what it waits for" 10 busy "SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE (application_name, backend_type, wait_event_type, wait_event)
            = ('journey_stitch launcher', 'journey_stitch launcher', 'Extension', 'JourneyStitchIdle'))"
    check "stat_worker: the launcher, which has long started" "$(as_monitor busy "
        SELECT pid = journey_stitch.launcher_pid(), datname IS NULL, state IN ('idle', 'active'), wait_event
        FROM journey_stitch.stat_worker WHERE role = 'launcher'")" 't|t|t|JourneyStitchIdle'
    configure journey_stitch.idle_exit 1min
    ingest busy idle 10 >/dev/null
    wait_until "a worker with nothing to do: its name, what it waits for, and idle" 20 busy "SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE (application_name, backend_type, datname, state, wait_event_type, wait_event)
            = ('journey_stitch worker', 'journey_stitch worker', 'busy', 'idle', 'Extension', 'JourneyStitchIdle'))"
    check "stat_worker says so, too" "$(as_monitor busy "
        SELECT state, wait_event FROM journey_stitch.stat_worker WHERE datname = 'busy'")" 'idle|JourneyStitchIdle'
    check "journey_stitch_admin, who is not in pg_monitor, sees there that they run" "$(PGUSER=administrator sql busy "
        SELECT role, state FROM journey_stitch.stat_worker WHERE role = 'launcher' OR datname = 'busy' ORDER BY 1")" \
        $'launcher|running\nworker|running'
}

# Each piece of advice is taken, and helps.
test_health() {
    local last
    check "all is well in \"busy\", but for dead letters" "$(unwell busy)" 'dead letters'
    check_health busy 'dead letters' WARN 'retry_dead_letters\(\)'
    sql busy "UPDATE journey_stitch.dead_letters SET event = '{\"type\": \"mended\"}';
              SELECT journey_stitch.retry_dead_letters()" >/dev/null
    check_health busy 'dead letters' OK

    check_health calm workers WARN 'stitch_pending\(\)'
    ingest calm old 10 >/dev/null
    check_health calm queue OK
    sql calm "UPDATE journey_stitch.pending SET created_at = now() - interval '61 s'"
    check_health calm queue WARN 'stat_worker|stat_progress|stitch_pending'
    stitch calm
    check_health calm queue OK

    sql calm "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE check_violation; END';
        CREATE TRIGGER refuse BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    ingest calm bad 10 >/dev/null
    stitch calm
    check_health calm 'failing batches' WARN 'job_errors'
    check "job_errors says why, to a monitor" \
        "$(as_monitor calm "SELECT sqlstate, message, events, attempt, consequence FROM journey_stitch.job_errors")" \
        '23514|check_violation|10|1|to be tried again in 1 s'
    sql calm "DROP TRIGGER refuse ON journey_stitch.keys; UPDATE journey_stitch.pending SET next_attempt_at = now()"
    stitch calm
    check_health calm 'failing batches' OK

    sql calm "SET client_min_messages = error; LOAD 'age';
              SELECT ag_catalog.drop_graph('journey_graph', true)" >/dev/null
    check_health calm graph FAIL 'SELECT \* FROM journey_stitch.rebuild_graph\(\)'
    PGUSER=administrator sql calm "SELECT * FROM journey_stitch.rebuild_graph()" 2>&1 | grep ERROR || true
    check_health calm graph OK
    sql calm "SET client_min_messages = error; LOAD 'age';
              SELECT ag_catalog.drop_label('journey_graph', 'Event')" >/dev/null 2>&1 || true
    check_health calm graph FAIL 'rebuild_graph\(\)'
    sql calm "SELECT journey_stitch.rebuild_graph()" >/dev/null
    check_health calm graph OK

    last=$(sql calm "SELECT last_value FROM journey_stitch.event_entry_id")
    sql calm "SELECT setval('journey_stitch.event_entry_id', 80000000000000)" >/dev/null
    check_health calm 'event ids' WARN
    sql calm "SELECT setval('journey_stitch.event_entry_id', 130000000000000)" >/dev/null
    check_health calm 'event ids' FAIL
    sql calm "SELECT setval('journey_stitch.event_entry_id', $last)" >/dev/null
    check_health calm 'event ids' OK
    check_health calm version OK
    check "all is well in \"calm\", but for its workers" "$(unwell calm)" 'workers'
}

JQ=$(command -v jq || true)
cluster_start monitoring "fsync = off"
create_database busy
create_database calm
sql postgres "ALTER DATABASE calm SET journey_stitch.enabled = off"
sql busy "CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
          CREATE ROLE administrator LOGIN IN ROLE journey_stitch_admin;
          CREATE ROLE analyst LOGIN IN ROLE journey_stitch_reader"

test_log
sql busy "SELECT journey_stitch.clean(); SELECT journey_stitch.grant_project('default', 'analyst')" >/dev/null
make_oracle
thousand=$(sql busy "SELECT jsonb_agg(jsonb_build_object('id', 'a' || n, 'type', 'click', 'user_id', 'u' || n % 90))
                     FROM generate_series(1, 1000) AS n")
call default "$thousand"
call default '[{"id": "a1", "type": "again"}, {"id": "none"}, {"no": "type"}]'
quietly "they are stitched" 30 busy "$nothing_pending"
if command -v prometheus-sql-exporter >/dev/null && command -v curl >/dev/null; then
    test_exporter
else
    skip "figures by Prometheus: prometheus-sql-exporter or curl is not installed"
    # What the dashboard is to show.
    call bad '[5]'
    sql busy "INSERT INTO journey_stitch.job_errors (project_id, sqlstate, message, events, attempt, consequence)
              VALUES (1, '23514', 'none', 1, 1, 'none')"
fi
if [ -n "$JQ" ]; then test_dashboard_form; else skip "the dashboard: jq is not installed"; fi
test_progress
test_log_of_worker
test_processes
test_rebuild_progress
test_health
summary
