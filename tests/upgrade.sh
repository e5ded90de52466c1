#!/usr/bin/env bash
# ALTER EXTENSION UPDATE, from the first released version to the present one: the catalog that it leaves is the one that
# CREATE EXTENSION makes, in every property; the data, and what users had made and granted, live on, also in a restored
# dump. Before, the new library answers rightly or refuses clearly, and its worker waits.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/cluster.sh

OLD=0.1.0
nothing_pending="SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"
violations="SELECT sum(violations) FROM journey_stitch.verify()"

# What the script writes down goes here; the cluster's directory is the server's.
NOTES=$(mktemp -d "${TMPDIR:-/tmp}/journey_stitch_upgrade.XXXXXX")
PRIVATE_DIRS+=("$NOTES")
trap cluster_exit EXIT

# catalog DATABASE ['SQL']: the catalog's rows about the extension and what it and its functions have made, one line a
# property; the roles too, which are the whole server's. Left out is what differs by nature (oids, file numbers,
# statistics, names of toast tables, and what may be so for longer than it is). With SQL: as it is after that, of which
# nothing stays.
catalog() {
    psql -At -d "$1" -c '\o /dev/null' -c "BEGIN; ${2:-}" -c '\o' -f - <<'SQL'
SET search_path = pg_catalog;
SET jit = off;
CREATE FUNCTION pg_temp.name(class oid, object oid, part integer) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(i.type || ' ' || i.identity, '(pg_toast|RI_ConstraintTrigger_[ac])_[0-9]+', '\1_N', 'g')
    FROM pg_identify_object(class, object, part) AS i
$$;
CREATE FUNCTION pg_temp.privileges(acl aclitem[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN acl IS NULL THEN '{"all": "default"}' ELSE
        (SELECT jsonb_object_agg(s.grantee, s.granted)
         FROM (SELECT COALESCE(g.rolname, 'PUBLIC') AS grantee,
                      string_agg(format('%s%s by %s', e.privilege_type, CASE WHEN e.is_grantable THEN '*' END,
                                        e.grantor::regrole),
                                 ', ' ORDER BY e.privilege_type, e.grantor::regrole::text) AS granted
               FROM aclexplode(acl) AS e LEFT JOIN pg_roles g ON g.oid = e.grantee
               GROUP BY g.rolname) AS s) END
$$;
WITH schema AS (
    SELECT n.* FROM pg_namespace n WHERE n.nspname IN ('journey_stitch', 'journey_graph')
), extension AS (
    SELECT x.* FROM pg_extension x WHERE x.extname = 'journey_stitch'
), relation AS (
    SELECT c.*, pg_temp.name('pg_class'::regclass, c.oid, 0) AS name
    FROM pg_class c JOIN schema s ON s.oid = c.relnamespace
), function AS (
    SELECT p.*, pg_temp.name('pg_proc'::regclass, p.oid, 0) AS name
    FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace
), ours (class, oid) AS MATERIALIZED (
    SELECT 'pg_extension'::regclass, x.oid FROM extension x
    UNION ALL SELECT 'pg_namespace'::regclass, s.oid FROM schema s
    UNION ALL SELECT 'pg_proc'::regclass, f.oid FROM function f
    UNION ALL SELECT 'pg_class'::regclass, r.oid FROM relation r
    UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN schema s ON s.oid = t.typnamespace
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k JOIN schema s ON s.oid = k.connamespace
    UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d JOIN relation r ON r.oid = d.adrelid
    UNION ALL SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
    UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
    UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
), property (object, properties) AS (
    SELECT 'extension', to_jsonb(x) - '{oid,extowner,extnamespace,extconfig,extcondition}'::text[]
           || jsonb_build_object('owner', x.extowner::regrole, 'schema', x.extnamespace::regnamespace)
    FROM extension x
    UNION ALL
    SELECT 'dumped ' || c.relation::regclass, jsonb_build_object('condition', c.condition)
    FROM extension x CROSS JOIN unnest(x.extconfig, x.extcondition) AS c (relation, condition)
    UNION ALL
    SELECT 'schema ' || s.nspname, jsonb_build_object('owner', s.nspowner::regrole) FROM schema s
    UNION ALL
    SELECT f.name, to_jsonb(f) - '{name,oid,pronamespace,proowner,prolang,prorettype,proargtypes,proallargtypes,
                                   proargdefaults,prosrc,proacl}'::text[]
           || jsonb_build_object('owner', f.proowner::regrole, 'arguments', pg_get_function_arguments(f.oid),
                                 'result', pg_get_function_result(f.oid), 'language', l.lanname)
    FROM function f JOIN pg_language l ON l.oid = f.prolang
    UNION ALL
    SELECT f.name, jsonb_build_object('line ' || to_char(d.n, 'FM0000'), d.line)
    FROM function f CROSS JOIN string_to_table(pg_get_functiondef(f.oid), E'\n') WITH ORDINALITY AS d (line, n)
    UNION ALL
    SELECT r.name, to_jsonb(r) - '{name,oid,relnamespace,reltype,relowner,relam,relfilenode,relpages,reltuples,
                                   relallvisible,reltoastrelid,relfrozenxid,relminmxid,relacl,relpartbound,
                                   relhasindex,relhasrules,relhastriggers,relhassubclass}'::text[]
           || jsonb_build_object('owner', r.relowner::regrole, 'access method', a.amname,
                                 'has toast', r.reltoastrelid <> 0, 'bounds', pg_get_expr(r.relpartbound, r.oid),
                                 'view', CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) END)
    FROM relation r LEFT JOIN pg_am a ON a.oid = r.relam
    UNION ALL
    SELECT r.name || ' child of ' || i.inhparent::regclass, jsonb_build_object('nth', i.inhseqno)
    FROM pg_inherits i JOIN relation r ON r.oid = i.inhrelid
    UNION ALL
    SELECT r.name || ' column ' || a.attname,
           to_jsonb(a) - '{attrelid,attname,atttypid,attcacheoff,atthasmissing,attmissingval,attacl,
                           attcollation}'::text[]
           || jsonb_build_object('type', format_type(a.atttypid, a.atttypmod),
                                 'default', pg_get_expr(d.adbin, d.adrelid),
                                 'collation', CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation END)
    FROM relation r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT pg_temp.name('pg_constraint'::regclass, k.oid, 0),
           jsonb_build_object('definition', pg_get_constraintdef(k.oid), 'kind', k.contype, 'local', k.conislocal,
                              'deferrable', k.condeferrable, 'deferred', k.condeferred, 'validated', k.convalidated,
                              'inherited', k.coninhcount, 'not inherited', k.connoinherit)
    FROM pg_constraint k JOIN schema s ON s.oid = k.connamespace
    UNION ALL
    SELECT r.name, to_jsonb(i) - '{indexrelid,indrelid,indcollation,indclass,indkey,indoption,indexprs,indpred}'::text[]
           || jsonb_build_object('definition', pg_get_indexdef(i.indexrelid), 'table', i.indrelid::regclass)
    FROM relation r JOIN pg_index i ON i.indexrelid = r.oid
    UNION ALL
    SELECT r.name, to_jsonb(q) - '{seqrelid,seqtypid}'::text[] || jsonb_build_object('type', q.seqtypid::regtype)
    FROM relation r JOIN pg_sequence q ON q.seqrelid = r.oid
    UNION ALL
    SELECT pg_temp.name('pg_policy'::regclass, p.oid, 0),
           jsonb_build_object('command', p.polcmd, 'permissive', p.polpermissive, 'roles', p.polroles::regrole[],
                              'using', pg_get_expr(p.polqual, p.polrelid),
                              'check', pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT pg_temp.name('pg_trigger'::regclass, t.oid, 0),
           jsonb_build_object('enabled', t.tgenabled,
                              'definition', CASE WHEN NOT t.tgisinternal THEN pg_get_triggerdef(t.oid) END)
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid
    UNION ALL
    SELECT pg_temp.name('pg_rewrite'::regclass, w.oid, 0), jsonb_build_object('definition', pg_get_ruledef(w.oid))
    FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid
    UNION ALL
    SELECT 'role ' || r.rolname, to_jsonb(r) - '{oid,rolname}'::text[]
    FROM pg_roles r WHERE r.rolname LIKE 'journey\_stitch\_%'
    UNION ALL
    SELECT 'role ' || m.member::regrole || ' in ' || m.roleid::regrole,
           to_jsonb(m) - '{oid,roleid,member,grantor}'::text[]
    FROM pg_auth_members m WHERE m.roleid::regrole::text LIKE 'journey\_stitch\_%'
    UNION ALL
    SELECT 'label ' || l.name, to_jsonb(l) - '{graph,relation}'::text[]
    FROM ag_catalog.ag_label l JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
    WHERE g.name = 'journey_graph'
    UNION ALL
    SELECT 'comment on ' || pg_temp.name(d.classoid, d.objoid, d.objsubid), jsonb_build_object('text', d.description)
    FROM pg_description d JOIN ours o ON o.class = d.classoid AND o.oid = d.objoid
    UNION ALL
    SELECT 'privileges on ' || r.name, pg_temp.privileges(r.relacl) FROM relation r
    UNION ALL
    SELECT 'privileges on ' || r.name || ' column ' || a.attname, pg_temp.privileges(a.attacl)
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL
    UNION ALL
    SELECT 'privileges on ' || f.name, pg_temp.privileges(f.proacl) FROM function f
    UNION ALL
    SELECT 'privileges on schema ' || s.nspname, pg_temp.privileges(s.nspacl) FROM schema s
    UNION ALL
    SELECT 'initial privileges on ' || pg_temp.name(i.classoid, i.objoid, i.objsubid), pg_temp.privileges(i.initprivs)
    FROM pg_init_privs i JOIN ours o ON o.class = i.classoid AND o.oid = i.objoid
    UNION ALL
    -- Membership in the extension among them.
    SELECT pg_temp.name(d.classid, d.objid, d.objsubid) || ' depends on '
           || pg_temp.name(d.refclassid, d.refobjid, d.refobjsubid), jsonb_build_object('kind', d.deptype)
    FROM pg_depend d JOIN ours o ON o.class = d.classid AND o.oid = d.objid
    UNION ALL
    SELECT pg_temp.name(d.classid, d.objid, d.objsubid) || ' depends on role ' || d.refobjid::regrole,
           jsonb_build_object('kind', d.deptype)
    FROM pg_shdepend d
    JOIN ours o ON o.class = d.classid AND o.oid = d.objid
    JOIN pg_database b ON b.oid = d.dbid AND b.datname = current_database()
    WHERE d.refclassid = 'pg_authid'::regclass
)
SELECT format('%s: %s = %s', p.object, e.key, replace(COALESCE(e.value, 'NULL'), E'\n', ' '))
FROM property p CROSS JOIN jsonb_each_text(p.properties) AS e
ORDER BY 1
SQL
}

