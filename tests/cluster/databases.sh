#!/usr/bin/env bash
# Workers beside what a DBA does to databases: DROP, RENAME and TEMPLATE of a database whose worker is in the
# middle of a batch, twenty databases of every sort, no free background worker, the extension dropped and made
# anew under load, locks held for long, and settings that change while a worker runs.
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
    cluster_start databases "fsync = off" "autovacuum = off" "journey_stitch.batch_size = $BATCH" "$@"
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
ingest() {
    sql "$1" "SELECT inserted FROM journey_stitch.ingest_events(COALESCE(
        (SELECT jsonb_agg(jsonb_build_object('event_id', '$2-' || n, 'event_type', 'click', 'session_id', '$2-' || n,
                                             'user_id', 'u' || n % $USERS)) FROM generate_series(1, $3) AS n), '[]'),
        '${4:-default}')"
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

# Until the database's worker is in the middle of a batch.
await_batch() {
    quietly "the worker of $1 is in a batch" 30 postgres "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE backend_type = 'journey_stitch worker' AND datname = '$1' AND wait_event = 'PgSleep')"
}

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
    check "$1 DATABASE $3, $2 times (the slowest took ${slowest[$1]:-0} ms)" "${succeeded[$1]:-0}" "$2"
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
    await_blocked "$1"
}
await_blocked() {
    quietly "the worker of $1 waits for a lock" 30 postgres "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE backend_type = 'journey_stitch worker' AND datname = '$1' AND wait_event_type = 'Lock')"
}

configure() { sql postgres "ALTER SYSTEM SET $1"; sql postgres "SELECT pg_reload_conf()" >/dev/null; }

rename_rounds() {
    local n name=name0
    sql postgres "CREATE DATABASE name0 TEMPLATE seed"
    for ((n = 1; n <= 20; n++)); do
        top_up "$name" "rename$n"
        await_batch "$name"
        if command_of RENAME "ALTER DATABASE $name RENAME TO name$n"; then name=name$n; fi
    done
    check_commands RENAME 20 "of one whose worker is in a batch"
    check_true "its queue was not empty at the end of that" "$(sql "$name" "SELECT NOT ($nothing_pending)")"
    let_finish "$name"
    check "after the last of them stitching goes on by itself" "$(state "$name")" "t|$USERS|0|0"
}

# Copies 1, 12 and 23 are kept.
copy_and_drop_rounds() {
    local n copy
    sql postgres "CREATE DATABASE source TEMPLATE seed"
    for ((n = 1; n <= 23; n++)); do
        top_up source "copy$n"
        await_batch source
        command_of TEMPLATE "CREATE DATABASE copy$n TEMPLATE source" || continue
        await_batch "copy$n"
        [ $((n % 11)) = 1 ] || command_of DROP "DROP DATABASE copy$n" || true
    done
    check_commands TEMPLATE 23 "of one whose worker is in a batch"
    check_commands DROP 20 "of one whose worker is in a batch"
    for copy in source copy1 copy12 copy23; do
        if [ "$copy" != source ] && [ -z "$(sql postgres "SELECT 1 FROM pg_database WHERE datname = '$copy'")" ]; then continue; fi
        let_finish "$copy"
        check "in $copy stitching goes on by itself" "$(state "$copy")" "t|$USERS|0|0"
    done
}

part_commands() {
    cluster_with_seed $BACKLOG 0.1 "journey_stitch.naptime = '200ms'" "journey_stitch.max_workers = 8"
    rename_rounds
    copy_and_drop_rounds
    [ ! -s "$CLUSTER_DIR/refused" ] || sort "$CLUSTER_DIR/refused" | uniq -c | sort -rn | head -n 5
    check "FATAL and PANIC lines in the log after all that" "$(logged ' (FATAL|PANIC): ')" 0
}

