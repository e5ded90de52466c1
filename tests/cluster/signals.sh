#!/usr/bin/env bash
# Signals to the launcher and to a worker at work: terminated, cancelled, stopped while it waits for a synchronous
# standby that is not there, and orphaned by the postmaster's death. No event is lost, stitched twice or buried.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

USERS=1000
nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
violations="SELECT sum(violations) FROM journey_stitch.verify()"
no_worker="SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"

# ingest DATABASE PREFIX N: a client connects, sends N events and goes. Each has a key of its own.
ingest() {
    sql "$1" "SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object(
        'event_id', '$2-' || n, 'event_type', 'click', 'session_id', '$2-' || n, 'user_id', 'u' || n % $USERS))
        FROM generate_series(1, $3) AS n))" >/dev/null
}

# slow_down DATABASE 'STATEMENTS': something that takes long, once in each batch; until speed_up.
slow_down() {
    sql "$1" "CREATE TABLE public.pause AS SELECT true AS is_on;
        CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS \$\$
            BEGIN IF (SELECT is_on FROM public.pause) THEN $2; END IF; RETURN NULL; END \$\$;
        CREATE TRIGGER pause BEFORE INSERT ON journey_stitch.keys EXECUTE FUNCTION public.pause()"
}
speed_up() { sql "$1" "UPDATE public.pause SET is_on = false"; }

# Events, those in the graph, journeys, dead letters, violations.
state() {
    sql "$1" "SELECT (SELECT count(*) FROM journey_stitch.events), (SELECT count(*) FROM journey_graph.\"Event\"),
        (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL),
        (SELECT count(*) FROM journey_stitch.dead_letters), ($violations)"
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }
check_time() { check_true "$1: $2 ms (limit of the test: $3)" "$([ "$2" -le "$3" ] && echo t)"; }

# quietly 'what' DATABASE 'SQL': polls until the query answers t; says something only if it never does. How long it
# took is in waited_ms.
quietly() {
    local start answer=''
    start=$(now_ms)
    until [ "$answer" = t ]; do
        answer=$(sql "$2" "$3" 2>/dev/null) || answer='an error'
        waited_ms=$(($(now_ms) - start))
        if [ "$waited_ms" -gt 60000 ]; then
            failed "$1 (not within 60 s; the query answers '$answer')"
            return
        fi
        [ "$answer" = t ] || sleep 0.02
    done
}
# timed 'what' LIMIT_MS DATABASE 'SQL'
timed() {
    quietly "$1" "$3" "$4"
    check_time "$1" "$waited_ms" "$2"
}

# Queries: whether there is a worker of a database so and so, a launcher beside a former one, a process no longer.
worker() {
    printf "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE backend_type = 'journey_stitch worker' AND datname = '%s' AND %s)" "$1" "$2"
}
in_batch_for() { worker "$1" "xact_start < clock_timestamp() - interval '$2 s'"; }
new_launcher() {
    printf "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE backend_type = 'journey_stitch launcher' AND pid <> %s)" "$1"
}
gone() { printf "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)" "$1"; }

worker_pid() {
    sql postgres "SELECT pid FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker' AND datname = '$1'"
}
launcher_pid() { sql postgres "SELECT pid FROM pg_stat_activity WHERE backend_type = 'journey_stitch launcher'"; }
signal() { sql postgres "SELECT pg_$1_backend($2)" >/dev/null; }

# The launcher alone, and then while a worker has nine seconds' work: the next launcher must neither start a second one
# beside it nor take it for one that fails.
part_launcher() {
    local launcher pid
    launcher=$(launcher_pid)
    signal terminate "$launcher"
    timed "the launcher is back after pg_terminate_backend()" 10000 postgres "$(new_launcher "$launcher")"
    create_database long
    slow_down long "PERFORM pg_sleep(0.1)"
    ingest long first 8000
    quietly "the worker is in a batch" postgres "$(worker long "wait_event = 'PgSleep'")"
    pid=$(worker_pid long)
    launcher=$(launcher_pid)
    signal terminate "$launcher"
    timed "it is also back while a worker works" 10000 postgres "$(new_launcher "$launcher")"
    quietly "the worker leaves" long "$no_worker"
    check "which finishes its backlog" "$(sql long "$nothing_pending")" t
    ingest long next 10
    timed "the next events after that are stitched" 3000 long "$nothing_pending"
    check "once, and none is buried" "$(state long)" "8010|8010|$USERS|0|0"
    check "errors of our processes" "$(grep -cE 'journey_stitch [a-z]+ +ERROR: ' "$CLUSTER_DIR/log" || true)" 0
}

