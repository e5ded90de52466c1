#!/usr/bin/env bash
# A streaming hot standby: whatever reads answers there as on the primary, with events that are still pending
# too; whatever writes is refused; no worker runs. After a promotion stitching starts by itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

STANDBY_PORT=54321 PENDING=1200 BATCH=200
nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
pending="SELECT sum(events) FROM journey_stitch.pending"
violations="SELECT sum(violations) FROM journey_stitch.verify()"
no_worker="SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"

on_standby() { PGPORT=$STANDBY_PORT "$@"; }
# The standby's directory is laid out as a cluster's, so that the library's pg_ctl serves it.
standby_ctl() { CLUSTER_DIR=$CLUSTER_DIR/standby pg_ctl "$@"; }

standby_start() {
    as_server_user mkdir "$CLUSTER_DIR/standby"
    as_server_user "$PG_BIN/pg_basebackup" -h "$PGHOST" -p "$PGPORT" -U postgres -c fast -R \
        -D "$CLUSTER_DIR/standby/data"
    printf 'port = %s\n' "$STANDBY_PORT" >>"$CLUSTER_DIR/standby/data/postgresql.conf"
    standby_ctl -l "$CLUSTER_DIR/standby/log" start
}

# The library knows of one server; the other is stopped before the directory of both goes.
standby_exit() {
    local status=$?
    set +e
    if [ -f "$CLUSTER_DIR/standby/data/postmaster.pid" ]; then
        standby_ctl -m immediate stop >/dev/null 2>&1
    fi
    if [ $((status + FAILED)) -gt 0 ] && [ -f "$CLUSTER_DIR/standby/log" ]; then
        printf '%s\n' '--- the end of the standby log:' >&2
        tail -n 20 "$CLUSTER_DIR/standby/log" >&2
    fi
    (exit "$status")
    cluster_exit
}

# ingest FIRST LAST [PROJECT]: events of ten days, of users with sessions; every 50th ties two users together.
ingest() {
    sql app "SELECT inserted FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object(
            'event_id', 'e' || n, 'type', 't' || n % 4,
            'ts', timestamptz '2024-05-01 00:00Z' + (n * 11 % 14400) * interval '1 min',
            'user_id', 'u' || n % 97, 'session_id', 's' || n / 291 || '-' || n % 97,
            'source', CASE n % 3 WHEN 0 THEN 'web' ELSE 'app' END,
            'properties', jsonb_build_object('plan', n % 5, 'amount', n * 0.1, 'duration', n),
            'correlations', CASE WHEN n % 50 = 0 THEN jsonb_build_object('user_id', 'u' || n % 89) ELSE '{}' END))
        FROM generate_series($1, $2) AS n), '${3:-default}')" >/dev/null
}

catch_up() {
    local written
    written=$(sql postgres "SELECT pg_current_wal_insert_lsn()")
    on_standby wait_until "$1" 60 postgres "SELECT pg_last_wal_replay_lsn() >= '$written'"
}

