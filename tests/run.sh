#!/usr/bin/env bash
# Every layer of the tests, from the quickest to the slowest, going on after a failure so that one run
# shows all of them. LAYER=NAME runs one. Prints each layer's counts and, on the last line, their sum.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/cluster.sh

PG_MAJOR=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
PGXS_TESTS=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
export JOURNEY_STITCH_DATA=${JOURNEY_STITCH_DATA:-$PWD/../shared/data/gharchive-2015-01-01-0.ndjson.gz}
# A failure must not hide behind a kept cluster, nor a caller's choice change the demo that is checked.
unset KEEP DATA MAPPING

case "${LAYER:-}" in
'' | lint | unit | pgrx | install | regress | isolation | cluster | demo) ;;
*) printf 'no layer is named %s\n' "$LAYER" >&2; exit 2 ;;
esac

RESULTS=$(mktemp -d "${TMPDIR:-/tmp}/journey_stitch_results.XXXXXX")
trap 'rm -rf "$RESULTS"' EXIT
layers=() sum_passed=0 sum_failed=0 sum_skipped=0

# Runs a layer's function in a shell of its own; it leaves lines "N passed, N failed" in $RESULTS/counts.
layer() {
    local name=$1 what=$2 start=$SECONDS status passed failed skipped counts
    if [ -n "${LAYER:-}" ] && [ "$LAYER" != "$name" ]; then return; fi
    printf '\n=== %s: %s\n' "$name" "$what"
    : >"$RESULTS/counts"
    # Not with ||, which would switch set -e off inside.
    set +e
    (set -e; trap - EXIT; "layer_$name")
    status=$?
    set -e
    read -r passed failed skipped < <(awk '{ p += $1; f += $3; s += $5 } END { print p + 0, f + 0, s + 0 }' "$RESULTS/counts")
    if [ "$status" != 0 ]; then
        printf 'layer %s ended with status %s\n' "$name" "$status"
        [ "$failed" != 0 ] || failed=1
    fi
    counts="$passed passed, $failed failed, $skipped skipped"
    printf '=== %s: %s (%d s)\n' "$name" "$counts" $((SECONDS - start))
    layers+=("$(printf '%-10s %s' "$name" "$counts")")
    sum_passed=$((sum_passed + passed)) sum_failed=$((sum_failed + failed)) sum_skipped=$((sum_skipped + skipped))
}

count() { printf '%s passed, %s failed, %s skipped\n' "$1" "$2" "${3:-0}" >>"$RESULTS/counts"; }

# One command that passes or fails as a whole.
step() {
    if "$@"; then count 1 0; else count 0 1; printf 'FAILED  %s\n' "$*"; fi
}

layer_lint() {
    local tool
    step cargo fmt --check
    step cargo clippy --all-targets --quiet -- -D warnings
    # The benchmark's tools, which are no part of the package.
    for tool in benches/generator/generate.rs benches/load/load.rs; do
        step rustfmt --check --edition 2024 "$tool"
        step clippy-driver --edition 2024 -D warnings --emit=metadata -o "$RESULTS/tool" "$tool"
    done
}

# Runs one of cargo's test commands and takes the counts from its output.
cargo_tests() {
    local status=0
    "$@" 2>&1 | tee "$RESULTS/cargo.log" || status=$?
    sed -n 's/^test result: .*\. \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored.*/\1 passed, \2 failed, \3 skipped/p' \
        "$RESULTS/cargo.log" >>"$RESULTS/counts"
    return "$status"
}

layer_unit() { cargo_tests cargo test --no-fail-fast --test '*'; }

