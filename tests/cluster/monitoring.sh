#!/usr/bin/env bash
# What a DBA sees from outside, on a real cluster: Prometheus figures through Debian's prometheus-sql-exporter and the
# configuration in sql/monitoring, every query of the Grafana dashboard, progress of long work while it runs, what
# stat_worker and pg_stat_activity say of the processes, what is logged and what is not, and health() in trouble.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

EXPORTER_CONFIG=sql/monitoring/sql_exporter.yml DASHBOARD=sql/monitoring/grafana.json
LONG=50000
exporter_pid='' exporter_port=''

nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
no_worker="SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'journey_stitch worker')"

# As what a DBA gives to a monitoring system.
as_monitor() { PGUSER=monitor sql "$@"; }

# await 'what' SECONDS COMMAND …: polls until the command succeeds; a failed check if it never does.
await() {
    local what=$1 seconds=$2 start=$SECONDS
    shift 2
    until "$@" >"$CLUSTER_DIR/awaited" 2>&1; do
        if [ $((SECONDS - start)) -gt "$seconds" ]; then
            failed "$what (not within $seconds s)"
            sed 's/^/  /' "$CLUSTER_DIR/awaited"
            return
        fi
        sleep 0.1
    done
    passed "$what"
}

# quietly 'what' SECONDS DATABASE 'SQL': wait_until for what is no claim of the test; counted if it fails only.
quietly() {
    local before=$PASSED
    wait_until "$@" >"$CLUSTER_DIR/waited"
    [ "$PASSED" != "$before" ] || cat "$CLUSTER_DIR/waited"
    PASSED=$before
}

# ingest DATABASE PREFIX N [PROJECT]: N events of a tenth as many users.
ingest() {
    sql "$1" "SELECT inserted FROM journey_stitch.ingest_events(
        (SELECT jsonb_agg(jsonb_build_object('id', '$2' || n, 'type', 'click', 'user_id', '$2' || n % ($3 / 10 + 1)))
         FROM generate_series(1, $3) AS n), '${4:-default}')"
}

# call PROJECT 'events': into "busy", and what the call answers is kept.
call() {
    psql -d busy -v project="$1" -v events="$2" <<'SQL'
INSERT INTO public.answers SELECT :'project', i.* FROM journey_stitch.ingest_events(:'events', :'project') AS i;
SQL
}

stitch() { sql "$1" "SET client_min_messages = error; SELECT journey_stitch.stitch_pending()" >/dev/null; }

configure() {
    sql postgres "ALTER SYSTEM SET $1 = '$2'"
    sql postgres "SELECT pg_reload_conf()" >/dev/null
    # A new session is the postmaster's child, as a new worker is.
    quietly "$1 is $2" 10 postgres "SELECT current_setting('$1') = '$2'"
}

# Lines of the server's log that match, from a line of it on.
logged() { tail -n "+$2" "$CLUSTER_DIR/log" | grep -cE "$1" || true; }
log_end() { echo $(($(wc -l <"$CLUSTER_DIR/log") + 1)); }