# compare 'what' FILE FILE: prints where they differ; < is what should be there, > what is.
compare() {
    diff "$2" "$3" >"$NOTES/differences" || true
    check "$1: differences in $(wc -l <"$2") lines" "$(grep -c '^[<>]' "$NOTES/differences" || true)" 0
    # A line more in a function's body gives all that follow another number: a few are enough.
    awk -F ': ' '/^[<>]/ && n[$1]++ < 6 && all++ < 60' "$NOTES/differences" | cut -c 1-300
    [ -s "$2" ] || failed "$1: nothing to compare"
}

# quietly 'what' SECONDS DATABASE 'SQL': wait_until for what is no claim of the test; counted if it fails only.
quietly() {
    local before=$PASSED
    wait_until "$@" >"$NOTES/waited"
    [ "$PASSED" != "$before" ] || cat "$NOTES/waited"
    PASSED=$before
}

logged() { grep -cE "$1" "$CLUSTER_DIR/log" || true; }

make_old() {
    sql postgres "CREATE DATABASE $1"
    sql "$1" "CREATE EXTENSION age; CREATE EXTENSION journey_stitch VERSION '$OLD'"
}

# Roles and what is granted to them, as a user of the old version had it: an application by that version's README, and
# an analyst who reads by tables, by a view and by functions. And objects of the user's own that use ours.
use_as_user() {
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
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    ingest fresh 300 449
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
          AND c.relname NOT LIKE 'events\_p%' AND c.relname NOT LIKE '\_ag\_%'
        GROUP BY c.oid ORDER BY c.relname <> 'projects', c.relname"
}