# What both servers must answer alike, each with at least one row.
READS=(
    "get_journey by event|SELECT * FROM journey_stitch.get_journey('e7')"
    "get_journey by key|SELECT * FROM journey_stitch.get_journey('user_id:u5')"
    "get_journey by the id of a journey that was absorbed|SELECT g.* FROM (SELECT uuid FROM journey_stitch.journeys
        WHERE merged_into IS NOT NULL ORDER BY id LIMIT 1) AS j, journey_stitch.get_journey(j.uuid::text) AS g"
    "get_journey as of a time|SELECT * FROM journey_stitch.get_journey('user_id:u5', as_of => 'infinity')"
    "journey_history|SELECT * FROM journey_stitch.journey_history('user_id:u0')"
    "journey_stats|SELECT * FROM journey_stitch.journey_stats('user_id:u5')"
    "journey_graph|SELECT journey_stitch.journey_graph('user_id:u5', 'json')"
    "identity_health|SELECT * FROM journey_stitch.identity_health()"
    "graph_check|SELECT * FROM journey_stitch.graph_check()"
    "journey_of and find_journey, of stitched and of pending events|SELECT n, journey_stitch.journey_of('e' || n),
        journey_stitch.find_journey('e' || n) FROM generate_series(1, 3000, 37) AS n"
    "dau by user|SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-12')"
    "dau by journey|SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-12', identity => 'journey')"
    "dau of a time zone and an event type|SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-12',
        tz => 'Asia/Kolkata', event_type => 't1')"
    "dau of events with a property|SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-12',
        filter => '{\"plan\": 3}')"
    "wau|SELECT * FROM journey_stitch.wau('2024-05-01', '2024-05-20', identity => 'journey')"
    "mau by the calendar|SELECT * FROM journey_stitch.mau('2024-05-01', '2024-06-01', 'calendar', tz => 'Asia/Kolkata')"
    "stickiness|SELECT * FROM journey_stitch.stickiness('2024-05-01', '2024-05-12')"
    "lifecycle|SELECT * FROM journey_stitch.lifecycle('2024-05-01', '2024-05-12', identity => 'journey')"
    "retention by user|SELECT * FROM journey_stitch.retention('2024-04-29', 2)"
    "retention by journey|SELECT * FROM journey_stitch.retention('2024-04-29', 2, identity => 'journey')"
    "retention of one event by another|SELECT * FROM journey_stitch.retention('2024-05-01', 5, 'day', 'new', 't0', 't1',
        'on_or_after', tz => 'Asia/Kolkata')"
    "retention_matrix|SELECT * FROM journey_stitch.retention_matrix('2024-05-01', '2024-05-10', 'day') AS m"
    "top_events|SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-11')"
    "top_events by journey of another project|SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-11',
        project => 'shop', identity => 'journey')"
    "dau_by|SELECT d.day, d.value, d.active_users FROM journey_stitch.dau_by('\$.plan',
        '2024-05-01', '2024-05-10') AS d"
    "top_events_by|SELECT * FROM journey_stitch.top_events_by('source', '2024-05-01', '2024-05-10')"
    "funnel|SELECT * FROM journey_stitch.funnel('[\"t0\", {\"event_type\": \"t1\", \"filter\": {\"plan\": 1}}]',
        '2024-05-01', '2024-05-09')"
    "funnel by journey of another project|SELECT * FROM journey_stitch.funnel(ARRAY['t0', 't1', 't2'], '2024-05-01',
        '2024-05-09', ordering => 'unordered', project => 'shop', identity => 'journey')"
    "funnel_by|SELECT f.value || f.step_no, f.* FROM journey_stitch.funnel_by('source', '[\"t0\", \"t1\"]',
        '2024-05-01', '2024-05-09', ordering => 'strict') AS f"
    "paths|SELECT p.step_no || p.source || p.target, p.* FROM journey_stitch.paths('2024-05-01', '2024-05-09') AS p"
    "sessions of a user|SELECT * FROM journey_stitch.sessions('u5')"
    "sessions of a journey|SELECT * FROM journey_stitch.sessions('user_id:u0', '1 day')"
    "user_stats, but for what depends on now|SELECT (to_jsonb(u) - '{engagement_score,churn_risk}'::text[])::text
        FROM journey_stitch.user_stats() AS u"
    "dau_svg|SELECT journey_stitch.dau_svg('2024-05-01', '2024-05-12')"
    "retention_svg|SELECT journey_stitch.retention_svg('2024-04-29', '2024-05-12')"
    "metric|SELECT * FROM journey_stitch.metric('amounts', '1 day', '2024-05-01', '2024-05-12', tz => 'Asia/Kolkata')"
    "metric by dimensions|SELECT m.window_start || m.dimensions::text, m.* FROM journey_stitch.metric('amounts',
        '1 hour', '2024-05-01', '2024-05-12', '{\"source\": \"web\"}') AS m"
    "metrics|SELECT name, dimensions FROM journey_stitch.metrics"
    "window_funnel, sequence_match and sequence_count|SELECT user_id,
        journey_stitch.window_funnel('1 day'::interval, occurred_at, event_type = 't0', event_type = 't1'),
        journey_stitch.sequence_match('(?1).*(?2)', occurred_at, event_type = 't0', event_type = 't1'),
        journey_stitch.sequence_count('(?1)(?2)', occurred_at, event_type = 't0', event_type = 't1')
        FROM journey_stitch.events GROUP BY user_id"
    "timeline|SELECT e.id, e.occurred_at, l.event_type FROM journey_stitch.timeline AS l,
        journey_stitch.timeline_events(l.run) AS e"
    "events_list|SELECT * FROM journey_stitch.events_list(max_rows => 50)"
    "get_event|SELECT * FROM journey_stitch.get_event('e7')"
    "ingest_status|SELECT * FROM journey_stitch.ingest_status()"
    "granted_projects|SELECT journey_stitch.granted_projects()"
    # A standby's sequences are ahead of the primary's by what is logged in advance.
    "health, but for workers, times and sequences|SELECT \"check\", status,
        regexp_replace(detail, 'for [0-9]+ s|^[0-9]+ of', '') FROM journey_stitch.health() WHERE \"check\" <> 'workers'"
    "stat_ingest|TABLE journey_stitch.stat_ingest"
    "stat_rejections|TABLE journey_stitch.stat_rejections"
    "stat_stitch, but for its clock|SELECT (to_jsonb(s) - 'lag_seconds')::text FROM journey_stitch.stat_stitch AS s"
    "stat_worker and stat_progress|SELECT (SELECT count(*) >= 0 FROM journey_stitch.stat_worker)
        AND (SELECT count(*) >= 0 FROM journey_stitch.stat_progress)"
    "verify|SELECT * FROM journey_stitch.verify()"
    "Cypher|SELECT format('%s', v) FROM cypher('journey_graph', \$\$ MATCH (e:Event)-[:HAS_KEY]->(k)-[:PART_OF]->(j)
        WHERE k.value = 'u5' RETURN [e.id, e.ts, k.kind, j.id] \$\$) AS (v agtype)"
)

