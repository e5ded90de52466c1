#!/usr/bin/env bash
# At least 30 faults at random moments (kill -9 of a client's backend, a worker, the launcher or the whole server, and
# immediate stops) while clients send overlapping calls and stitch. What the clients wrote down of their calls says
# what must be in the database and in which journeys: nothing is lost, stored twice, half there or in a wrong journey.
#
#   kills.sh [KILLS]      environment: KILLS (30), SEED (random; printed)
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

KILLS=${1:-${KILLS:-30}} SEED=${SEED:-$((RANDOM + 1))} CLIENTS=3
# Between a client's calls; longer in a long run, whose events are counted in the end, too.
PAUSE=$([ "$KILLS" -le 100 ] && echo 0.05 || echo 0.3)
# Ten faults, shuffled anew for every ten: each kind has its share of them.
DECK=(backend backend worker worker worker stitcher launcher server server stop)

# The programs in awk that clients and oracle share. Event n has its keys by arithmetic alone, so that nobody asks the
# database for them. All clients walk through the same people, 40 a block: sessions begin apart, log in here and there,
# share households, and sometimes log in as somebody of the block before. So journeys merge all the time.
write_programs() {
    cat >"$CLUSTER_DIR/event.awk" <<'AWK'
function hash(n, salt,   x) {
    x = (n * 69069 + salt * 40503 + 77) % 67108859
    return x * x % 67108859 * 16807 % 2147483647
}
function describe(n,   block, person) {
    block = int(n % 10000000 / 400)
    person = hash(n, 1) % 40
    session = "s" block "/" person "/" hash(n, 2) % 4
    user = ""
    if (hash(n, 3) % 5 == 0) user = "u" block "/" person
    if (hash(n, 3) % 99 == 1) user = "u" (block - 1) "/" person
    household = hash(n, 4) % 40 == 0 ? "h" block "/" int(person / 4) : ""
    day = hash(n, 5) % 5
    second = 1772323200 + day * 86400 + hash(n, 6) % 86400    # from 2026-03-01 on
}
AWK
    # One attempt's SQL, given its name, mode (COMMIT or ROLLBACK) and ranges of events (list: FIRST COUNT …). One
    # range is a statement of its own, several are one transaction. Some calls have their first event twice.
    cat >"$CLUSTER_DIR/call.awk" <<'AWK'
function event(n) {
    describe(n)
    printf "{\"event_id\":\"e%d\",\"type\":\"click\",\"ts\":%d,\"session_id\":\"%s\",\"attempt\":\"%s\"",
        n, second, session, attempt
    if (user != "") printf ",\"user_id\":\"%s\"", user
    if (household != "") printf ",\"correlations\":{\"household\":\"%s\"}", household
    printf "}"
}
BEGIN {
    ranges = split(list, range, " ") / 2
    if (ranges > 1) print "BEGIN;"
    for (r = 1; r <= ranges; r++) {
        first = range[2 * r - 1]
        printf "SELECT inserted FROM journey_stitch.ingest_events($$["
        if (first % 5 == 0) { event(first); printf "," }
        for (n = first; n < first + range[2 * r]; n++) {
            if (n > first) printf ","
            event(n)
        }
        print "]$$);"
        if (ranges > 1) print "SELECT NULL FROM pg_sleep(0.02);"
    }
    if (ranges > 1) print mode ";"
}
AWK
    # The oracle: reads the ledgers, what is stored, and what get_journey() answers for some events; prints what is
    # wrong, and what the figures must be.
    cat >"$CLUSTER_DIR/audit.awk" <<'AWK'
function root(key) {
    if (!(key in parent)) parent[key] = key
    while (parent[key] != key) { parent[key] = parent[parent[key]]; key = parent[key] }
    return key
}
function join(a, b) { a = root(a); b = root(b); if (a != b) parent[a] = b }
function note(what, n) { count[what]++; if (count[what] <= 5) print "#", what, n }

what == "ledger" && $1 == "try" {
    mode[$2] = $3; state[$2] = "unknown"; attempts[$3]++
    for (i = 4; i < NF; i += 2) ranges[$2] = ranges[$2] " " $i " " $(i + 1)
}
what == "ledger" && $1 != "try" { state[$2] = $1; inserted[$2] = $3; ends[$1]++ }

what == "stored" {
    n = substr($1, 2) + 0
    if (n in stored) note("duplicated", n)
    stored[n] = $2; written[$2]++; journey[n] = $7
    describe(n)
    if ($3 != user || $4 != session || $5 != (household != "" ? "[\"household:" household "\"]" : "") || $6 != second)
        note("altered", n)
    if (user != "") join(session, user)
    if (household != "") join(session, household)
}
what == "journey" { asked[$1]++; answer[$1, asked[$1]] = $2 }

END {
    for (attempt in mode) {
        may_be_there = mode[attempt] == "COMMIT" && state[attempt] != "unsent"
        missing = 0
        fields = split(ranges[attempt], range, " ")
        for (i = 1; i < fields; i += 2)
            for (n = range[i]; n < range[i] + range[i + 1]; n++) {
                if (!(n in stored)) { missing++; if (state[attempt] == "ack") lost[n] = 1 }
                else if (stored[n] == attempt && may_be_there) explained[n] = 1
            }
        if (state[attempt] == "ack" ? written[attempt] + 0 != inserted[attempt] : written[attempt] && missing)
            note("half_there", attempt)
    }
    for (n in lost) note("lost", n)
    for (n in stored) {
        events++
        if (!(n in explained)) note("unknown", n)
        describe(n + 0)
        r = root(session)
        if (!events_of[r]++) journeys++
        if (!(r in journey_of) && !(journey[n] in root_of)) { journey_of[r] = journey[n]; root_of[journey[n]] = r }
        if (journey[n] == "" || journey_of[r] != journey[n] || root_of[journey[n]] != r) note("misplaced", n)
        if (user != "" && !((day, user) in user_seen)) { user_seen[day, user] = 1; users[day]++ }
        if (!((day, r) in journey_seen)) { journey_seen[day, r] = 1; visitors[day]++ }
    }
    for (id in asked) {
        describe(substr(id, 2) + 0)
        r = root(session)
        if (asked[id] != events_of[r]) note("misplaced", id)
        for (i = 1; i <= asked[id]; i++) {
            describe(substr(answer[id, i], 2) + 0)
            if (root(session) != r) note("misplaced", id)
        }
    }
    ends["cut_short"] = attempts["COMMIT"] + attempts["ROLLBACK"] - ends["ack"] - ends["unsent"] - ends["undone"]
    split("lost duplicated unknown half_there altered misplaced", kinds, " ")
    for (k in kinds) print kinds[k], count[kinds[k]] + 0
    for (k in ends) print k, ends[k]
    print "events", events + 0, "journeys", journeys + 0
    for (d = 0; d < 5; d++) print "users" d, users[d] + 0, "visitors" d, visitors[d] + 0
}
AWK
}

