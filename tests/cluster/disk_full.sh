#!/usr/bin/env bash
# A disk that is really full, once in the middle of stitching and once in the middle of sending: clients get a clear
# error, batches wait and are tried again (none is given up), queries answer; once there is room, all goes on by itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

CALL_EVENTS=500 CALLS=40 USERS=997
TOTAL=$((CALLS * CALL_EVENTS))

# The script runs itself in a mount namespace of its own, where anybody may mount a small file system, and which takes
# it away again however the script ends.
if [ -z "${SMALL_DISK:-}" ]; then
    SMALL_DISK=$(mktemp -d /tmp/journey_stitch_disk.XXXXXX)
    chmod 755 "$SMALL_DISK"
    trap '[ "${KEEP:-}" = 1 ] || rmdir "$SMALL_DISK"' EXIT
    namespace=(unshare --mount)
    [ "$(id -u)" = 0 ] || namespace=(unshare --user --map-current-user --keep-caps --mount)
    if ! error=$("${namespace[@]}" mount -t tmpfs -o size=1m none "$SMALL_DISK" 2>&1); then
        skip "a full disk needs a small file system, and none can be mounted here (${error##*: })"
        summary
        exit
    fi
    status=0
    SMALL_DISK=$SMALL_DISK "${namespace[@]}" "tests/cluster/${0##*/}" || status=$?
    exit "$status"
fi

# Leaves so many kilobytes on the small disk, or all that there are.
leave_room() {
    local available
    available=$(df -k --output=avail "$SMALL_DISK" | tail -n 1)
    fallocate -l $((available - $1))K "$SMALL_DISK/ballast"
}
make_room() { rm "$SMALL_DISK/ballast"; }

# One call, the events $1 × 500 + 1 …: three sessions a user, and only one event in five says whose it is, so that
# journeys merge until each user has one. Prints the sum of what is new or known, or the error with its SQLSTATE.
send() {
    psql -At -v VERBOSITY=verbose -d small -c "SELECT inserted + duplicates FROM journey_stitch.ingest_events(
        (SELECT jsonb_agg(jsonb_build_object('event_id', 'e' || n, 'event_type', 'click', 'ts', 1772355600 + n,
                                             'session_id', n % $USERS || '/' || n % 3)
                          || CASE WHEN n % 5 = 0 THEN jsonb_build_object('user_id', 'u' || n % $USERS) ELSE '{}' END)
         FROM generate_series($1 * $CALL_EVENTS + 1, ($1 + 1) * $CALL_EVENTS) AS n))" 2>&1
}

# Calls $1 to $2 - 1, each repeated until it is acknowledged.
client() {
    local call
    for ((call = $1; call < $2; call++)); do
        until send "$call" >"$CLUSTER_DIR/answer"; do
            cat "$CLUSTER_DIR/answer" >>"$CLUSTER_DIR/errors"
            sleep 0.2
        done
        printf '%s\n' "$call" >>"$CLUSTER_DIR/acknowledged"
    done
}

nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
violations="SELECT sum(violations) FROM journey_stitch.verify()"
dead_letters="SELECT count(*) FROM journey_stitch.dead_letters"
activity() { sql small "SELECT u.active_users, j.active_users, t.events
    FROM journey_stitch.dau('2026-03-01', '2026-03-01') AS u,
         journey_stitch.dau('2026-03-01', '2026-03-01', identity => 'journey') AS j,
         journey_stitch.top_events('2026-03-01', '2026-03-01') AS t"; }
worker_lines() { grep -cE '\] journey_stitch (worker|launcher) .*(LOG|ERROR|FATAL): ' "$CLUSTER_DIR/log" || true; }
acknowledged() { wc -l <"$CLUSTER_DIR/acknowledged"; }

mount -t tmpfs -o size=48m,mode=755 none "$SMALL_DISK"
# With max_attempts = 2, a batch that was not known to fail for want of room would soon be halved and given up.
cluster_start disk_full "journey_stitch.naptime = '2s'" "journey_stitch.max_attempts = 2"
install -d -m 700 "$SMALL_DISK/space"
[ "$(id -u)" != 0 ] || chown postgres: "$SMALL_DISK/space"
sql postgres "CREATE TABLESPACE small LOCATION '$SMALL_DISK/space'"
sql postgres "CREATE DATABASE small TABLESPACE small"
sql small "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE"
sql small "SELECT journey_stitch.setup()" >/dev/null
touch "$CLUSTER_DIR/acknowledged" "$CLUSTER_DIR/errors"
postmaster=$(cluster_pid)

# In the middle of stitching.
client 0 4
wait_until "2,000 events are stitched while there is room" 30 small "$nothing_pending"
sql postgres "ALTER DATABASE small SET journey_stitch.enabled = off"
wait_until "no worker is there" 20 small \
    "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"
client 4 20
before=$(activity)
leave_room 500
check "stitch_pending() warns that there is no room" "$(sql small "SELECT FROM journey_stitch.stitch_pending()" 2>&1 |
    sed -n 's/^WARNING: .* failed: \(could not extend file\).*/\1/p; s/^DETAIL: *\(SQLSTATE .*again\).*/\1/p' |
    awk '!seen[$0]++' | paste -sd ';')" 'could not extend file;SQLSTATE 53100; to be tried again'