# check_health DATABASE CHECK STATUS [PATTERN of what the detail must say to do]
check_health() {
    local row
    row=$(as_monitor "$1" "SELECT status, detail FROM journey_stitch.health() WHERE \"check\" = '$2'")
    check "health(): $2 is $3" "${row%%|*}" "$3"
    [ -n "${4:-}" ] || return 0
    check_true "and says what to do: ${row#*|}" "$(grep -qE "$4" <<<"${row#*|}" && echo t)"
}
unwell() {
    as_monitor "$1" "SELECT string_agg(\"check\", ', ') FROM journey_stitch.health() WHERE status <> 'OK'"
}

# The figures that Prometheus is to get, from the events, the calls' answers and the tables. Where only the stitcher
# itself can know (batches, retries) from its counters.
make_oracle() {
    psql -d busy <<'SQL'
CREATE TABLE public.answers (project text, received bigint, inserted bigint, duplicates bigint, rejected bigint);
CREATE FUNCTION public.figures() RETURNS SETOF text
LANGUAGE sql
SET search_path = journey_stitch, public
AS $$
    WITH p AS (
        SELECT id, name, format('project="%s"', replace(replace(name, E'\\', E'\\\\'), '"', E'\\"')) AS label
        FROM projects)
    SELECT format('sql_journey_stitch_%s{%s} %s', f.name, p.label, f.value)
    FROM p
    LEFT JOIN (SELECT project, sum(received) AS received, sum(duplicates) AS duplicates
               FROM answers GROUP BY project) AS a ON a.project = p.name
    CROSS JOIN LATERAL (VALUES
        ('events_received_total', COALESCE(a.received, 0)),
        ('events_duplicate_total', COALESCE(a.duplicates, 0)),
        ('events_inserted_total', (SELECT count(*) FROM events e WHERE e.project_id = p.id)),
        ('events_stitched_total', (SELECT count(*) FROM stitched_events e WHERE e.project_id = p.id)),
        ('journeys_created_total', (SELECT count(*) FROM journeys j WHERE j.project_id = p.id)),
        ('journeys_merged_total', (SELECT count(*) FROM merges m WHERE m.project_id = p.id)),
        ('errors_total', (SELECT count(*) FROM dead_letters d WHERE d.project_id = p.id AND d.stage = 'stitch')),
        ('lag_events', (SELECT COALESCE(sum(q.events), 0) FROM pending q WHERE q.project_id = p.id)),
        ('batches_total', (SELECT s.batches FROM stat_stitch s WHERE s.project = p.name)),
        ('retries_total', (SELECT s.retries FROM stat_stitch s WHERE s.project = p.name))) AS f (name, value)
    UNION ALL
    SELECT format('sql_journey_stitch_events_rejected_total{%s,reason="%s"} %s', p.label, d.reason, count(*))
    FROM dead_letters d JOIN p ON p.id = d.project_id
    WHERE d.stage = 'ingest' GROUP BY p.label, d.reason
    UNION ALL
    SELECT format('sql_journey_stitch_job_errors{sqlstate="%s"} %s', sqlstate, count(*))
    FROM job_errors GROUP BY sqlstate
    UNION ALL
    SELECT format('sql_journey_stitch_launcher_up{} %s', count(*))
    FROM pg_stat_activity WHERE backend_type = 'journey_stitch launcher'
    UNION ALL
    SELECT format('sql_journey_stitch_health{check="%s"} %s', "check",
                  CASE status WHEN 'OK' THEN 0 WHEN 'WARN' THEN 1 WHEN 'FAIL' THEN 2 END)
    FROM health()
$$;
SQL
}

metrics() { curl -sS --max-time 5 "http://127.0.0.1:$exporter_port/metrics" 2>/dev/null; }
# Without the labels that the exporter adds.
our_metrics() {
    metrics | grep '^sql_journey_stitch_' |
        sed -E 's/(col|database|driver|host|sql_job|user)="[^"]*",?//g; s/,\}/}/'
}
metric() { our_metrics | sed -n "s/^sql_journey_stitch_$1 //p" | head -n 1; }
is_metric() { [ "$(metric "$1")" = "$2" ]; }
# The figures but for those that move by themselves, or come and go.
agree() {
    local moving='_(scrape_timestamp|last_batch_timestamp|lag|progress)_seconds|_worker(_failures)?\{'
    diff <(our_metrics | grep -vE "$moving" | sort) <(sql busy "SELECT * FROM public.figures()" | sort)
}
# How many queries' last run the exporter says to have failed (1), or not (0).
are_failed() {
    local pattern="^sql_exporter_last_scrape_failed\{.*sql_job=\"journey_stitch\".* $1\$"
    [ "$(metrics | grep -cE "$pattern")" = "$2" ]
}
is_newer_than() {
    awk -v now="$(metric 'scrape_timestamp_seconds{}')" -v before="$1" 'BEGIN { exit !(now + 0 > before + 0) }'
}

# With the shipped configuration, but for the interval, on a port of its own choice that nobody else has.
start_exporter() {
    local attempts=0
    sed 's/^  interval: 15s$/  interval: 500ms/' "$EXPORTER_CONFIG" >"$CLUSTER_DIR/exporter.yml"
    while [ $((attempts += 1)) -le 10 ]; do
        exporter_port=$((20000 + RANDOM % 20000))
        JOURNEY_STITCH_DATABASE=busy PGUSER=monitor LOGLEVEL=warn \
            prometheus-sql-exporter -config.file "$CLUSTER_DIR/exporter.yml" \
            -web.listen-address "127.0.0.1:$exporter_port" >"$CLUSTER_DIR/exporter.log" 2>&1 &
        exporter_pid=$!
        # It ends at once if the port is taken.
        for _ in {1..50}; do
            kill -0 "$exporter_pid" 2>/dev/null || break
            if metrics | grep -q '^sql_journey_stitch_'; then return; fi
            sleep 0.1
        done
        stop_exporter
    done
    failed "the exporter starts"
    tail -n 5 "$CLUSTER_DIR/exporter.log"
}

stop_exporter() {
    [ -n "$exporter_pid" ] || return 0
    kill "$exporter_pid" 2>/dev/null || true
    wait "$exporter_pid" 2>/dev/null || true
    exporter_pid=''
}

test_exporter() {
    local queries
    check_true "the configuration has the interval that this test shortens" \
        "$(grep -qx '  interval: 15s' "$EXPORTER_CONFIG" && echo t)"
    start_exporter
    [ -n "$exporter_pid" ] || return 0
    queries=$(grep -c '^  - name: journey_stitch_' "$EXPORTER_CONFIG")
    await "each of the $queries queries of the configuration is answered, to a member of pg_monitor" 20 \
        are_failed 0 "$queries"
    await "/metrics has the figures that SQL has" 20 agree
    check "events received, from /metrics" "$(metric 'events_received_total{project="default"}')" 1003
    check "of them rejected for want of a type" \
        "$(metric 'events_rejected_total{project="default",reason="missing_event_type"}')" 2
    check_true "the last batch's time is that of SQL" "$(sql busy "
        SELECT abs(extract(epoch FROM last_batch_at)
                   - $(metric 'last_batch_timestamp_seconds{project="default"}')) < 0.001
        FROM journey_stitch.stat_stitch WHERE project = 'default'")"
    figures_move
    postgres_goes "$queries"
}

# More of everything: a merge, duplicates, refusals, a new project with a hostile name, and a batch that fails.
figures_move() {
    sql busy "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$
        BEGIN IF NEW.value = 'poison' THEN RAISE check_violation; END IF; RETURN NEW; END \$\$;
        CREATE TRIGGER refuse BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    call default '[{"id": "b", "type": "t", "user_id": "u1", "session_id": "s"},
                   {"id": "m", "type": "t", "user_id": "u2", "session_id": "s"}, {"id": "m", "type": "t"}]'
    call 'sh"op \ ü' '[{"id": "a1", "type": "t", "user_id": "u1"}, 5, {"id": "x", "type": "t", "ts": "never"}]'
    call bad '[{"id": "p", "type": "t", "user_id": "poison"}]'
    await "an event that cannot be stitched is seen waiting" 20 is_metric 'lag_events{project="bad"}' 1
    await "and its failures" 20 is_metric 'job_errors{sqlstate="23514"}' 1
    await "health() has its warning" 20 is_metric 'health{check="failing batches"}' 1
    check_true "and for how long it waits" \
        "$(awk -v s="$(metric 'lag_seconds{project="bad"}')" 'BEGIN { if (s > 0 && s < 600) print "t" }')"
    sql busy "DROP TRIGGER refuse ON journey_stitch.keys; DROP FUNCTION public.refuse"
    quietly "all is stitched in the end" 30 busy "$nothing_pending"
    await "after more events, /metrics has again the figures that SQL has" 20 agree
    check "a merge among them" "$(metric 'journeys_merged_total{project="default"}')" 1
    check "nothing waits any more" "$(metric 'lag_seconds{project="bad"}')" 0
}

