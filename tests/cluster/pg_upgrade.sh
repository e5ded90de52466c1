#!/usr/bin/env bash
# pg_upgrade: it refuses a database with AGE, whatever is in it. The way around that is the statements below, as
# the README has them; the graph is made anew from the tables afterwards. No worker runs while pg_upgrade does.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

# In each database with AGE, before and after.
BEFORE="BEGIN;
SELECT ag_catalog.drop_graph('journey_graph', true);
ALTER TABLE ag_catalog.ag_graph ALTER COLUMN namespace TYPE oid;
COMMIT;"
AFTER="ALTER TABLE ag_catalog.ag_graph ALTER COLUMN namespace TYPE regnamespace USING quote_ident(name)::regnamespace;
SELECT * FROM journey_stitch.rebuild_graph();"

nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
pending="SELECT COALESCE(sum(events), 0) FROM journey_stitch.pending"
violations="SELECT sum(violations) FROM journey_stitch.verify()"
journeys="SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL"
graph_entries="SELECT count(*) FROM journey_graph.\"Event\""

# The new cluster's directory is laid out as the old one's, so that the library's functions serve it.
in_new() { CLUSTER_DIR=$CLUSTER_DIR/new "$@"; }

new_cluster() {
    as_server_user mkdir "$CLUSTER_DIR/new"
    as_server_user "$PG_BIN/initdb" -D "$CLUSTER_DIR/new/data" -U postgres --auth=trust --no-sync \
        --encoding=UTF8 --locale=C.UTF-8 >"$CLUSTER_DIR/initdb.log" 2>&1
    # The same settings, shared_preload_libraries among them.
    as_server_user cp "$CLUSTER_DIR/data/postgresql.conf" "$CLUSTER_DIR/new/data/postgresql.conf"
}

# With all of the servers' log lines kept, down to the start of each background worker.
upgrade() {
    as_server_user env -C "$CLUSTER_DIR" "$PG_BIN/pg_upgrade" -b "$PG_BIN" -B "$PG_BIN" -d "$CLUSTER_DIR/data" \
        -D "$CLUSTER_DIR/new/data" -U postgres -p 54320 -P 54321 -s "$CLUSTER_DIR" \
        -o '-c log_min_messages=debug1' -O '-c log_min_messages=debug1' "$@" >"$CLUSTER_DIR/pg_upgrade.out" 2>&1
}

# The library knows of the old server; the new one is stopped before the directory of both goes.
upgrade_exit() {
    local status=$?
    set +e
    if [ -f "$CLUSTER_DIR/new/data/postmaster.pid" ]; then
        in_new pg_ctl -m immediate stop >/dev/null 2>&1
    fi
    if [ $((status + FAILED)) -gt 0 ]; then
        tail -n 20 "$CLUSTER_DIR/pg_upgrade.out" "$CLUSTER_DIR/new/log" >&2
    fi
    (exit "$status")
    cluster_exit
}

# ingest DATABASE FIRST LAST: every 50th event ties two users together.
ingest() {
    sql "$1" "SELECT inserted FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object(
            'event_id', 'e' || n, 'type', 't' || n % 4, 'ts', timestamptz '2024-05-01 00:00Z' + n * interval '1 min',
            'user_id', 'u' || n % 97, 'session_id', 's' || n / 291 || '-' || n % 97,
            'correlations', CASE WHEN n % 50 = 0 THEN jsonb_build_object('user_id', 'u' || n % 89) ELSE '{}' END))
        FROM generate_series($2, $3) AS n))" >/dev/null
}

# What the tables hold and what can be read of journeys and days, as one value.
state() {
    sql app "SELECT count(*), md5(string_agg(line, chr(10) ORDER BY line)) FROM (
        SELECT g::text AS line FROM journey_stitch.events e
        CROSS JOIN LATERAL journey_stitch.get_journey(e.event_id) AS g WHERE e.id % 40 = 0
        UNION ALL SELECT e::text FROM journey_stitch.events e
        UNION ALL SELECT q::text FROM journey_stitch.pending q
        UNION ALL SELECT j::text FROM journey_stitch.journeys j
        UNION ALL SELECT d::text FROM journey_stitch.dau('2024-05-01', '2024-05-03', identity => 'journey') AS d
        UNION ALL SELECT g::text FROM journey_stitch.project_grants g
        UNION ALL SELECT r::text FROM journey_stitch.identity_rules r
        UNION ALL SELECT w::text FROM journey_stitch.identity_words w
        UNION ALL SELECT l::text FROM journey_stitch.identity_log l
        UNION ALL SELECT c::text FROM journey_stitch.merge_conflicts c
        UNION ALL SELECT m::text FROM journey_stitch.key_moves m
        UNION ALL SELECT p::text FROM pg_policies p WHERE p.schemaname = 'journey_stitch') AS lines"
}

cypher() {
    psql -At -d app -c "LOAD 'age'" -c "SET search_path = ag_catalog, public" \
        -c "SELECT * FROM cypher($1) AS (answer agtype)"
}