# One attempt at a call or transaction, written down before it is made and after it has ended. An attempt without a
# line of its end was cut short: it may have been committed or not. Uses and counts the variables of client().
send() {
    local name=$me-$((++attempts)) error inserted=0 line
    printf 'try %s %s %s\n' "$name" "$mode" "$list" >>"$CLUSTER_DIR/ledger.$me"
    if error=$(awk -v attempt="$name" -v mode="$mode" -v list="$list" \
        -f "$CLUSTER_DIR/event.awk" -f "$CLUSTER_DIR/call.awk" |
        psql -At -d kills -f - 2>&1 >"$CLUSTER_DIR/answer.$me"); then
        while read -r line; do inserted=$((inserted + ${line:-0})); done <"$CLUSTER_DIR/answer.$me"
        if [ "$mode" = COMMIT ]; then line=ack; else line=undone; fi
        printf '%s %s %s\n' "$line" "$name" "$inserted" >>"$CLUSTER_DIR/ledger.$me"
    else
        # There was no connection, so the server never heard of the call.
        [[ $error != 'psql: error: connection to server on socket'* ]] ||
            printf 'unsent %s\n' "$name" >>"$CLUSTER_DIR/ledger.$me"
        return 1
    fi
}

# Sends calls of 1 to 1,000 events, one after the other. Some overlap what another client is sending, some repeat the
# call before; some transactions have two calls, and half of those roll back. What is not acknowledged is repeated or,
# sometimes, left out.
client() {
    local me=$1 position=$((10000000 * $1)) attempts=0 list mode first size other theirs
    RANDOM=$((SEED + me))
    export PGAPPNAME="client $me"
    while [ ! -f "$CLUSTER_DIR/enough" ]; do
        case $((RANDOM % 10)) in
        [0-5]) size=$((RANDOM % 20 + 1)) ;;
        [6-8]) size=$((RANDOM % 200 + 1)) ;;
        *) size=$((RANDOM % 1000 + 1)) ;;
        esac
        first=$position
        case $((RANDOM % 8)) in
        0 | 1)
            other=$((RANDOM % CLIENTS + 1))
            # Not there for a moment now and then.
            read -r theirs other 2>/dev/null <"$CLUSTER_DIR/latest.$other" || continue
            first=$((theirs + other / 2))
            ;;
        2) first=$((position > size ? position - size : position)) ;;
        *) position=$((position + size)) ;;
        esac
        printf '%s %s\n' "$first" "$size" >"$CLUSTER_DIR/latest.$me"
        mode=COMMIT list="$first $size"
        if [ $((RANDOM % 4)) = 0 ]; then
            list+=" $position $((RANDOM % 50 + 1))"
            [ $((RANDOM % 2)) = 0 ] || mode=ROLLBACK
        fi
        until send || [ $((RANDOM % 4)) = 0 ]; do sleep 0.1; done
        sleep "$PAUSE"
    done
}

