#!/usr/bin/env bash
# Every function of the analytics answers what plain SQL over the raw events says, which shares no code with it
# (tests/lib/analytics_oracle.sql): random events, random calls, at each stage of a project's life: pending, stitched
# in part, joined, late, taken apart, forgotten; and GH Archive's hour with fixed calls.
#
#   analytics.sh     environment: SEEDS (100), SEED (20261121, the first of them), JOBS (2), JOURNEY_STITCH_DATA
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh
. tests/demo/load.sh

SEEDS=${SEEDS:-100} SEED=${SEED:-20261121} JOBS=${JOBS:-2}

oracle_database() {
    local part
    create_database "$1"
    sql postgres "ALTER DATABASE $1 SET journey_stitch.enabled = off"
    for part in oracle oracle_sequences data calls life; do sql_file "$1" "tests/lib/analytics_$part.sql"; done
}

# Every JOBS-th seed, from a number on, in a database of its own. An error ends it.
live() {
    local n
    for ((n = $1; n < SEEDS; n += JOBS)); do printf 'CALL oracle.live(%d);\n' $((SEED + n)); done | psql -d "seeds_$1"
}

# all QUERY: the rows of all databases of seeds.
all() {
    local job
    for ((job = 0; job < JOBS; job++)); do sql "seeds_$job" "$1"; done
}

# sum QUERY: columns, added up by the first of them.
sum() {
    all "$1" | awk -F '|' '{ for (i = 2; i <= NF; i++) s[$1, i] += $i; n[$1] = NF }
        END { for (k in n) { printf "%s", k; for (i = 2; i <= n[k]; i++) printf "|%d", s[k, i]; print "" } }' |
        LC_ALL=C sort
}

# One line a function: comparisons, answers that say something, mismatches.
report() {
    awk -F '|' '{ printf "        %-17s %6d compared, %6d of them say something, %d wrong\n", $1, $2, $3, $4 }'
}

# answers WHERE: of the databases of seeds (seeds), or of one that is named; shows the first that are wrong.
answers() {
    local of='all'
    [ "$1" = seeds ] || of="sql $1"
    check "$1: answers that are not the oracle's" "$($of "SELECT 'wrong' FROM oracle.calls
        WHERE NOT is_right" | wc -l)" 0
    $of "$MISMATCHES ORDER BY id LIMIT 5"
}

MISMATCHES="
    SELECT format(E'%s, stage \"%s\" (session in %s): %s(%s)\n  actual:   %s\n  expected: %s',
                  seed, stage, zone, function, arguments, left(actual, 1500), left(expected, 1500))
    FROM oracle.calls WHERE NOT is_right"
COUNTS="SELECT function, count(*), count(*) FILTER (WHERE has_content), count(*) FILTER (WHERE NOT is_right)
        FROM oracle.calls GROUP BY 1"

# Compiling the oracle's queries would take longer than running them.
cluster_start analytics "fsync = off" "jit = off"
for ((job = 0; job < JOBS; job++)); do oracle_database "seeds_$job"; done

check "functions that the oracle judges and the extension does not have" "$(sql seeds_0 "
    SELECT f.function FROM oracle.functions f
    WHERE NOT EXISTS (SELECT FROM pg_proc p
                      WHERE p.pronamespace = 'journey_stitch'::regnamespace AND p.proname = f.function)
    ORDER BY 1")" ''

printf '        %d seeds from %d on\n' "$SEEDS" "$SEED"
pids=() errors=0
for ((job = 0; job < JOBS; job++)); do live "$job" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || errors=$((errors + 1)); done
check "seeds that lived to their end" "$errors errors, $(sum "
    SELECT 'seeds', count(*) FROM oracle.stages WHERE stage = 'again stitched'")" "0 errors, seeds|$SEEDS"

sum "$COUNTS" | report
answers seeds
if [ "$SEEDS" -ge 10 ]; then
    check "functions of whose answers fewer than one in ten says something" "$(sum "
        SELECT function, count(*), count(*) FILTER (WHERE has_content) FROM oracle.calls GROUP BY 1" |
        awk -F '|' '$3 * 10 < $2 { print $1 }')" ''
fi
check "stages that should have had events pending, and had none, or the other way round" "$(all "
    SELECT stage, seed FROM oracle.stages
    WHERE (stage IN ('all pending', 'part stitched', 'journeys join, pending', 'late, pending')) <> (pending > 0)")" ''
sum "SELECT 'all', count(*), count(*) FILTER (WHERE outcome <> 'done') FROM oracle.words" |
    awk -F '|' '{ printf "        words: %d said, %d of them refused\n", $2, $3 }'
check "words that were refused for another reason than what they say" "$(all "
    SELECT statement, outcome FROM oracle.words WHERE outcome !~ '^(done|22023|55000)'")" ''
check "violations found by verify()" "$(sum "SELECT 'all', sum(violations) FROM journey_stitch.verify()")" 'all|0'
printf '        %d s\n' $SECONDS

# What was right could have been wrong: some events fewer, some a day later, two journeys taken for one.
if [ "$FAILED" = 0 ] && [ "$SEEDS" -ge 10 ]; then
    sql seeds_0 "CALL oracle.damage_all()"
    check "functions that do not notice a damage" "$(sql seeds_0 "SELECT * FROM oracle.blind_functions()")" ''
    printf '        %d s\n' $SECONDS
fi

data=${JOURNEY_STITCH_DATA:-../shared/data/gharchive-2015-01-01-0.ndjson.gz}
if [ ! -f "$data" ]; then
    skip "real data: no file $(basename "$data"); name it in JOURNEY_STITCH_DATA"
    summary
    exit
fi
oracle_database hour
sql_file hour "$DEMO_DIR/schema.sql"
sql_file hour tests/lib/analytics_gharchive.sql
sql_file hour "$DEMO_DIR/gharchive.sql"
read_lines hour "$data"
map_lines hour map_actor_and_repository
send hour map_actor_and_repository actor_and_repository both >/dev/null
sql hour "SELECT oracle.hour_metrics()" >/dev/null
sql hour "SELECT oracle.hour_compare('pending')" >/dev/null
sql hour "SELECT FROM journey_stitch.stitch_pending()"
sql hour "SELECT oracle.hour_compare('stitched')" >/dev/null
sql hour "$COUNTS ORDER BY 1" | report
check "GH Archive's hour: events, then journeys, of both stages" "$(sql hour "
    SELECT string_agg(concat_ws(' ', stage, events, journeys), ', ' ORDER BY stage) FROM oracle.stages")" \
    'pending 7702 3342, stitched 7702 3342'
answers hour
printf '        %d s\n' $SECONDS
summary
