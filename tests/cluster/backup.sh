#!/usr/bin/env bash
# Backups that are taken while clients send and workers stitch. pg_dump in every format and of the schema alone,
# restored into fresh databases, equals the snapshot that it was taken in, and everything goes on there, also
# where the graph comes out broken. A base backup with its log gets to a moment in the middle of stitching. And
# rebuild_graph() under load.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

CALL_EVENTS=100 HELD=1200 RECOVERED_PORT=54321
nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
no_worker="SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"
violations="SELECT sum(violations) FROM journey_stitch.verify()"
in_journeys="SELECT sum(event_count) FROM journey_stitch.journeys WHERE merged_into IS NULL"

# events PREFIX FIRST LAST: an expression for an array of events; every 50th ties two users together.
events() {
    printf "(SELECT jsonb_agg(jsonb_build_object(
        'event_id', '%s' || n, 'type', CASE WHEN n %% 9 = 0 THEN 'purchase' ELSE 't' || n %% 4 END,
        'ts', timestamptz '2024-05-01 00:00Z' + n * interval '1 min',
        'user_id', 'u' || n %% 197, 'session_id', 's' || n / 591 || '-' || n %% 197,
        'properties', jsonb_build_object('page', repeat('p', n %% 7), 'amount', n * 0.1, 'duration', n),
        'correlations', CASE WHEN n %% 50 = 0 THEN jsonb_build_object('user_id', 'u' || n %% 89) ELSE '{}' END))
        FROM generate_series(%d, %d) AS n)" "$1" "$2" "$3"
}
ingest() { sql "$1" "SELECT inserted FROM journey_stitch.ingest_events($(events "$2" "$3" "$4"), '${5:-default}')"; }

# client PREFIX: call after call until told to stop, each 10th with an event that is refused. A call that is
# acknowledged is written down.
client() {
    local call project
    rm -f "$CLUSTER_DIR/stop" "$CLUSTER_DIR/sent" "$CLUSTER_DIR/acknowledged"
    touch "$CLUSTER_DIR/sent" "$CLUSTER_DIR/acknowledged"
    for ((call = 0; ; call++)); do
        [ ! -e "$CLUSTER_DIR/stop" ] || break
        project=$([ $((call % 3)) = 0 ] && echo shop || echo default)
        printf '%s\n' "$call" >>"$CLUSTER_DIR/sent"
        ingest app "$1" $((call * CALL_EVENTS)) $(((call + 1) * CALL_EVENTS - 1)) "$project" >/dev/null
        [ $((call % 10)) != 0 ] || sql app "SELECT journey_stitch.ingest_events('[$call]')" >/dev/null
        printf '%s\n' "$call" >>"$CLUSTER_DIR/acknowledged"
        sleep 0.05
    done
}
calls() { wc -l <"$CLUSTER_DIR/$1"; }

# What a database holds and answers, a line a table: all tables there are, so that one that dumps forget shows.
# The project "default" comes with the extension, with a version and a date of its own; the table "state" is about one
# database, and is in no dump.
write_questions() {
    cat >"$CLUSTER_DIR/tables.sql" <<'SQL'
SELECT format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM %s AS t', c.oid::regclass,
              CASE c.relname WHEN 'projects' THEN '(SELECT id, name FROM journey_stitch.projects)'
                             ELSE c.oid::regclass::text END)
FROM pg_class c
WHERE c.relnamespace IN ('journey_stitch'::regnamespace, to_regnamespace('journey_graph')) AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND c.relname <> 'state'
ORDER BY c.oid::regclass::text COLLATE "C" \gexec
SQL
    cat >"$CLUSTER_DIR/answers.sql" <<'SQL'