# Only pg_test functions, which cargo-pgrx names pg_…: the other tests have run. cargo-pgrx writes its test
# build into the installed library; a server that runs with that library keeps the old file this way.
layer_pgrx() {
    local parent library
    library=$("$PG_CONFIG" --pkglibdir)/journey_stitch.so
    if [ -f "$library" ]; then
        cp -p "$library" "$library.new"
        mv "$library.new" "$library"
    fi
    parent=$(mktemp -d "${TMPDIR:-/tmp}/journey_stitch_pgrx.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$parent'" EXIT
    local as=()
    if [ "$(id -u)" = 0 ]; then
        chown postgres: "$parent"
        as=(--runas postgres)
    fi
    cargo_tests cargo pgrx test "${as[@]}" --pgdata "$parent/data" "pg$PG_MAJOR" pg_
}

# The layers below test the extension as it is installed, and the one above has overwritten it.
layer_install() { step make --no-print-directory install; }

# regression DATABASE COMMAND DIRECTORY EXTENSION: all tests of a directory, by pg_regress or its kin.
regression() {
    local database=$1 command=$2 directory=$3 extension=$4 status=0 tests=()
    mapfile -t tests < <(find "$directory" -maxdepth 1 -name "*.$extension" -printf '%f\n' | sed "s/\.$extension$//" | LC_ALL=C sort)
    [ ${#tests[@]} -gt 0 ] || { printf 'no tests in %s\n' "$directory"; return 1; }
    "$command" --inputdir="$(dirname "$directory")" --expecteddir="$(dirname "$directory")" \
        --outputdir="$RESULTS/$database" --bindir="$PG_BIN" --host="$PGHOST" --port="$PGPORT" --user=postgres \
        --dbname="$database" --use-existing "${tests[@]}" >"$RESULTS/regress.log" 2>&1 || status=$?
    cat "$RESULTS/regress.log"
    count "$(grep -c '^ok ' "$RESULTS/regress.log" || true)" "$(grep -c '^not ok ' "$RESULTS/regress.log" || true)"
    [ "$status" = 0 ] || cat "$RESULTS/$database/regression.diffs" || true
    return "$status"
}

# Workers are off, so that what a test sees does not depend on when they get to it.
workers_off() {
    sql postgres "ALTER DATABASE $1 SET journey_stitch.enabled = off"
    mkdir -p "$RESULTS/$1"
}

# The first test file creates the extension.
layer_regress() {
    cluster_start regress "fsync = off"
    sql postgres "CREATE DATABASE regression"
    workers_off regression
    regression regression "$PGXS_TESTS/regress/pg_regress" tests/regress/sql sql
}

layer_isolation() {
    cluster_start isolation "fsync = off"
    create_database isolation
    workers_off isolation
    regression isolation "$PGXS_TESTS/isolation/pg_isolation_regress" tests/isolation/specs spec
}

# Runs a script and prints what it said in one piece; its counts are the last line "N passed, N failed[, N skipped]".
run_script() {
    local script=$1 log=$RESULTS/${1//\//_}.log start=$SECONDS status=0 counts
    "$script" >"$log" 2>&1 </dev/null || status=$?
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1 || true)
    {
        flock 9
        printf -- '--- %s (%d s)\n' "$script" $((SECONDS - start))
        sed 's/^/    /' "$log"
        printf '%s\n' "${counts:-0 passed, 1 failed}" >>"$RESULTS/counts"
    } 9>"$RESULTS/lock"
    return "$status"
}

# Each script has clusters of its own, and waits more than it works: two at a time.
layer_cluster() {
    local script failed=0
    for script in tests/cluster/*.sh tests/upgrade.sh tests/pgspot.sh; do
        if [ "$(jobs -rp | wc -l)" -ge 2 ]; then wait -n || failed=1; fi
        run_script "$script" &
    done
    while [ -n "$(jobs -rp)" ]; do wait -n || failed=1; done
    # A script that ended between two looks at the jobs.
    grep -vqE ' 0 failed' "$RESULTS/counts" && failed=1
    return "$failed"
}

# What the demo prints is checked, not how fast it is.
layer_demo() {
    if ! tests/demo/run.sh >"$RESULTS/demo.log" 2>&1; then
        tail -n 60 "$RESULTS/demo.log"
        return 1
    fi
    step grep -E '^20/20 journeys' "$RESULTS/demo.log"
    step grep -E '^0 violations of [1-9][0-9]* invariants' "$RESULTS/demo.log"
    step grep -E 'stitching +[0-9]+ events/s' "$RESULTS/demo.log"
    step tests/demo/pictures.sh --check
}

layer lint 'formatting, and clippy with warnings as errors'
layer unit 'modules that know nothing of PostgreSQL'
layer pgrx 'inside a server, each test in a transaction that is rolled back'
case "${LAYER:-}" in
'' | install) layer install 'with the release profile, for the layers that follow' ;;
lint | unit) ;;
*) make --no-print-directory install ;;
esac
layer regress 'every function as a user types it (pg_regress)'
layer isolation 'concurrent sessions, one interleaving at a time (pg_isolation_regress)'
layer cluster 'workers, crashes, backups, upgrades, rights and real data, each on clusters of its own'
layer demo 'make demo from end to end'

printf '\n=== all layers, %d s\n' "$SECONDS"
printf '%s\n' "${layers[@]}"
if [ "$sum_skipped" = 0 ]; then
    printf '%s passed, %s failed\n' "$sum_passed" "$sum_failed"
else
    printf '%s passed, %s failed, %s skipped\n' "$sum_passed" "$sum_failed" "$sum_skipped"
fi
[ "$sum_failed" = 0 ]