postgres_goes() {
    local queries=$1 before
    cluster_stop
    await "with PostgreSQL down, the exporter says of every query that it failed" 20 are_failed 1 "$queries"
    before=$(metric 'scrape_timestamp_seconds{}')
    check_true "it still shows the last figures, and when they were read" "$([ -n "$before" ] && echo t)"
    cluster_resume
    await "with PostgreSQL up again, all of them are answered" 30 are_failed 0 "$queries"
    await "and newer than before" 20 is_newer_than "$before"
    await "with the figures that SQL has" 20 agree
}

# The dashboard as a document. form 'what' 'condition in jq', whose $ are jq's and Grafana's.
# shellcheck disable=SC2016
form() { check_true "dashboard: $1" "$(jq -e "$2" "$DASHBOARD" >/dev/null && echo t)"; }
# shellcheck disable=SC2016
test_dashboard_form() {
    form "it is one, of a schema that Grafana 10 has" '
        .schemaVersion >= 36 and .schemaVersion <= 39
        and (.title | length > 0) and (.uid | test("^[a-zA-Z0-9_-]{1,40}$"))'
    form "panels have ids of their own" '
        [.panels[].id] | length > 10 and length == (unique | length) and all(type == "number")'
    form "panels are of kinds that Grafana has" '
        all(.panels[]; .type | IN("row", "table", "stat", "barchart", "timeseries"))'
    form "panels have a title, and a description but for rows" '
        all(.panels[]; (.title | length > 0) and (.type == "row" or (.description | length > 0)))'
    form "panels lie on the grid" '
        all(.panels[].gridPos; .x >= 0 and .y >= 0 and .w > 0 and .h > 0 and .x + .w <= 24)'
    form "no two panels overlap" '
        [.panels[] | {id} + .gridPos] as $all
        | all($all[] as $a | $all[] as $b | [$a, $b]; . as [$a, $b]
              | $a.id == $b.id or $a.x + $a.w <= $b.x or $b.x + $b.w <= $a.x
                or $a.y + $a.h <= $b.y or $b.y + $b.h <= $a.y)'
    form "panels and queries take the data source of the variable" '
        all(.panels[] | select(.type != "row") | .datasource, .targets[].datasource;
            . == {type: "grafana-postgresql-datasource", uid: "${datasource}"})'
    form "the variable is one" '
        any(.templating.list[];
            .name == "datasource" and .type == "datasource" and .query == "grafana-postgresql-datasource")'
    form "panels have queries in SQL, told apart by refId" '
        all(.panels[] | select(.type != "row") | .targets;
            length > 0 and length == ([.[].refId] | unique | length)
            and all(.[]; .rawQuery and (.rawSql | length > 0)))'
    form "time series, and nothing else, are asked for as such" '
        all(.panels[] | select(.type != "row");
            (if .type == "timeseries" then "time_series" else "table" end) as $format
            | all(.targets[]; .format == $format))'
    form "every variable that is used is defined" '
        [.templating.list[].name] as $defined
        | [.. | strings | scan("\\$\\{([a-zA-Z_]+)")[0]] | unique | length > 1 and all(.[]; IN($defined[]))'
}