# A client that stitches, beside the worker. It commits a moment later, so that it can be met in between.
stitcher() {
    RANDOM=$SEED
    export PGAPPNAME=stitcher
    while [ ! -f "$CLUSTER_DIR/enough" ]; do
        sql kills "BEGIN; SELECT events FROM journey_stitch.stitch_pending($((RANDOM % 2000 + 1)));
                   SELECT pg_sleep(0.05); COMMIT" >/dev/null 2>&1 || true
        sleep "0.$((RANDOM % 9 + 1))"
    done
}

# A process in the middle of its work: NULL if there is none within half a minute. That of a worker or a client has a
# transaction that is some milliseconds old, so that it is killed here and there in it; the longer the search takes,
# the younger it may be.
create_victim() {
    sql kills "CREATE FUNCTION public.victim(who text) RETURNS integer LANGUAGE plpgsql AS \$\$
        DECLARE
            age interval := make_interval(secs => 0.002 + random() * 0.03);
            found integer;
        BEGIN
            FOR tries IN 1 .. 10000 LOOP
                PERFORM pg_stat_clear_snapshot();
                SELECT pid INTO found FROM pg_stat_activity
                WHERE CASE who
                      WHEN 'backend' THEN application_name LIKE 'client %' AND xact_start < clock_timestamp() - age
                      WHEN 'stitcher' THEN application_name = who AND xact_start < clock_timestamp() - age
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
        pid=$(sql kills "SELECT public.victim('$1')")
        [ -n "$pid" ] || { failed "a $1 is at work within 30 s"; exit 1; }
        before=$(ready) start=$(now_ms)
        kill -9 "$pid" 2>/dev/null || continue
        for ((tries = 0; tries < 50; tries++)); do
            [ "$(count_in_log 'was terminated by signal 9')" = "$killed" ] || return 0
            sleep 0.02
        done
    done
}

# One fault of a kind, until the server answers again; notes how long that took.
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

acknowledged() { cat "$CLUSTER_DIR"/ledger.* | grep -c '^ack' || true; }

