# shellcheck shell=bash disable=SC2154
# Sourced by tests/upgrade.sh, whose variables OLD, NOTES, last_event and last_journey it uses: what is in the databases
# that are updated, and what is asked of them.

# older_than VERSION: whether the old version is older than that.
older_than() {
    [ "$OLD" != "$1" ] && [ "$(printf '%s\n' "$OLD" "$1" | sort -V | head -n 1)" = "$OLD" ]
}

# Only the first release has a script of its own.
make_old() {
    sql postgres "CREATE DATABASE $1"
    sql "$1" "CREATE EXTENSION age; CREATE EXTENSION journey_stitch VERSION '0.1.0'"
    [ "$OLD" = 0.1.0 ] || sql "$1" "ALTER EXTENSION journey_stitch UPDATE TO '$OLD'"
}

# Roles and what is granted to them, as a user of the old version had it: an application by that version's README, and
# an analyst who reads by tables, by a view and by functions. And objects of the user's own that use ours.
# (dau and retention without arguments, which are others now.)
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
        GRANT EXECUTE ON FUNCTION journey_stitch.dau, journey_stitch.find_journey(text, text) TO analyst;
        GRANT EXECUTE ON FUNCTION journey_stitch.retention TO analyst WITH GRANT OPTION;
        GRANT SELECT ON journey_stitch.stitched_events TO viewer;
        CREATE VIEW public.last_events AS SELECT event_id, event_type FROM journey_stitch.stitched_events;
        CREATE VIEW public.one_journey AS SELECT * FROM journey_stitch.get_journey('e1');
        CREATE VIEW public.one_id AS
            SELECT journey_stitch.find_journey('e1') AS journey, journey_stitch.journey_of('e1') AS uuid;
        CREATE VIEW public.checks AS SELECT * FROM journey_stitch.health();
        CREATE VIEW public.days AS
            SELECT * FROM journey_stitch.dau('2026-03-01', '2026-03-31', 'default', 'Asia/Kolkata', 'journey', 'click');
        CREATE VIEW public.weeks AS
            SELECT * FROM journey_stitch.retention('2026-03-02', 3, tz => 'Europe/Berlin', event_type => 'click');
        CREATE VIEW public.types AS
            SELECT * FROM journey_stitch.top_events('2026-03-01', '2026-03-31', 5, 'default', 'UTC', 'journey')"
}

# What the views show that were made on functions which have other arguments now.
views() { sql "$1" "TABLE public.days; TABLE public.weeks; TABLE public.types"; }

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
    # For users' totals; "null" is a user_id that is no key, and NaN no number.
    sql fresh "SELECT FROM journey_stitch.ingest_events('[
        {\"event_id\": \"bought 1\", \"type\": \"purchase\", \"user_id\": \"buyer\",
         \"ts\": \"2026-03-05T23:59:59.9Z\", \"amount\": 19.90, \"duration\": \"12.5\"},
        {\"event_id\": \"bought 2\", \"type\": \"purchase\", \"user_id\": \"buyer\",
         \"ts\": \"2026-03-06T00:00:00Z\", \"amount\": \"7.1\", \"duration\": \"NaN\"},
        {\"event_id\": \"bought 3\", \"type\": \"purchase\", \"user_id\": \"null\", \"session_id\": \"no user\",
         \"ts\": \"2026-03-06T00:00:00Z\", \"amount\": \"x\", \"duration\": 3},
        {\"event_id\": \"no user\", \"type\": \"t\", \"user_id\": \"null\", \"session_id\": \"no user\",
         \"ts\": \"2026-03-04\"}]')"
    # More of one day and type than a run of the timeline has.
    sql fresh "SELECT FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object('event_id', 'tick ' || n, 'type', 'tick', 'session_id', 'tick ' || n,
                                            'ts', timestamptz '2026-03-10Z' + n * interval '3 minutes'))
        FROM generate_series(0, 399) AS n))"
    sql fresh "
        SELECT FROM journey_stitch.projects p
        CROSS JOIN LATERAL journey_stitch.set_identity_rule('*', \"normalize\" => '{}', project => p.name) AS a
        CROSS JOIN LATERAL journey_stitch.set_identity_rule('email', \"normalize\" => '{}', project => p.name) AS b
        CROSS JOIN LATERAL journey_stitch.set_max_journey_keys(0, p.name)"
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    older_than 0.3.0 || keep_apart
    # From here on the stitcher keeps it.
    older_than 0.4.0 || sql fresh "SELECT FROM journey_stitch.create_metric('clicks', 'click', '\$.amount')"
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

# Keys that tie nothing together, by a rule and by a person's word, as 0.3.0 was the first to have them.
keep_apart() {
    local project
    sql fresh "SET client_min_messages = warning;
        SELECT FROM journey_stitch.set_identity_rule('phone', merges => false, project => 'second project');
        SELECT FROM journey_stitch.restitch('second project')"
    for project in 'default' 'second project'; do
        sql fresh "SELECT FROM journey_stitch.ingest_events((
            SELECT jsonb_agg(jsonb_build_object('event_id', id, 'type', 't', 'session_id', id, 'correlations',
                                                '[\"phone:1\"]'::jsonb))
            FROM unnest(ARRAY['apart 1', 'apart 2']) AS id), '$project')"
    done
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    sql fresh "SELECT FROM journey_stitch.unmerge('phone:1', dry_run => false)"
}