# as_sql TEXT: what Grafana sends to the data source, for the 30 days until now.
as_sql() {
    local from to
    from=$(date -u -d '-30 days' +%Y-%m-%dT%H:%M:%SZ) to=$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)
    sed -E "s/\\\$__timeFilter\(([^)]*)\)/\1 BETWEEN '$from' AND '$to'/g
            s/\\\$__timeFrom\(\)/'$from'/g; s/\\\$__timeTo\(\)/'$to'/g
            s/\\\$__interval_ms/60000/g; s/\\\$\{project:sqlstring\}/'default'/g" <<<"$1"
}

# What is wrong with the columns (NAME|TYPE, a line each) that a panel (JSON) gets: nothing, or some words. A time
# series needs a time and numbers, a figure numbers, bars a column of names and numbers, and every panel the columns
# that it has a format for.
wrong_columns() {
    jq -r --arg columns "$2" '
        ($columns | split("\n") | map(split("|") | {name: .[0], type: .[1]})) as $is
        | def number: .type | IN("bigint", "integer", "numeric", "double precision");
        def one_and_numbers($name; $type):
            any($is[]; .name == $name and .type == $type) and any($is[]; number)
            and all($is[]; .name == $name or number);
        if .type == "timeseries" and (one_and_numbers("time"; "timestamp with time zone") | not) then
            "no time with numbers"
        elif .type == "stat" and (all($is[]; number) | not) then "other things than numbers"
        elif .type == "barchart" and (one_and_numbers(.options.xField; "text") | not) then "no names with numbers"
        else empty end,
        ([.fieldConfig.overrides[].matcher | select(.id == "byName").options] - [$is[].name]
         | .[] | "no column \(.)")' <<<"$1"
}