# What the old version would have left in a database of the same history: fresh's rows, the graph's too, by the columns
# that both versions have. (A queue row without events is of the new version only.)
copy_data() {
    local table columns condition sequence value
    sql upgraded "SET client_min_messages = warning; TRUNCATE journey_stitch.projects CASCADE"
    while IFS='|' read -r table columns; do
        condition=''
        [ "$table" != journey_stitch.pending ] || condition='WHERE events > 0'
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

# In a server that has none of the roles yet: the update makes what CREATE EXTENSION makes. Both where setup() comes
# afterwards, as in a database in which it had never been called.
part_bare() {
    make_old bare
    sql postgres "ALTER DATABASE bare SET journey_stitch.enabled = off"
    catalog bare "ALTER EXTENSION journey_stitch UPDATE; SELECT journey_stitch.setup()" >"$NOTES/bare"
    sql postgres "CREATE DATABASE fresh"
    sql postgres "ALTER DATABASE fresh SET journey_stitch.enabled = off"
    sql fresh "SET client_min_messages = warning; CREATE EXTENSION journey_stitch CASCADE"
    sql fresh "SELECT journey_stitch.setup()" >/dev/null
    catalog fresh >"$NOTES/fresh"
    compare "catalogs, without data" "$NOTES/fresh" "$NOTES/bare"
    check "roles that both have made" "$(grep -c '^role .*: rolcanlogin = false' "$NOTES/bare")" 3
}

# A second superuser does in the old version what was its caller's then, and updates: all is to be the owner's.
part_data() {
    make_old upgraded
    # Three partitions, of which one will have events.
    psql -U dba -d upgraded -c "SELECT journey_stitch.setup()" \
        -c "SELECT journey_stitch.ensure_event_partitions(29999999)" >/dev/null
    sql fresh "SELECT journey_stitch.ensure_event_partitions(29999999)" >/dev/null
    tables_of upgraded >"$NOTES/old_tables"
    fill
    last_event=$(sql fresh "SELECT max(id) FROM journey_stitch.stitched_events")
    last_journey=$(sql fresh "SELECT max(id) FROM journey_stitch.journeys")
    copy_data
    use_as_user fresh
    use_as_user upgraded
    check "in the old form: events, waiting, absorbed journeys, dead letters" "$(sql upgraded "
        SELECT (SELECT count(*) FROM journey_stitch.events), (SELECT sum(events) FROM journey_stitch.pending),
               (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NOT NULL),
               (SELECT string_agg(stage, ',' ORDER BY id) FROM journey_stitch.dead_letters)")" \
        '660|161|50|ingest,ingest,stitch'
    catalog upgraded >"$NOTES/old"
    rows upgraded >"$NOTES/old_rows"
    # As is done when a new library is installed.
    cluster_restart
}

# Every function of the old version: either it is refused, or its answer is that of the new version in fresh, where one
# that is gone has another statement for an oracle.
old_calls() {
    cat <<'SQL'
clean|BEGIN; SELECT journey_stitch.clean(); SELECT count(*) FROM journey_stitch.events; ROLLBACK
dau|refused: SELECT * FROM journey_stitch.dau('2026-03-01', '2026-03-31')
ensure_event_partitions|SELECT journey_stitch.ensure_event_partitions(1)
ensure_graph|SELECT journey_stitch.ensure_graph()
event_keys|SELECT * FROM journey_stitch.event_keys('e', 'u', NULL, '["email:a@b.c"]')
find_journey|SELECT journey_stitch.find_journey('email:m7')
get_journey|SELECT * FROM journey_stitch.get_journey('email:m7')
graph_entry_id|SELECT journey_stitch.graph_entry_id(ag_catalog._graphid(3, 77))
graph_label_id|SELECT journey_stitch.graph_label_id('HAS_KEY')
health|SELECT status, detail FROM journey_stitch.health() WHERE "check" IN ('graph', 'dead letters')
ingest_events|refused: SELECT * FROM journey_stitch.ingest_events('{"event_type": "click"}')
is_preloaded|SELECT journey_stitch.is_preloaded()
journey_of|SELECT journey_stitch.journey_of('e7')
journey_of_entry|SELECT journey_stitch.journey_of_entry(7)
launcher_pid|SELECT journey_stitch.launcher_pid()
members_difference|SELECT min(journey_stitch.members_difference(members, members)::text) FROM journey_stitch.activity
members_ids|SELECT sum(i) FROM journey_stitch.activity, journey_stitch.members_ids(chunk, members) AS i
members_union|SELECT min(journey_stitch.members_union(members, members)::text) FROM journey_stitch.activity
project_id|SELECT journey_stitch.project_id('default')|SELECT id FROM journey_stitch.projects WHERE name = 'default'
retention|refused: SELECT * FROM journey_stitch.retention('2026-03-02')
retry_dead_letters|refused: SELECT * FROM journey_stitch.retry_dead_letters()
setup|SELECT journey_stitch.setup()
stitch_pending|refused: SELECT * FROM journey_stitch.stitch_pending()
top_events|refused: SELECT * FROM journey_stitch.top_events('2026-03-01', '2026-03-31')
verify|refused: SELECT * FROM journey_stitch.verify()
SQL
}

part_before() {
    local function call oracle answer expected='' actual='' refused=0
    check "functions of the old version that are called" "$(old_calls | cut -d '|' -f 1)" "$(sql upgraded "
        SELECT p.proname FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
        JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
        WHERE x.extname = 'journey_stitch' AND d.deptype = 'e' ORDER BY p.proname COLLATE \"C\"")"
    while IFS='|' read -r function call oracle; do
        answer=$(psql -At -d upgraded -v VERBOSITY=verbose -c "${call#refused: }" 2>&1) || true
        if [ "${call#refused: }" = "$call" ]; then
            expected+="$function $(sql fresh "${oracle:-$call}" 2>&1 || true)"$'\n'
            actual+="$function $answer"$'\n'
        elif grep -q "ERROR:  55000: $other_version" <<<"$answer" &&
            grep -q 'HINT:.*ALTER EXTENSION journey_stitch UPDATE' <<<"$answer"; then
            refused=$((refused + 1))
        else
            failed "$function is refused clearly"
            printf '  %s\n' "$answer"
        fi
    done < <(old_calls)
    check "answers of the new library with the old objects" "$actual" "$expected"
    check "functions that it refuses with a hint (55000)" "$refused" "$(old_calls | grep -c '|refused: ')"
    journeys fresh >"$NOTES/journeys"
    journeys upgraded >"$NOTES/journeys_of_old"
    compare "journeys of all events meanwhile" "$NOTES/journeys" "$NOTES/journeys_of_old"
    ids fresh >"$NOTES/ids"
    ids upgraded >"$NOTES/ids_of_old"
    compare "where ids lead meanwhile" "$NOTES/ids" "$NOTES/ids_of_old"
}

