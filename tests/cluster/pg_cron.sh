#!/usr/bin/env bash
# The real pg_cron calls stitch_pending() every second while clients send: beside our worker, with our worker switched
# off, and without our library preloaded; by connections and by pg_cron's background workers; as a superuser and as a
# member of journey_stitch_admin. Every event is stitched once, and no run fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

CLIENTS=2 CALLS=12 CALL_EVENTS=300 USERS=200
EVENTS=$((CLIENTS * CALLS * CALL_EVENTS))

if [ ! -f "$("$PG_CONFIG" --pkglibdir)/pg_cron.so" ]; then
    skip "pg_cron is not installed"
    summary
    exit
fi

# Calls of one round's client, all of them for the same people.
client() {
    local user="'$1/' || n % $USERS" call
    for ((call = $2; call < CLIENTS * CALLS; call += CLIENTS)); do
        sql shop "SELECT inserted FROM journey_stitch.ingest_events(
            (SELECT jsonb_agg(jsonb_build_object('event_id', '$1/' || n, 'event_type', 'click',
                                                 'user_id', $user, 'session_id', $user || '/' || n / 3))
             FROM generate_series($call * $CALL_EVENTS + 1, ($call + 1) * $CALL_EVENTS) AS n))" >/dev/null
        sleep 0.3
    done
}

# Another way to run the server. The settings need a restart.
configure() {
    local preload=$1 background_workers=$2
    sql postgres "ALTER SYSTEM SET shared_preload_libraries = $preload"
    sql postgres "ALTER SYSTEM SET \"cron.use_background_workers\" = $background_workers"
    cluster_restart
}

runs="SELECT count(*) FROM cron.job_run_details WHERE status"
stitched_by_job() { sql shop "SELECT sum(events) FROM public.stitched WHERE round = '$1'"; }

# Round ID, as DESCRIPTION says: ROLE schedules the job, clients send, everything gets stitched. The job writes down how
# many events each of its calls has stitched.
round() {
    local id=$1 what=$2 role=$3 client clients=()
    sql shop "TRUNCATE cron.job_run_details"
    psql -At -U "$role" -d shop -c "SELECT cron.schedule('stitch', '1 seconds', \$\$INSERT INTO public.stitched
        SELECT '$id', events FROM journey_stitch.stitch_pending()\$\$)" >/dev/null
    for ((client = 0; client < CLIENTS; client++)); do
        client "$id" "$client" &
        clients+=($!)
    done
    # A third stitcher, as it were, for three seconds: the job waits behind it, the worker looks again now and then.
    sleep 0.5
    sql shop "BEGIN; SELECT FROM journey_stitch.projects FOR NO KEY UPDATE; SELECT pg_sleep(3); COMMIT" >/dev/null
    wait "${clients[@]}"
    wait_until "$what: nothing is pending in the end" 60 shop "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
    wait_until "$what: the job has run at least 4 times" 30 shop "SELECT ($runs = 'succeeded') >= 4"
    # Before the job is removed, because pg_cron cancels a run that is under way then.
    check "$what: every run of $(sql shop "$runs = 'succeeded'") succeeded" "$(sql shop "
        SELECT DISTINCT status, return_message FROM cron.job_run_details WHERE end_time IS NOT NULL")" \
        'succeeded|INSERT 0 1'
    psql -At -U "$role" -d shop -c "SELECT cron.unschedule('stitch')" >/dev/null
    check "$what: journeys, and users whose events are not in one journey" "$(sql shop "
        SELECT count(DISTINCT journey), count(*) FILTER (WHERE journeys <> 1 OR events <> $EVENTS / $USERS)
        FROM (SELECT user_id, min(journey) AS journey, count(DISTINCT journey) AS journeys, count(*) AS events
              FROM (SELECT user_id, journey_stitch.journey_of(event_id)::text AS journey
                    FROM journey_stitch.events WHERE event_id LIKE '$id/%') AS e
              GROUP BY user_id) AS u")" "$USERS|0"
}

cluster_start pg_cron
create_database shop
sql shop "CREATE TABLE public.stitched (round text, events bigint)"
sql shop "GRANT INSERT ON public.stitched TO PUBLIC"
sql postgres "ALTER SYSTEM SET \"cron.database_name\" = 'shop'"
# Without this, pg_cron connects to localhost by TCP, where nobody listens here.
sql postgres "ALTER SYSTEM SET \"cron.host\" = '$CLUSTER_DIR'"

configure 'pg_cron, journey_stitch' off
sql shop "CREATE EXTENSION pg_cron"
admin=postgres
if [ "$(sql shop "SELECT count(*) FROM pg_roles WHERE rolname = 'journey_stitch_admin'")" = 1 ]; then
    sql shop "CREATE ROLE scheduler LOGIN"
    sql shop "GRANT journey_stitch_admin TO scheduler"
    sql shop "GRANT USAGE ON SCHEMA cron TO scheduler"
    admin=scheduler
else
    skip "there is no role journey_stitch_admin (before 0.2.0): every job is the superuser's"
fi

# Small batches keep the worker busy, so that the job meets it, too.
sql postgres "ALTER DATABASE shop SET journey_stitch.batch_size = 20"
round r1 "beside our worker, by connections" postgres
stitched=$(stitched_by_job r1)
check_true "the job has stitched $stitched of $EVENTS events" "$([ "$stitched" -gt 0 ] && echo t)"
configure 'pg_cron, journey_stitch' on
round r2 "beside our worker, by background workers, as $admin" "$admin"
stitched=$(stitched_by_job r2)
check_true "the job has stitched $stitched of $EVENTS events" "$([ "$stitched" -gt 0 ] && echo t)"

sql postgres "ALTER DATABASE shop RESET journey_stitch.batch_size"
sql postgres "ALTER DATABASE shop SET journey_stitch.enabled = off"
round r3 "our worker switched off, by background workers" postgres
check "the job has stitched each event once" "$(stitched_by_job r3)" "$EVENTS"

configure pg_cron off
round r4 "not preloaded, by connections, as $admin" "$admin"
check "the job has stitched each event once" "$(stitched_by_job r4)" "$EVENTS"

check "events" "$(sql shop "SELECT count(*), count(DISTINCT event_id) FROM journey_stitch.events")" \
    "$((4 * EVENTS))|$((4 * EVENTS))"
check "dead letters" "$(sql shop "SELECT count(*) FROM journey_stitch.dead_letters")" 0
check "violations found by verify()" "$(sql shop "SELECT sum(violations) FROM journey_stitch.verify()")" 0
check "errors and deadlocks in the server's log" \
    "$(grep -E ' (ERROR|PANIC):  |deadlock|stitching .* failed' "$CLUSTER_DIR/log" | head -n 5)" ''
summary
