#!/usr/bin/env bash
# Ours beside what people would use instead, on a throwaway cluster: one table, in which each line has been measured in
# the same run on the same rows as its peer. It is printed, and goes to benches/results/EVENTS.md. Fails if an answer
# differs from a peer's, or verify() finds anything; not if a target is missed.
#   benches/compare.sh [EVENTS]    default: 1000000. 20000000 take some 70 GB of disk.
#   RESTITCH_EVENTS=1000000, CYPHER_EVENTS=25000: how many those two are measured with
#   PARTS="ingest together single restitch cypher sql flat fresh verify": only these
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/cluster.sh
EVENTS=${1:-1000000}
TOOLS=$PWD/target/bench

PSYCOPG=3.3.9 DUCKDB=2.0.0
VENV=${XDG_CACHE_HOME:-$HOME/.cache}/journey_stitch/compare-$PSYCOPG-$DUCKDB

build_tools() {
    mkdir -p "$TOOLS"
    rustc -O --edition 2024 -o "$TOOLS/generate" benches/generator/generate.rs
    rustc -O --edition 2024 -o "$TOOLS/load" benches/load/load.rs
}

# Once a machine. Without psycopg there is no benchmark; without DuckDB its lines say so.
install_clients() {
    [ ! -x "$VENV/bin/python" ] || ! "$VENV/bin/python" -c 'import psycopg, duckdb' 2>/dev/null || return 0
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "psycopg[binary]==$PSYCOPG"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "duckdb==$DUCKDB" ||
        printf 'DuckDB cannot be installed: going on without\n' >&2
}

# memory PART MOST: so much of the machine's memory, in MB, but no more than MOST.
memory() {
    awk -v part="$1" -v most="$2" '
        $1 == "MemTotal:" { mb = int($2 / 1024 / part); print (mb > most ? most : mb) "MB" }' /proc/meminfo
}

build_tools
install_clients
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/journey_stitch_compare.XXXXXX")
PRIVATE_DIRS+=("$SCRATCH")
# Three months come in minutes, so autovacuum, too, has to look more often than once a minute. The work_mem is for the
# plain SQL, the rest is what one would set on such a machine: 40 % of the memory is the most that PostgreSQL's manual
# advises for shared buffers.
cluster_start compare "shared_buffers = '$(memory 2.5 16384)'" "effective_cache_size = '$(memory 2 65536)'" \
    "work_mem = '64MB'" "maintenance_work_mem = '512MB'" "max_wal_size = '16GB'" "checkpoint_timeout = '15min'" \
    "autovacuum_naptime = '5s'"
if [ "$(sql postgres 'SHOW huge_pages_status')" != on ]; then
    printf 'No huge pages: the figures in README.md were measured with them (sysctl vm.nr_hugepages=%s).\n' \
        "$(sql postgres 'SHOW shared_memory_size_in_huge_pages')" >&2
fi
POSTMASTER_PID=$(cluster_pid) PSQL=$PG_BIN/psql "$VENV/bin/python" benches/compare "$EVENTS" "$TOOLS" "$SCRATCH"