# Each query answers, with rows (the caller sees to it that there is something to see) and the columns that it is for.
test_dashboard_queries() {
    local panel title query role answer wrong ran=0
    while read -r panel; do
        while read -r query; do
            query=$(as_sql "$(jq -r . <<<"$query")")
            case $query in
            *journey_stitch.dau* | *journey_stitch.top_events*) role=analyst ;;
            *) role=monitor ;;
            esac
            wrong=''
            answer=$(printf '%s\n\\gdesc\n\\echo rows:\n%s\n;\n' "$query" "$query" |
                PGUSER=$role psql -At -d busy 2>&1) || wrong=$answer
            [ -n "$wrong" ] || wrong=$(wrong_columns "$panel" "$(sed '/^rows:$/,$d' <<<"$answer")")
            [ -n "$wrong" ] || [ -n "$(sed '1,/^rows:$/d' <<<"$answer")" ] || wrong="no rows"
            case $query in *'$'*) wrong="a macro that this test does not know" ;; esac
            title=$(jq -r '"\(.type) \"\(.title)\""' <<<"$panel")
            check "dashboard: role $role gets what the $title shows" "$wrong" ''
            ran=$((ran + 1))
        done < <(jq -c '.targets[].rawSql' <<<"$panel")
    done < <(jq -c '.panels[] | select(.type != "row")' "$DASHBOARD")
    check "these were all queries of its panels" "$ran" "$(grep -c '"rawSql": "' "$DASHBOARD")"
    query=$(jq -r '.templating.list[] | select(.name == "project").query' "$DASHBOARD")
    check "its variable offers the projects" "$(as_monitor busy "$query" | grep -cxE 'default|bad|long')" 3
}

progress() { as_monitor busy "SELECT $1 FROM journey_stitch.stat_progress WHERE command = 'stitch'"; }

# Batches of "busy" stop where they write to a table whose gate is closed.
make_gates() {
    sql busy "CREATE TABLE public.closed (gate text);
        CREATE FUNCTION public.gate() RETURNS trigger LANGUAGE plpgsql AS \$\$
        BEGIN
            WHILE EXISTS (SELECT FROM public.closed WHERE gate = TG_TABLE_NAME) LOOP PERFORM pg_sleep(0.01); END LOOP;
            RETURN NULL;
        END \$\$;
        CREATE TRIGGER gate BEFORE INSERT ON journey_stitch.keys EXECUTE FUNCTION public.gate();
        CREATE TRIGGER gate BEFORE INSERT ON journey_stitch.users EXECUTE FUNCTION public.gate()"
}
close_gates() { sql busy "INSERT INTO public.closed VALUES ('keys'), ('users')"; }
open_gate() { sql busy "DELETE FROM public.closed WHERE gate = '$1'"; }
at_gate() {
    echo "SELECT EXISTS (SELECT FROM journey_stitch.stat_progress
          WHERE (command, project, step, events) = ('stitch', 'long', '$1', $LONG))"
}

test_progress() {
    local first begun
    configure journey_stitch.batch_size 100000
    quietly "no worker is left that has the old setting" 30 busy "$no_worker"
    make_gates
    close_gates
    ingest busy long "$LONG" long >/dev/null
    wait_until "stat_progress shows a batch of $LONG events at its step \"keys\", while it runs" 60 \
        busy "$(at_gate keys)"
    first=$(progress pid) begun=$(progress started_at)
    check "stat_worker: the worker works" "$(as_monitor busy "
        SELECT datname, state, activity ~ '^stitching project \d+\$', wait_event, failures, next_start IS NULL
        FROM journey_stitch.stat_worker WHERE role = 'worker' AND pid = $first")" 'busy|active|t|PgSleep|0|t'
    check "pg_stat_activity: what it is and does" "$(as_monitor busy "
        SELECT application_name, backend_type, state, datname, query ~ '^stitching project'
        FROM pg_stat_activity WHERE pid = $first")" 'journey_stitch worker|journey_stitch worker|active|busy|t'
    if [ -n "$exporter_pid" ]; then
        await "/metrics has the worker at work" 20 is_metric 'worker{datname="busy",state="active"}' 1
        await "and the events that wait for it" 20 is_metric 'lag_events{project="long"}' "$LONG"
        check_true "and the batch that runs" "$(our_metrics |
            grep -qE "_progress_seconds\{command=\"stitch\",pid=\"$first\",project=\"long\"\} [0-9]" && echo t)"
        stop_exporter
    fi
    open_gate keys
    wait_until "it moves on to the step \"users\"" 60 busy "$(at_gate users)"
    check "in the same process, begun at the same time" "$(progress "pid, started_at")" "$first|$begun"
    [ -z "$JQ" ] || test_dashboard_queries
    sql busy "INSERT INTO public.closed VALUES ('keys')"
    killed "$first"
    # Then it is logged at the default settings.
    quietly "the batch has run for a second" 20 busy "SELECT seconds > 1 FROM journey_stitch.stat_progress"
    open_gate keys
    open_gate users
    wait_until "in the end all of it is stitched" 60 busy "$nothing_pending"
    wait_until "and nothing is in progress" 20 busy "SELECT NOT EXISTS (SELECT FROM journey_stitch.stat_progress)"
    check "no event is missing in the graph" "$(sql busy "
        SELECT (SELECT count(*) FROM journey_stitch.events) - (SELECT count(*) FROM journey_graph.\"Event\")")" 0
    check_health busy 'failing workers' OK
}

