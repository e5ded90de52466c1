#!/usr/bin/env bash
# Workers beside what a DBA does to databases: DROP, RENAME and TEMPLATE of a database whose worker is in the
# middle of a batch, twenty databases of every sort, no free background worker, the extension dropped and made
# anew under load, locks held for long, and settings that change while a worker runs. PARTS='locks settings' runs only
# those.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

BATCH=100 BACKLOG=10000 USERS=1000
no_worker="SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"
nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
violations="SELECT sum(violations) FROM journey_stitch.verify()"

# A cluster whose template "seed" has a backlog of so many events, which its copies inherit. Every batch of a
# copy sleeps as long as public.pause says: without that the backlog would be gone before anybody met its worker.
# Autovacuum is off because DROP DATABASE ends its workers with a FATAL line that is none of ours.
cluster_with_seed() {
    local events=$1 seconds=$2
    shift 2
    cluster_start databases "fsync = off" "autovacuum = off" "log_checkpoints = off" \
        "journey_stitch.batch_size = $BATCH" "$@"
    # Workers leave templates alone.
    sql postgres "CREATE DATABASE seed IS_TEMPLATE true"
    make_extension seed
    sql seed "CREATE TABLE public.pause AS SELECT $seconds::float8 AS seconds;
        CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(seconds) FROM public.pause WHERE seconds > 0; RETURN NULL; END';
        CREATE TRIGGER pause BEFORE INSERT ON journey_stitch.keys EXECUTE FUNCTION public.pause()"
    ingest seed first "$events" >/dev/null
}

make_extension() {
    sql "$1" "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE"
    sql "$1" "SELECT journey_stitch.setup()" >/dev/null
}

# ingest DATABASE PREFIX N [PROJECT]: a client connects, sends N events (a number or an expression) and goes.
# Every event has a key of its own, so that every batch has keys to insert.
ingest() { sql "$1" "$(call_of "${@:2}")"; }
call_of() {
    printf "SELECT inserted FROM journey_stitch.ingest_events(COALESCE((
            SELECT jsonb_agg(jsonb_build_object('event_id', '%s-' || n, 'event_type', 'click', 'session_id', '%s-' || n,
                                                'user_id', 'u' || n %% %d))
            FROM generate_series(1, %s) AS n), '[]'), '%s')" "$1" "$1" "$USERS" "$2" "${3:-default}"
}

# So much is sent that the queue is as long as at first: longer than the 5 s for which DROP DATABASE and its kin
# wait for others to leave.
top_up() { ingest "$1" "$2" "$BACKLOG - (SELECT COALESCE(sum(events), 0) FROM journey_stitch.pending)" >/dev/null; }

# quietly 'what' SECONDS DATABASE 'SQL': wait_until for what is no claim of the test; counted if it fails only.
quietly() {
    local before=$PASSED
    wait_until "$@" >"$CLUSTER_DIR/waited"
    [ "$PASSED" != "$before" ] || cat "$CLUSTER_DIR/waited"
    PASSED=$before
}

# The query whether there is a worker of a database so and so.
worker() {
    printf "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE backend_type = 'journey_stitch worker' AND datname = '%s' AND %s)" "$1" "${2:-true}"
}
worker_pid() {
    sql postgres "SELECT pid FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker' AND datname = '$1'"
}
pending() { sql "$1" "SELECT COALESCE(sum(events), 0) FROM journey_stitch.pending"; }
has_backlog() { sql "$1" "SELECT EXISTS (SELECT FROM journey_stitch.pending)"; }

# Until the database's worker is in the middle of a batch.
await_batch() { quietly "the worker of $1 is in a batch" 30 postgres "$(worker "$1" "wait_event = 'PgSleep'")"; }

# Lets the backlog of a database run, and waits until it has.
let_finish() {
    sql "$1" "UPDATE public.pause SET seconds = 0"
    quietly "the backlog of $1 is stitched" 60 "$1" "$nothing_pending"
}

