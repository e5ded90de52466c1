#!/usr/bin/env bash
# Which events and keys are in one journey depends on the events alone: 200 random graphs, each sent in several orders
# of arrival, in batches from one event to all, by one caller, 4 or 16 at the same time, and stitched by callers or by
# the worker. Each time it must be what tests/lib/identity_oracle.py computes, which shares nothing with the extension.
#
#   deterministic.sh       environment: GRAPHS (200), SEED (20260301)
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

GRAPHS=${GRAPHS:-200} SEED=${SEED:-20260301}
export PSQL=$PG_BIN/psql

# By one caller, one call after another.
arrive() { sql_file graphs "$SENT/$1.sql"; }

# By all of a directory's callers at the same time.
arrive_together() {
    local script pid pids=() failed=0
    for script in "$SENT/$1"/*.sql; do sql_file graphs "$script" & pids+=($!); done
    for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
    sql graphs "SELECT journey_stitch.stitch_pending()" >/dev/null
    check "$1: callers that got an error" "$failed" 0
}

oracle() { python3 tests/lib/identity_oracle.py "$@" || true; }
# compare WHAT ORDER
compare() {
    check "$1: as the oracle says" "$(oracle compare "$SENT/dump" --projects ".*/$2" --sent "$SENT/sent")" \
        "0 wrong of $GRAPHS projects"
}

# damage WHAT FILE JQ-PROGRAM: the oracle must see what the program does to the rows of one project.
damage() {
    local project damaged=$CLUSTER_DIR/damaged
    project=$(sql graphs "
        SELECT p.id FROM journey_stitch.projects p JOIN journey_stitch.journeys j ON j.project_id = p.id
        WHERE p.name LIKE '%/natural' AND j.merged_into IS NULL
        GROUP BY p.id HAVING count(*) > 1 ORDER BY p.id LIMIT 1")
    rm -rf "$damaged"
    cp -r "$SENT/dump" "$damaged"
    jq -c --slurp --argjson project "$project" "def of_project: .project_id == \$project; $3 | .[]" \
        "$SENT/dump/$2" >"$damaged/$2"
    check "the oracle sees $1" "$(oracle compare "$damaged" --projects '.*/natural' --sent "$SENT/sent" | tail -n 1)" \
        "1 wrong of $GRAPHS projects"
}

# Whether the comparison can fail. The dollars in quotes are jq's.
# shellcheck disable=SC2016
damages() {
    damage "a key that is in another journey" keys '
        (map(of_project) | index(true)) as $n | .[$n].journey_id as $from
        | .[$n].journey_id = first(.[] | select(of_project and .journey_id != $from)).journey_id'
    damage "a key that is missing" keys 'del(.[map(of_project) | index(true)])'
    damage "an event that is missing" events 'del(.[map(of_project) | index(true)])'
    damage "a journey that counts an event too many" journeys '
        (map(of_project) | index(true)) as $n | .[$n].event_count += 1'
    damage "a refusal where nothing is refused" merge_conflicts \
        '. + [{project_id: $project, event_id: 1, key_id: 1, rule: "never_link", at: 0}]'
}

cases=$(python3 tests/lib/identity_cases.py || true)
check "the oracle in cases that were worked out by hand" "${cases##*, }" '0 wrong'

cluster_start deterministic "fsync = off" "max_connections = 40"
SENT=$CLUSTER_DIR/sent
create_database graphs
sql postgres "ALTER DATABASE graphs SET journey_stitch.enabled = off"
printf '        seed %s: %s\n' "$SEED" "$(python3 tests/lib/graphs.py plain "$SENT" --seed "$SEED" --graphs "$GRAPHS")"
mkdir "$SENT/dump"

for order in natural reversed shuffled stepwise; do
    arrive $order
    printf '        %s: %d s\n' $order $SECONDS
done
for order in callers4 callers16; do
    arrive_together $order
    printf '        %s: %d s\n' $order $SECONDS
done
check "nothing is pending" "$(sql graphs "SELECT count(*) FROM journey_stitch.pending")" 0
sql postgres "ALTER DATABASE graphs RESET journey_stitch.enabled"
arrive worker
wait_until "the worker stitches the last of $((7 * GRAPHS)) projects" 300 graphs \
    "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"

oracle dump graphs "$SENT/dump"
compare "time's order, one call, one batch" natural
compare "backwards, one event a call and a batch" reversed
compare "shuffled, batches of any size" shuffled
compare "shuffled, stitched now and then in steps of 1 to 5 events" stepwise
compare "shuffled, 4 callers that send and stitch at the same time" callers4
compare "shuffled, 16 of them" callers16
compare "shuffled, stitched by the worker" worker
check "the oracle has one answer for all orders of a graph" \
    "$(oracle compare "$SENT/dump" --same | tail -n 1)" "0 wrong of $((7 * GRAPHS + 1)) projects"
check "verify()" "$(sql graphs "SELECT invariant, violations FROM journey_stitch.verify() WHERE violations <> 0")" ''
printf '        %d graphs, %d comparisons, %d s\n' "$GRAPHS" $((7 * GRAPHS)) $SECONDS

damages
summary