lines=$(worker_lines)
sql postgres "ALTER DATABASE small RESET journey_stitch.enabled"
wait_until "a worker fails too, again and again" 40 small \
    "SELECT max(attempts) >= 3 FROM journey_stitch.pending"
check "the reason stands in the queue" "$(sql small "
    SELECT DISTINCT substring(last_error, '^.* extend file') FROM journey_stitch.pending WHERE attempts > 0")" \
    '53100: could not extend file'
check "and in health()" "$(sql small "SELECT status, detail LIKE '%could not extend file%'
    FROM journey_stitch.health() WHERE \"check\" = 'failing batches'")" 'WARN|t'
check "no batch is halved" "$(sql small "SELECT DISTINCT events FROM journey_stitch.pending")" "$CALL_EVENTS"
check "dead letters" "$(sql small "$dead_letters")" 0
check "queries answer: users, journeys, events" "$(activity)" "$before"
check "journeys answer" "$(sql small "SELECT count(*) FROM journey_stitch.get_journey('e1') WHERE event_id = 'e1'")" 1
lines=$(($(worker_lines) - lines))
check_true "the log is not flooded ($lines lines by workers; limit of the test: 100)" \
    "$([ "$lines" -le 100 ] && echo t)"
make_room
wait_until "once there is room, all of it gets stitched" 60 small "$nothing_pending"
check "violations found by verify()" "$(sql small "$violations")" 0

# In the middle of sending and stitching.
leave_room 4000
client 20 "$CALLS" &
client=$!
for ((tries = 0; $(grep -c 'ERROR:' "$CLUSTER_DIR/errors" || true) < 5; tries++)); do
    [ "$tries" -lt 300 ] || { failed "a client meets the full disk within 30 s"; exit 1; }
    sleep 0.1
done
passed "a client met the full disk after $(acknowledged) of $CALLS calls"
check "its error" "$(sed -n 's/^ERROR: *\(.* file\) .*/\1/p' "$CLUSTER_DIR/errors" | sort -u)" \
    '53100: could not extend file'
check "dead letters" "$(sql small "$dead_letters")" 0
check "queries answer" "$(activity | cut -d '|' -f 1)" "$USERS"
make_room
wait "$client"
check "once there is room, the client gets every call acknowledged" "$(acknowledged)" "$CALLS"
wait_until "and everything gets stitched" 60 small "$nothing_pending"

check "events missing, unknown or stored twice" "$(sql small "
    SELECT count(*) FILTER (WHERE n IS NULL OR e.id IS NULL) + count(e.event_id) - count(DISTINCT e.event_id)
    FROM generate_series(1, $TOTAL) AS n FULL JOIN journey_stitch.events e ON e.event_id = 'e' || n")" 0
check "journeys, and journeys that do not hold just their user's events" "$(sql small "
    SELECT count(DISTINCT journey), count(*) FILTER (WHERE journeys <> 1 OR journey IS NULL)
    FROM (SELECT n % $USERS, min(journey) AS journey, count(DISTINCT journey) AS journeys
          FROM (SELECT n, journey_stitch.journey_of('e' || n)::text AS journey
                FROM generate_series(1, $TOTAL) AS n) AS e
          GROUP BY 1) AS u")" "$USERS|0"
check "dead letters in the end" "$(sql small "$dead_letters")" 0
check "violations found by verify() in the end" "$(sql small "$violations")" 0
check "the server stayed up" "$postmaster $(grep -cE 'PANIC|terminated by signal|reinitializing' "$CLUSTER_DIR/log")" \
    "$(cluster_pid) 0"
summary