# What is in a database, by counts that do not come from verify() too: none unstitched, none invented.
state() {
    sql "$1" "SELECT (SELECT count(*) FROM journey_stitch.events) = (SELECT count(*) FROM journey_graph.\"Event\"),
                     (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL),
                     (SELECT count(*) FROM journey_stitch.dead_letters), ($violations)"
}

# command_of KIND 'SQL': false if it fails. Those that succeed are counted, and the time of the slowest is kept.
# After three that failed the rest of the kind is not tried: each would take its 5 s.
declare -A succeeded=() refused=() slowest=()
command_of() {
    local start ms
    [ "${refused[$1]:-0}" -lt 3 ] || return 1
    start=$(date +%s%N)
    if ! sql postgres "$2" 2>>"$CLUSTER_DIR/refused"; then
        refused[$1]=$((${refused[$1]:-0} + 1))
        return 1
    fi
    ms=$((($(date +%s%N) - start) / 1000000))
    succeeded[$1]=$((${succeeded[$1]:-0} + 1))
    [ "$ms" -le "${slowest[$1]:-0}" ] || slowest[$1]=$ms
}

check_commands() {
    check "$1 $3, $2 times (the slowest took ${slowest[$1]:-0} ms)" "${succeeded[$1]:-0}" "$2"
}

# Lines of the server's log since the cluster's start.
logged() { grep -cE "$1" "$CLUSTER_DIR/log" || true; }

# hold DATABASE 'SQL': a session does that in a transaction, and stays idle in it until release.
hold() {
    touch "$CLUSTER_DIR/hold_$1"
    {
        printf 'BEGIN; %s;\n' "$2"
        while [ -e "$CLUSTER_DIR/hold_$1" ]; do sleep 0.05; done
        printf 'COMMIT;\n'
    } | psql -d "$1" >/dev/null &
    holder[$1]=$!
    quietly "a session of $1 has its lock" 30 postgres "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = '$1' AND state = 'idle in transaction')"
}
declare -A holder=()
release() {
    rm "$CLUSTER_DIR/hold_$1"
    wait "${holder[$1]}"
}

# A database whose worker waits for a lock, and so stays, until release.
hold_worker() {
    sql postgres "CREATE DATABASE $1 TEMPLATE seed"
    ingest "$1" news 10 >/dev/null
    quietly "the backlog of $1 is stitched" 30 "$1" "$nothing_pending"
    hold "$1" "LOCK TABLE journey_stitch.keys IN ACCESS EXCLUSIVE MODE"
    ingest "$1" held 10 >/dev/null
    quietly "the worker of $1 waits for a lock" 30 postgres "$(worker "$1" "wait_event_type = 'Lock'")"
}

configure() { sql postgres "ALTER SYSTEM SET $1"; sql postgres "SELECT pg_reload_conf()" >/dev/null; }

# Three kinds of command in turn, so that a database's worker is back when its next command comes. Of the copies,
# the 1st, the 12th and the 23rd are kept.
part_commands() {
    local n name=name0 database
    cluster_with_seed $BACKLOG 0.1 "journey_stitch.naptime = '200ms'" "journey_stitch.max_workers = 8"
    sql postgres "CREATE DATABASE name0 TEMPLATE seed"
    sql postgres "CREATE DATABASE source TEMPLATE seed"
    for n in {1..23}; do
        if [ "$n" -le 20 ]; then
            top_up "$name" "rename$n"
            await_batch "$name"
            if command_of RENAME "ALTER DATABASE $name RENAME TO name$n"; then name=name$n; fi
        fi
        top_up source "copy$n"
        await_batch source
        command_of TEMPLATE "CREATE DATABASE copy$n TEMPLATE source" || continue
        await_batch "copy$n"
        [ $((n % 11)) = 1 ] || command_of DROP "DROP DATABASE copy$n" || true
    done
    check_commands RENAME 20 "of a database whose worker is in a batch"
    check_commands TEMPLATE 23 "of a database whose worker is in a batch"
    check_commands DROP 20 "of a database whose worker is in a batch"
    [ ! -s "$CLUSTER_DIR/refused" ] || sort "$CLUSTER_DIR/refused" | uniq -c | sort -rn | head -n 5
    for database in "$name" source copy1 copy12 copy23; do
        [ "$(sql postgres "SELECT count(*) FROM pg_database WHERE datname = '$database'")" = 1 ] || continue
        if [[ $database != copy* ]]; then
            check_true "$database has a backlog after all that" "$(has_backlog "$database")"
        fi
        let_finish "$database"
        check "$database: stitching goes on by itself" "$(state "$database")" "t|$USERS|0|0"
    done
    check "lines with FATAL or PANIC in the log" "$(logged ' (FATAL|PANIC): ')" 0
}

