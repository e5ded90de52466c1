# shellcheck shell=bash disable=SC2154
# Sourced by tests/upgrade.sh, whose variables OLD, NOTES, last_event and last_journey it uses: what is in the databases
# that are updated, and what is asked of them.

# Only the first release has a script of its own.
make_old() {
    sql postgres "CREATE DATABASE $1"
    sql "$1" "CREATE EXTENSION age; CREATE EXTENSION journey_stitch VERSION '0.1.0'"
    [ "$OLD" = 0.1.0 ] || sql "$1" "ALTER EXTENSION journey_stitch UPDATE TO '$OLD'"
}

# Roles and what is granted to them, as a user of the old version had it: an application by that version's README, and
# an analyst who reads by tables, by a view and by functions. And objects of the user's own that use ours.
use_as_user() {
    [ "$OLD" = 0.1.0 ] || grant_projects "$1"
    sql "$1" "
        GRANT USAGE ON SCHEMA journey_stitch TO app, analyst, viewer;
        GRANT EXECUTE ON FUNCTION journey_stitch.ingest_events(jsonb, text) TO app;
        GRANT SELECT, INSERT ON journey_stitch.projects, journey_stitch.events, journey_stitch.event_ids,
                                journey_stitch.pending, journey_stitch.dead_letters TO app;
        GRANT USAGE ON SEQUENCE journey_stitch.projects_id_seq, journey_stitch.pending_id_seq,
                                journey_stitch.dead_letters_id_seq, journey_stitch.merges_id_seq,
                                journey_stitch.event_entry_id, journey_stitch.key_entry_id,
                                journey_stitch.journey_entry_id, journey_stitch.user_entry_id TO app;
        GRANT UPDATE (name) ON journey_stitch.projects TO app;
        GRANT SELECT ON journey_stitch.events, journey_stitch.activity TO analyst WITH GRANT OPTION;
        GRANT EXECUTE ON FUNCTION journey_stitch.dau(date, date, text, text, text, text),
                                  journey_stitch.find_journey(text, text) TO analyst;
        GRANT SELECT ON journey_stitch.stitched_events TO viewer;
        CREATE VIEW public.last_events AS SELECT event_id, event_type FROM journey_stitch.stitched_events;
        CREATE VIEW public.one_journey AS SELECT * FROM journey_stitch.get_journey('e1');
        CREATE VIEW public.one_id AS
            SELECT journey_stitch.find_journey('e1') AS journey, journey_stitch.journey_of('e1') AS uuid;
        CREATE VIEW public.checks AS SELECT * FROM journey_stitch.health()"
}

# What one has to have beside it since 0.2.0, and what the update from 0.1.0 makes of what one had.
grant_projects() {
    sql "$1" "
        GRANT EXECUTE ON FUNCTION journey_stitch.granted_projects(text) TO app, analyst, viewer;
        GRANT SELECT ON journey_stitch.events, journey_stitch.pending TO viewer"
    [ "$OLD" = 0.1.0 ] || sql "$1" "
        SELECT journey_stitch.grant_project(p.name, r.role, 'all')
        FROM journey_stitch.projects p, unnest(ARRAY['app', 'analyst', 'viewer']) AS r (role)" >/dev/null
}

# ingest DATABASE FROM TO [PROJECT]: events eFROM to eTO. Their sessions make 200 journeys of the first 299; the users
# of the others make those into one hundred.
ingest() {
    sql "$1" "SELECT inserted FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object(
            'event_id', 'e' || n, 'event_type', CASE n % 3 WHEN 0 THEN 'click' WHEN 1 THEN 'view' ELSE 'buy' END,
            'occurred_at', timestamptz '2026-03-02 00:00Z' + n * interval '53 minutes', 'session_id', 's' || n % 200,
            'user_id', CASE WHEN n >= 300 THEN 'u' || n % 100 END, 'amount', n,
            'correlations', jsonb_build_object('email', 'm' || n % 200)))
        FROM generate_series($2, $3) AS n), '${4:-default}')" >/dev/null
}