# The worker is terminated twice, then killed; each time another one comes to the gate.
killed() {
    local pid=$1 gone="SELECT NOT EXISTS (SELECT FROM journey_stitch.stat_progress WHERE pid ="
    sql busy "SELECT pg_terminate_backend($pid)" >/dev/null
    wait_until "terminated, it is no longer in progress" 20 busy "$gone $pid)"
    wait_until "another worker begins anew" 60 busy "$(at_gate keys)"
    pid=$(progress pid)
    # The second back-off is of two seconds.
    sql busy "SELECT pg_terminate_backend($pid)" >/dev/null
    wait_until "stat_worker: after the second time it is backing off" 20 busy "SELECT EXISTS (
        SELECT FROM journey_stitch.stat_worker
        WHERE (role, datname, state, failures) = ('worker', 'busy', 'backing off', 2)
          AND pid IS NULL AND next_start > clock_timestamp())"
    check_health busy 'failing workers' WARN 'log'
    quietly "another worker begins anew" 60 busy "$(at_gate keys)"
    pid=$(progress pid)
    kill -9 "$pid"
    quietly "the server is up again after kill -9" 60 busy "$gone $pid)"
    quietly "another worker begins anew" 60 busy "$(at_gate keys)"
    check "after kill -9 and the restart there is one batch in progress, of another process" \
        "$(progress "count(*), bool_or(pid = $pid)")" '1|f'
}

# In "calm", whose worker is off.
test_rebuild_progress() {
    local rebuild
    if [ "$(sql calm "SELECT prosrc LIKE '%note_progress%' FROM pg_proc
                      WHERE oid = 'journey_stitch.rebuild_graph'::regproc")" != t ]; then
        skip "progress of rebuild_graph(): it does not call note_progress() yet"
        return
    fi
    sql calm "CREATE FUNCTION public.gate() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
        CREATE TRIGGER gate BEFORE INSERT ON journey_graph.\"PART_OF\" EXECUTE FUNCTION public.gate()"
    sql calm "SELECT journey_stitch.rebuild_graph()" >"$CLUSTER_DIR/rebuild" 2>&1 &
    rebuild=$!
    wait_until "stat_progress shows rebuild_graph() and its step, while it runs" 30 calm "SELECT EXISTS (
        SELECT FROM journey_stitch.stat_progress
        WHERE (command, step) = ('rebuild_graph', 'PART_OF') AND project IS NULL AND steps_done > 0 AND steps_done < steps_total)"
    sql calm "SELECT pg_cancel_backend(pid) FROM journey_stitch.stat_progress" >/dev/null
    wait_until "cancelled, it is no longer in progress" 20 \
        calm "SELECT NOT EXISTS (SELECT FROM journey_stitch.stat_progress)"
    wait "$rebuild" || true
    check_true "it ended by that" "$(grep -q 'canceling statement' "$CLUSTER_DIR/rebuild" && echo t)"
    sql calm "DROP TRIGGER gate ON journey_graph.\"PART_OF\"; DROP FUNCTION public.gate"
}

# A line of a batch, as log_min_duration has it. batch_line EVENTS PROJECT
batch_line() {
    printf 'journey_stitch: stitched %s events of project %s: in ms %s' "$1" "$2" \
        'read [0-9]+, plan [0-9]+, merge [0-9]+, journeys [0-9]+, keys [0-9]+, graph [0-9]+, '
    printf 'users [0-9]+, rollups [0-9]+, queue [0-9]+, waited [0-9]+, [0-9]+ blocks read, [0-9]+ kB of WAL'
}

# calm_stitch SETTING: a batch of three events with log_min_duration set so; how many bytes of WAL it wrote at most.
calm_stitch() {
    ingest calm "$RANDOM-" 3 >/dev/null
    psql -At -d calm <<SQL
SET journey_stitch.log_min_duration = '$1';
SELECT pg_current_wal_insert_lsn() AS before \\gset
SELECT events FROM journey_stitch.stitch_pending() \\gset
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'before');
SQL
}