# The worker of the old database, whose naptime is one second, says why it does nothing each time that it looks.
part_waiting() {
    local start before launcher ticks ms=0 line="worker .*LOG: .* $other_version"
    launcher=$(sql upgraded "SELECT journey_stitch.launcher_pid()")
    start=$(date +%s%N) before=$(logged "$line") ticks=$(ticks "$launcher")
    # However long it takes on a busy machine: what counts is how often in that time.
    while [ "$(logged "$line")" -lt $((before + 3)) ] && [ "$ms" -lt 60000 ]; do
        sleep 0.1
        ms=$((($(date +%s%N) - start) / 1000000))
    done
    before=$(($(logged "$line") - before)) ticks=$(($(ticks "$launcher") - ticks))
    check_true "its worker says why it waits, once a naptime of 1 s: $before times in $ms ms" \
        "$([ "$before" -ge 3 ] && [ "$before" -le $((ms / 1000 + 2)) ] && echo t)"
    check_true "the launcher waits meanwhile: $ticks ticks of 10 ms (limit of the test: 50)" \
        "$([ "$ticks" -le 50 ] && echo t)"
    rows upgraded >"$NOTES/rows"
    compare "data after all that" "$NOTES/old_rows" "$NOTES/rows"
}

# The processor time of a process, in ticks of 10 ms.
ticks() {
    local stat
    read -ra stat <"/proc/$1/stat"
    echo $((stat[13] + stat[14]))
}