# Twenty databases, and one worker at a time that is held at first, so that all the others are wanted together.
part_twenty() {
    local n name right=0 wrong='' names=(holder limited many{1..11})
    cluster_with_seed 500 0 "journey_stitch.naptime = '1s'" "journey_stitch.idle_exit = '100ms'" \
        "journey_stitch.max_workers = 1"
    hold_worker holder
    sql postgres "CREATE DATABASE plain"
    sql postgres "CREATE DATABASE closed TEMPLATE seed ALLOW_CONNECTIONS false"
    sql postgres "CREATE DATABASE limited TEMPLATE seed CONNECTION LIMIT 0"
    sql postgres "CREATE DATABASE gone TEMPLATE seed"
    for n in {1..11}; do sql postgres "CREATE DATABASE many$n TEMPLATE seed"; done
    for name in limited gone many{1..11}; do ingest "$name" held 10 >/dev/null; done
    check "databases, template0 and one that takes no connections among them" \
        "$(sql postgres "SELECT count(*) FROM pg_database")" 20
    sql postgres "DROP DATABASE gone"
    release holder
    for name in "${names[@]}"; do
        quietly "the backlog of $name is stitched" 20 "$name" "$nothing_pending"
        if [ "$(state "$name")" = "t|500|0|0" ]; then right=$((right + 1)); else wrong+=" $name"; fi
    done
    check "with the extension, and stitched by themselves (the connection limit of one is 0; wrong:${wrong:- none})" \
        "$right" ${#names[@]}
    sql postgres "ALTER DATABASE closed ALLOW_CONNECTIONS true"
    wait_until "the closed one is when it is opened" 20 closed "$nothing_pending"

    # No regular looks any more, and workers that start at once: what starts is wanted by a client's commit.
    configure "journey_stitch.naptime = '1h'"
    configure "journey_stitch.max_workers = 8"
    succeeded[DROP]=0 refused[DROP]=0 slowest[DROP]=0
    for n in {1..3}; do
        drop_before_commit "late$n"
        drop_before_start "early$n"
    done
    check_commands DROP 6 "of a database that a client's commit makes a worker start in"
    quietly "workers leave" 20 postgres "$no_worker"
    check "lines with FATAL or PANIC in the log, from whomever" "$(logged ' (FATAL|PANIC): ')" 0
    check "lines with ERROR from our processes" "$(logged 'journey_stitch .* ERROR: ')" 0
}

# DROP DATABASE comes when the launcher has seen to a worker and before that one is there: the postmaster, which
# would start it, is stopped for so long. Neither may the command wait for the worker and the worker for the
# command, nor may the worker find the database gone.
drop_before_start() {
    local admin dba="SELECT pid FROM pg_stat_activity WHERE application_name = 'dba'"
    sql postgres "CREATE DATABASE $1 TEMPLATE seed"
    hold "$1" "$(call_of last 10)"
    touch "$CLUSTER_DIR/not_yet"
    {
        printf 'SET application_name = dba;\n'
        while [ -e "$CLUSTER_DIR/not_yet" ]; do sleep 0.05; done
        printf 'DROP DATABASE %s;\n' "$1"
    } | psql -d postgres &
    admin=$!
    quietly "the DBA is connected" 20 postgres "SELECT EXISTS ($dba)"
    kill -STOP "$(cluster_pid)"
    release "$1" || true
    # These two sleeps decide how hard the test is, not whether it passes.
    sleep 0.3
    rm "$CLUSTER_DIR/not_yet"
    sleep 0.3
    kill -CONT "$(cluster_pid)"
    quietly "DROP DATABASE $1 ends" 10 postgres "SELECT NOT EXISTS ($dba)"
    sql postgres "SELECT pg_terminate_backend(pid) FROM ($dba) AS dba" >/dev/null
    if wait "$admin"; then succeeded[DROP]=$((succeeded[DROP] + 1)); fi
}

# The command has its lock on the database and waits for the last client to leave; that one commits events and goes.
drop_before_commit() {
    sql postgres "CREATE DATABASE $1 TEMPLATE seed"
    hold "$1" "$(call_of last 10)"
    (
        quietly "DROP DATABASE waits" 20 postgres "SELECT EXISTS (SELECT FROM pg_locks WHERE granted
            AND locktype = 'object' AND classid = 'pg_database'::regclass AND mode = 'AccessExclusiveLock')"
        rm "$CLUSTER_DIR/hold_$1"
    ) &
    command_of DROP "DROP DATABASE $1" || true
    wait "${holder[$1]}"
}

