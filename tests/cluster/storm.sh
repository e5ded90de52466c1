#!/usr/bin/env bash
# Sixteen clients, half of them at REPEATABLE READ, send, stitch, read, link, unmerge, forget and change rules at
# random, beside the worker, while statements are cancelled, clients and workers terminated, backends killed and the
# whole server crashed. Then nothing is lost, stored twice, half there, or remembered after it was forgotten, every
# count equals plain SQL, and every journey is what an independent program computes. Prints deadlocks per 1,000
# transactions; while each transaction is one call, in the first third of the time, there is none.
#
#   storm.sh [SECONDS]      environment: SECONDS_OF_STORM (30), SEED (random; printed), CLIENTS (16), ACTIONS (all)
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh
. tests/lib/storm_faults.sh

TIME=${1:-${SECONDS_OF_STORM:-30}} SEED=${SEED:-$((RANDOM + 1))}
# Shuffled anew each time round: each kind of fault has its share. Cancels and terminations are storm.py's.
DECK=(backend worker server backend stop)

# How much of something storm.py's audit has found; and how often something happened, named as it names it.
found() { awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }' "$CLUSTER_DIR/audit"; }
happened() { sed -n "s/^figure $1: //p" "$CLUSTER_DIR/audit" | awk '{ n += $1 } END { print n + 0 }'; }

# print_figures TITLE PREFIX: what happened, by kind, in one line.
print_figures() {
    sed -n "s/^figure $2 \(.*\): \([0-9]*\)$/\2 \1/p" "$CLUSTER_DIR/audit" | paste -sd , |
        sed "s/,/, /g; s/^/        $1: /"
}

storm() {
    local start=$SECONDS i=0
    python3 tests/lib/storm.py run "$CLUSTER_DIR" "$TIME" "$SEED" &
    local clients=$!
    while sleep "$((RANDOM % 3 + 1)).$((RANDOM % 10))" && [ $((SECONDS - start)) -lt $((TIME - 2)) ]; do
        [ $((i % ${#DECK[@]})) != 0 ] || shuffle
        inflict "${DECK[i++ % ${#DECK[@]}]}"
    done
    wait "$clients"
}

audit() {
    local name
    python3 tests/lib/storm.py audit "$CLUSTER_DIR" >"$CLUSTER_DIR/audit"
    grep '^#' "$CLUSTER_DIR/audit" || true
    print_figures 'transactions' transactions
    print_figures 'actions that were done' 'done'
    print_figures 'failures by SQLSTATE' failed
    print_figures 'cancelled and terminated' fault
    printf '        deadlocks per 1,000 transactions: %s\n' "$(
        awk -v n="$(happened 'failed 40P01')" -v all="$(found transactions)" 'BEGIN { printf "%.2f", n * 1000 / all }')"
    check "deadlocks while each transaction was one call" "$(happened 'alone 40P01')" 0
    for name in lost duplicated altered unexplained remembered half_there miscounted unbalanced unlogged wrong_answers \
        wrong_counts; do
        check "$name" "$(found "$name")" 0
    done
}

# A storm that leaves something out proves nothing about it.
check_all_happened() {
    local figures
    check "kinds of actions that were never done" "$(found never_done)" 0
    figures=$(sql storm "SELECT (SELECT count(*) FROM journey_stitch.events),
                                (SELECT count(*) FROM journey_stitch.merges),
                                (SELECT count(*) FROM journey_stitch.key_moves),
                                (SELECT count(*) FROM journey_stitch.merge_conflicts)")
    printf '        events|merges|keys that moved|refusals: %s\n' "$figures"
    check_true "journeys merged and came apart, and clients were cut short" \
        "$([[ $figures != *'|0'* ]] && [ "$(happened 'transactions doubt')" -gt 0 ] && echo t)"
}

printf '        %s s, SEED=%s\n' "$TIME" "$SEED"
RANDOM=$SEED
# Without fsync: what a process has written outlives it, however it dies, and kills.sh goes without such mercy.
cluster_start storm "shared_buffers = '64MB'" "fsync = off" "log_checkpoints = off" "deadlock_timeout = '200ms'" \
    "journey_stitch.naptime = '2s'" "journey_stitch.batch_size = 200" "log_line_prefix = '%m [%p] %b %d %e '"
create_database storm
create_victim storm
storm
# The last fault: whatever is pending is the worker's alone.
inflict server
passed "faults of the storm were survived; recovery times:"
report_recoveries
wait_until "everything gets stitched by itself" 300 storm "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
audit
check_all_happened
check "dead letters" "$(sql storm "SELECT count(*) FROM journey_stitch.dead_letters")" 0
check "violations found by verify()" "$(sql storm "SELECT sum(violations) FROM journey_stitch.verify()")" 0
check "problems found by graph_check()" "$(sql storm "SELECT sum(entries) FROM journey_stitch.graph_check()")" 0
check "journeys other than the oracle's" \
    "$(PSQL=$PG_BIN/psql python3 tests/lib/identity_oracle.py check storm | tail -n 1)" "0 wrong of 5 projects"
# 40001 and 40P01 are to be tried again, 57… and 08… are the faults'; and some words are refused (storm.py, REFUSED).
check "other errors in the server's log" "$(grep -E ' (ERROR|PANIC):  |stitching .* failed' "$CLUSTER_DIR/log" |
    grep -vE ' (40001|40P01|57014|57P01|57P02|57P03|08006) (ERROR|FATAL)' |
    grep -vE 'contradicts what was said|has the key|is blocked, and so|nobody has said anything' | head -n 5)" ''
summary