# In fresh: events stitched, journeys that were merged, events that wait, a batch that has failed, dead letters of both
# stages, and a queue row as only the new version has them.
fill() {
    ingest fresh 1 299
    ingest fresh 1 50 'second project'
    # Two people each by the rules of old, by which keys were as they were sent; one each by those of today.
    sql fresh "SELECT FROM journey_stitch.ingest_events('[
        {\"event_id\": \"case 1\", \"type\": \"t\", \"correlations\": {\"email\": \"Ann@x\"}},
        {\"event_id\": \"case 2\", \"type\": \"t\", \"correlations\": {\"email\": \"ann@x\"}},
        {\"event_id\": \"space 1\", \"type\": \"t\", \"user_id\": \" bob\"},
        {\"event_id\": \"space 2\", \"type\": \"t\", \"user_id\": \"bob\"}]')"
    sql fresh "
        SELECT FROM journey_stitch.projects p
        CROSS JOIN LATERAL journey_stitch.set_identity_rule('*', \"normalize\" => '{}', project => p.name) AS a
        CROSS JOIN LATERAL journey_stitch.set_identity_rule('email', \"normalize\" => '{}', project => p.name) AS b
        CROSS JOIN LATERAL journey_stitch.set_max_journey_keys(0, p.name)"
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    ingest fresh 300 449
    # Earlier than the founding event of its journey, and no founding event.
    sql fresh "SELECT FROM journey_stitch.ingest_events(
        '{\"event_id\": \"early\", \"type\": \"t\", \"session_id\": \"s7\", \"ts\": \"2026-03-01\"}')"
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    ingest fresh 450 600
    ingest fresh 51 60 'second project'
    sql fresh "UPDATE journey_stitch.pending SET attempts = 1, last_error = '40P01: a test', next_attempt_at = now()
               WHERE project_id <> 1"
    sql fresh "SELECT FROM journey_stitch.ingest_events('[5, {\"note\": \"no type\"}]')"
    sql fresh "INSERT INTO journey_stitch.dead_letters (project_id, stage, reason, message, event, attempts)
               SELECT 1, 'stitch', '22000', 'a test', jsonb_build_object(
                   'event_id', 'dead', 'event_type', 'click', 'user_id', 'u1', 'ts', '2026-03-03'), 3"
}

# tables_of DATABASE: the tables of the old version that hold data, and their columns then.
tables_of() {
    sql "$1" "
        SELECT c.oid::regclass, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace::regnamespace::text IN ('journey_stitch', 'journey_graph') AND c.relkind IN ('r', 'p')
          AND c.relname NOT LIKE 'events\_p%' AND c.relname NOT LIKE '\_ag\_%' AND c.relname <> 'state'
        GROUP BY c.oid ORDER BY c.relname <> 'projects', c.relname"
}

# What the old version would have left in a database of the same history: fresh's rows, the graph's too, by the columns
# that both versions have. (0.1.0 has no queue rows without events.)
copy_data() {
    local table columns condition sequence value
    while IFS='|' read -r table columns; do
        condition=''
        [ "$OLD $table" != '0.1.0 journey_stitch.pending' ] || condition='WHERE events > 0'
        sql upgraded "SET client_min_messages = warning; TRUNCATE $table CASCADE"
        sql fresh "COPY (SELECT $columns FROM $table $condition) TO STDOUT" |
            sql upgraded "COPY $table ($columns) FROM STDIN"
    done <"$NOTES/old_tables"
    for sequence in $(sql upgraded "SELECT c.oid::regclass FROM pg_class c WHERE c.relkind = 'S'
                                    AND c.relnamespace::regnamespace::text IN ('journey_stitch', 'journey_graph')"); do
        value=$(sql fresh "SELECT last_value || ', ' || is_called FROM $sequence")
        sql upgraded "SELECT setval('$sequence', $value)" >/dev/null
    done
}

# rows DATABASE: a checksum of each of those tables.
rows() {
    local table columns
    while IFS='|' read -r table columns; do
        printf "SELECT '%s', count(*), md5(string_agg(r::text, ' ' ORDER BY r::text)) " "$table"
        printf 'FROM (SELECT %s FROM %s) AS r;\n' "$columns" "$table"
    done <"$NOTES/old_tables" | psql -At -d "$1"
}

# journeys DATABASE: the events of every event's journey. Ids are left out, which new journeys draw at random.
journeys() {
    sql "$1" "
        SELECT p.name, l.event_id,
               string_agg(concat_ws(' ', g.event_id, g.event_type, g.occurred_at, g.user_id, g.session_id,
                                    g.properties), ', ' ORDER BY g.occurred_at, g.event_id)
        FROM journey_stitch.event_ids l
        JOIN journey_stitch.projects p ON p.id = l.project_id
        LEFT JOIN LATERAL journey_stitch.get_journey(l.event_id, p.name) AS g ON true
        GROUP BY 1, 2 ORDER BY 1, 2"
}

# ids DATABASE: where the events and the journeys lead that were stitched before the update, absorbed ones among them.
ids() {
    sql "$1" "
        SELECT p.name, l.event_id, journey_stitch.find_journey(l.event_id, p.name),
               journey_stitch.journey_of(l.event_id, p.name)
        FROM journey_stitch.event_ids l JOIN journey_stitch.projects p ON p.id = l.project_id
        WHERE l.id <= $last_event ORDER BY 1, 2"
    sql "$1" "
        SELECT p.name, j.uuid, j.merged_into, journey_stitch.find_journey(j.uuid::text, p.name)
        FROM journey_stitch.journeys j JOIN journey_stitch.projects p ON p.id = j.project_id
        WHERE j.id <= $last_journey ORDER BY 1, 2"
}

# The rules of every project, and the founding event of every journey that was there before the update.
identity() {
    sql "$1" "SELECT * FROM journey_stitch.identity_rules ORDER BY project_id, kind COLLATE \"C\", is_in_force"
    sql "$1" "SELECT id, founder_id, tense_until, kind_counts FROM journey_stitch.journeys
              WHERE id <= $last_journey ORDER BY id"
}

# membership DATABASE: the events of each journey.
membership() {
    sql "$1" "
        SELECT p.name, string_agg(l.event_id, ', ' ORDER BY l.event_id COLLATE \"C\")
        FROM journey_stitch.event_ids l JOIN journey_stitch.projects p ON p.id = l.project_id
        GROUP BY 1, journey_stitch.find_journey(l.event_id, p.name) ORDER BY 1, 2"
}

analytics() {
    local identity
    for identity in user journey; do
        sql "$1" "
            SELECT * FROM journey_stitch.dau('2026-03-01', '2026-03-31', identity => '$identity');
            SELECT * FROM journey_stitch.dau('2026-03-01', '2026-03-31', 'second project', 'Asia/Kolkata', '$identity',
                                             'click');
            SELECT * FROM journey_stitch.retention('2026-03-02', 3, identity => '$identity');
            SELECT * FROM journey_stitch.top_events('2026-03-01', '2026-03-31', 5, identity => '$identity')"
    done
}