part_rollback() {
    check "the update, rolled back, was there" "$(sql upgraded "
        BEGIN; ALTER EXTENSION journey_stitch UPDATE; SELECT count(*) FROM journey_stitch.stat_stitch; ROLLBACK")" 2
    catalog upgraded >"$NOTES/rolled_back"
    compare "catalogs before the update and after it was rolled back" "$NOTES/old" "$NOTES/rolled_back"
    rows upgraded >"$NOTES/rows"
    compare "data after that" "$NOTES/old_rows" "$NOTES/rows"
}

# A database of the new version whose worker is at work for long: every batch of 100 sleeps.
make_busy() {
    create_database busy
    sql busy "CREATE TABLE public.pause AS SELECT 0.2 AS seconds;
        CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(seconds) FROM public.pause WHERE seconds > 0; RETURN NULL; END';
        CREATE TRIGGER pause BEFORE INSERT ON journey_stitch.users EXECUTE FUNCTION public.pause()"
    sql busy "SELECT FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object('event_type', 'click', 'user_id', 'u' || n))
        FROM generate_series(1, 10000) AS n))"
}

busy_worker="SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = 'busy' AND backend_type = 'journey_stitch worker' AND wait_event = 'PgSleep')"
version="SELECT extversion FROM pg_extension WHERE extname = 'journey_stitch'"