# Twenty databases, and one worker at a time that is held at first, so that all the others are wanted together.
part_twenty() {
    local n name right=0 wrong='' names=(holder limited many{1..11})
    cluster_with_seed 500 0 "journey_stitch.naptime = '1s'" "journey_stitch.idle_exit = '100ms'" "journey_stitch.max_workers = 1"
    hold_worker holder
    sql postgres "CREATE DATABASE plain"
    sql postgres "CREATE DATABASE closed TEMPLATE seed ALLOW_CONNECTIONS false"
    sql postgres "CREATE DATABASE limited TEMPLATE seed CONNECTION LIMIT 0"
    sql postgres "CREATE DATABASE gone TEMPLATE seed"
    for n in {1..11}; do sql postgres "CREATE DATABASE many$n TEMPLATE seed"; done
    for name in limited gone many{1..11}; do ingest "$name" held 10 >/dev/null; done
    check "databases, template0 and one that takes no connections among them" "$(sql postgres "SELECT count(*) FROM pg_database")" 20
    sql postgres "DROP DATABASE gone"
    release holder
    for name in "${names[@]}"; do
        quietly "the backlog of $name is stitched" 20 "$name" "$nothing_pending"
        if [ "$(state "$name")" = "t|500|0|0" ]; then right=$((right + 1)); else wrong+=" $name"; fi
    done
    check "of those with the extension are stitched by themselves, also with a connection limit of 0 (wrong:${wrong:- none})" \
        "$right" ${#names[@]}
    sql postgres "ALTER DATABASE closed ALLOW_CONNECTIONS true"
    wait_until "the closed one is when it is opened" 20 closed "$nothing_pending"

    # No regular looks any more, and workers that start at once: what starts is wanted by a client's commit.
    configure "journey_stitch.naptime = '1h'"
    configure "journey_stitch.max_workers = 8"
    succeeded[DROP]=0
    for n in {1..3}; do
        drop_before_commit "late$n"
        drop_before_start "early$n"
    done
    check_commands DROP 6 "that a client's commit makes a worker start in"
    quietly "workers leave" 20 postgres "$no_worker"
    check "lines with FATAL or PANIC in the log, from whomever" "$(logged ' (FATAL|PANIC): ')" 0
    check "lines with ERROR from our processes" "$(logged 'journey_stitch .* ERROR: ')" 0
}

# DROP DATABASE comes when the launcher has seen to a worker and before that one is there: the postmaster, which
# would start it, is stopped for so long. Neither may the command wait for the worker and the worker for the
# command, nor may the worker find the database gone.
drop_before_start() {
    local admin
    sql postgres "CREATE DATABASE $1 TEMPLATE seed"
    hold "$1" "SELECT FROM journey_stitch.ingest_events('{\"event_id\": \"last\", \"event_type\": \"click\", \"user_id\": \"u1\"}')"
    touch "$CLUSTER_DIR/not_yet"
    {
        printf 'SET application_name = admin;\n'
        while [ -e "$CLUSTER_DIR/not_yet" ]; do sleep 0.05; done
        printf 'DROP DATABASE %s;\n' "$1"
    } | psql -d postgres &
    admin=$!
    quietly "the DBA is connected" 20 postgres "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'admin')"
    kill -STOP "$(cluster_pid)"
    release "$1"
    # These two sleeps decide how hard the test is, not whether it passes.
    sleep 0.3
    rm "$CLUSTER_DIR/not_yet"
    sleep 0.3
    kill -CONT "$(cluster_pid)"
    quietly "DROP DATABASE $1 ends" 20 postgres "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'admin')"
    sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'admin'" >/dev/null
    if wait "$admin"; then succeeded[DROP]=$((succeeded[DROP] + 1)); fi
}

# The command has its lock on the database and waits for the last client to leave; that one commits events and goes.
drop_before_commit() {
    sql postgres "CREATE DATABASE $1 TEMPLATE seed"
    hold "$1" "SELECT FROM journey_stitch.ingest_events('{\"event_id\": \"last\", \"event_type\": \"click\", \"user_id\": \"u1\"}')"
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
    check_true "the launcher waits meanwhile: $ticks ticks of 10 ms in 3 s (limit of the test: 50)" "$([ "$ticks" -le 50 ] && echo t)"
    check "nothing is stitched" "$(sql starved "SELECT sum(events) FROM journey_stitch.pending")" 110
    check "but stitch_pending() does it" "$(sql starved "SELECT events, remaining FROM journey_stitch.stitch_pending()")" '110|0'
    ingest starved two 10 >/dev/null
    release holder
    for name in starved hungry thirsty; do
        wait_until "when the other worker has left, stitching goes on by itself in $name" 20 "$name" "$nothing_pending"
        check "with every event in its place" "$(state "$name")" "t|100|0|0"
    done
    check "and all that is in the log once" "$(logged 'no background worker is free')" 1
}

# The processor time of a process, in ticks of 10 ms.
ticks() {
    local stat
    read -ra stat <"/proc/$1/stat"
    echo $((stat[13] + stat[14]))
}

# lock DATABASE 'SQL': how long a session waits for its lock beside a busy worker, in ms.
lock() {
    local start
    sql postgres "CREATE DATABASE $1 TEMPLATE seed"
    await_batch "$1"
    start=$(date +%s%N)
    hold "$1" "$2"
    start=$((($(date +%s%N) - start) / 1000000))
    check_true "$1: a session gets its lock beside a busy worker in $start ms (limit of the test: 5000)" \
        "$([ "$start" -le 5000 ] && echo t)"
}

part_locks() {
    local name start=$SECONDS clients=()
    cluster_with_seed $BACKLOG 0.1 "journey_stitch.naptime = '1s'"
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
    check_true "one_project: and the locked one is not" "$(sql one_project "SELECT NOT ($nothing_pending)")"
    # Eight seconds stand for a minute and more: nothing of ours counts how long it waits for a lock.
    sleep $((SECONDS - start < 8 ? 8 - SECONDS + start : 0))
    for name in one_project all_projects all_events; do release "$name"; done
    wait "${clients[@]}"
    for name in all_projects all_events; do check "$name: a client waited, and its events are taken" "$(cat "$CLUSTER_DIR/$name")" 10; done
    for name in one_project all_projects all_events; do let_finish "$name"; done
    check "one_project: everything is stitched afterwards" "$(state one_project)" "t|$((USERS + 10))|0|0"
    check "all_projects: everything is stitched afterwards" "$(state all_projects)" "t|$USERS|0|0"
    check "all_events: everything is stitched afterwards" "$(state all_events)" "t|$USERS|0|0"
    check "no batch failed and no worker ended with an error" "$(logged '(journey_stitch .* (ERROR|FATAL): |stitching .* failed)')" 0
}

for part in ${PARTS:-commands twenty slots locks}; do "part_$part"; done
summary