# One batch of 60,000 events, which takes seconds. A worker that ended by a signal is started again after 1 s, the next
# one after 2 s, and so on.
part_worker() {
    local pid age
    create_database batch
    sql postgres "ALTER DATABASE batch SET journey_stitch.batch_size = 1000000"
    ingest batch first 60000
    quietly "the worker is in its batch" postgres "$(in_batch_for batch 0.5)"
    pid=$(worker_pid batch)
    signal terminate "$pid"
    timed "a worker in a batch ends at pg_terminate_backend()" 8000 postgres "$(gone "$pid")"
    check "the batch was undone (keys, events in the graph, events that wait, failures counted)" "$(sql batch "SELECT
        (SELECT count(*) FROM journey_stitch.keys), (SELECT count(*) FROM journey_graph.\"Event\"),
        sum(events), max(attempts) FROM journey_stitch.pending")" '0|0|60000|0'
    timed "and the next worker is at it" 10000 postgres "$(worker batch "xact_start IS NOT NULL")"
    for age in 0.1 0.7; do
        quietly "the worker is in its batch" postgres "$(in_batch_for batch "$age")"
        pid=$(worker_pid batch)
        signal cancel "$pid"
        timed "pg_cancel_backend() after $age s ends the batch" 8000 postgres \
            "SELECT NOT ($(worker batch "pid = $pid AND xact_start IS NOT NULL"))"
    done
    check "it is not counted as a failure of the events" \
        "$(sql batch "SELECT max(attempts) FROM journey_stitch.pending")" 0
    quietly "the backlog is stitched" batch "$nothing_pending"
    check "in the end every event is stitched once, and none is buried" "$(state batch)" "60000|60000|$USERS|0|0"
}

# The server waits for a standby that does not exist; clients here do not.
part_standby() {
    local pid start
    export PGOPTIONS='-c synchronous_commit=local'
    cluster_start standby "fsync = off" "journey_stitch.batch_size = 1000" "journey_stitch.naptime = '2s'" \
        "synchronous_standby_names = 'nobody'"
    create_database one
    ingest one first 10000
    quietly "the worker waits for the standby" postgres "$(worker one "wait_event = 'SyncRep'")"
    check "nobody sees its batch before it is confirmed" \
        "$(sql one "SELECT sum(events) FROM journey_stitch.pending")" 10000
    pid=$(worker_pid one)
    signal terminate "$pid"
    timed "the worker ends meanwhile at pg_terminate_backend()" 8000 postgres "$(gone "$pid")"
    check "its batch is there, once" "$(sql one "SELECT count(*), (SELECT sum(events) FROM journey_stitch.pending)
        FROM journey_graph.\"Event\"")" '1000|9000'
    quietly "the next worker waits, too" postgres "$(worker one "wait_event = 'SyncRep'")"
    pid=$(worker_pid one)
    signal cancel "$pid"
    quietly "and is at its next batch" one "SELECT count(*) = 2000 FROM journey_graph.\"Event\""
    quietly "the worker waits again" postgres "$(worker one "wait_event = 'SyncRep'")"
    check "pg_cancel_backend() lets the same worker go on" "$(worker_pid one)" "$pid"
    start=$(now_ms)
    cluster_stop fast
    check_time "a fast stop while it waits" $(($(now_ms) - start)) 8000
    printf '%s\n' "synchronous_standby_names = ''" >>"$CLUSTER_DIR/data/postgresql.conf"
    cluster_resume
    wait_until "after the start the rest is stitched by itself" 30 one "$nothing_pending"
    check "every event once" "$(state one)" "10000|10000|$USERS|0|0"
    unset PGOPTIONS
}

# Processes of this cluster: those that work in its data directory.
processes() { find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' -lname "$CLUSTER_DIR/data" 2>/dev/null | cut -d / -f 3; }

# One worker is idle, one has half a minute's work in which it never waits: it must look by itself between batches
# whether the server is still there. Until it is gone, no new server can start.
part_postmaster() {
    local postmaster start n ours ms=0
    cluster_start orphans "fsync = off" "journey_stitch.batch_size = 100" "journey_stitch.naptime = '2s'" \
        "journey_stitch.idle_exit = '60s'"
    create_database idle
    create_database busy
    slow_down busy "WHILE clock_timestamp() < statement_timestamp() + interval '0.15 s' LOOP END LOOP"
    ingest idle first 10
    ingest busy first 20000
    quietly "one worker is idle" postgres "$(worker idle 'xact_start IS NULL')"
    quietly "the other is at work" postgres "$(worker busy 'xact_start IS NOT NULL')"
    ours=$(sql postgres "SELECT string_agg(backend_type, ', ' ORDER BY backend_type) FROM pg_stat_activity
        WHERE backend_type LIKE 'journey_stitch%'")
    check "processes of ours" "$ours" "journey_stitch launcher, journey_stitch worker, journey_stitch worker"
    postmaster=$(cluster_pid)
    start=$(now_ms)
    kill -9 "$postmaster"
    while [ -n "$(processes)" ] && [ "$ms" -lt 60000 ]; do
        sleep 0.05
        ms=$(($(now_ms) - start))
    done
    check_time "they and all others have gone when the postmaster was killed" "$ms" 10000
    # Where nobody reaps orphans at once, the next server would take the dead one's zombie for a running server.
    for ((n = 0; n < 100; n++)); do
        [ -e "/proc/$postmaster" ] || break
        sleep 0.05
    done
    if [ -e "/proc/$postmaster" ]; then rm "$CLUSTER_DIR/data/postmaster.pid" "$CLUSTER_DIR/.s.PGSQL.$PGPORT.lock"; fi
    cluster_resume
    speed_up busy
    wait_until "the next server stitches the rest by itself" 60 busy "$nothing_pending"
    check "every event once" "$(state busy)" "20000|20000|$USERS|0|0"
}

# Without regular looks, so that whatever happens is not owed to them.
cluster_start signals "fsync = off" "journey_stitch.batch_size = 100" "journey_stitch.naptime = '1h'"
part_launcher
part_worker
part_standby
part_postmaster
summary
