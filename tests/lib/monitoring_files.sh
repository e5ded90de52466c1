# shellcheck shell=bash
# shellcheck disable=SC2154 # nothing_pending is the script's.
# Sourced by tests/cluster/monitoring.sh: what shows that the files in sql/monitoring do what they say, the
# configuration by the exporter that it is for, the dashboard by running its queries.

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