refused_columns() {
    grep -h '^ ' "$CLUSTER_DIR"/new/data/pg_upgrade_output.d/*/tables_using_reg.txt | sort -u | tr -d ' ' | tr '\n' ' '
}

stitch_without_graph() { sql second "SELECT journey_stitch.stitch_pending($1)" >"$CLUSTER_DIR/stitched" 2>&1 || true; }

quietly() { "$@" >"$CLUSTER_DIR/said" 2>&1 || { cat "$CLUSTER_DIR/said" >&2; return 1; }; }

cluster_start pg_upgrade "fsync = off" "journey_stitch.naptime = '1s'"
trap upgrade_exit EXIT
for database in app second; do
    create_database "$database"
    ingest "$database" 1 2000
    wait_until "what comes into $database gets stitched" 60 "$database" "$nothing_pending"
done
quietly sql app "SELECT journey_stitch.grant_project('default', 'journey_stitch_reader')"
# A rule that waits, and a word: who is u5 is no longer told by that. Both databases are to end up alike.
for database in app second; do
    quietly sql "$database" "SELECT journey_stitch.unmerge('user_id:u5', dry_run => false);
                             SELECT journey_stitch.set_identity_rule('phone', max_values => 3)"
done
check_true "that is in tables which are to live on" "$(sql app "
    SELECT (SELECT count(*) FROM journey_stitch.identity_words) = 1
       AND (SELECT count(*) FROM journey_stitch.identity_log) = 2
       AND (SELECT count(*) FROM journey_stitch.merge_conflicts) > 10
       AND (SELECT count(*) FROM journey_stitch.key_moves) > 0
       AND (SELECT count(*) FROM journey_stitch.identity_rules WHERE project_id <> 0) = 1")"
# A graph of a user's own beside ours, whose name needs quotes.
quietly sql app "SELECT ag_catalog.create_graph('Mine')"
cypher "'Mine', \$\$ CREATE (:City {name: 'Rome'})-[:LIES_IN]->(:Country {name: 'Italy'}) \$\$"
# Both clusters with workers off until the end, which shows that pg_upgrade changes nothing by their doing.
sql postgres "ALTER SYSTEM SET journey_stitch.enabled = off"
cluster_stop
new_cluster

check "pg_upgrade --check refuses the cluster" "$(upgrade --check && echo 'takes it' || echo refused)" refused
check "because of these columns, AGE's all of them" \
    "$(refused_columns)" 'ag_catalog.ag_graph.namespace ag_catalog.ag_graph_namespace_index.namespace '

cluster_resume
for database in app second; do ingest "$database" 2001 2600; done
before=$(state)
for database in app second; do quietly psql -d "$database" -c "$BEFORE"; done
# Somebody stitches between this and the stop. He may be refused, or make a graph that has only what is new: in the
# end nothing may be wrong.
stitch_without_graph 300
# With the next start the workers are on: in pg_upgrade's servers they would find work.
sql postgres "ALTER SYSTEM RESET journey_stitch.enabled"
cluster_stop

start=$SECONDS
check_true "now pg_upgrade --link runs through" "$(upgrade --link --retain && echo t)"
printf '        it took %d s\n' $((SECONDS - start))
server_logs=$(cat "$CLUSTER_DIR"/new/data/pg_upgrade_output.d/*/log/pg_upgrade_server.log)
check_true "its servers loaded the library" "$(grep -q 'loaded library "journey_stitch"' <<<"$server_logs" && echo t)"
check "and started no background worker" "$(grep -c 'starting background worker' <<<"$server_logs" || true)" 0

as_server_user sh -c "echo 'journey_stitch.enabled = off' >>'$CLUSTER_DIR/new/data/postgresql.auto.conf'"
in_new cluster_resume
check "events that were pending still are" "$(sql app "$pending")" 600
stitch_without_graph 100
for database in app second; do
    quietly psql -d "$database" -c "$AFTER"
    check "type of AGE's column in $database" "$(sql "$database" "SELECT format_type(atttypid, NULL) FROM pg_attribute
        WHERE attrelid = 'ag_catalog.ag_graph'::regclass AND attname = 'namespace'")" regnamespace
    check "vertices in the graph of $database" "$(sql "$database" "$graph_entries")" \
        "$(sql "$database" "SELECT count(*) FROM journey_stitch.stitched_events")"
    check "violations found by verify() in $database" "$(sql "$database" "$violations")" 0
done
check "tables, journeys and days are what they were" "$(state)" "$before"
check "Cypher reads the graph that was made anew" \
    "$(cypher "'journey_graph', \$\$ MATCH (:Event)-[r:HAS_KEY]->()-[:PART_OF]->(:Journey) RETURN count(r) \$\$")" \
    "$(sql app 'SELECT count(*) FROM journey_graph."HAS_KEY"')"
check "and the user's own one" \
    "$(cypher "'Mine', \$\$ MATCH (a)-[:LIES_IN]->(b) RETURN [a.name, b.name] \$\$")" '["Rome", "Italy"]'
cypher "'Mine', \$\$ MATCH (b:Country) CREATE (:City {name: 'Bari'})-[:LIES_IN]->(b), (:River) \$\$"
check "which it writes to" \
    "$(cypher "'Mine', \$\$ MATCH (a)-[:LIES_IN]->(b) RETURN [a.name, b.name] ORDER BY a.name \$\$" | tr '\n' ' ')" \
    '["Bari", "Italy"] ["Rome", "Italy"] '

sql postgres "ALTER SYSTEM RESET journey_stitch.enabled"
quietly sql postgres "SELECT pg_reload_conf()"
for database in app second; do
    wait_until "what was pending in $database gets stitched" 60 "$database" "$nothing_pending"
    ingest "$database" 2550 2800
    wait_until "and what comes in afterwards" 60 "$database" "$nothing_pending"
    check "events of $database in journeys" "$(sql "$database" "SELECT sum(event_count) FROM journey_stitch.journeys
        WHERE merged_into IS NULL")" 2800
    check "violations found by verify() in $database after that" "$(sql "$database" "$violations")" 0
done
check "journeys of both, which had the same events in other batches" \
    "$(sql second "$journeys")" "$(sql app "$journeys")"
summary