test_log() {
    local from wal kb lines
    from=$(log_end)
    check "20,000 events go in, at default settings" "$(ingest busy many 20000)" 20000
    quietly "they are stitched" 60 busy "$nothing_pending"
    lines=$(($(log_end) - from))
    check_true "that was logged in $lines lines (limit of the test: 40)" "$([ "$lines" -lt 40 ] && echo t)"

    from=$(log_end)
    wal=$(calm_stitch 0)
    check "log_min_duration = 0: a batch of three events is logged, with its steps" \
        "$(logged "$(batch_line 3 1) \([0-9]+ ms\)" "$from")" 1
    kb=$(tail -n "+$from" "$CLUSTER_DIR/log" | sed -nE 's/.* ([0-9]+) kB of WAL.*/\1/p')
    check_true "its $kb kB of WAL are no more than the server's $((wal / 1024)) kB" \
        "$([ "$kb" -gt 0 ] && [ $((kb * 1024)) -le "$wal" ] && echo t)"
    from=$(log_end)
    calm_stitch -1 >/dev/null
    calm_stitch 10min >/dev/null
    check "log_min_duration = -1, or longer than the batch takes: none is" "$(logged 'journey_stitch: ' "$from")" 0

    # Waiting for another stitcher of the project is time, too. This one lets go when somebody has waited for 0.3 s.
    from=$(log_end)
    ingest calm waited 3 >/dev/null
    psql -d calm <<'SQL' >/dev/null &
BEGIN;
UPDATE journey_stitch.projects SET version = version WHERE name = 'default';
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'calm' AND wait_event_type = 'Lock'
                      AND query_start < clock_timestamp() - interval '0.3 s') LOOP
        PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
    END LOOP;
END $$;
COMMIT;
SQL
    quietly "somebody has the project" 20 calm "SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = 'calm')"
    sql calm "SET journey_stitch.log_min_duration = 200; SELECT journey_stitch.stitch_pending()" >/dev/null
    wait $!
    check "waiting for another stitcher is logged, with the project" \
        "$(logged 'journey_stitch: waited for project 1, which another stitcher had \([0-9]+ ms\)' "$from")" 1
}

# The worker's line for the long batch, at the default of 1 s.
test_log_of_worker() {
    local line sum total
    line=$(grep -E "$(batch_line "$LONG" '[0-9]+'); commit [0-9]+ \([0-9]+ ms\)" "$CLUSTER_DIR/log" | tail -n 1) || true
    check_true "the worker's long batch is logged at default settings: steps, blocks, WAL and commit" \
        "$([ -n "$line" ] && echo t)"
    read -r sum total < <(sed -E 's/.*in ms (.*), waited .* \(([0-9]+) ms\)/\1 \2/; s/[a-z, ]+/ /g' <<<"$line" |
        awk '{ for (n = 1; n < NF; n++) sum += $n; print sum + 0, $NF }')
    check_true "its steps took $sum ms of its $total ms" "$([ "$sum" -gt 0 ] && [ "$sum" -le "$total" ] && echo t)"
}

test_processes() {
    local processes
    wait_until "pg_stat_activity: the launcher's name and what it waits for" 10 busy "SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE (application_name, backend_type, wait_event_type, wait_event)
            = ('journey_stitch launcher', 'journey_stitch launcher', 'Extension', 'JourneyStitchIdle'))"
    check "stat_worker: the launcher, which has long started" "$(as_monitor busy "
        SELECT pid = journey_stitch.launcher_pid(), datname IS NULL, state IN ('idle', 'active'), wait_event
        FROM journey_stitch.stat_worker WHERE role = 'launcher'")" 't|t|t|JourneyStitchIdle'
    configure journey_stitch.idle_exit 1min
    ingest busy idle 10 >/dev/null
    wait_until "a worker with nothing to do: its name, what it waits for, and idle" 20 busy "SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE (application_name, backend_type, datname, state, wait_event_type, wait_event)
            = ('journey_stitch worker', 'journey_stitch worker', 'busy', 'idle', 'Extension', 'JourneyStitchIdle'))"
    check "stat_worker says so, too" "$(as_monitor busy "
        SELECT state, wait_event FROM journey_stitch.stat_worker WHERE datname = 'busy'")" 'idle|JourneyStitchIdle'
    check "journey_stitch_admin, who is not in pg_monitor, sees there that they run" "$(PGUSER=administrator sql busy "
        SELECT role, state FROM journey_stitch.stat_worker WHERE role = 'launcher' OR datname = 'busy' ORDER BY 1")" \
        $'launcher|running\nworker|running'
}