# There is room for the launcher and one worker, and that one is held.
part_slots() {
    local launcher ticks n name
    cluster_with_seed 100 0 "journey_stitch.naptime = '1h'" "journey_stitch.idle_exit = '100ms'" \
        "max_worker_processes = 2" "max_logical_replication_workers = 0"
    launcher=$(sql seed "SELECT journey_stitch.launcher_pid()")
    hold_worker holder
    for name in starved hungry thirsty; do
        sql postgres "CREATE DATABASE $name TEMPLATE seed"
        ingest "$name" one 10 >/dev/null
    done
    for ((n = 0; n < 200 && $(logged 'no background worker is free') == 0; n++)); do sleep 0.05; done
    ticks=$(ticks "$launcher")
    sleep 3
    ticks=$(($(ticks "$launcher") - ticks))
    check "the log says once that no background worker is free" "$(logged 'no background worker is free')" 1
    check_true "the launcher waits meanwhile: $ticks ticks of 10 ms in 3 s (limit of the test: 50)" \
        "$([ "$ticks" -le 50 ] && echo t)"
    check "nothing is stitched" "$(pending starved)" 110
    check "but stitch_pending() does it" \
        "$(sql starved "SELECT events, remaining FROM journey_stitch.stitch_pending()")" '110|0'
    ingest starved two 10 >/dev/null
    release holder
    for name in starved hungry thirsty; do
        wait_until "when the other worker has left, stitching goes on by itself in $name" 20 "$name" "$nothing_pending"
        check "with every event in its place" "$(state "$name")" "t|100|0|0"
    done
    check "and all that is in the log once" "$(logged 'no background worker is free')" 1

    # One with ten seconds' work must not keep the only worker to itself.
    sql holder "UPDATE public.pause SET seconds = 0.1"
    ingest holder long $BACKLOG >/dev/null
    await_batch holder
    ingest starved three 10 >/dev/null
    wait_until "a database with a long backlog leaves the others their turn" 20 starved "$nothing_pending"
    check_true "before it is at its end" "$(has_backlog holder)"
    let_finish holder
    check "to which it comes all the same" "$(state holder)" "t|$USERS|0|0"
}

# The processor time of a process, in ticks of 10 ms.
ticks() {
    local stat
    read -ra stat <"/proc/$1/stat"
    echo $((stat[13] + stat[14]))
}