# Events of the last calls that were acknowledged, but are not there.
missing_now() {
    local calls
    calls=$(for ledger in "$CLUSTER_DIR"/ledger.*; do tail -n 60 "$ledger"; done |
        awk '$1 == "try" { first[$2] = $4; events[$2] = $5 }
             $1 == "ack" && $2 in first { printf "%s(%d, %d)", comma, first[$2], events[$2]; comma = ", " }')
    sql kills "SELECT count(*)
               FROM (VALUES ${calls:-(1, 0)}) AS call (first, events),
                    generate_series(first, first + events - 1) AS n
               WHERE NOT EXISTS (SELECT FROM journey_stitch.event_ids l
                                 JOIN journey_stitch.projects p ON p.id = l.project_id AND p.name = 'default'
                                 WHERE l.event_id = 'e' || n)"
}

# The deck in a new order.
shuffle() {
    local i j card
    for ((i = ${#DECK[@]} - 1; i > 0; i--)); do
        j=$((RANDOM % (i + 1))) card=${DECK[i]}
        DECK[i]=${DECK[j]} DECK[j]=$card
    done
}

# Lets the clients get on by some calls, and by a random time more.
let_work() {
    local calls tries
    calls=$(($(acknowledged) + 5))
    for ((tries = 0; $(acknowledged) < calls; tries++)); do
        [ "$tries" -lt 1200 ] || { failed "the clients get on within 60 s"; exit 1; }
        sleep 0.05
    done
    sleep "0.$((RANDOM % 8))"
}

# One of the oracle's figures, and those of the five days.
figure() {
    awk -v name="$1" '{ for (i = 1; i < NF; i += 2) if ($i == name) found = $(i + 1) } END { print found + 0 }' \
        "$CLUSTER_DIR/audit"
}
figures() { local d; for d in 0 1 2 3 4; do figure "$1$d"; done | paste -sd ' '; }
dau() { sql kills "SELECT string_agg(active_users::text, ' ' ORDER BY day)
    FROM journey_stitch.dau('2026-03-01', '2026-03-05', identity => '$1')"; }

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

printf '        %s faults, SEED=%s\n' "$KILLS" "$SEED"
RANDOM=$SEED
cluster_start kills "shared_buffers = '32MB'" "max_wal_size = '64MB'" "min_wal_size = '32MB'" "fsync = on" \
    "log_checkpoints = off" "journey_stitch.naptime = '2s'" "journey_stitch.batch_size = 500"
create_database kills
create_victim
write_programs
clients=()
for ((i = 1; i <= CLIENTS; i++)); do
    : >"$CLUSTER_DIR/ledger.$i"
    client "$i" &
    clients+=($!)
done
stitcher &
clients+=($!)

missing=0
for ((fault = 0; fault < KILLS - 1; fault++)); do
    [ $((fault % ${#DECK[@]})) != 0 ] || shuffle
    [ $((fault % 100)) != 99 ] || printf '        %s faults after %s s\n' $((fault + 1)) "$SECONDS"
    let_work
    inflict "${DECK[fault % ${#DECK[@]}]}"
    missing=$((missing + $(missing_now)))
done
touch "$CLUSTER_DIR/enough"
wait "${clients[@]}"

# The last fault: the server goes down with events that nobody but a worker is going to stitch.
me=1 attempts=1000000 mode=COMMIT list="15000000 1000 15001000 1000 15002000 1000 15003000 1000"
send || failed "the last call is acknowledged"
inflict server
missing=$((missing + $(missing_now)))
passed "$KILLS faults were survived; recovery times:"
report_recoveries
check "events of acknowledged calls missing right after a fault" "$missing" 0
wait_until "everything gets stitched by itself" 120 kills "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"

sql kills "SELECT event_id, properties ->> 'attempt', user_id, session_id, identifiers,
                  extract(epoch FROM occurred_at)::bigint, journey_stitch.journey_of(event_id)
           FROM journey_stitch.events" >"$CLUSTER_DIR/stored"
sql kills "SELECT e.event_id, j.event_id
           FROM (SELECT event_id FROM journey_stitch.events ORDER BY md5(event_id) LIMIT 200) AS e,
                journey_stitch.get_journey(e.event_id) AS j" >"$CLUSTER_DIR/answers"
awk -f "$CLUSTER_DIR/event.awk" -f "$CLUSTER_DIR/audit.awk" what=ledger "$CLUSTER_DIR"/ledger.* \
    what=stored FS='|' "$CLUSTER_DIR/stored" what=journey "$CLUSTER_DIR/answers" >"$CLUSTER_DIR/audit"
grep '^#' "$CLUSTER_DIR/audit" || true
printf '        %s calls and transactions acknowledged, %s cut short, %s rolled back, %s without a connection\n' \
    "$(figure ack)" "$(figure cut_short)" "$(figure undone)" "$(figure unsent)"
merges=$(sql kills "SELECT count(*) FROM journey_stitch.merges")
printf '        %s events in %s journeys after %s merges\n' "$(figure events)" "$(figure journeys)" "$merges"
check_true "faults cut calls short, and journeys merged" \
    "$([ "$(figure cut_short)" -gt 0 ] && [ "$merges" -gt 0 ] && echo t)"
wrong=$(($(figure unknown) + $(figure half_there) + $(figure altered) + $(figure misplaced)))
check "lost $(figure lost): acknowledged events that are not there" "$(figure lost)" 0
check "duplicated $(figure duplicated): events stored more than once" "$(figure duplicated)" 0
check "wrong $wrong: $(figure unknown) events that no call explains, $(figure half_there) calls half there, $(
    figure altered) events altered, $(figure misplaced) in a wrong journey" "$wrong" 0
check "journeys" "$(figure journeys)" "$(sql kills "
    SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL")"
check "active users of each day" "$(dau user)" "$(figures users)"
check "active journeys of each day" "$(dau journey)" "$(figures visitors)"
check "dead letters" "$(sql kills "SELECT count(*) FROM journey_stitch.dead_letters")" 0
check "violations found by verify()" "$(sql kills "SELECT sum(violations) FROM journey_stitch.verify()")" 0
check "errors in the server's log" "$(
    grep -E ' (ERROR|PANIC):  |stitching .* failed' "$CLUSTER_DIR/log" | head -n 5)" ''
summary