check_reads() {
    local entry name query primary standby
    for entry in "${READS[@]}"; do
        name=${entry%%|*} query=${entry#*|}
        primary=$(read_all "$query")
        standby=$(on_standby read_all "$query")
        [ -n "$primary" ] || failed "$name: the primary has an answer"
        check "$name: as on the primary ($(printf '%s\n' "$primary" | wc -l) rows)" "$standby" "$primary"
    done
}

read_all() { psql -At -d app -c "LOAD 'age'" -c "SET search_path = ag_catalog, public" -c "$1 ORDER BY 1"; }

# Each must end with 25006 and a message that says why.
WRITES=(
    "ingest_events('{\"id\": \"x\", \"type\": \"t\"}')" "ingest_events('[3]')" "ingest_events('[]')"
    "ingest_events('{\"id\": \"x\", \"type\": \"t\"}', 'new project')" "retry_dead_letters()" "stitch_pending()"
    "stitch_pending(1)" "setup()" "clean()" "rebuild_graph()" "stat_reset()"
    "set_identity_rule('email', max_values => 2)" "drop_identity_rule('email')" "use_identity_profile('people')"
    "set_max_journey_keys(9)" "simulate_rules()" "restitch()" "link('user_id:u1', 'user_id:u2')"
    "never_link('user_id:u1', 'user_id:u2')" "unmerge('user_id:u1')" "unmerge('user_id:u1', dry_run => false)"
    "retract('user_id:u1')" "simulate('[]')" "forget('u1', dry_run => false)"
    "create_metric('new', 't0')" "drop_metric('amounts')"
    "grant_project('shop', 'journey_stitch_reader')" "revoke_project('default', 'journey_stitch_reader')"
)

check_writes() {
    local call error
    for call in "${WRITES[@]}"; do
        error=$(on_standby psql -v VERBOSITY=verbose -d app -c "SELECT journey_stitch.$call" 2>&1 | head -n 1) || true
        error=$(sed -E 's/(LOCK TABLE|UPDATE|DELETE|INSERT|[a-z_]+\(\))/…/' <<<"$error")
        error=${error/in a read-only transaction/during recovery}
        check "$call is refused" "$error" 'ERROR:  25006: cannot execute … during recovery'
    done
}

# What roles may execute and nothing above has called, but for what the library's own policies, sets and views call.
check_nothing_is_forgotten() {
    local called
    called=$(printf '%s ' "${READS[@]}" "${WRITES[@]}")
    check "functions granted to a role that this test does not call" "$(sql app "
        SELECT COALESCE(string_agg(p.proname, ', ' ORDER BY p.proname), 'none')
        FROM pg_proc p
        WHERE p.pronamespace = 'journey_stitch'::regnamespace
          AND EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee <> p.proowner)
          AND strpos(\$called\$ $called\$called\$, p.proname || '(') = 0
          AND p.proname NOT IN ('is_preloaded', 'launcher_pid', 'library_version', 'worker_slots', 'progress_slots',
                                'members_ids')")" none
}

