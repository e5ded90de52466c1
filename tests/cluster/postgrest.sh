#!/usr/bin/env bash
# PostgREST's way of calling: one connection of a role without rights, each request a transaction that becomes the
# request's role, with the statements that PostgREST 12 generates for POST and GET of /rpc/…, prepared once for all.
# Two web roles see a project each, the anonymous one nothing, and errors have the SQLSTATE and hint to answer with.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

# call FUNCTION FROM SELECT: the statement of a call. json_agg of no rows is NULL.
call() {
    printf '%s' "WITH pgrst_source AS (SELECT pgrst_call.* $2) SELECT null::bigint AS total_result_set, " \
        "pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, " \
        "nullif(current_setting('response.headers', true), '') AS response_headers, " \
        "nullif(current_setting('response.status', true), '') AS response_status, '' AS response_inserted " \
        "FROM (SELECT $3 FROM \"pgrst_source\" AS \"$1\") _postgrest_t"
}

# The arguments of a function that are named (a, b, …), with their types, each through a format: as PostgREST finds them
# in its copy of the catalog.
arguments() {
    sql api "SELECT string_agg(format('$3', a.name, p.proargtypes[a.n - 1]::regtype, w.n), ', ' ORDER BY w.n)
        FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY AS a (name, n), unnest(string_to_array('$2', ',')) WITH ORDINALITY AS w (name, n)
        WHERE p.pronamespace = 'journey_stitch'::regnamespace AND p.proname = '$1' AND a.n <= p.pronargs AND a.name = w.name"
}

# prepare 'types' STATEMENT: its name, and its PREPARE if the session does not have it yet. Sets $name and $preparing.
prepare() {
    name=rpc_$(md5sum <<<"$2" | cut -c 1-16)
    preparing="PREPARE $name$1 AS $2;"
    if grep -qs "^PREPARE $name" "$CLUSTER_DIR/session.sql"; then preparing=''; fi
}

# request ROLE METHOD FUNCTION CALL: a transaction. The claims name project a in all of them: they give no rights.
request() {
    local mode='READ ONLY'
    [ "$2" = GET ] || mode='READ WRITE'
    cat >>"$CLUSTER_DIR/session.sql" <<SQL
BEGIN ISOLATION LEVEL READ COMMITTED $mode;
SELECT set_config('search_path', '"journey_stitch", "public"', true), set_config('role', '$1', true),
       set_config('request.jwt.claims', '{"role":"$1","project":"a"}', true), set_config('request.method', '$2', true),
       set_config('request.path', '/rpc/$3', true), set_config('request.headers', '{"accept":"application/json"}', true) \g /dev/null
$preparing
$4;
COMMIT;
SQL
}

