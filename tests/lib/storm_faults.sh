# shellcheck shell=bash
# Sourced by storm.sh, after cluster.sh: faults of one process or of the whole server, and how long the server takes to
# come back.
#
#   create_victim DATABASE      once, before the first fault; then the database that faults are in
#   inflict KIND                backend, worker, launcher (kill -9), server (crash) or stop (immediate); waits until the
#                               server answers again, and notes how long that took
#   report_recoveries           counts and recovery times by kind
#   shuffle                     the array DECK, in a new order

VICTIMS=''

# A process in the middle of its work: NULL if there is none within half a minute. That of a worker or a client has a
# transaction that is some milliseconds old, so that it is killed here and there in it; the longer the search takes,
# the younger it may be.
create_victim() {
    VICTIMS=$1
    sql "$VICTIMS" "CREATE FUNCTION public.victim(who text) RETURNS integer LANGUAGE plpgsql AS \$\$
        DECLARE
            age interval := make_interval(secs => 0.002 + random() * 0.03);
            found integer;
        BEGIN
            FOR tries IN 1 .. 10000 LOOP
                PERFORM pg_stat_clear_snapshot();
                SELECT pid INTO found FROM pg_stat_activity
                WHERE CASE who
                      WHEN 'backend' THEN application_name LIKE 'storm %' AND xact_start < clock_timestamp() - age
                      WHEN 'worker' THEN backend_type = 'journey_stitch worker' AND state = 'active'
                                         AND xact_start < clock_timestamp() - age
                      ELSE backend_type = 'journey_stitch launcher' END
                ORDER BY random() LIMIT 1;
                EXIT WHEN found IS NOT NULL;
                PERFORM pg_sleep(0.002);
                age := age * 0.999;
            END LOOP;
            RETURN found;
        END \$\$"
}

count_in_log() { grep -c "$1" "$CLUSTER_DIR/log" || true; }
ready() { count_in_log 'ready to accept connections'; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# Waits until the server has got ready for more than so many times and answers.
await_ready() {
    local limit=$((SECONDS + 60))
    until [ "$(ready)" -gt "$1" ] && "$PG_BIN/pg_isready" -q; do
        [ "$SECONDS" -lt "$limit" ] || { failed "the server comes back within 60 s"; exit 1; }
        restart_if_in_use
        sleep 0.02
    done
}

start_server() {
    starting_from=$(wc -l <"$CLUSTER_DIR/log")
    pg_ctl -l "$CLUSTER_DIR/log" -W start
}

# A process of the old server that was just being forked when all the others were killed holds its shared memory,
# and waits for ever for a lock of a dead one. Then, and only then, the server is started again.
restart_if_in_use() {
    local orphans
    tail -n +$((starting_from + 1)) "$CLUSTER_DIR/log" |
        grep 'pre-existing shared memory block' >/dev/null || return 0
    mapfile -t orphans < <(find /proc -maxdepth 2 -name cwd -lname "$CLUSTER_DIR/data" 2>/dev/null | cut -d / -f 3)
    printf '        started again: %s processes of the killed server were left\n' "${#orphans[@]}"
    kill -9 "${orphans[@]}" 2>/dev/null || true
    sleep 0.1
    start_server
}

# Kills one process with kill -9, until one was really hit; the postmaster then starts all others again by itself.
kill_process() {
    local pid killed tries
    killed=$(count_in_log 'was terminated by signal 9')
    while true; do
        pid=$(sql "$VICTIMS" "SELECT public.victim('$1')")
        [ -n "$pid" ] || { failed "a $1 is at work within 30 s"; exit 1; }
        before=$(ready) start=$(now_ms)
        kill -9 "$pid" 2>/dev/null || continue
        for ((tries = 0; tries < 50; tries++)); do
            [ "$(count_in_log 'was terminated by signal 9')" = "$killed" ] || return 0
            sleep 0.02
        done
    done
}

inflict() {
    local before start starting_from
    starting_from=$(wc -l <"$CLUSTER_DIR/log")
    case $1 in
    server | stop)
        if [ "$1" = server ]; then cluster_crash; else cluster_stop immediate; fi
        before=$(ready) start=$(now_ms)
        start_server
        ;;
    *) kill_process "$1" ;;
    esac
    await_ready "$before"
    printf '%s %s\n' "$1" $(($(now_ms) - start)) >>"$CLUSTER_DIR/recoveries"
}

# The deck in a new order.
shuffle() {
    local i j card
    for ((i = ${#DECK[@]} - 1; i > 0; i--)); do
        j=$((RANDOM % (i + 1))) card=${DECK[i]}
        DECK[i]=${DECK[j]} DECK[j]=$card
    done
}

# Kinds of faults with their counts and recovery times.
report_recoveries() {
    sed 'p; s/^[a-z]*/~all/' "$CLUSTER_DIR/recoveries" | LC_ALL=C sort -k 1,1 -k 2,2n | awk '
        function report() {
            if (n) printf "        %-10s %3d  median %5d ms, longest %5d ms\n",
                          substr(kind, 1 + (kind ~ /~/)), n, ms[int((n + 1) / 2)], ms[n]
        }
        $1 != kind { report(); kind = $1; n = 0 }
        { ms[++n] = $2 }
        END { report() }'
}
