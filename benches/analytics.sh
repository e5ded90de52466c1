#!/usr/bin/env bash
# What the analytics cost, on a throwaway cluster, at each number of events: how long every call takes, against SQL over
# the events in the same run; what the rollups take of the disk and of the time of stitching. Asserts nothing.
#   benches/analytics.sh [EVENTS …]      default: 100000 1000000. 10000000 take some 20 minutes and 20 GB.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/cluster.sh
[ $# -gt 0 ] || set -- 100000 1000000
CALLS=${CALLS:-20}

# What stitching's time goes to: over all batches of a database, and over those of the last of the 90 days, which alone
# write the metrics' one-minute windows.
step_times() {
    awk -v database="$1" '
        index($0, " " database " LOG: ") && /journey_stitch: stitched [0-9]+ events/ {
            sub(/.*: in ms /, ""); sub(/, waited .*/, "")
            batch[++batches] = $0
        }
        END {
            for (b = 1; b <= batches; b++) {
                last = b > batches - int((batches + 89) / 90)
                steps = split(batch[b], pairs, ", ")
                for (s = 1; s <= steps; s++) {
                    split(pairs[s], pair, " ")
                    if (!(pair[1] in all)) name[++names] = pair[1]
                    all[pair[1]] += pair[2]; all_sum += pair[2]
                    if (last) { of_last[pair[1]] += pair[2]; last_sum += pair[2] }
                }
            }
            printf "  %-20s %9s %6s %16s\n", "step", "ms", "%", "% on the last day"
            for (s = 1; s <= names; s++) {
                step = name[s]
                if (step ~ /^(users|rollups|timeline|metrics)$/) {
                    all_rollups += all[step]; last_rollups += of_last[step]
                }
                row(step, all[step], of_last[step])
            }
            row("rollups of all kinds", all_rollups, last_rollups)
        }
        function row(step, ms, last_ms) {
            printf "  %-20s %9d %6.1f %16.1f\n", step, ms, share(ms, all_sum), share(last_ms, last_sum)
        }
        function share(part, whole) { return whole ? 100 * part / whole : 0 }' "$CLUSTER_DIR/log"
}

# Three months come in minutes, so autovacuum, too, has to look more often than once a minute. The work_mem is for the
# plain SQL.
cluster_start analytics "shared_buffers = '1GB'" "max_wal_size = '8GB'" "work_mem = '64MB'" \
    "autovacuum_naptime = '5s'" "journey_stitch.log_min_duration = 0"
printf '%s cores (%s), %s of memory; load average before: %s\n' "$(nproc)" \
    "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | sort -u)" \
    "$(free -h | awk '$1 == "Mem:" { print $2 }')" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
sql postgres "SELECT format('%s = %s', name, current_setting(name)) FROM pg_settings
    WHERE name IN ('server_version', 'fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size', 'work_mem', 'jit',
                   'autovacuum_naptime', 'max_parallel_workers_per_gather', 'journey_stitch.batch_size') ORDER BY name"
sql postgres 'CREATE TABLE times (events bigint, n integer, name text, median_ms numeric)'
for events in "$@"; do
    database=size_$events
    create_database "$database"
    sql postgres "ALTER DATABASE $database SET journey_stitch.enabled = off"
    sql_file "$database" benches/analytics_events.sql -v events="$events"
    echo "== What the time of stitching goes to"
    step_times "$database"
    sql_file "$database" benches/analytics.sql -v events="$events" -v calls="$CALLS"
    sql "$database" "COPY (SELECT $events, n, name, median_ms FROM bench.times) TO STDOUT" |
        psql -d postgres -c 'COPY times FROM STDIN'
done

if [ $# -gt 1 ]; then
    printf '\n== Medians in ms by number of events, and the greatest against the one before\n'
    psql -d postgres <<'SQL'
\pset footer off
WITH growth AS (
    SELECT events, n, name, median_ms, median_ms / lag(median_ms) OVER w AS ratio,
           dense_rank() OVER (ORDER BY events) AS place, events = max(events) OVER () AS is_greatest
    FROM times WINDOW w AS (PARTITION BY n ORDER BY events)
)
SELECT name AS call, n, place, events::text AS size, round(median_ms, 2) AS value FROM growth
UNION ALL SELECT name, n, place + 1, 'ratio', round(ratio, 2) FROM growth WHERE is_greatest
ORDER BY n, place \crosstabview call size value place
SQL
fi