# post ROLE FUNCTION BODY [SELECT]: BODY is an object of arguments.
post() {
    local columns=${4:-\"$2\".*} names statement name
    names=$(sql api "SELECT string_agg(k, ',') FROM json_object_keys('${3//\'/\'\'}') AS k")
    statement=$(call "$2" "FROM (SELECT \$1 AS json_data) pgrst_payload, LATERAL (SELECT $(arguments "$2" "$names" '%1$I') FROM json_to_record(pgrst_payload.json_data) AS _($(arguments "$2" "$names" '%1$I %2$s')) LIMIT 1) pgrst_body, LATERAL \"journey_stitch\".\"$2\"($(arguments "$2" "$names" '%1$I := pgrst_body.%1$I')) pgrst_call" "$columns")
    prepare '(json)' "$statement"
    request "$1" POST "$2" "EXECUTE $name('${3//\'/\'\'}')"
}

# get ROLE FUNCTION SELECT NAME=TEXT …: the arguments of the URL, texts all, cast to what the function takes.
get() {
    local role=$1 function=$2 columns=$3 names='' values='' pair name
    shift 3
    for pair; do
        names+=,${pair%%=*}
        values+=", '${pair#*=}'"
    done
    names=${names#,}
    prepare "$(sql api "SELECT '(' || string_agg('unknown', ', ') || ')' FROM unnest(string_to_array('$names', ','))")" \
        "$(call "$function" "FROM \"journey_stitch\".\"$function\"($(arguments "$function" "$names" '%1$I := $%3$s::%2$s')) pgrst_call" "$columns")"
    request "$role" GET "$function" "EXECUTE $name(${values#, })"
}

# Runs the requests in one session, and answers their bodies, a line each, or errors.
answers() {
    PGUSER=authenticator psql -At -d api -v ON_ERROR_STOP=0 -v VERBOSITY=verbose -f "$CLUSTER_DIR/session.sql" 2>&1 |
        sed -E "s,^psql:$CLUSTER_DIR/session.sql:[0-9]+: ,,; /^(LOCATION|LINE [0-9]+): /d; /^ *\^$/d" |
        sed -E ':more; /, *$/ { N; s/, *\n */,/; t more }; s/^\|[0-9]+\|(.*)\|\|\|$/\1/'
    : >"$CLUSTER_DIR/session.sql"
}

make_api() {
    create_database api
    sql postgres "ALTER DATABASE api SET journey_stitch.enabled = off"
    sql api "CREATE ROLE authenticator LOGIN NOINHERIT; CREATE ROLE web_anon; CREATE ROLE web_a; CREATE ROLE web_b;
        GRANT web_anon, web_a, web_b TO authenticator; GRANT journey_stitch_reader, journey_stitch_writer TO web_a, web_b"
    sql api "SELECT journey_stitch.grant_project('a', 'web_a', 'all'), journey_stitch.grant_project('b', 'web_b', 'all')" >/dev/null
}

# The same event of each project, and one that is refused.
event() {
    printf '{"event_id":"e1","type":"click","user_id":"ann","session_id":"s","ts":"2026-03-02T12:00:00Z","properties":{"of":"%s"}}' "$1"
}

DENIED='ERROR:  42501: permission denied for'
hint() { printf "\nHINT:  An administrator can allow it: SELECT journey_stitch.grant_project('%s', '%s', '%s')." "$@"; }

ingest() {
    post web_a ingest_events "{\"events\":[$(event a),{\"it''s\":\"none\"}],\"project\":\"a\"}"
    post web_b ingest_events "{\"events\":[$(event b)],\"project\":\"b\"}"
    post web_a ingest_events "{\"events\":$(event a),\"project\":\"a\"}"
    post web_a ingest_events '{"events":{"events":[{"type":"login","event_id":"e2","user_id":"ann","ts":"2026-03-03T12:00:00Z"}]},"project":"a"}'
    check "POST /rpc/ingest_events: an array, another tenant, an event again, a wrapped array" "$(answers)" \
        '[{"received":2,"inserted":1,"duplicates":0,"rejected":1}]
[{"received":1,"inserted":1,"duplicates":0,"rejected":0}]
[{"received":1,"inserted":0,"duplicates":1,"rejected":0}]
[{"received":1,"inserted":1,"duplicates":0,"rejected":0}]'
    sql api "SELECT journey_stitch.stitch_pending()" >/dev/null
    check "what is stored" "$(sql api "SELECT string_agg(format('%s %s', p.name, e.event_id), ', ' ORDER BY p.name, e.event_id)
        FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id")" 'a e1, a e2, b e1'
}

# A prepared statement serves several roles in turn, as in PostgREST's pool of connections.
read_as_each() {
    local role
    for role in web_a web_b web_anon web_a; do
        post "$role" get_journey "{\"id\":\"e1\",\"project\":\"a\"}" '"get_journey"."event_id", "get_journey"."properties"'
    done
    post web_b get_journey '{"id":"user_id:ann","project":"b"}' '"get_journey"."event_id", "get_journey"."properties"'
    check "POST /rpc/get_journey of a's project, by a, b, anon, a again; and of b's by b" "$(answers)" \
        "[{\"event_id\":\"e1\",\"properties\":{\"of\": \"a\"}},{\"event_id\":\"e2\",\"properties\":{}}]
$DENIED project \"a\"$(hint a web_b read)
$DENIED schema journey_stitch
[{\"event_id\":\"e1\",\"properties\":{\"of\": \"a\"}},{\"event_id\":\"e2\",\"properties\":{}}]
[{\"event_id\":\"e1\",\"properties\":{\"of\": \"b\"}}]"
    for role in web_a web_b web_anon; do
        post "$role" dau "{\"start_date\":\"2026-03-02\",\"end_date\":\"2026-03-03\",\"project\":\"${role#web_}\"}"
        get "$role" dau '"dau".*' start_date=2026-03-02 end_date=2026-03-03 "project=${role#web_}" identity=journey event_type=login
    done
    check "POST and GET /rpc/dau" "$(answers)" \
        "[{\"day\":\"2026-03-02\",\"active_users\":1},{\"day\":\"2026-03-03\",\"active_users\":1}]
[{\"day\":\"2026-03-02\",\"active_users\":0},{\"day\":\"2026-03-03\",\"active_users\":1}]
[{\"day\":\"2026-03-02\",\"active_users\":1},{\"day\":\"2026-03-03\",\"active_users\":0}]
[{\"day\":\"2026-03-02\",\"active_users\":0},{\"day\":\"2026-03-03\",\"active_users\":0}]
$DENIED schema journey_stitch
$DENIED schema journey_stitch"
    for role in web_a web_b web_anon; do
        get "$role" events_list '"events_list"."event_id", "events_list"."properties"' "project=${role#web_}" 'filters={"user_id":"ann"}' max_rows=10
        get "$role" events_list '"events_list"."event_id", "events_list"."properties"' project=a 'filters={"event_type":"click"}' max_rows=1
    done
    check "GET /rpc/events_list" "$(answers)" \
        "[{\"event_id\":\"e2\",\"properties\":{}},{\"event_id\":\"e1\",\"properties\":{\"of\": \"a\"}}]
[{\"event_id\":\"e1\",\"properties\":{\"of\": \"a\"}}]
[{\"event_id\":\"e1\",\"properties\":{\"of\": \"b\"}}]
$DENIED project \"a\"$(hint a web_b read)
$DENIED schema journey_stitch
$DENIED schema journey_stitch"
}

bad_requests() {
    post web_a ingest_events '{"events":"x","project":"a"}'
    post web_a ingest_events '{"events":null,"project":"a"}'
    post web_a ingest_events "{\"events\":[$(event a)]}"
    get web_a ingest_events '"ingest_events".*' events=[] project=a
    get web_a dau '"dau".*' start_date=2026-03-02 end_date=2026-03-03 project=a tz=Nowhere
    get web_a dau '"dau".*' start_date=soon end_date=2026-03-03 project=a tz=UTC
    post web_a ingest_events '{"events":[],"project":"a"}'
    check "a body that is none, none, no project, GET of what writes, bad arguments; and the connection goes on" "$(answers)" \
        "ERROR:  22023: ingest_events takes a JSON object or an array of objects, not a string
HINT:  Pass one event as an object, several as an array, or {\"events\": [...]}.
ERROR:  22004: events must not be NULL
$DENIED project \"default\"$(hint default web_a write)
ERROR:  25006: cannot execute ingest_events() in a read-only transaction
ERROR:  22023: invalid tz: there is no time zone \"Nowhere\"
HINT:  tz takes the name of a time zone, such as 'UTC' or 'Europe/Berlin' (see pg_timezone_names).
ERROR:  22007: invalid input syntax for type date: \"soon\"
[{\"received\":0,\"inserted\":0,\"duplicates\":0,\"rejected\":0}]"
}

# One session, as the issue says it: SET LOCAL role, the claims, SELECT fn(json).
simplest_form() {
    check "SELECT ingest_events('…') in such a transaction, and what is left after it" "$(PGUSER=authenticator psql -At -d api -v ON_ERROR_STOP=0 -v VERBOSITY=sqlstate 2>&1 <<SQL
BEGIN;
SET LOCAL ROLE web_a;
SELECT set_config('request.jwt.claims', '{"role":"web_a"}', true) \g /dev/null
SELECT set_config('search_path', 'journey_stitch, public', true) \g /dev/null
SELECT journey_stitch.ingest_events('[{"type": "t", "event_id": "e3", "user_id": "ann"}]', 'a');
SELECT count(*) FROM get_journey('e1', 'a');
SELECT current_user, current_setting('request.jwt.claims');
COMMIT;
SELECT current_user, current_setting('request.jwt.claims', true);
SELECT journey_stitch.ingest_events('[]', 'a');
BEGIN;
SET LOCAL ROLE web_b;
SELECT journey_stitch.ingest_events('[]', 'a');
ROLLBACK;
BEGIN;
SET LOCAL ROLE web_anon;
SELECT journey_stitch.ingest_events('[]', 'a');
ROLLBACK;
SELECT current_user;
SQL
)" '(1,1,0,0)
2
web_a|{"role":"web_a"}
authenticator|
ERROR:  42501
ERROR:  42501
ERROR:  42501
authenticator'
}

cluster_start postgrest "fsync = off"
make_api
ingest
read_as_each
bad_requests
simplest_form
summary