SELECT 'get_journey', count(*), sum(hashtextextended(g::text, 0)::numeric)
FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id
CROSS JOIN LATERAL journey_stitch.get_journey(e.event_id, p.name) AS g
WHERE e.id % 20 = 0;
SELECT 'dau', count(*), sum(hashtextextended(d::text, 0)::numeric)
FROM journey_stitch.projects p
CROSS JOIN LATERAL journey_stitch.dau('2024-05-01', '2024-06-30', p.name, identity => 'journey') AS d;
SELECT a.name, count(*), sum(hashtextextended(a.answer, 0)::numeric)
FROM journey_stitch.projects p CROSS JOIN (VALUES ('user'), ('journey')) AS i (identity)
CROSS JOIN LATERAL (
    SELECT 'mau', a::text
    FROM journey_stitch.mau('2024-05-01', '2024-06-30', 'trailing', p.name, 'Asia/Kolkata', identity) AS a
    UNION ALL
    SELECT 'lifecycle', a::text
    FROM journey_stitch.lifecycle('2024-05-01', '2024-06-30', p.name, identity => identity) AS a
    UNION ALL
    SELECT 'retention', a::text
    FROM journey_stitch.retention_matrix('2024-05-01', '2024-06-30', 'week', 'new', 't1', 't2', 'on_or_after',
                                         p.name, identity => identity) AS a
    UNION ALL
    SELECT 'funnel', a::text
    FROM journey_stitch.funnel(ARRAY['t1', 't2', 'purchase'], '2024-05-01', '2024-06-30', project => p.name,
                               tz => 'Asia/Kolkata', identity => identity) AS a
    UNION ALL
    SELECT 'paths', a::text
    FROM journey_stitch.paths('2024-05-01', '2024-06-30', project => p.name, identity => identity) AS a
    UNION ALL
    SELECT 'dau_by', a::text
    FROM journey_stitch.dau_by('$.page', '2024-05-01', '2024-06-30', project => p.name, identity => identity) AS a
    UNION ALL
    SELECT 'users', (to_jsonb(a) - '{engagement_score,churn_risk}'::text[])::text
    FROM journey_stitch.user_stats(project => p.name) AS a
    UNION ALL
    SELECT 'sessions', a::text FROM journey_stitch.sessions('u7', project => p.name) AS a
    UNION ALL
    SELECT 'metric', a::text
    FROM journey_stitch.metrics m
    CROSS JOIN LATERAL journey_stitch.metric(m.name, '1 hour', '2024-05-01', '2024-06-30', '{}', m.project) AS a
    WHERE m.project = p.name) AS a (name, answer)
GROUP BY a.name ORDER BY a.name;
LOAD 'age';
SET search_path = ag_catalog, public;
SELECT 'Cypher', count(*), sum(hashtextextended(concat_ws(' ', e, k, j), 0)::numeric)
FROM cypher('journey_graph', $$ MATCH (e:Event)-[:HAS_KEY]->(k)-[:PART_OF]->(j) RETURN e.id, k.value, j.id $$)
    AS (e agtype, k agtype, j agtype);
RESET search_path;
SQL
}
# Journeys, days, nine of analytics, and Cypher's paths.
ANSWERS=12
contents() { psql -At -d "$1" -f "$CLUSTER_DIR/tables.sql" -f "$CLUSTER_DIR/answers.sql"; }
answers() { psql -At -d "$1" -f "$CLUSTER_DIR/answers.sql"; }

check_same() {
    local differences
    differences=$(diff <(printf '%s\n' "$3") <(printf '%s\n' "$2")) || true
    check "$1 ($(printf '%s\n' "$3" | wc -l) lines)" "$differences" ''
}

# A session whose snapshot the dumps use, and in which is asked what they must hold.
open_snapshot() {
    coproc SNAPSHOT { psql -At -d app 2>&1; }
    # Bash forgets these when the process ends.
    TO_SNAPSHOT=${SNAPSHOT[1]} FROM_SNAPSHOT=${SNAPSHOT[0]}
}
in_snapshot() {
    local line
    printf '%s\n\\echo end of answer\n' "$1" >&"$TO_SNAPSHOT"
    while IFS= read -r line <&"$FROM_SNAPSHOT" && [ "$line" != 'end of answer' ]; do printf '%s\n' "$line"; done
}