# lock DATABASE 'SQL': a session gets its lock beside a busy worker, and keeps it.
lock() {
    local ms
    sql postgres "CREATE DATABASE $1 TEMPLATE seed"
    await_batch "$1"
    ms=$(date +%s%N)
    hold "$1" "$2"
    ms=$((($(date +%s%N) - ms) / 1000000))
    check_true "$1: a session gets its lock beside a busy worker in $ms ms (limit of the test: 5000)" \
        "$([ "$ms" -le 5000 ] && echo t)"
    check_true "$1: which has a backlog" "$(has_backlog "$1")"
}

HOLD=${HOLD:-8}
part_locks() {
    local name start clients=()
    cluster_with_seed 5000 0.1 "journey_stitch.naptime = '1s'"
    lock one_project "SELECT FROM journey_stitch.projects WHERE name = 'default' FOR UPDATE"
    lock all_projects "LOCK TABLE journey_stitch.projects IN ACCESS EXCLUSIVE MODE"
    lock all_events "LOCK TABLE journey_stitch.events IN ACCESS EXCLUSIVE MODE"
    start=$SECONDS
    for name in all_projects all_events; do
        ingest "$name" meanwhile 10 >"$CLUSTER_DIR/$name" &
        clients+=($!)
    done
    ingest one_project meanwhile 10 other >/dev/null
    sql one_project "UPDATE public.pause SET seconds = 0"
    wait_until "one_project: another project is stitched meanwhile" 20 one_project "SELECT NOT EXISTS (SELECT FROM
        journey_stitch.pending q JOIN journey_stitch.projects p ON p.id = q.project_id WHERE p.name = 'other')"
    check_true "one_project: and the locked one is not" "$(has_backlog one_project)"
    # Eight seconds stand for the minute of make soak: nothing of ours counts how long it waits for a lock.
    sleep $((SECONDS - start < HOLD ? HOLD - SECONDS + start : 0))
    for name in one_project all_projects all_events; do release "$name"; done
    wait "${clients[@]}"
    for name in one_project all_projects all_events; do let_finish "$name"; done
    check "one_project: everything is stitched afterwards" "$(state one_project)" "t|$((USERS + 10))|0|0"
    for name in all_projects all_events; do
        check "$name: a client waited, and its events are taken" "$(cat "$CLUSTER_DIR/$name")" 10
        check "$name: everything is stitched afterwards" "$(state "$name")" "t|$USERS|0|0"
    done
    check "no batch failed and no worker ended with an error" \
        "$(logged 'journey_stitch .* (ERROR|FATAL): |stitching .* failed')" 0
}

# Two clients under load, one that connects for each call and one that keeps its session, with what that has cached.
# Both write down the calls that were acknowledged.
CALL_EVENTS=50
connecting_client() {
    local call
    for ((call = 1; ; call++)); do
        if [ -e "$CLUSTER_DIR/stop" ]; then return; fi
        if ingest load "connecting$call" $CALL_EVENTS >/dev/null 2>&1; then
            printf '%s\n' "$call" >>"$CLUSTER_DIR/connecting"
        fi
        sleep 0.03
    done
}
lasting_client() {
    local call
    for ((call = 1; ; call++)); do
        if [ -e "$CLUSTER_DIR/stop" ]; then return; fi
        printf 'SELECT %d FROM (%s) AS call;\n' "$call" "$(call_of "lasting$call" $CALL_EVENTS)"
        sleep 0.05
    done | psql -At -v ON_ERROR_STOP=0 -d load >>"$CLUSTER_DIR/lasting" 2>>"$CLUSTER_DIR/lasting_errors"
}