# A client of the old version has sent five events and has not committed yet; the same five go into fresh. What is not
# under test here is the old library: its statements are written out.
part_update() {
    local holder updater answer
    make_busy
    touch "$NOTES/open"
    {
        cat <<'SQL'
BEGIN;
SELECT 'before', journey_stitch.find_journey('e1');
SELECT FROM journey_stitch.projects WHERE name = 'default';
WITH event AS (
    INSERT INTO journey_stitch.events
        (id, occurred_at, received_at, project_id, event_id, event_type, session_id, properties)
    SELECT nextval('journey_stitch.event_entry_id'), timestamptz '2026-03-20 00:00Z' + n * interval '1 hour', now(), 1,
           'late' || n, 'click', 's' || n, '{}'
    FROM generate_series(1, 5) AS n
    RETURNING id, event_id
), ledger AS (
    INSERT INTO journey_stitch.event_ids (id, project_id, event_id) SELECT id, 1, event_id FROM event
)
INSERT INTO journey_stitch.pending (project_id, events, event_ranges)
SELECT 1, 5, range_agg(int8range(id, id, '[]')) FROM event;
SQL
        while [ -e "$NOTES/open" ]; do sleep 0.05; done
        printf 'COMMIT;\n'
        while [ ! -e "$NOTES/updated" ]; do sleep 0.05; done
        printf "SELECT 'after', journey_stitch.find_journey('e1');\n"
        printf "SELECT 'ingested', inserted FROM journey_stitch.ingest_events('%s');\n" "$same_session"
    } | psql -At -d upgraded >"$NOTES/session" &
    holder=$!
    quietly "the client has not committed" 20 upgraded "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = 'upgraded' AND state = 'idle in transaction' AND query LIKE '%range_agg%')"
    begun=$(sql upgraded "SELECT clock_timestamp()")
    psql -U dba -d upgraded -c "ALTER EXTENSION journey_stitch UPDATE" &
    updater=$!
    wait_until "the update waits for a client's open transaction" 20 upgraded "
        SELECT EXISTS (SELECT FROM pg_stat_activity
                       WHERE datname = 'upgraded' AND query LIKE 'ALTER EXTENSION%' AND wait_event_type = 'Lock')"
    check "nothing of it is to be seen" "$(sql upgraded "$version")" $OLD
    quietly "the worker of busy is at work" 20 postgres "$busy_worker"
    rm "$NOTES/open"
    wait "$updater"
    check "the client commits, and the update goes on" "$(sql upgraded "$version")" "$NEW"
    wait_until "another database's worker is at work all the while" 5 postgres "$busy_worker"
    touch "$NOTES/updated"
    wait "$holder"
    answer=$(sed -n 's/^before|\([0-9]*\)$/\1/p' "$NOTES/session")
    check "that client's session goes on: the same journey before and after, and one event sent" \
        "$(cat "$NOTES/session")" "$(printf '%s\n' "before|$answer" "after|$answer" 'ingested|1')"
    check_true "it was a journey" "$([ -n "$answer" ] && echo t)"
    check "a second update" "$(sql upgraded "ALTER EXTENSION journey_stitch UPDATE" 2>&1)" \
        "NOTICE:  version \"$NEW\" of extension \"journey_stitch\" is already installed"
    wait_until "the worker goes on by itself" 20 upgraded "$nothing_pending"
    sql busy "UPDATE public.pause SET seconds = 0"
    wait_until "and so has the other one" 60 busy "$nothing_pending"
    check "violations in the other database" "$(sql busy "$violations")" 0
}

same_session='{"event_id": "later", "event_type": "click", "session_id": "s1", "occurred_at": "2026-03-21T00:00:00Z"}'

# fresh gets what the client sent, and stitches.
part_data_after() {
    sql fresh "SELECT FROM journey_stitch.ingest_events((
        SELECT jsonb_agg(jsonb_build_object('event_id', 'late' || n, 'event_type', 'click', 'session_id', 's' || n,
                                            'occurred_at', timestamptz '2026-03-20 00:00Z' + n * interval '1 hour'))
        FROM generate_series(1, 5) AS n))"
    sql fresh "SELECT FROM journey_stitch.ingest_events('$same_session')"
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    local name
    for name in fresh upgraded; do
        check "retry_dead_letters() in $name: retried, inserted, duplicates, rejected" \
            "$(sql "$name" "SELECT * FROM journey_stitch.retry_dead_letters()")" '3|1|0|2'
    done
    sql fresh "SELECT FROM journey_stitch.stitch_pending()"
    quietly "the retried event is stitched" 20 upgraded "$nothing_pending"
    for name in fresh upgraded; do
        journeys $name >"$NOTES/journeys_of_$name"
        ids $name >"$NOTES/ids_of_$name"
        analytics $name >"$NOTES/analytics_of_$name"
    done
    compare "journeys of all events" "$NOTES/journeys_of_fresh" "$NOTES/journeys_of_upgraded"
    compare "where old ids lead" "$NOTES/ids_of_fresh" "$NOTES/ids_of_upgraded"
    compare "dau, retention and top_events" "$NOTES/analytics_of_fresh" "$NOTES/analytics_of_upgraded"
    check "violations" "$(sql upgraded "$violations")" 0
    check "events, absorbed journeys" "$(sql upgraded "SELECT (SELECT count(*) FROM journey_stitch.events),
        (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NOT NULL)")" '667|100'
    check "counters since the update: events stitched, waiting, and since when" "$(sql upgraded "
        SELECT events, lag_events, counted_since BETWEEN '$begun' AND last_batch_at
        FROM journey_stitch.stat_stitch ORDER BY project")" \
        "$(printf '%s\n' '158|0|t' '10|0|t')"
}