# silently 'what' COMMAND …: ends with status 0, and has nothing to say.
silently() {
    local what=$1 status=0
    shift
    "$@" >"$CLUSTER_DIR/said" 2>&1 || status=$?
    check "$what: status, and what it says" "$status $(head -n 5 "$CLUSTER_DIR/said")" '0 '
}
dump() { as_server_user "$PG_BIN/pg_dump" -h "$PGHOST" -p "$PGPORT" -U postgres -d app "$@"; }
restore() { as_server_user "$PG_BIN/pg_restore" -h "$PGHOST" -p "$PGPORT" -U postgres "$@"; }

# Databases to restore into. In those of the first kind no worker may change what is to be compared.
quiet_database() {
    sql postgres "CREATE DATABASE $1"
    sql postgres "ALTER DATABASE $1 SET journey_stitch.enabled = off"
}

# What was decided goes on, too: a key that was taken out joins nothing, a limit holds, rules can be applied, and words
# be taken back.
check_decided() {
    sql "$1" "SELECT FROM journey_stitch.ingest_events('[
        {\"id\": \"6\", \"type\": \"t\", \"user_id\": \"eve\", \"device_id\": \"shared\"},
        {\"id\": \"7\", \"type\": \"t\", \"user_id\": \"eve\", \"correlations\": {\"email\": \"ann@x\"}}]', 'decided')"
    wait_until "$1: more events of project decided are stitched" 60 "$1" "$nothing_pending"
    check "$1: what is refused to them" "$(sql "$1" "
        SELECT e.event_id, c.rule
        FROM journey_stitch.merge_conflicts c JOIN journey_stitch.events e ON e.id = c.event_id
        JOIN journey_stitch.projects p ON p.id = e.project_id AND p.name = 'decided'
        WHERE e.event_id IN ('6', '7') ORDER BY 1")" "$(printf '%s\n' '6|unmerge' '7|max_values of user_id')"
    sql "$1" "SELECT FROM journey_stitch.retract('device_id:shared', project => 'decided');
              SELECT FROM journey_stitch.restitch('decided')"
    check "$1: words and rules that wait, after retract() and restitch()" "$(sql "$1" "
        SELECT (SELECT string_agg(word, ' ') FROM journey_stitch.identity_words),
               (SELECT count(*) FROM journey_stitch.identity_rules WHERE NOT is_in_force)")" 'link|0'
}

# Everything goes on in a restored database: what was pending, what comes in, Cypher, and rights.
check_goes_on() {
    local database=$1 before after
    sql "$database" "SELECT journey_stitch.setup()" >/dev/null
    sql postgres "ALTER DATABASE $database RESET journey_stitch.enabled"
    before=$(sql "$database" "SELECT count(*) FROM journey_stitch.events")
    check "$database: an event that it has is a duplicate, in a new project it is not" \
        "$(sql "$database" "SELECT a.inserted, b.inserted
            FROM journey_stitch.ingest_events('{\"id\": \"a1\", \"type\": \"t\"}') AS a,
                 journey_stitch.ingest_events('{\"id\": \"a1\", \"type\": \"t\"}', 'fresh') AS b")" '0|1'
    check "$database: new events, of old users and new ones" "$(ingest "$database" new 100 399)" 300
    wait_until "$database: everything gets stitched" 60 "$database" "$nothing_pending"
    after=$((before + 301))
    check "$database: events in journeys" "$(sql "$database" "$in_journeys")" "$after"
    check "$database: a new event is in the journey of its user's old ones" "$(sql "$database" "
        SELECT count(*) FROM journey_stitch.get_journey('new100') WHERE event_id IN ('a100', 'a297', 'new100')")" 3
    check_decided "$database"
    check "$database: Cypher writes" "$(psql -At -d "$database" \
        -c "LOAD 'age'" -c "SET search_path = ag_catalog, public" -c "BEGIN" \
        -c "SELECT * FROM cypher('journey_graph', \$\$ MATCH (k:Correlation) WHERE k.value = 'u3' AND k.kind = 'user_id'
            CREATE (:Note {text: 'x'})-[:ABOUT]->(k) \$\$) AS (none agtype)" \
        -c "SELECT * FROM cypher('journey_graph', \$\$ MATCH (:Note)-[:ABOUT]->(k)-[:PART_OF]->(j)
            RETURN count(j) > 0 \$\$) AS (found agtype)" \
        -c "ROLLBACK")" true
    check "$database: what was granted shows its rows, and only these" "$(sql "$database" "SET ROLE tenant;
        SELECT string_agg(DISTINCT p.name, ', '), count(*) > 100
        FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id")" 'shop|t'
    check "$database: violations found by verify()" "$(sql "$database" "$violations")" 0
}

# The second server's directory is laid out as a cluster's, so that the library's pg_ctl serves it.
recovered_ctl() { CLUSTER_DIR=$CLUSTER_DIR/recovered pg_ctl "$@"; }
on_recovered() { PGPORT=$RECOVERED_PORT "$@"; }
# The library knows of one server; the other is stopped before the directory of both goes.
backup_exit() {
    local status=$?
    set +e
    if [ -f "$CLUSTER_DIR/recovered/data/postmaster.pid" ]; then
        recovered_ctl -m immediate stop >/dev/null 2>&1
    fi
    if [ $((status + FAILED)) -gt 0 ] && [ -f "$CLUSTER_DIR/recovered/log" ]; then
        printf '%s\n' '--- the end of the log of the recovered server:' >&2
        tail -n 20 "$CLUSTER_DIR/recovered/log" >&2
    fi
    (exit "$status")
    cluster_exit
}

# Journeys of a project of its own that rules and words decide about: a limit, an address that joins nothing, keys that
# are linked, and one that was taken out. Rules that wait, too.
decide() {
    psql -d app -o /dev/null <<'SQL'
BEGIN;
SELECT journey_stitch.ingest_events('[
    {"id": "1", "type": "t", "ts": "2024-05-01", "user_id": "ann", "correlations": {"email": "Ann@x", "address": "x"}},
    {"id": "2", "type": "t", "ts": "2024-05-02", "user_id": "bob", "correlations": {"email": "ann@x", "address": "x"}},
    {"id": "3", "type": "t", "ts": "2024-05-03", "user_id": "cid", "device_id": "shared"},
    {"id": "4", "type": "t", "ts": "2024-05-04", "session_id": "s", "device_id": "shared"},
    {"id": "5", "type": "t", "ts": "2024-05-05", "user_id": "dan"}]', 'decided');
-- In force at once, as none of them is stitched yet.
SELECT FROM journey_stitch.set_identity_rule('user_id', max_values => 1, project => 'decided');
SELECT FROM journey_stitch.set_identity_rule('address', merges => false, project => 'decided');
COMMIT;
SQL
    wait_until "the events of project decided are stitched" 60 app "$nothing_pending"
    sql app "SET client_min_messages = warning;
        SELECT FROM journey_stitch.link('session_id:s', 'user_id:dan', 'decided');
        SELECT FROM journey_stitch.unmerge('device_id:shared', project => 'decided', dry_run => false);
        SELECT FROM journey_stitch.set_max_journey_keys(50, 'decided')"
    check_true "rules, words, their log, what they refuse and what they move are there to be dumped" "$(sql app "
        SELECT (SELECT count(*) FROM journey_stitch.identity_rules WHERE project_id <> 0 AND is_in_force) = 2
           AND (SELECT count(*) FROM journey_stitch.identity_rules WHERE NOT is_in_force) > 0
           AND (SELECT count(*) FROM journey_stitch.identity_words) = 2
           AND (SELECT count(*) FROM journey_stitch.identity_log) >= 5
           AND (SELECT count(*) FROM journey_stitch.merge_conflicts) >= 3
           AND (SELECT count(*) FROM journey_stitch.key_moves) >= 1
           AND (SELECT count(*) FROM journey_stitch.keys WHERE hold IS NOT NULL) = 1
           AND (SELECT count(*) FROM journey_stitch.journeys WHERE kind_counts IS NOT NULL) >= 3")"
}

# Dumps and what they must hold: files plain, custom, directory, schema, and the variables below.
make_dumps() {
    sql app "CREATE ROLE tenant"
    sql app "GRANT journey_stitch_reader TO tenant; SELECT journey_stitch.grant_project('shop', 'tenant')" >/dev/null
    decide
    sql app "SELECT FROM journey_stitch.create_metric('amounts', NULL, '\$.amount', '{event_type,\$.page}',
        keep_minutes => '90 years', keep_5_minutes => '90 years', keep_hours => '90 years', keep_days => '90 years')"
    ingest app a 1 4000 >/dev/null
    ingest app h 0 0 held >/dev/null
    wait_until "the first events are stitched" 60 app "$nothing_pending"
    # A project that another session holds, so that the dumps have events that are pending.
    PGAPPNAME=holder sql app "SELECT FROM journey_stitch.projects WHERE name = 'held' FOR UPDATE;
        SELECT pg_sleep(600)" >/dev/null 2>&1 &
    wait_until "another session holds a project" 20 app "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE application_name = 'holder' AND wait_event = 'PgSleep')"
    ingest app h 1 "$HELD" held >/dev/null

    client c &
    CLIENT=$!
    wait_until "a client sends, and a worker stitches what it sends" 60 app "SELECT count(*) > 500
        FROM journey_stitch.stitched_events WHERE event_id LIKE 'c%'"
    ACKNOWLEDGED=$(calls acknowledged)
    open_snapshot
    SNAPSHOT_ID=$(in_snapshot "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_export_snapshot();")
    SENT=$(calls sent)
    EXPECTED=$(in_snapshot "$(cat "$CLUSTER_DIR/tables.sql" "$CLUSTER_DIR/answers.sql")")
    EXPECTED_ANSWERS=$(tail -n "$ANSWERS" <<<"$EXPECTED")
    check_true "events are pending in the snapshot" \
        "$(in_snapshot "SELECT sum(events) >= $HELD FROM journey_stitch.pending;")"
    check "violations found by verify() in the snapshot" "$(in_snapshot "$violations;")" 0
    silently "pg_dump, plain" dump --snapshot="$SNAPSHOT_ID" -Fp -f "$CLUSTER_DIR/plain"
    silently "pg_dump, custom" dump --snapshot="$SNAPSHOT_ID" -Fc -f "$CLUSTER_DIR/custom"
    silently "pg_dump, directory, -j4" dump --snapshot="$SNAPSHOT_ID" -Fd -j4 -f "$CLUSTER_DIR/directory"
    silently "pg_dump, schema only" dump --schema-only -Fc -f "$CLUSTER_DIR/schema"
    in_snapshot "COMMIT;" >/dev/null
    exec {TO_SNAPSHOT}>&-
    wait_until "meanwhile the client has got on" 60 app "SELECT count(*) > $((SENT * CALL_EVENTS))
        FROM journey_stitch.events WHERE event_id LIKE 'c%'"
    touch "$CLUSTER_DIR/stop"
    wait "$CLIENT"
    sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'" >/dev/null
    printf '        %s of the calls acknowledged before the snapshot, %s sent by then, %s in the end\n' \
        "$ACKNOWLEDGED" "$SENT" "$(calls sent)"
}

test_restores() {
    local database
    for database in plain custom directory; do quiet_database "$database"; done
    silently "psql, the plain dump" psql -d plain -f "$CLUSTER_DIR/plain" -o /dev/null
    silently "pg_restore, the custom dump" restore -d custom "$CLUSTER_DIR/custom"
    # AGE's two tables refer to each other, and -j loads tables in any order: these by themselves.
    restore -l "$CLUSTER_DIR/directory" | grep -v 'TABLE DATA ag_catalog' >"$CLUSTER_DIR/directory.list"
    silently "pg_restore -j4, the directory but for AGE's catalog" \
        restore -j4 -d directory -L "$CLUSTER_DIR/directory.list" "$CLUSTER_DIR/directory"
    silently "pg_restore, AGE's catalog" restore -d directory --data-only -n ag_catalog "$CLUSTER_DIR/directory"
    for database in plain custom directory; do
        check_same "$database: every table, journeys, analytics and Cypher's paths are those of the snapshot" \
            "$(contents "$database")" "$EXPECTED"
        check "$database: violations found by verify() as restored" "$(sql "$database" "$violations")" 0
        check "$database: events of calls acknowledged before, and missing" "$(sql "$database" "
            SELECT count(*) FROM generate_series(0, $ACKNOWLEDGED * $CALL_EVENTS - 1) AS n
            WHERE NOT EXISTS (SELECT FROM journey_stitch.event_ids WHERE event_id = 'c' || n)")" 0
        check "$database: events that nobody had sent yet" "$(sql "$database" "
            SELECT count(*) FROM journey_stitch.events
            WHERE event_id LIKE 'c%' AND substr(event_id, 2)::integer >= $SENT * $CALL_EVENTS")" 0
        check_goes_on "$database"
    done
}

# A worker must not stitch what is restored in part: before the last table it has three of its naptimes to find
# the queue, and nothing may be wrong for it. It is kept from looking before, when there is no extension yet.
test_slow_restore() {
    local last restoring
    last=$(grep -n '^COPY journey_stitch' "$CLUSTER_DIR/plain" | tail -n 1 | cut -d : -f 1)
    sed "${last}i SELECT pg_catalog.pg_sleep(4);" "$CLUSTER_DIR/plain" >"$CLUSTER_DIR/slow"
    set_naptime "TO '1h'"
    sql postgres "CREATE DATABASE slow"
    psql -d slow -f "$CLUSTER_DIR/slow" -o /dev/null >"$CLUSTER_DIR/slow.said" 2>&1 &
    restoring=$!
    wait_until "a restore pauses before the last table" 60 slow "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = 'slow' AND wait_event = 'PgSleep')"
    set_naptime "TO '1s'"
    silently "the restore" wait "$restoring"
    check "what it says" "$(cat "$CLUSTER_DIR/slow.said")" ''
    check "slow: violations found by verify()" "$(sql slow "$violations")" 0
    check_stitched_by_itself slow
}

set_naptime() {
    sql postgres "ALTER SYSTEM SET journey_stitch.naptime $1"
    sql postgres "SELECT pg_reload_conf()" >/dev/null
}

# The launcher has looked into a database that is restored into only then, with workers off.
test_late_restore() {
    quiet_database late
    sleep 3
    silently "pg_restore into a database that the launcher has seen empty" restore -d late "$CLUSTER_DIR/custom"
    sql postgres "ALTER DATABASE late RESET journey_stitch.enabled"
    check_stitched_by_itself late
}

check_stitched_by_itself() {
    sql "$1" "SELECT journey_stitch.setup()" >/dev/null
    wait_until "$1: what was pending gets stitched by itself" 30 "$1" "$nothing_pending"
    check "$1: events in journeys" "$(sql "$1" "$in_journeys")" \
        "$(sql "$1" "SELECT count(*) FROM journey_stitch.events")"
    check "$1: violations found by verify() after that" "$(sql "$1" "$violations")" 0
}

test_schema_only() {
    quiet_database schema
    silently "pg_restore, the schema only" restore -d schema "$CLUSTER_DIR/schema"
    silently "schema: setup()" sql schema "DO 'BEGIN PERFORM journey_stitch.setup(); END'"
    check "schema: events come in" "$(ingest schema a 1 500)" 500
    check "schema: they are stitched" \
        "$(sql schema "SELECT events, remaining FROM journey_stitch.stitch_pending()")" '500|0'
    check "schema: dead letters" "$(sql schema "SELECT count(*) FROM journey_stitch.dead_letters")" 0
    check "schema: violations found by verify()" "$(sql schema "$violations")" 0
    check "schema: Cypher's paths" "$(answers schema | tail -n 1 | cut -d '|' -f 2)" \
        "$(sql schema 'SELECT count(*) FROM journey_graph."HAS_KEY"')"
}

# Restored without the graph, or with a part of it, as one that went wrong, and by -j alone, which may lose AGE's
# labels.
test_broken_graphs() {
    local database
    for database in without partly parallel; do quiet_database "$database"; done
    restore -l "$CLUSTER_DIR/custom" | grep -vE ' journey_graph |TABLE DATA ag_catalog|SCHEMA - journey_graph' \
        >"$CLUSTER_DIR/without.list"
    restore -l "$CLUSTER_DIR/custom" | grep -vE 'TABLE DATA journey_graph (HAS_KEY|Journey) |INDEX journey_graph ' \
        >"$CLUSTER_DIR/partly.list"
    silently "pg_restore without the graph" restore -d without -L "$CLUSTER_DIR/without.list" "$CLUSTER_DIR/custom"
    silently "pg_restore with a part of the graph" restore -d partly -L "$CLUSTER_DIR/partly.list" "$CLUSTER_DIR/custom"
    restore -j4 -d parallel "$CLUSTER_DIR/directory" >"$CLUSTER_DIR/said" 2>&1 || true
    check "pg_restore -j4 of everything: errors in other tables than AGE's labels" \
        "$(grep 'error:' "$CLUSTER_DIR/said" | grep -vc 'COPY failed for table "ag_label"' || true)" 0
    for database in without partly; do
        check_true "$database: verify() sees it" \
            "$(sql "$database" "SELECT sum(violations) > 0 FROM journey_stitch.verify()")"
    done
    for database in without partly parallel; do
        check "$database: rebuild_graph()" "$(sql "$database" "SELECT string_agg(label, ' ')
            FROM journey_stitch.rebuild_graph() WHERE entries > 0")" 'Event Correlation Journey HAS_KEY PART_OF'
        check "$database: violations found by verify() after that" "$(sql "$database" "$violations")" 0
        check_same "$database: journeys, analytics and Cypher's paths are those of the snapshot" \
            "$(answers "$database")" "$EXPECTED_ANSWERS"
        check_true "$database: AGE's number of the graph is that of its schema" "$(sql "$database" "
            SELECT graphid = namespace::oid FROM ag_catalog.ag_graph WHERE name = 'journey_graph'")"
        check_goes_on "$database"
    done
}

# While a client sends and a worker stitches, the graph is made anew. Whoever reads it never misses anything.
test_rebuild_under_load() {
    local client reader
    client r &
    client=$!
    wait_until "another client sends, and a worker stitches what it sends" 60 app "SELECT count(*) > 100
        FROM journey_stitch.stitched_events WHERE event_id LIKE 'r%'"
    while [ ! -e "$CLUSTER_DIR/stop" ]; do
        sql app "SELECT count(*) >= 20 FROM journey_stitch.get_journey('a100')" 2>&1
    done >"$CLUSTER_DIR/reads" &
    reader=$!
    for _ in 1 2 3; do sql app "SELECT FROM journey_stitch.rebuild_graph()"; done
    touch "$CLUSTER_DIR/stop"
    wait "$client" "$reader"
    check "what was read while the graph was made anew ($(wc -l <"$CLUSTER_DIR/reads") times)" \
        "$(sort -u "$CLUSTER_DIR/reads")" t
    wait_until "everything gets stitched" 60 app "$nothing_pending"
    check "violations found by verify()" "$(sql app "$violations")" 0
}

# Recovery to a moment at which some of an ingest call's events are stitched and some are not.
test_point_in_time() {
    local expected total wal start
    as_server_user mkdir "$CLUSTER_DIR/recovered"
    ingest app before 1 1000 >/dev/null
    silently "pg_basebackup, while a worker stitches" as_server_user "$PG_BIN/pg_basebackup" \
        -h "$PGHOST" -p "$PGPORT" -U postgres -c fast -D "$CLUSTER_DIR/recovered/data"
    ingest app before 1001 3000 >/dev/null
    wait_until "after the base backup the worker goes on" 60 app "$nothing_pending"
    # The server's own setting, which the base backup does not have.
    sql postgres "ALTER SYSTEM SET journey_stitch.enabled = off"
    sql postgres "SELECT pg_reload_conf()" >/dev/null
    wait_until "workers are off for a while" 30 postgres "$no_worker"
    ingest app before 3001 4500 >/dev/null
    check "a part of a call is stitched" \
        "$(sql app "SELECT events, remaining FROM journey_stitch.stitch_pending(700)")" '700|800'
    expected=$(contents app)
    total=$(sql app "SELECT count(*) FROM journey_stitch.events")
    wal=$(sql app "SELECT pg_walfile_name(pg_create_restore_point('between'))")
    sql app "SELECT journey_stitch.stitch_pending()" >/dev/null
    ingest app after 1 500 >/dev/null
    sql app "SELECT journey_stitch.stitch_pending(); SELECT pg_switch_wal()" >/dev/null
    wait_until "the log is archived" 60 app "SELECT last_archived_wal >= '$wal' FROM pg_stat_archiver"

    printf '%s\n' "port = $RECOVERED_PORT" "archive_mode = off" "restore_command = 'cp ../../archive/%f %p'" \
        "recovery_target_name = 'between'" "recovery_target_action = 'pause'" \
        >>"$CLUSTER_DIR/recovered/data/postgresql.conf"
    as_server_user touch "$CLUSTER_DIR/recovered/data/recovery.signal"
    start=$SECONDS
    recovered_ctl -l "$CLUSTER_DIR/recovered/log" start
    on_recovered wait_until "recovery gets to the moment, and pauses" 60 app \
        "SELECT pg_get_wal_replay_pause_state() = 'paused'"
    printf '        it took %d s\n' $((SECONDS - start))
    check_same "recovered: every table, journeys, analytics and Cypher's paths are those of the moment" \
        "$(on_recovered contents app)" "$expected"
    check "recovered: violations found by verify()" "$(on_recovered sql app "$violations")" 0
    check "recovered: events that came after" "$(on_recovered sql app "SELECT count(*) FROM journey_stitch.events
        WHERE event_id LIKE 'after%'")" 0
    check "recovered: events pending" "$(on_recovered sql app "SELECT sum(events) FROM journey_stitch.pending")" 800
    on_recovered sql app "SELECT pg_wal_replay_resume()" >/dev/null
    on_recovered wait_until "recovered: it becomes a primary" 60 app "SELECT NOT pg_is_in_recovery()"
    on_recovered wait_until "recovered: what was pending gets stitched by itself" 60 app "$nothing_pending"
    check "recovered: events in journeys" "$(on_recovered sql app "$in_journeys")" "$total"
    check "recovered: what came after comes again, and is new" "$(on_recovered ingest app after 1 500)" 500
    on_recovered wait_until "recovered: and is stitched" 60 app "$nothing_pending"
    check "recovered: violations found by verify() after that" "$(on_recovered sql app "$violations")" 0
    check_same "recovered: days and the rest of analytics are those of the original" \
        "$(on_recovered answers app | sed -n "2,$((ANSWERS - 1))p")" "$(answers app | sed -n "2,$((ANSWERS - 1))p")"
}

# Workers enough for all of the databases at the same time.
cluster_start backup "fsync = off" "journey_stitch.naptime = '1s'" "journey_stitch.batch_size = 500" \
    "journey_stitch.max_workers = 12" "max_worker_processes = 24" \
    "archive_mode = on" "archive_command = 'mkdir -p ../archive && cp %p ../archive/%f'"
trap backup_exit EXIT
create_database app
write_questions
make_dumps
test_restores
test_slow_restore
test_late_restore
test_schema_only
test_broken_graphs
test_rebuild_under_load
test_point_in_time
summary