# Each piece of advice is taken, and helps.
test_health() {
    local last
    check "all is well in \"busy\", but for dead letters" "$(unwell busy)" 'dead letters'
    check_health busy 'dead letters' WARN 'retry_dead_letters\(\)'
    sql busy "UPDATE journey_stitch.dead_letters SET event = '{\"type\": \"mended\"}';
              SELECT journey_stitch.retry_dead_letters()" >/dev/null
    check_health busy 'dead letters' OK

    check_health calm workers WARN 'stitch_pending\(\)'
    ingest calm old 10 >/dev/null
    check_health calm queue OK
    sql calm "UPDATE journey_stitch.pending SET created_at = now() - interval '61 s'"
    check_health calm queue WARN 'stat_worker|stat_progress|stitch_pending'
    stitch calm
    check_health calm queue OK

    sql calm "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE check_violation; END';
        CREATE TRIGGER refuse BEFORE INSERT ON journey_stitch.keys FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    ingest calm bad 10 >/dev/null
    stitch calm
    check_health calm 'failing batches' WARN 'job_errors'
    check "job_errors says why, to a monitor" \
        "$(as_monitor calm "SELECT sqlstate, message, events, attempt, consequence FROM journey_stitch.job_errors")" \
        '23514|check_violation|10|1|to be tried again in 1 s'
    sql calm "DROP TRIGGER refuse ON journey_stitch.keys; UPDATE journey_stitch.pending SET next_attempt_at = now()"
    stitch calm
    check_health calm 'failing batches' OK

    sql calm "SET client_min_messages = error; LOAD 'age';
              SELECT ag_catalog.drop_graph('journey_graph', true)" >/dev/null
    check_health calm graph FAIL 'SELECT \* FROM journey_stitch.rebuild_graph\(\)'
    PGUSER=administrator sql calm "SELECT * FROM journey_stitch.rebuild_graph()" 2>&1 | grep ERROR || true
    check_health calm graph OK
    sql calm "SET client_min_messages = error; LOAD 'age';
              SELECT ag_catalog.drop_label('journey_graph', 'Event')" >/dev/null 2>&1 || true
    check_health calm graph FAIL 'rebuild_graph\(\)'
    sql calm "SELECT journey_stitch.rebuild_graph()" >/dev/null
    check_health calm graph OK

    last=$(sql calm "SELECT last_value FROM journey_stitch.event_entry_id")
    sql calm "SELECT setval('journey_stitch.event_entry_id', 80000000000000)" >/dev/null
    check_health calm 'event ids' WARN
    sql calm "SELECT setval('journey_stitch.event_entry_id', 130000000000000)" >/dev/null
    check_health calm 'event ids' FAIL
    sql calm "SELECT setval('journey_stitch.event_entry_id', $last)" >/dev/null
    check_health calm 'event ids' OK
    check_health calm version OK
    check "all is well in \"calm\", but for its workers" "$(unwell calm)" 'workers'
}

JQ=$(command -v jq || true)
cluster_start monitoring "fsync = off"
create_database busy
create_database calm
sql postgres "ALTER DATABASE calm SET journey_stitch.enabled = off"
sql busy "CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
          CREATE ROLE administrator LOGIN IN ROLE journey_stitch_admin;
          CREATE ROLE analyst LOGIN IN ROLE journey_stitch_reader"

test_log
sql busy "SELECT journey_stitch.clean(); SELECT journey_stitch.grant_project('default', 'analyst')" >/dev/null
make_oracle
thousand=$(sql busy "SELECT jsonb_agg(jsonb_build_object('id', 'a' || n, 'type', 'click', 'user_id', 'u' || n % 90))
                     FROM generate_series(1, 1000) AS n")
call default "$thousand"
call default '[{"id": "a1", "type": "again"}, {"id": "none"}, {"no": "type"}]'
quietly "they are stitched" 30 busy "$nothing_pending"
if command -v prometheus-sql-exporter >/dev/null && command -v curl >/dev/null; then
    test_exporter
else
    skip "figures by Prometheus: prometheus-sql-exporter or curl is not installed"
    # What the dashboard is to show.
    call bad '[5]'
    sql busy "INSERT INTO journey_stitch.job_errors (project_id, sqlstate, message, events, attempt, consequence)
              VALUES (1, '23514', 'none', 1, 1, 'none')"
fi
if [ -n "$JQ" ]; then test_dashboard_form; else skip "the dashboard: jq is not installed"; fi
test_progress
test_log_of_worker
test_processes
test_rebuild_progress
test_health
summary
