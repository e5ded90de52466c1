#!/usr/bin/env bash
# What the identity engine costs, on a throwaway cluster: rules against no rules on the same events, and how the
# time of a batch, a merge and an unmerge grows. Prints ratios and milliseconds; asserts nothing.
#   benches/identity.sh [EVENTS]
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/cluster.sh
EVENTS=${1:-100000}
ROUNDS=${ROUNDS:-3}

cluster_start bench "shared_buffers = '512MB'"
create_database bench
sql postgres "ALTER DATABASE bench SET journey_stitch.enabled = off"
sql_file bench benches/identity.sql -q -v events="$EVENTS" -v rounds="$ROUNDS"