# tables_of DATABASE: the tables of the old version that hold data, and their columns then.
tables_of() {
    sql "$1" "
        SELECT c.oid::regclass, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace::regnamespace::text IN ('journey_stitch', 'journey_graph') AND c.relkind IN ('r', 'p')
          AND c.relname NOT LIKE 'events\_p%' AND c.relname NOT LIKE '\_ag\_%' AND c.relname <> 'state'
        GROUP BY c.oid ORDER BY c.relname <> 'projects', c.relname"
}

# What the old version would have left in a database of the same history: fresh's rows, the graph's too, by the columns
# that both versions have. (0.1.0 has no queue rows without events. Until 0.4.0 there were rollups of half hours beside
# those of days: they are copies of these here, as nobody is to look into them any more.)
copy_data() {
    local table columns source sequence value
    while IFS='|' read -r table columns; do
        source="SELECT $columns FROM $table"
        case "$columns" in
            *grain*) source="SELECT ${columns/starts_at/starts_at + later} FROM $table
                CROSS JOIN (VALUES ('d'::\"char\", interval '0'), ('h', '30 minutes')) AS g (grain, later)" ;;
        esac
        [ "$OLD $table" != '0.1.0 journey_stitch.pending' ] || source+=' WHERE events > 0'
        sql upgraded "SET client_min_messages = warning; TRUNCATE $table CASCADE"
        sql fresh "COPY ($source) TO STDOUT" | sql upgraded "COPY $table ($columns) FROM STDIN"
    done <"$NOTES/old_tables"
    for sequence in $(sql upgraded "SELECT c.oid::regclass FROM pg_class c WHERE c.relkind = 'S'
                                    AND c.relnamespace::regnamespace::text IN ('journey_stitch', 'journey_graph')"); do
        value=$(sql fresh "SELECT last_value || ', ' || is_called FROM $sequence")
        sql upgraded "SELECT setval('$sequence', $value)" >/dev/null
    done
}

# rows DATABASE: a checksum of each of those tables, without the column that rollups had once.
rows() {
    local table columns
    while IFS='|' read -r table columns; do
        columns=${columns/ grain,/}
        printf "SELECT '%s', count(*), md5(string_agg(r::text, ' ' ORDER BY r::text)) " "$table"
        printf 'FROM (SELECT %s FROM %s) AS r;\n' "$columns" "$table"
    done <"$NOTES/old_tables" | psql -At -d "$1"
}

# rollups DATABASE ['SQL']: what the rollups hold, one line a member, event or user, whatever rows it is packed into
# and whatever its numbers are; with SQL: after that, of which nothing stays.
rollups() {
    local journey="(SELECT j.id, j.project_id, e.event_id AS founded_by FROM journey_stitch.journeys j
                    JOIN journey_stitch.journeys p ON p.id = COALESCE(j.merged_into, j.id)
                    JOIN journey_stitch.events e ON e.id = p.founder_id)"
    psql -At -d "$1" -c '\o /dev/null' -c "BEGIN; ${2:-}" -c '\o' -c "
        SELECT 'users', u.project_id, u.user_id, u.total_events, u.first_seen, u.last_active, u.total_purchases,
               u.last_purchase, u.durations, u.total_spent, u.total_duration
        FROM journey_stitch.users u ORDER BY 2, u.user_id COLLATE \"C\"" -c "
        SELECT 'event_counts', c.project_id, c.starts_at, c.event_type, c.events
        FROM journey_stitch.event_counts c ORDER BY 2, 3, 4" -c "
        SELECT 'activity', a.project_id, a.identity, a.event_type, a.starts_at, COALESCE(u.user_id, j.founded_by)
        FROM journey_stitch.activity a CROSS JOIN LATERAL journey_stitch.members_ids(a.chunk, a.members) AS m (id)
        LEFT JOIN journey_stitch.users u ON a.identity = 'u' AND u.id = m.id
        LEFT JOIN $journey AS j ON a.identity = 'j' AND j.id = m.id
        ORDER BY 2, 3, 4, 5, 6" -c "
        SELECT 'timeline', t.project_id, t.starts_at, t.event_type, e.event_id, r.occurred_at, u.user_id, j.founded_by,
               r.id BETWEEN t.first_id AND t.last_id
        FROM journey_stitch.timeline t CROSS JOIN LATERAL journey_stitch.timeline_events(t.run) AS r
        LEFT JOIN journey_stitch.events e ON e.id = r.id
        LEFT JOIN journey_stitch.users u ON u.id = r.user_number
        LEFT JOIN $journey AS j ON j.id = r.journey_number
        ORDER BY 2, 3, 4, 5"
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