# A deadlock with a client or a worker is no failure: PostgreSQL chooses a victim, and the DBA tries again.
# Anything else is.
rounds=0 deadlocks=0
extension_command() {
    local try
    for ((try = 0; try < 20; try++)); do
        if sql load "SET client_min_messages = warning; $1" >/dev/null 2>"$CLUSTER_DIR/error"; then
            rounds=$((rounds + 1))
            return
        elif ! grep -q 'deadlock detected' "$CLUSTER_DIR/error"; then
            break
        fi
        deadlocks=$((deadlocks + 1))
    done
    cat "$CLUSTER_DIR/error"
}

# Where a client's file is now. Of a call that is under way nobody can say which extension took it.
acknowledged() { wc -l <"$CLUSTER_DIR/$1"; }
next_call() { echo $(($(acknowledged "$1") + 2)); }

# check_calls CLIENT LINE: the calls from a line of the client's file on are stored and in their journeys in full.
check_calls() {
    local calls
    calls=$(tail -n "+$2" "$CLUSTER_DIR/$1" | paste -sd ,)
    check "client \"$1\": there are calls acknowledged since the last CREATE EXTENSION, and events of them missing" \
        "$(sql load "SELECT count(*) > 0, count(*) FILTER (WHERE journey_stitch.journey_of(event) IS NULL)
            FROM unnest('{$calls}'::int[]) AS call, generate_series(1, $CALL_EVENTS) AS n,
                 concat('$1', call, '-', n) AS event")" 't|0'
}

# Some rounds make an older version, where there is one that can be updated, so that the updates have something to do.
part_extension() {
    local n postmaster clients=() since_connecting=0 since_lasting=0
    local drop='DROP EXTENSION journey_stitch' make='CREATE EXTENSION journey_stitch' older
    cluster_start extension "fsync = off" "autovacuum = off" "log_checkpoints = off" \
        "journey_stitch.batch_size = $BATCH" "journey_stitch.naptime = '200ms'" "journey_stitch.idle_exit = '500ms'" \
        "deadlock_timeout = '100ms'" "log_line_prefix = '%m [%p] %b %e '"
    sql postgres "CREATE DATABASE load"
    make_extension load
    older=$(sql load "SELECT format('%s VERSION %L', '$make', min(v.version))
        FROM pg_available_extension_versions v
        JOIN pg_extension_update_paths('journey_stitch') p ON p.source = v.version
        WHERE v.name = 'journey_stitch' AND p.path IS NOT NULL
          AND p.target = (SELECT extversion FROM pg_extension WHERE extname = 'journey_stitch')
        HAVING count(*) > 0")
    postmaster=$(cluster_pid)
    touch "$CLUSTER_DIR/connecting" "$CLUSTER_DIR/lasting"
    connecting_client &
    clients+=($!)
    lasting_client &
    clients+=($!)
    for n in {1..12}; do
        ingest load "bulk$n" 5000 >/dev/null
        quietly "the worker is at work on a part of them" 20 load "SELECT ($(worker load 'xact_start IS NOT NULL'))
            AND EXISTS (SELECT FROM journey_stitch.journeys)"
        case $n in
        1 | 7) extension_command "$drop" && extension_command "$make" ;;
        4) extension_command "$drop" && extension_command "${older:-$make}" ;;
        2 | 8) extension_command "BEGIN; $drop; $make; COMMIT" ;;
        5 | 10) extension_command "BEGIN; $drop; ${older:-$make}; COMMIT" ;;
        3 | 9 | 11) extension_command "BEGIN; $drop; ROLLBACK" ;;
        6 | 12) extension_command "BEGIN; $drop; $make; ROLLBACK" ;;
        esac
        if [ "$n" = 10 ]; then
            since_connecting=$(next_call connecting)
            since_lasting=$(next_call lasting)
        fi
        extension_command "BEGIN; ALTER EXTENSION journey_stitch UPDATE; ROLLBACK"
        extension_command "ALTER EXTENSION journey_stitch UPDATE"
    done
    printf '        older version: %s; deadlocks: %s\n' "${older:-none can be updated}" "$deadlocks"
    check "DROP, CREATE and ALTER EXTENSION under load, also rolled back" "$rounds" 39
    for ((n = 0; n < 600 && $(acknowledged connecting) < since_connecting + 20; n++)); do sleep 0.05; done
    touch "$CLUSTER_DIR/stop"
    wait "${clients[@]}"
    wait_until "stitching goes on" 30 load "$nothing_pending"
    check_calls connecting "$since_connecting"
    check_calls lasting "$since_lasting"
    check "and all is right with what is there" "$(state load)" "t|$USERS|0|0"
    sql load "$drop"
    wait_until "no worker is left when the extension has gone" 10 postgres "$no_worker"
    check "the server has not restarted" "$(cluster_pid), $(logged 'terminated by signal|PANIC')" "$postmaster, 0"
    # A client's call that was parsed before the DROP and runs after it gets "cache lookup failed for function" from
    # PostgreSQL itself, which locks no functions.
    check "internal errors in the log" "$(grep -E ' XX[0-9A-Z]{3} ERROR' "$CLUSTER_DIR/log" |
        grep -vcE 'client backend .* cache lookup failed for function' || true)" 0
    sed -n 's/^.* \(journey_stitch [a-z]* [0-9A-Z]\{5\} [A-Z]*: .*\)/        \1/p' "$CLUSTER_DIR/log" | sort | uniq -c
}

