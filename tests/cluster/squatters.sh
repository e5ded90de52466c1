#!/usr/bin/env bash
# Schemas, graphs, tables and functions of our names that others have made before: nothing in them ever runs with the
# rights of the extension's owner.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

# A database of mallory's, who is no superuser, with a trap that springs for others than herself.
make_squatter() {
    sql postgres "DROP DATABASE IF EXISTS squatted WITH (FORCE)" 2>/dev/null
    sql postgres "CREATE DATABASE squatted OWNER mallory"
    sql postgres "ALTER DATABASE squatted SET journey_stitch.enabled = off"
    sql squatted "CREATE SEQUENCE public.caught; GRANT ALL ON SEQUENCE public.caught TO mallory"
    PGUSER=mallory sql squatted "CREATE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF current_user <> ''mallory'' THEN PERFORM nextval(''public.caught''); END IF; RETURN NULL; END'"
}

# With the extension, and an event; mallory may use AGE.
make_squatter_of_graph() {
    make_squatter
    sql squatted "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE;
        GRANT USAGE ON SCHEMA ag_catalog TO mallory"
    sql squatted "SELECT journey_stitch.ingest_events('{\"event_id\": \"e\", \"type\": \"t\", \"user_id\": \"u\"}')" \
        >/dev/null
}

# mallory_makes 'SQL': she does that, and sets the trap on all tables that there are of a graph then.
mallory_makes() {
    PGUSER=mallory psql -d squatted <<SQL
SET client_min_messages = warning;
\o /dev/null
$1
DO \$\$ DECLARE relation regclass; BEGIN
    FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = 'journey_graph'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('CREATE TRIGGER trap BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
                        EXECUTE FUNCTION public.trap()', relation);
    END LOOP;
END \$\$;
SQL
}

# The extension's life in that database, whatever fails of it; then whether the trap has sprung.
sprung() {
    local statements=() call event="'{\"event_id\": \"e\", \"type\": \"t\", \"user_id\": \"u\"}'"
    for call in "get_journey('e')" "clean()" "ingest_events($event)" "get_journey('e')" "setup()" "get_event('e')" \
        "stitch_pending()" "events_list(filters => '{\"user_id\": \"u\"}')" \
        "dau(identity => 'journey')" "stitch_pending()" "get_journey('e')" "verify()" "health()" "clean()" \
        "rebuild_graph()" "clean()" "stat_reset()" "grant_project('default', 'alpha')"; do
        statements+=(-c "SELECT * FROM journey_stitch.$call")
    done
    psql -At -d squatted -v ON_ERROR_STOP=0 "${statements[@]}" >/dev/null 2>&1 || true
    sql squatted "SELECT is_called FROM public.caught"
}

# The owner of a database may make schemas, too. Functions of ours work as a superuser: in a schema or on tables that
# somebody else has made they would run what that somebody has put there.
squatters() {
    local vertex="id ag_catalog.graphid, properties ag_catalog.agtype" edge label by_age
    edge="start_id ag_catalog.graphid, end_id ag_catalog.graphid, $vertex"
    make_squatter_of_graph
    mallory_makes "CREATE SCHEMA journey_graph;
        $(for label in Event Correlation Journey; do echo "CREATE TABLE journey_graph.\"$label\" ($vertex);"; done)
        $(for label in HAS_KEY PART_OF; do echo "CREATE TABLE journey_graph.\"$label\" ($edge);"; done)"
    check "traps that spring in a schema journey_graph of somebody else's" "$(sprung)" f

    make_squatter_of_graph
    by_age="SELECT ag_catalog.create_graph('journey_graph');
        SELECT ag_catalog.create_vlabel('journey_graph', v) FROM unnest(ARRAY['Event', 'Correlation', 'Journey']) AS v;"
    mallory_makes "$by_age
        SELECT ag_catalog.create_elabel('journey_graph', v) FROM unnest(ARRAY['HAS_KEY', 'PART_OF']) AS v;"
    check "traps that spring in a graph journey_graph of somebody else's" "$(sprung)" f

    # What is only read can be a view.
    make_squatter_of_graph
    mallory_makes "$by_age
        CREATE FUNCTION public.id() RETURNS ag_catalog.graphid LANGUAGE plpgsql AS
            'BEGIN IF current_user <> ''mallory'' THEN PERFORM nextval(''public.caught''); END IF; RETURN NULL; END';
        CREATE VIEW journey_graph.\"HAS_KEY\" AS SELECT public.id() AS start_id, public.id() AS end_id;
        CREATE VIEW journey_graph.\"PART_OF\" AS SELECT public.id() AS start_id, public.id() AS end_id;"
    check "traps that spring in views in its place" "$(sprung)" f

    make_squatter
    PGUSER=mallory sql squatted "CREATE SCHEMA journey_stitch"
    sql squatted "SET client_min_messages = warning; CREATE EXTENSION age"
    check "CREATE EXTENSION in a schema journey_stitch of somebody else's is an error" \
        "$(sql squatted "CREATE EXTENSION journey_stitch" 2>&1 | grep -c '^ERROR')" 1

    # Where others may create things, too: one by one, our functions for other types, which fit some calls better.
    make_squatter
    sql squatted "SET client_min_messages = warning; CREATE EXTENSION age; CREATE SCHEMA journey_stitch;
        GRANT USAGE, CREATE ON SCHEMA journey_stitch TO mallory"
    sql ours "
        SELECT DISTINCT format('BEGIN; SET LOCAL ROLE mallory; CREATE FUNCTION journey_stitch.%I(%s) RETURNS void
                                LANGUAGE plpgsql AS %L; RESET ROLE; CREATE EXTENSION journey_stitch;
                                SELECT journey_stitch.setup(); ROLLBACK;', p.proname, other.types,
                               'BEGIN PERFORM nextval(''public.caught''); END')
        FROM pg_proc p, LATERAL (
            SELECT string_agg(CASE WHEN t IN ('regclass'::regtype, 'regnamespace'::regtype) THEN 'oid'
                                   WHEN t = 'bigint'::regtype THEN 'integer' WHEN t = 'text'::regtype THEN 'name'
                                   ELSE t::regtype::text END, ', ' ORDER BY n)
            FROM unnest(p.proargtypes) WITH ORDINALITY AS t (t, n)) AS other (types)
        WHERE p.pronamespace = 'journey_stitch'::regnamespace
          AND p.proargtypes::oid[] && '{regclass,regnamespace,bigint,text}'::regtype[]::oid[]" >"$CLUSTER_DIR/squat.sql"
    check_true "functions that fit better: $(grep -c '^BEGIN' "$CLUSTER_DIR/squat.sql")" \
        "$([ "$(grep -c '^BEGIN' "$CLUSTER_DIR/squat.sql")" -gt 10 ] && echo t)"
    psql -d squatted -v ON_ERROR_STOP=0 -f "$CLUSTER_DIR/squat.sql" >/dev/null 2>&1
    check "traps that spring in functions that somebody else has put into our schema" \
        "$(sql squatted "SELECT is_called FROM public.caught")" f
}

cluster_start squatters "fsync = off"
create_database ours
sql postgres "CREATE ROLE mallory LOGIN"
squatters
summary