# as_user DATABASE ROLE 'SQL'
as_user() { psql -At -d "$1" -c "SET ROLE $2" -c "$3" 2>&1 || true; }

# check_users DATABASE N: each role has just what it had, and N events of app's are accepted.
check_users() {
    local events seen='SELECT count(*) FROM journey_stitch.events'
    local active="SELECT sum(active_users) FROM journey_stitch.dau('2026-03-01', '2026-03-31')"
    check "$1: app sends" "$(as_user "$1" app "SELECT inserted FROM journey_stitch.ingest_events(
        '{\"event_id\": \"of app\", \"event_type\": \"click\", \"user_id\": \"u1\"}')")" "$2"
    events=$(sql "$1" "$seen")
    check "$1: app reads events" "$(as_user "$1" app "$seen")" "$events"
    check "$1: app reads no rollups" "$(as_user "$1" app "TABLE journey_stitch.activity")" \
        'ERROR:  permission denied for table activity'
    check "$1: analyst reads events" "$(as_user "$1" analyst "$seen")" "$events"
    check "$1: analyst has daily users" "$(as_user "$1" analyst "$active")" "$(sql "$1" "$active")"
    check "$1: analyst sends nothing" "$(as_user "$1" analyst "SELECT journey_stitch.ingest_events('[]')")" \
        'ERROR:  permission denied for function ingest_events'
    quietly "the event of app's is stitched" 20 "$1" "$nothing_pending"
    check "$1: viewer reads the view" \
        "$(as_user "$1" viewer "SELECT count(*) FROM journey_stitch.stitched_events")" "$events"
    check "$1: users' views on ours" "$(sql "$1" "
        SELECT (SELECT count(*) FROM public.last_events), (SELECT count(*) > 1 FROM public.one_journey),
               (SELECT journey IS NOT NULL AND uuid IS NOT NULL FROM public.one_id),
               (SELECT count(*) > 5 FROM public.checks)")" "$events|t|t|t"
}

part_catalog() {
    # What the update grants to users beside their own grants, so that these go on working.
    sql fresh "GRANT EXECUTE ON FUNCTION journey_stitch.granted_projects(text) TO app, analyst, viewer;
               GRANT SELECT ON journey_stitch.events, journey_stitch.pending TO viewer"
    catalog fresh >"$NOTES/fresh"
    catalog upgraded >"$NOTES/upgraded"
    compare "catalogs, with data and users' grants" "$NOTES/fresh" "$NOTES/upgraded"
}

# A restored dump waits for setup(), which also makes what dumps do not carry.
part_dump() {
    sql postgres "CREATE DATABASE restored"
    "$PG_BIN/pg_dump" -d upgraded >"$NOTES/dump.sql"
    psql -d restored -v ON_ERROR_STOP=0 -f "$NOTES/dump.sql" >"$NOTES/restored.out" 2>"$NOTES/restored.err"
    check "what restoring a dump complains of" "$(cat "$NOTES/restored.err")" ''
    sql restored "SELECT journey_stitch.setup()" >/dev/null
    catalog restored >"$NOTES/restored"
    compare "catalogs of the updated database and of its restored dump" "$NOTES/upgraded" "$NOTES/restored"
    # The project "default" comes with CREATE EXTENSION and has a version and a date of its own.
    rows upgraded | grep -v '^journey_stitch.projects|' >"$NOTES/rows"
    rows restored | grep -v '^journey_stitch.projects|' >"$NOTES/rows_of_restored"
    compare "data of both" "$NOTES/rows" "$NOTES/rows_of_restored"
    check "violations in the restored one" "$(sql restored "$violations")" 0
}

