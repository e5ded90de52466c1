#!/usr/bin/env bash
# kill -9 of the worker and of the whole server while a client sends 50,000 events and repeats whatever
# was not acknowledged: afterwards every event is there once, and in the journey of its user.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

CALLS=100 CALL_EVENTS=500 USERS=5000
TOTAL=$((CALLS * CALL_EVENTS))

# The client: call after call, each repeated until it is acknowledged. The file of acknowledged calls is
# what the database is held to.
client() {
    local call
    for ((call = 0; call < CALLS; call++)); do
        until psql -At -d crash -c "SELECT inserted + duplicates FROM journey_stitch.ingest_events(
                (SELECT jsonb_agg(jsonb_build_object('event_id', 'e' || n, 'event_type', 'click',
                                                     'user_id', 'u' || n % $USERS, 'session_id', 's' || n / 3 || '/' || n % $USERS))
                 FROM generate_series($call * $CALL_EVENTS + 1, ($call + 1) * $CALL_EVENTS) AS n))" >/dev/null 2>&1; do
            printf 'call %s is repeated\n' "$call" >>"$CLUSTER_DIR/repeated"
            sleep 0.1
        done
        printf '%s\n' "$call" >>"$CLUSTER_DIR/acknowledged"
    done
}

worker_pid() { sql crash "SELECT pid FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker' AND datname = 'crash' AND xact_start IS NOT NULL LIMIT 1"; }
acknowledged() { wc -l 2>/dev/null <"$CLUSTER_DIR/acknowledged" || echo 0; }

# Waits until the client has got to a call, and a worker is in the middle of a batch.
reach() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        if [ "$(acknowledged)" -ge "$1" ] && [ -n "$(worker_pid 2>/dev/null)" ]; then return; fi
        sleep 0.02
    done
    failed "the client reaches call $1 with a worker at work"
}

cluster_start crash "journey_stitch.naptime = '2s'"
create_database crash
sql postgres "ALTER DATABASE crash SET journey_stitch.batch_size = 500"
touch "$CLUSTER_DIR/acknowledged" "$CLUSTER_DIR/repeated"
client &
client=$!

reach 15
kill -9 "$(worker_pid)"
passed "the worker was killed after $(acknowledged) of $CALLS calls"
wait_until "the server comes back by itself" 60 crash "SELECT true"

reach 50
cluster_crash
passed "the server was killed with all its processes after $(acknowledged) of $CALLS calls"
cluster_resume

wait "$client"
check "every call was acknowledged in the end" "$(acknowledged)" "$CALLS"
check_true "calls were repeated ($(wc -l <"$CLUSTER_DIR/repeated") times)" "$([ -s "$CLUSTER_DIR/repeated" ] && echo t)"
wait_until "everything gets stitched by itself" 120 crash "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"

check "events stored" "$(sql crash "SELECT count(*) FROM journey_stitch.events")" "$TOTAL"
check "events missing or unknown" "$(sql crash "SELECT count(*) FROM generate_series(1, $TOTAL) AS n
    FULL JOIN journey_stitch.events e ON e.event_id = 'e' || n WHERE n IS NULL OR e.id IS NULL")" 0
check "event vertices in the graph" "$(sql crash "SELECT count(*) FROM journey_graph.\"Event\"")" "$TOTAL"
check "journeys, one a user" "$(sql crash "SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL")" "$USERS"
check "journeys that do not hold just their user's events" "$(sql crash "
    SELECT count(*) FROM generate_series(0, 99) AS u
    WHERE (SELECT array_agg(event_id ORDER BY event_id) FROM journey_stitch.get_journey('user_id:u' || u))
          IS DISTINCT FROM
          (SELECT array_agg('e' || n ORDER BY 'e' || n) FROM generate_series(1, $TOTAL) AS n WHERE n % $USERS = u)")" 0
check "dead letters" "$(sql crash "SELECT count(*) FROM journey_stitch.dead_letters")" 0
check "violations found by verify()" "$(sql crash "SELECT sum(violations) FROM journey_stitch.verify()")" 0
summary