part_settings() {
    local pid left
    cluster_with_seed $BACKLOG 0.1 "journey_stitch.naptime = '1h'" "journey_stitch.idle_exit = '60s'"
    sql postgres "CREATE DATABASE one TEMPLATE seed"
    sleep 1
    check "what no commit announces waits for the next look" "$(pending one)" $BACKLOG
    configure "journey_stitch.naptime = '200ms'"
    wait_until "naptime: the running launcher takes a new one" 20 postgres "$(worker one)"
    configure "journey_stitch.naptime = '1h'"
    await_batch one
    pid=$(worker_pid one)
    configure "journey_stitch.batch_size = 1000"
    quietly "one is stitched" 60 one "$nothing_pending"
    check "batch_size: the running worker takes a new one (its smallest and largest batch)" "$(sql one "
        SELECT min(n), max(n) FROM (SELECT count(*) AS n FROM journey_graph.\"Event\" GROUP BY xmin::text)")" '100|1000'
    check "and stays" "$(worker_pid one)" "$pid"
    configure "journey_stitch.idle_exit = '100ms'"
    wait_until "idle_exit: an idle worker takes a new one" 20 postgres "$no_worker"
    configure "journey_stitch.batch_size = $BATCH"

    sql postgres "CREATE DATABASE two TEMPLATE seed"
    ingest two news 10 >/dev/null
    await_batch two
    sql postgres "ALTER DATABASE two SET journey_stitch.enabled = off"
    wait_until "ALTER DATABASE … SET journey_stitch.enabled = off ends its worker" 5 postgres "$no_worker"
    left=$(pending two)
    sleep 1
    check "in the middle of the backlog, and no other begins ($left left)" "$(pending two) $((left > 0))" "$left 1"
    sql postgres "ALTER DATABASE two RESET journey_stitch.enabled"
    ingest two more 10 >/dev/null
    await_batch two
    configure "journey_stitch.enabled = off"
    wait_until "turning it off for the server ends the worker" 5 postgres "$no_worker"
    left=$(pending two)
    sleep 1
    check "in the middle of the backlog, and no other begins ($left left)" "$(pending two) $((left > 0))" "$left 1"
    configure "journey_stitch.enabled = on"
    ingest two last 10 >/dev/null
    let_finish two
    check "in the end all is stitched" "$(state two)" "t|$USERS|0|0"
    check "errors of our processes" "$(logged 'journey_stitch .* (ERROR|FATAL): ')" 0
}

for part in ${PARTS:-commands twenty slots extension locks settings}; do "part_$part"; done
summary
