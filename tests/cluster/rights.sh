#!/usr/bin/env bash
# A role that was granted nothing reads nothing and writes nothing; PUBLIC has no privilege in the schemas.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

cluster_start rights "fsync = off" "shared_preload_libraries = ''"
create_database rights
sql rights "SELECT inserted FROM journey_stitch.ingest_events('{\"event_id\": \"e\", \"event_type\": \"click\", \"user_id\": \"u\"}')" >/dev/null
sql rights "SELECT events FROM journey_stitch.stitch_pending()" >/dev/null
sql rights "CREATE ROLE stranger"

ours="('journey_stitch'::regnamespace, 'journey_graph'::regnamespace)"
check "functions that a stranger may execute" "$(sql rights "
    SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc
    WHERE pronamespace IN $ours AND has_function_privilege('stranger', oid, 'EXECUTE')")" ''
check "functions with a privilege for PUBLIC" "$(sql rights "
    SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p,
           LATERAL aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a
    WHERE p.pronamespace IN $ours AND a.grantee = 0")" ''
check "tables and sequences with a privilege for PUBLIC or the stranger" "$(sql rights "
    SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c
    WHERE c.relnamespace IN $ours AND (c.relkind IN ('r', 'p', 'v')
          AND has_table_privilege('stranger', c.oid, 'SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER')
       OR c.relkind = 'S' AND has_sequence_privilege('stranger', c.oid, 'USAGE,SELECT,UPDATE'))")" ''
check "schemas that the stranger may use" "$(sql rights "
    SELECT string_agg(oid::text, ', ') FROM pg_namespace
    WHERE oid IN $ours AND has_schema_privilege('stranger', oid, 'USAGE,CREATE')")" ''
check "SECURITY DEFINER functions" "$(sql rights "
    SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE pronamespace IN $ours AND prosecdef")" ''
check "functions without a pinned search_path that are not in C" "$(sql rights "
    SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace IN $ours AND l.lanname <> 'c'
      AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c (setting) WHERE c.setting LIKE 'search_path=%')")" ''

denied() {
    local error
    # The grant of USAGE makes it the functions' own privileges that count.
    error=$(psql -At -d rights -c "SET ROLE stranger" -c "$1" 2>&1 >/dev/null) || true
    check_true "denied: $1" "$(grep -q 'permission denied' <<<"$error" && echo t)"
}
sql rights "GRANT USAGE ON SCHEMA journey_stitch TO stranger"
denied "SELECT journey_stitch.ingest_events('[]')"
denied "SELECT journey_stitch.stitch_pending()"
denied "SELECT journey_stitch.retry_dead_letters()"
denied "SELECT journey_stitch.setup()"
denied "SELECT journey_stitch.clean()"
denied "SELECT journey_stitch.get_journey('e')"
denied "SELECT journey_stitch.dau()"
denied "SELECT journey_stitch.verify()"
denied "TABLE journey_stitch.events"
denied "DELETE FROM journey_stitch.keys"
denied "TABLE journey_graph.\"Event\""
# The README's grants for a role that sends events.
sql rights "CREATE ROLE sender"
sed -n 's/^    \(GRANT .*\|   *journey_stitch\..*\)/\1/p' README.md | sed 's/ TO app/ TO sender/' | psql -q -d rights
sender() { psql -Atq -d rights -c "SET ROLE sender" -c "$1" 2>&1 || true; }
check "a role with the README's grants sends events" \
    "$(sender "SELECT * FROM journey_stitch.ingest_events('[{\"event_type\": \"t\"}, 5]')")" '2|1|0|1'
check "and into a new project" \
    "$(sender "SELECT * FROM journey_stitch.ingest_events('[{\"event_type\": \"t\"}]', 'new')")" '1|1|0|0'
check "but reads no analytics" \
    "$(sender "SELECT * FROM journey_stitch.verify()" | sed 's/^ERROR:  //')" 'permission denied for function verify'
summary
