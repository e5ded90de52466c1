#!/usr/bin/env bash
# A batch is cancelled, terminated, killed or made to fail before each of its steps, in a worker and in a
# session that calls stitch_pending(): afterwards nothing of it is there, and in the end all of it, once.
# Needs a build with the feature `waitpoints`, which goes into a copy of PostgreSQL.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

LOCK=4242424242
mapfile -t STEPS < <(sed -n 's/.*\.enter("\([a-z]*\)").*/\1/p' src/stitch.rs src/stitch/steps.rs | LC_ALL=C sort -u)

# A session that holds the lock of the waitpoints until it is told to let it go.
hold() {
    coproc HOLDER { exec "$PG_BIN/psql" -X -q -At -d waitpoints 2>/dev/null; }
    printf 'SELECT pg_advisory_lock(%s);\n\\echo held\n' "$LOCK" >&"${HOLDER[1]}"
    grep -q held <&"${HOLDER[0]}"
}
let_go() {
    local pid=${HOLDER_PID:-}
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

# What new sessions in the database find: the step to stop before, whether to fail there, and whether
# workers stitch.
configure() {
    sql postgres "ALTER DATABASE waitpoints SET journey_stitch.waitpoint = '$1';
                  ALTER DATABASE waitpoints SET journey_stitch.waitpoint_fails = $2;
                  ALTER DATABASE waitpoints SET journey_stitch.enabled = $3"
}

# Events FIRST to LAST of two users; those after the eighth say that the two are one person.
round=0
send() {
    sql waitpoints "SELECT inserted FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object('event_id', 'r$round/' || n, 'event_type', 'click', 'user_id', 'r$round/' || n % 2,
                                            'session_id', CASE WHEN n > 8 THEN 's$round' END))
        FROM generate_series($1, $2) AS n))" >/dev/null
}

# Ten events, of which eight are stitched; the batch of the other two merges their journeys, so that every
# step has something to do.
begin_round() {
    round=$((round + 1))
    configure '' off off
    send 1 8
    sql waitpoints "SELECT events FROM journey_stitch.stitch_pending()" >/dev/null
}

wait_for_waitpoint() {
    local tries
    for ((tries = 0; tries < 1500; tries++)); do
        STOPPED=$(sql waitpoints "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'")
        [ -z "$STOPPED" ] || return 0
        sleep 0.01
    done
    failed "$1: the batch gets to its waitpoint"
    return 1
}

strike() {
    case $1 in
    cancel) sql postgres "SELECT pg_cancel_backend($STOPPED)" >/dev/null ;;
    terminate) sql postgres "SELECT pg_terminate_backend($STOPPED, 10000)" >/dev/null ;;
    kill) kill -9 "$STOPPED" ;;
    esac
}

# Violations, and events that are pending.
state() {
    sql waitpoints "SELECT (SELECT sum(violations) FROM journey_stitch.verify()), (SELECT sum(events) FROM journey_stitch.pending)" 2>/dev/null || true
}

check_undone() {
    local tries now=''
    # The server may be on its way up, and a process that was struck on its way out.
    for ((tries = 0; tries < 1500; tries++)); do
        now=$(state)
        [ "$now" != '0|2' ] || break
        sleep 0.02
    done
    check "$1: undone (violations, pending)" "$now" '0|2'
}

check_done() {
    check "$1: done in the end (violations, pending, events of the journey, dead letters)" \
        "$(state)|$(sql waitpoints "SELECT (SELECT count(*) FROM journey_stitch.get_journey('r$round/1')),
                                           (SELECT count(*) FROM journey_stitch.dead_letters)")" '0||10|0'
}

in_worker() {
    local what="$2 before $1 in a worker"
    begin_round
    if [ "$2" = fail ]; then
        configure "$1" on on
        send 9 10
        wait_until "$what: it fails" 30 waitpoints "SELECT max(attempts) > 0 FROM journey_stitch.pending"
        configure '' off off
    else
        hold
        configure "$1" off on
        send 9 10
        wait_for_waitpoint "$what" || return 0
        configure '' off off
        strike "$2"
        let_go
    fi
    check_undone "$what"
    configure '' off on
    # Wakes the worker, which a switched-off database does not want.
    send 1 1
    wait_until "$what: stitched by itself" 60 waitpoints "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
    check_done "$what"
}

in_session() {
    local what="$2 before $1 in a session" client
    begin_round
    send 9 10
    if [ "$2" = fail ]; then
        sql waitpoints "SET journey_stitch.waitpoint = '$1'; SET journey_stitch.waitpoint_fails = on;
                        SET client_min_messages = error; SELECT events FROM journey_stitch.stitch_pending()" >/dev/null
    else
        hold
        sql waitpoints "SET journey_stitch.waitpoint = '$1'; SELECT events FROM journey_stitch.stitch_pending()" >/dev/null 2>&1 &
        client=$!
        wait_for_waitpoint "$what" || return 0
        strike "$2"
        let_go
        if wait "$client"; then failed "$what: the call fails"; fi
    fi
    check_undone "$what"
    sql waitpoints "UPDATE journey_stitch.pending SET next_attempt_at = now(); SELECT events FROM journey_stitch.stitch_pending()" >/dev/null
    check_done "$what"
}

cargo build --quiet --lib --features waitpoints
private_postgres
cp "${CARGO_TARGET_DIR:-target}/debug/libjourney_stitch.so" "$("$PG_CONFIG" --pkglibdir)/journey_stitch.so"
cluster_start waitpoints "journey_stitch.naptime = '1s'" "fsync = off"
sql postgres "CREATE DATABASE waitpoints"
sql waitpoints "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE; SELECT journey_stitch.setup()" >/dev/null
check_true "there are steps to stop before (${STEPS[*]})" "$([ ${#STEPS[@]} -ge 9 ] && echo t)"
for step in "${STEPS[@]}"; do
    for fault in cancel terminate fail; do in_session "$step" "$fault"; done
    for fault in cancel terminate fail kill; do in_worker "$step" "$fault"; done
done
summary
