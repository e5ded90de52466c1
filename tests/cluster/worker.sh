#!/usr/bin/env bash
# The workers on real clusters: how soon an event is in its journey, several databases, switching off,
# batches that fail, a fast stop in the middle of a batch, and life without preloading.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

# An expression for an array of N events, with event_ids PREFIX1 … PREFIXN of a tenth as many users.
events() {
    printf "(SELECT jsonb_agg(jsonb_build_object('event_id', '%s' || n, 'event_type', 'click', 'user_id', '%s' || n %% (%d / 10 + 1)))
             FROM generate_series(1, %d) AS n)" "$1" "$1" "$2" "$2"
}
ingest() { sql "$1" "SELECT inserted FROM journey_stitch.ingest_events($(events "$2" "$3"), '${4:-default}')"; }
nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
no_worker="SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"
workers_health="SELECT status || ', ' || substring(detail FROM '^(launcher runs|workers are off)')
    FROM journey_stitch.health() WHERE \"check\" = 'workers'"
violations="SELECT sum(violations) FROM journey_stitch.verify()"

# Commits one event and polls for its journey; prints after how many milliseconds it was there.
latency() {
    psql -At -d "$1" \
        -c "SELECT inserted FROM journey_stitch.ingest_events('{\"event_id\": \"$2\", \"event_type\": \"click\", \"user_id\": \"$2\"}')" \
        -c "DO \$\$
            DECLARE committed timestamptz := statement_timestamp();
            BEGIN
                WHILE journey_stitch.journey_of('$2') IS NULL AND clock_timestamp() < committed + interval '30 s' LOOP
                    PERFORM pg_sleep(0.002);
                END LOOP;
                PERFORM set_config('test.ms', (extract(epoch FROM clock_timestamp() - committed) * 1000)::integer::text, false);
            END \$\$" \
        -c "SELECT current_setting('test.ms')" | tail -n 1
}

check_latency() {
    local ms
    ms=$(latency one "$2")
    check_true "$1: in its journey $ms ms after its commit (limit of the test: 5000)" "$([ "$ms" -le 5000 ] && echo t)"
}

cluster_start worker "fsync = off" "journey_stitch.naptime = '2s'"
create_database one
create_database two

check "health() says that workers are on" "$(sql one "$workers_health")" 'OK, launcher runs'
wait_until "workers leave idle databases" 20 one "$no_worker"
check_latency "an event, no worker there" cold
check_latency "an event right after another" warm
check_latency "and another" warm2

check "1,000 events into one database" "$(ingest one a 1000)" 1000
check "2,000 events into another" "$(ingest two b 2000)" 2000
wait_until "both get stitched (one)" 20 one "$nothing_pending"
wait_until "both get stitched (two)" 20 two "$nothing_pending"
check "journeys of the second" "$(sql two "SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL")" 201

wait_until "workers leave" 20 one "$no_worker"
wait_until "DROP DATABASE meets no worker" 5 postgres "SELECT true"
sql postgres "CREATE DATABASE three TEMPLATE two"
check "CREATE DATABASE … TEMPLATE meets no worker" "$(sql three "$violations")" 0
sql postgres "DROP DATABASE three"

sql postgres "ALTER DATABASE two SET journey_stitch.enabled = off"
ingest two off 100 >/dev/null
sleep 3
check "switched off for a database, nothing is stitched there" "$(sql two "SELECT sum(events) FROM journey_stitch.pending")" 100
check "but stitch_pending() does it" "$(sql two "SELECT events, remaining FROM journey_stitch.stitch_pending()")" '100|0'
ingest two again 100 >/dev/null
check_latency "meanwhile, an event in the other database" other
sql postgres "ALTER DATABASE two RESET journey_stitch.enabled"
wait_until "switched on again, what had come meanwhile gets stitched" 20 two "$nothing_pending"

# A batch that fails: any insert of the one key raises.
sql one "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$
         BEGIN IF NEW.value = 'poison250' THEN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END \$\$"
sql one "CREATE TRIGGER refuse BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.refuse()"
sql one "SELECT inserted FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object(
             'event_id', 'bad' || n, 'event_type', 'click', 'user_id', 'poison' || n)) FROM generate_series(1, 500) AS n), 'bad')" >/dev/null
start=$SECONDS
ingest one good 1000 good >/dev/null
wait_until "a failing batch does not block another project" 10 one "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending q
    JOIN journey_stitch.projects p ON p.id = q.project_id WHERE p.name = 'good')"
check_latency "nor a third project, while it is retried" third
wait_until "in the end nothing is pending" 180 one "$nothing_pending"
printf '        the one event was singled out of 500 after %d s\n' $((SECONDS - start))
check "the one event at fault is a dead letter" \
    "$(sql one "SELECT stage, reason, event ->> 'event_id', status FROM journey_stitch.dead_letters")" 'stitch|23514|bad250|open'
check "the others are stitched" "$(sql one "SELECT count(*) FROM generate_series(1, 500) AS n
    WHERE journey_stitch.journey_of('bad' || n, 'bad') IS NOT NULL")" 499
failures=$(grep -c 'stitching .* failed' "$CLUSTER_DIR/log" || true)
check_true "it was not tried in a spin ($failures failures logged)" "$([ "$failures" -ge 3 ] && [ "$failures" -le 60 ] && echo t)"
check "all invariants hold" "$(sql one "$violations")" 0
sql one "DROP TRIGGER refuse ON journey_stitch.keys"
check "retry_dead_letters() takes it in" "$(sql one "SELECT * FROM journey_stitch.retry_dead_letters()")" '1|1|0|0'
wait_until "and it gets stitched" 20 one "SELECT journey_stitch.journey_of('bad250', 'bad') IS NOT NULL"
check "the dead letter is resolved" "$(sql one "SELECT status FROM journey_stitch.dead_letters")" resolved

# A stop in the middle of one long batch.
sql postgres "ALTER DATABASE two SET journey_stitch.batch_size = 1000000"
wait_until "workers leave again" 20 one "$no_worker"
ingest two large 100000 >/dev/null
wait_until "a large batch is being stitched" 20 two "SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE backend_type = 'journey_stitch worker' AND datname = 'two' AND xact_start < clock_timestamp() - interval '0.5 s')"
start=$(date +%s%N)
cluster_stop fast
ms=$((($(date +%s%N) - start) / 1000000))
check_true "a fast stop meanwhile took $ms ms (limit of the test: 8000)" "$([ "$ms" -le 8000 ] && echo t)"
cluster_resume
check "the batch was undone" "$(sql two "SELECT count(*) FROM journey_stitch.keys WHERE value LIKE 'large%'")" 0
wait_until "after the start it gets stitched by itself" 120 two "$nothing_pending"
check "all invariants hold after that" "$(sql two "$violations")" 0
cluster_stop

cluster_start unpreloaded "fsync = off" "shared_preload_libraries = ''"
create_database one
check "without preloading, events are taken" "$(ingest one a 1000)" 1000
check "health() says that workers are off" "$(sql one "$workers_health")" 'WARN, workers are off'
check "queries count what is pending" "$(sql one "SELECT active_users FROM journey_stitch.dau(current_date, current_date)")" 101
check "nothing is stitched by itself" "$(sql one "SELECT sum(events) FROM journey_stitch.pending")" 1000
check "stitch_pending() stitches" "$(sql one "SELECT * FROM journey_stitch.stitch_pending()")" '1000|101|0|0'
check "all invariants hold without workers" "$(sql one "$violations")" 0
summary
