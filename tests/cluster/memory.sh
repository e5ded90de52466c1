#!/usr/bin/env bash
# A worker's memory after 10 and after 200 batches: it must not grow with the number of batches.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

BATCH=500

# ingest FROM TO: so many calls, each as large as a batch.
ingest() {
    local call
    for ((call = $1; call < $2; call++)); do
        printf "SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object(
                    'event_id', 'e' || n, 'event_type', 'click', 'user_id', 'u' || n %% 20000, 'device_id', 'd' || n %% 30000,
                    'occurred_at', timestamptz '2025-01-01' + n * interval '10 s')) FROM generate_series(%d, %d) AS n));\n" \
            $((call * BATCH)) $((call * BATCH + BATCH - 1))
    done | psql -At -d memory >/dev/null
    wait_until "$2 calls are stitched" 120 memory "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
}

worker_pid() { sql memory "SELECT pid FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker'"; }
batches() { sql memory "SELECT version FROM journey_stitch.projects WHERE name = 'default'"; }
kilobytes() { awk -v field="$1:" '$1 == field { print $2 }' "/proc/$2/status"; }

# A long idle_exit keeps one and the same worker.
cluster_start memory "fsync = off" "shared_buffers = '64MB'" "journey_stitch.idle_exit = '60s'" \
    "journey_stitch.batch_size = $BATCH"
create_database memory

ingest 0 10
pid=$(worker_pid)
early=$(kilobytes RssAnon "$pid")
printf '        after %s batches: %s kB resident, %s kB of them the process'"'"'s own\n' \
    "$(batches)" "$(kilobytes VmRSS "$pid")" "$early"
ingest 10 200
check "the worker is still the same process" "$(worker_pid)" "$pid"
late=$(kilobytes RssAnon "$pid")
printf '        after %s batches: %s kB resident, %s kB of them the process'"'"'s own\n' \
    "$(batches)" "$(kilobytes VmRSS "$pid")" "$late"
check_true "at least 200 batches" "$(sql memory "SELECT version >= 200 FROM journey_stitch.projects WHERE name = 'default'")"
# The rest of what is resident is the server's shared memory, which every process comes to touch.
check_true "its own memory grew by $((late - early)) kB (limit: 20480)" "$([ $((late - early)) -lt 20480 ] && echo t)"
summary
