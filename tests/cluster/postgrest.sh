#!/usr/bin/env bash
# PostgREST's way of calling: one connection of a role without rights, each request a transaction that becomes the
# request's role, with the statements that PostgREST 12 generates for POST and GET of /rpc/…, prepared once for all.
# Two web roles see a project each, the anonymous one nothing, and errors have the SQLSTATE and hint to answer with.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

# Roles as PostgREST's manual has them; and the statements that it makes of its copy of the catalog. Arguments that are
# not named are left to their defaults. POST has one parameter, the body; GET one for each argument, a text to be cast.
make_api() {
    create_database api
    sql postgres "ALTER DATABASE api SET journey_stitch.enabled = off"
    psql -d api <<'SQL'
CREATE ROLE authenticator LOGIN NOINHERIT;
CREATE ROLE web_anon;
CREATE ROLE web_a IN ROLE journey_stitch_reader, journey_stitch_writer;
CREATE ROLE web_b IN ROLE journey_stitch_reader, journey_stitch_writer;
GRANT web_anon, web_a, web_b TO authenticator;
SELECT journey_stitch.grant_project('a', 'web_a', 'all'), journey_stitch.grant_project('b', 'web_b', 'all') \g /dev/null
CREATE FUNCTION public.statement(method text, function text, names text[], columns text[]) RETURNS text
LANGUAGE sql AS $$
    SELECT format('WITH pgrst_source AS (SELECT pgrst_call.* FROM %s) '
                  'SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, '
                  'coalesce(json_agg(_postgrest_t), ''[]'') AS body, '
                  'nullif(current_setting(''response.headers'', true), '''') AS response_headers, '
                  'nullif(current_setting(''response.status'', true), '''') AS response_status, '
                  ''''' AS response_inserted FROM (SELECT %s FROM "pgrst_source" AS %I) _postgrest_t',
        CASE method
            WHEN 'POST' THEN
                format('(SELECT $1 AS json_data) pgrst_payload, LATERAL (SELECT %s FROM '
                       'json_to_record(pgrst_payload.json_data) AS _(%s) LIMIT 1) pgrst_body, '
                       'LATERAL journey_stitch.%I(%s) pgrst_call',
                       string_agg(format('%I', name), ', '), string_agg(format('%I %s', name, type), ', '), function,
                       string_agg(format('%I := pgrst_body.%1$I', name), ', '))
            WHEN 'GET' THEN
                format('journey_stitch.%I(%s) pgrst_call', function,
                       string_agg(format('%I := $%s::%s', name, n, type), ', ' ORDER BY n)) END,
        (SELECT string_agg(format('%I.%s', function, CASE c WHEN '*' THEN c ELSE quote_ident(c) END), ', ')
         FROM unnest(columns) AS c), function)
    FROM (SELECT w.name, w.n, p.proargtypes[a.n - 1]::regtype AS type
          FROM pg_proc p
          CROSS JOIN unnest(p.proargnames) WITH ORDINALITY AS a (name, n)
          JOIN unnest(names) WITH ORDINALITY AS w (name, n) ON w.name = a.name
          -- Of functions of one name the first that has all of the arguments; told_apart() looks for others.
          WHERE a.n <= p.pronargs AND p.oid = (
              SELECT o.oid FROM pg_proc o
              WHERE o.pronamespace = 'journey_stitch'::regnamespace AND o.proname = function AND o.prokind = 'f'
                AND names <@ o.proargnames[1:o.pronargs] ORDER BY o.oid LIMIT 1)) AS arguments
$$;
SQL
}

# request ROLE METHOD FUNCTION COLUMNS NAMES TYPES VALUES: a transaction. The statement is prepared in the session's
# first one that needs it. The claims name project a in all of them: they give no rights.
request() {
    local mode='READ ONLY' statement name preparing
    [ "$2" = GET ] || mode='READ WRITE'
    statement=$(sql api "SELECT statement('$2', '$3', '{$5}', '{$4}')")
    name=rpc_$(md5sum <<<"$statement" | cut -c 1-16)
    preparing="PREPARE $name($6) AS $statement;"
    if grep -qs "^PREPARE $name" "$CLUSTER_DIR/session.sql"; then preparing=''; fi
    cat >>"$CLUSTER_DIR/session.sql" <<SQL
BEGIN ISOLATION LEVEL READ COMMITTED $mode;
SELECT set_config('search_path', '"journey_stitch", "public"', true), set_config('role', '$1', true),
       set_config('request.jwt.claims', '{"role":"$1","project":"a"}', true), set_config('request.method', '$2', true),
       set_config('request.path', '/rpc/$3', true), set_config('request.headers', '{"accept":"*/*"}', true) \g /dev/null
$preparing
EXECUTE $name($7);
COMMIT;
SQL
}

# post ROLE FUNCTION BODY [COLUMNS]: BODY is an object of arguments.
post() {
    local body=${3//\'/\'\'} names
    names=$(sql api "SELECT string_agg(k, ',') FROM json_object_keys('$body') AS k")
    request "$1" POST "$2" "${4:-*}" "$names" json "'$body'"
}

# get ROLE FUNCTION COLUMNS NAME=TEXT …: the arguments of the URL.
get() {
    local names='' types='' values='' pair
    for pair in "${@:4}"; do
        names+=,${pair%%=*}
        types+=,unknown
        values+=",'${pair#*=}'"
    done
    request "$1" GET "$2" "$3" "${names#,}" "${types#,}" "${values#,}"
}

# Runs the requests in one session, and answers their bodies, a line each, or errors.
answers() {
    PGUSER=authenticator psql -At -d api -v ON_ERROR_STOP=0 -v VERBOSITY=verbose -f "$CLUSTER_DIR/session.sql" 2>&1 |
        sed -E "s,^psql:$CLUSTER_DIR/session.sql:[0-9]+: ,,; /^(LOCATION|LINE [0-9]+): /d; /^ *\^$/d" |
        sed -E ':more; /, *$/ { N; s/, *\n */,/; t more }; s/^\|[0-9]+\|(.*)\|\|\|$/\1/'
    : >"$CLUSTER_DIR/session.sql"
}

# The same event of each project.
event() {
    printf '{"event_id":"e1","type":"click","user_id":"ann","ts":"2026-03-02","properties":{"of":"%s"}}' "$1"
}

lines() { printf '%s\n' "$@"; }
NO_SCHEMA='ERROR:  42501: permission denied for schema journey_stitch'
# denied PROJECT ROLE PRIVILEGE
denied() {
    printf 'ERROR:  42501: permission denied for project "%s"\n' "$1"
    printf "HINT:  An administrator can allow it: SELECT journey_stitch.grant_project('%s', '%s', '%s');" "$@"
}

ingest() {
    local wrapped='{"events":[{"type":"login","event_id":"e2","user_id":"ann","ts":"2026-03-03"}]}'
    post web_a ingest_events "{\"events\":[$(event a),{\"it's\":\"none\"}],\"project\":\"a\"}"
    post web_b ingest_events "{\"events\":[$(event b)],\"project\":\"b\"}"
    post web_a ingest_events "{\"events\":$(event a),\"project\":\"a\"}"
    post web_a ingest_events "{\"events\":$wrapped,\"project\":\"a\"}"
    check "POST /rpc/ingest_events: an array, another tenant, an event again, a wrapped array" "$(answers)" "$(lines \
        '[{"received":2,"inserted":1,"duplicates":0,"rejected":1}]' \
        '[{"received":1,"inserted":1,"duplicates":0,"rejected":0}]' \
        '[{"received":1,"inserted":0,"duplicates":1,"rejected":0}]' \
        '[{"received":1,"inserted":1,"duplicates":0,"rejected":0}]')"
    sql api "SELECT journey_stitch.create_metric('clicks', 'click', project => p) FROM unnest('{a,b}'::text[]) AS p;
        SELECT journey_stitch.stitch_pending()" >/dev/null
    check "what is stored" "$(sql api "SELECT string_agg(p.name || ' ' || e.event_id, ', ' ORDER BY p.name, e.event_id)
        FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id")" 'a e1, a e2, b e1'
}

# A prepared statement serves several roles in turn, as in PostgREST's pool of connections.
journeys() {
    local role of_a='[{"event_id":"e1","properties":{"of": "a"}},{"event_id":"e2","properties":{}}]'
    for role in web_a web_b web_anon web_a; do
        post "$role" get_journey '{"id":"e1","project":"a"}' event_id,properties
    done
    post web_b get_journey '{"id":"user_id:ann","project":"b"}' event_id,properties
    check "POST /rpc/get_journey of a's project, by a, b, anon, a again; and of b's by b" "$(answers)" \
        "$(lines "$of_a" "$(denied a web_b read)" "$NO_SCHEMA" "$of_a" '[{"event_id":"e1","properties":{"of": "b"}}]')"
}

dau() {
    local role
    for role in web_a web_b web_anon; do
        post "$role" dau "{\"start_date\":\"2026-03-02\",\"end_date\":\"2026-03-03\",\"project\":\"${role#web_}\"}"
        get "$role" dau '*' start_date=2026-03-02 end_date=2026-03-03 "project=${role#web_}" identity=journey \
            event_type=login
    done
    check "POST and GET /rpc/dau" "$(answers)" "$(lines \
        '[{"day":"2026-03-02","active_users":1},{"day":"2026-03-03","active_users":1}]' \
        '[{"day":"2026-03-02","active_users":0},{"day":"2026-03-03","active_users":1}]' \
        '[{"day":"2026-03-02","active_users":1},{"day":"2026-03-03","active_users":0}]' \
        '[{"day":"2026-03-02","active_users":0},{"day":"2026-03-03","active_users":0}]' "$NO_SCHEMA" "$NO_SCHEMA")"
}

# Functions of one name are told apart by the names of their arguments, by nothing else. Those that are not need a
# function of one's own around one of them, as the README says.
told_apart() {
    check "functions that PostgREST cannot tell apart" "$(sql api "
        SELECT string_agg(DISTINCT a.proname, ', ' ORDER BY a.proname)
        FROM pg_proc a JOIN pg_proc b ON a.proname = b.proname AND a.oid < b.oid
        WHERE a.pronamespace = 'journey_stitch'::regnamespace AND b.pronamespace = a.pronamespace
          AND a.prokind = 'f' AND b.prokind = 'f' AND has_function_privilege('web_a', a.oid, 'EXECUTE')
          AND has_function_privilege('web_a', b.oid, 'EXECUTE')
          AND a.proargnames[1:a.pronargs] = b.proargnames[1:b.pronargs]")" 'funnel, funnel_by'
}

# Each of the functions by one request of each role; the anonymous one is refused the schema.
analytics() {
    local dates='"start_date":"2026-03-02","end_date":"2026-03-03"' of role project
    for role in web_a web_b web_anon; do
        project=${role#web_}
        of="\"project\":\"$project\""
        get "$role" wau day,active_users start_date=2026-03-08 end_date=2026-03-09 "project=$project"
        post "$role" mau "{$dates,\"mode\":\"calendar\",$of}"
        get "$role" stickiness day,stickiness start_date=2026-03-03 end_date=2026-03-03 "project=$project"
        get "$role" lifecycle new_users,dormant_users start_date=2026-03-03 end_date=2026-03-03 "project=$project"
        post "$role" retention "{\"start_date\":\"2026-03-02\",\"windows\":1,\"unit\":\"day\",$of}" \
            window_no,retention_rate
        post "$role" dau_by "{\"breakdown\":\"\$.of\",\"start_date\":\"2026-03-02\",\"end_date\":\"2026-03-02\",$of}"
        get "$role" top_events '*' start_date=2026-03-02 end_date=2026-03-03 'filter={"of":"a"}' "project=$project"
        post "$role" paths "{$dates,$of}" target,average_seconds
        get "$role" sessions first_event,duration id=ann timeout=1d "project=$project"
        get "$role" user_stats user_id,total_events,last_purchase "project=$project"
        get "$role" metric count,users name=clicks 'granularity=1 day' start=2026-03-02 end=2026-03-04 \
            "project=$project"
    done
    check "GET and POST of analytics, by a, by b, by anon" "$(answers)" "$(lines \
        '[{"day":"2026-03-08","active_users":1},{"day":"2026-03-09","active_users":1}]' \
        '[{"day":"2026-03-01","active_users":1}]' '[{"day":"2026-03-03","stickiness":1.0000}]' \
        '[{"new_users":0,"dormant_users":0}]' \
        '[{"window_no":0,"retention_rate":100.0},{"window_no":1,"retention_rate":100.0}]' \
        '[{"day":"2026-03-02","value":"a","active_users":1}]' '[{"event_type":"click","events":1,"users":1}]' \
        '[{"target":"login","average_seconds":86400.000},{"target":"(drop-off)","average_seconds":null}]' \
        '[{"first_event":"click","duration":"24:00:00"}]' \
        '[{"user_id":"ann","total_events":2,"last_purchase":null}]' '[{"count":1,"users":1},{"count":0,"users":0}]' \
        '[{"day":"2026-03-08","active_users":1},{"day":"2026-03-09","active_users":0}]' \
        '[{"day":"2026-03-01","active_users":1}]' '[{"day":"2026-03-03","stickiness":0.0000}]' \
        '[{"new_users":0,"dormant_users":1}]' \
        '[{"window_no":0,"retention_rate":100.0},{"window_no":1,"retention_rate":0.0}]' \
        '[{"day":"2026-03-02","value":"b","active_users":1}]' '[]' \
        '[{"target":"(drop-off)","average_seconds":null}]' \
        '[{"first_event":"click","duration":"00:00:00"}]' \
        '[{"user_id":"ann","total_events":1,"last_purchase":null}]' '[{"count":1,"users":1},{"count":0,"users":0}]' \
        "$NO_SCHEMA" "$NO_SCHEMA" "$NO_SCHEMA" "$NO_SCHEMA" "$NO_SCHEMA" "$NO_SCHEMA" "$NO_SCHEMA" "$NO_SCHEMA" \
        "$NO_SCHEMA" "$NO_SCHEMA" "$NO_SCHEMA")"
}

events_list() {
    local role
    for role in web_a web_b web_anon; do
        get "$role" events_list event_id "project=${role#web_}" 'filters={"user_id":"ann"}' max_rows=10
        get "$role" events_list event_id,properties project=a 'filters={"event_type":"click"}' max_rows=1
    done
    check "GET /rpc/events_list" "$(answers)" "$(lines '[{"event_id":"e2"},{"event_id":"e1"}]' \
        '[{"event_id":"e1","properties":{"of": "a"}}]' '[{"event_id":"e1"}]' "$(denied a web_b read)" \
        "$NO_SCHEMA" "$NO_SCHEMA")"
}

bad_requests() {
    post web_a ingest_events '{"events":"x","project":"a"}'
    post web_a ingest_events '{"events":null,"project":"a"}'
    post web_a ingest_events "{\"events\":[$(event a)]}"
    get web_a ingest_events '*' events=[] project=a
    get web_a dau '*' start_date=2026-03-02 end_date=2026-03-03 project=a tz=Nowhere
    get web_a dau '*' start_date=soon end_date=2026-03-03 project=a tz=UTC
    post web_a ingest_events '{"events":[],"project":"a"}'
    check "bodies that are none, no project, GET of what writes, bad arguments; the connection goes on" "$(answers)" \
        "$(lines 'ERROR:  22023: ingest_events takes a JSON object or an array of objects, not a string' \
            'HINT:  Pass one event as an object, several as an array, or {"events": [...]}.' \
            'ERROR:  22004: events must not be NULL' "$(denied default web_a write)" \
            'ERROR:  25006: cannot execute ingest_events() in a read-only transaction' \
            'ERROR:  22023: invalid tz: there is no time zone "Nowhere"' \
            "HINT:  tz takes the name of a time zone, such as 'UTC' or 'Europe/Berlin' (see pg_timezone_names)." \
            'ERROR:  22007: invalid input syntax for type date: "soon"' \
            '[{"received":0,"inserted":0,"duplicates":0,"rejected":0}]')"
}

# SET LOCAL role, the claims, SELECT fn(json); and what is left of it after the transaction.
simplest_form() {
    cat >"$CLUSTER_DIR/session.sql" <<'SQL'
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
    check "SELECT ingest_events('…') in such a transaction, and what is left after it" "$(answers)" "$(lines \
        '(1,1,0,0)' 2 'web_a|{"role":"web_a"}' 'authenticator|' "$NO_SCHEMA" "$(denied a web_b write)" "$NO_SCHEMA" \
        authenticator)"
}

cluster_start postgrest "fsync = off"
make_api
ingest
journeys
dau
told_apart
analytics
events_list
bad_requests
simplest_form
summary