cluster_start standby "fsync = off" "journey_stitch.naptime = '2s'" "journey_stitch.batch_size = $BATCH"
trap standby_exit EXIT
create_database app
sql app "SELECT journey_stitch.create_metric('amounts', NULL, '\$.amount', '{event_type,source}',
    keep_minutes => '90 years', keep_5_minutes => '90 years', keep_hours => '90 years',
    keep_days => '90 years')" >/dev/null
ingest 1 1500
ingest 1 300 shop
sql app "SELECT journey_stitch.ingest_events('[3, {\"id\": 4}]')" >/dev/null
sql app "SELECT journey_stitch.grant_project('default', 'journey_stitch_reader')" >/dev/null
wait_until "the primary stitches" 60 app "$nothing_pending"
check_true "some journeys have merged" "$(sql app "SELECT count(*) > 10 FROM journey_stitch.merges")"

standby_start
# From here on events stay pending: this setting is the primary's own.
sql postgres "ALTER SYSTEM SET journey_stitch.enabled = off"
sql postgres "SELECT pg_reload_conf()" >/dev/null
wait_until "no worker is at work on the primary" 30 app "$no_worker"
ingest 1501 $((1500 + PENDING))
ingest 301 400 shop
sql app "SELECT journey_stitch.ingest_events('[5]', 'shop')" >/dev/null
catch_up "the standby has everything"
check "events pending there" "$(on_standby sql app "$pending")" $((PENDING + 100))
check_true "it is in recovery" "$(on_standby sql app "SELECT pg_is_in_recovery()")"

check_reads
check "violations found by verify() on the standby" "$(on_standby sql app "$violations")" 0
check "health() about workers" "$(on_standby sql app "SELECT status, detail FROM journey_stitch.health()
    WHERE \"check\" = 'workers'")" 'OK|this is a standby: the primary stitches'
check "errors in the standby's log after all that" \
    "$(grep -cE ' (ERROR|FATAL|PANIC):' "$CLUSTER_DIR/standby/log" || true)" 0
check_writes
check_nothing_is_forgotten
# A worker would have been started by now: the launcher of the primary looks every 2 s.
wait_until "more than 5 s have gone by since the start" 20 postgres "SELECT EXISTS (SELECT FROM pg_stat_replication
    WHERE backend_start < clock_timestamp() - interval '5 s')"
check "processes of ours on the standby" "$(on_standby sql app "SELECT count(*) FROM pg_stat_activity
    WHERE backend_type LIKE 'journey_stitch%'")" 0
check "lines of theirs in its log" "$(grep -c '\] journey_stitch' "$CLUSTER_DIR/standby/log" || true)" 0
check "events pending there still" "$(on_standby sql app "$pending")" $((PENDING + 100))

cluster_stop fast
start=$(date +%s%N)
standby_ctl promote
promoted=$(date +%s%N)
on_standby wait_until "promoted, it starts to stitch by itself" 60 app \
    "SELECT COALESCE(($pending), 0) < $((PENDING + 100))"
printf '        pg_ctl promote took %d ms, the first batch was stitched %d ms after it was called\n' \
    $(((promoted - start) / 1000000)) $((($(date +%s%N) - start) / 1000000))
on_standby wait_until "until nothing is pending" 60 app "$nothing_pending"
check "events in journeys" "$(on_standby sql app "SELECT sum(event_count) FROM journey_stitch.journeys
    WHERE merged_into IS NULL")" $((1500 + PENDING + 400))
check "violations found by verify() after that" "$(on_standby sql app "$violations")" 0
check "it takes events" "$(on_standby sql app "SELECT inserted
    FROM journey_stitch.ingest_events('{\"id\": \"new\", \"type\": \"t\", \"user_id\": \"u5\"}')")" 1
on_standby wait_until "and stitches them" 30 app \
    "SELECT journey_stitch.journey_of('new') = journey_stitch.journey_of('e5')"
check "errors of workers in its log" \
    "$(grep -cE '\] journey_stitch.* (ERROR|FATAL|PANIC):' "$CLUSTER_DIR/standby/log" || true)" 0
summary