# What is changed, and below it the property that the comparison must find different.
mutations() {
    cat <<'SQL'
ALTER FUNCTION journey_stitch.dau(date, date, text, text, text, text) VOLATILE
    function journey_stitch.dau\(.*: provolatile =
ALTER FUNCTION journey_stitch.get_journey(text, text) ROWS 51
    function journey_stitch.get_journey\(.*: prorows =
ALTER FUNCTION journey_stitch.clean() SECURITY INVOKER
    function journey_stitch.clean\(.*: prosecdef =
ALTER FUNCTION journey_stitch.verify() RESET enable_nestloop
    function journey_stitch.verify\(.*: proconfig =
UPDATE pg_proc SET prosrc = 'SELECT 1' WHERE proname = 'graph_label_id'
    function journey_stitch.graph_label_id\(.*: line 000[0-9] =
ALTER FUNCTION journey_stitch.stat_reset(text) OWNER TO dba
    function journey_stitch.stat_reset\(.*: owner =
ALTER TABLE journey_stitch.pending ALTER COLUMN received SET DEFAULT 1
    table journey_stitch.pending column received: default =
ALTER TABLE journey_stitch.pending ALTER COLUMN duplicates DROP NOT NULL
    table journey_stitch.pending column duplicates: attnotnull =
ALTER TABLE journey_stitch.activity ALTER COLUMN members SET STORAGE EXTENDED
    table journey_stitch.activity column members: attstorage =
ALTER TABLE journey_stitch.project_stats RESET (fillfactor)
    table journey_stitch.project_stats: reloptions =
ALTER TABLE journey_stitch.pending DROP CONSTRAINT pending_events_check
    table constraint pending_events_check on journey_stitch.pending: definition =
ALTER TABLE journey_stitch.keys DISABLE ROW LEVEL SECURITY
    table journey_stitch.keys: relrowsecurity =
DROP INDEX journey_stitch.merges_survivor
    index journey_stitch.merges_survivor: definition =
DROP POLICY mended ON journey_stitch.dead_letters
    policy mended on journey_stitch.dead_letters: using =
ALTER VIEW journey_stitch.stitched_events RESET (security_invoker)
    view journey_stitch.stitched_events: reloptions =
ALTER SEQUENCE journey_stitch.user_entry_id CACHE 2
    sequence journey_stitch.user_entry_id: seqcache =
COMMENT ON TABLE journey_stitch.job_errors IS 'another'
    comment on table journey_stitch.job_errors: text =
COMMENT ON COLUMN journey_stitch.pending.rejected IS NULL
    comment on table column journey_stitch.pending.rejected: text =
GRANT EXECUTE ON FUNCTION journey_stitch.verify() TO journey_stitch_reader
    privileges on function journey_stitch.verify\(\): journey_stitch_reader =
REVOKE UPDATE (event) ON journey_stitch.dead_letters FROM journey_stitch_writer
    privileges on table journey_stitch.dead_letters column event: journey_stitch_writer =
DELETE FROM pg_init_privs WHERE objoid = 'journey_stitch.events'::regclass
    initial privileges on table journey_stitch.events: journey_stitch_reader =
ALTER EXTENSION journey_stitch DROP FUNCTION journey_stitch.stat_reset(text)
    function journey_stitch.stat_reset\(.* depends on extension journey_stitch: kind =
UPDATE pg_extension SET extcondition[1] = '' WHERE extname = 'journey_stitch'
    dumped journey_stitch.projects: condition =
ALTER TABLE journey_graph."Event" OWNER TO dba
    table journey_graph."Event": owner =
DROP INDEX journey_graph.journey_stitch_event_id
    index journey_graph.journey_stitch_event_id: definition =
SQL
}

part_mutations() {
    local mutation pattern all='' n=0 found=0
    catalog upgraded >"$NOTES/unchanged"
    compare "catalogs once more, before the comparison is put to the test" "$NOTES/upgraded" "$NOTES/unchanged"
    while read -r mutation && read -r pattern; do all+="$mutation; "; done < <(mutations)
    catalog upgraded "$all" >"$NOTES/changed"
    diff "$NOTES/unchanged" "$NOTES/changed" >"$NOTES/differences" || true
    while read -r mutation && read -r pattern; do
        n=$((n + 1))
        if grep -qE -- "^[<>] $pattern" "$NOTES/differences"; then
            found=$((found + 1))
        else
            failed "found by the comparison: $mutation"
        fi
    done < <(mutations)
    check "changes that the comparison finds, of $n" "$found" "$n"
}

private_postgres
cp sql/journey_stitch--*.sql "$("$PG_CONFIG" --sharedir)/extension/"
cluster_start upgrade "fsync = off" "journey_stitch.naptime = '1s'" "journey_stitch.idle_exit = '100ms'" \
    "journey_stitch.batch_size = 100" "journey_stitch.max_workers = 8"
NEW=$(sql postgres "SELECT default_version FROM pg_available_extensions WHERE name = 'journey_stitch'")
other_version="the library of journey_stitch is of version $NEW, this database's objects are of version $OLD\$"
sql postgres "CREATE ROLE dba SUPERUSER LOGIN"
for role in app analyst viewer; do sql postgres "CREATE ROLE $role"; done
part_bare
part_data
# Not counted are the processes that the restart has ended.
ended='terminated by signal| (FATAL|PANIC): '
before="$(cluster_pid) $(logged "$ended")"
part_before
part_waiting
part_rollback
part_update
part_data_after
part_catalog
check_users upgraded 1
part_dump
check_users restored 0
part_mutations
check "the postmaster is still the same, and no process has ended by a signal or FATAL" \
    "$(cluster_pid) $(logged "$ended")" "$before"
summary
