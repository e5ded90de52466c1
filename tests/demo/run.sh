#!/usr/bin/env bash
# The whole job on a throwaway cluster: events go in through SQL, the worker stitches them, and journeys
# and analytics answer. Without DATA, a generated month of a shop; with DATA=FILE, newline-delimited JSON
# (plain or gzip) through the functions that MAPPING=FILE.sql defines (gharchive.sql by default).
set -euo pipefail
data=${DATA:+$(realpath -- "$DATA")}
mapping=${MAPPING:+$(realpath -- "$MAPPING")}
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh
. tests/demo/load.sh

FIRST_DAY=2025-06-01
LAST_DAY=2025-06-30
# shellcheck disable=SC2034 # read by cluster_how_to
KEEP_DATABASE=demo

heading() { printf '\n== %s\n' "$*"; }
report() { psql -P footer=off -d demo -f "tests/demo/$1" "${@:2}"; }

# Waits for the worker and says how fast a load was, from its first call to the last event stitched.
wait_for_worker() {
    sql demo "SELECT format('sending and stitching at once:   %s events/s from the first call to the last event stitched (%s s)',
                            round(sum(c.received) / s.seconds), round(s.seconds, 1))
              FROM demo.calls c,
                   (SELECT extract(epoch FROM demo.wait_until_stitched(120) - min(called))
                    FROM demo.calls WHERE load = '$1') AS s (seconds)
              WHERE c.load = '$1' GROUP BY s.seconds"
}

# The same stream again, into another project, with no worker at work: how fast each part is by itself.
measure_speed() {
    sql postgres "ALTER DATABASE demo SET journey_stitch.enabled = off"
    wait_until 'the worker has left' 30 demo "SELECT NOT EXISTS (SELECT FROM pg_stat_activity
        WHERE backend_type = 'journey_stitch worker' AND datname = 'demo')" >/dev/null
    [ "$FAILED" = 0 ]
    send demo "$1" speed speed >/dev/null
    report speed.sql
    sql postgres "ALTER DATABASE demo RESET journey_stitch.enabled"
}

demo_shoppers() {
    local together
    heading "Generating events of 2,000 shoppers, $FIRST_DAY to $LAST_DAY"
    sql_file demo tests/demo/shoppers.sql -v shoppers=2000 -v days=30 -v first_day="$FIRST_DAY"
    heading "Sending them in calls of 1,000; the worker stitches meanwhile"
    send demo shoppers default shoppers
    together=$(wait_for_worker shoppers)
    report shoppers_report.sql -v first_day="$FIRST_DAY" -v last_day="$LAST_DAY"
    heading "Journeys that hold just the events of their shopper, of 20 looked at"
    report truth.sql
    heading "Events a second, in calls of 1,000 with their commits"
    printf '%s\n' "$together"
    measure_speed shoppers
}

demo_lines() {
    local mapping together
    heading "Reading $(basename "$1"), mapped by $(basename "$2")"
    read_lines demo "$1"
    sql_file demo "$2"
    for mapping in $(mappings demo); do
        map_lines demo "$mapping"
    done
    if [ "$(sql demo "SELECT count(*) FROM demo.batches")" = 0 ]; then
        printf 'no line of this file is JSON\n' >&2
        exit 1
    fi
    heading "Sending the events in calls of 1,000; the worker stitches meanwhile"
    send demo map default 'first load'
    together=$(wait_for_worker 'first load')
    heading "Sending them again"
    send demo map default 'second load'
    for mapping in $(mappings demo | grep -v '^map$'); do
        heading "Sending them into project ${mapping#map_}"
        send demo "$mapping" "${mapping#map_}" "${mapping#map_}"
    done
    sql demo "SELECT demo.wait_until_stitched(120)" >/dev/null
    report lines_report.sql
    heading "Events a second, in calls of 1,000 with their commits"
    printf '%s\n' "$together"
    measure_speed map
}

started=$SECONDS
heading "A throwaway cluster of $("$PG_BIN/postgres" --version), journey_stitch preloaded"
cluster_start demo
demo_database demo
if [ -n "$data" ]; then
    demo_lines "$data" "${mapping:-tests/demo/gharchive.sql}"
else
    demo_shoppers
fi
report verify_report.sql
printf '\ndemo finished in %d s\n' $((SECONDS - started))
