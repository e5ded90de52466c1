#!/usr/bin/env bash
# Damage done to the graph by hand, through Cypher and by SQL: graph_check() names just that, verify() sees it,
# rebuild_graph() mends it, and Cypher and SQL agree again on every journey.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

# Some people of three projects on several devices, who log in here and there: journeys merge, calls after calls.
send_events() {
    local call project
    for call in $(seq "$1" "$2"); do
        for project in default shop "a \"b\" 'c'"; do
            psql -At -d damage -v project="$project" -v call="$call" <<'SQL' >/dev/null
SELECT journey_stitch.ingest_events(
    (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'event_id', format('e%s/%s', :call, n), 'type', (ARRAY['view', 'log in', 'buy "x"\'])[n % 3 + 1],
        'ts', 1772323200 + 3600 * :call + 7 * n, 'session_id', format('s%s/%s', :call, n % 9),
        'user_id', CASE WHEN n % 5 = 0 OR n = 29 AND :call % 2 = 0 THEN format('u%s', (n * 7 + :call) % 11) END,
        'correlations', CASE WHEN n % 13 = 0 THEN jsonb_build_object('email', format('m%s@example.org', n % 4)) END)))
     FROM generate_series(1, 30) AS n), :'project');
SQL
        done
    done
}

# Each event by SQL, get_journey() of it, and by Cypher: what differs, and how many journeys there are.
create_differences() {
    psql -d damage <<'SQL'
CREATE FUNCTION public.differences() RETURNS TABLE (journeys bigint, events bigint, differences bigint)
LANGUAGE plpgsql SET search_path = ag_catalog, public AS $function$
BEGIN
    LOAD 'age';
    CREATE TEMP TABLE by_cypher (journey text, event text, type text, ts text) ON COMMIT DROP;
    -- Not by CREATE TABLE AS, inside of which AGE finds no Cypher.
    INSERT INTO by_cypher
    SELECT journey::text, event::text, type::text, ts::text
    FROM cypher('journey_graph', $$
        MATCH (j:Journey)<-[:PART_OF]-()<-[:HAS_KEY]-(e:Event)
        WITH DISTINCT j, e RETURN j.id, e.id, e.type, e.ts
    $$) AS (journey agtype, event agtype, type agtype, ts agtype);
    CREATE TEMP TABLE by_sql ON COMMIT DROP AS
    SELECT g.journey_id::text AS journey, g.event_id AS event, g.event_type AS type,
           to_char(g.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS ts
    FROM journey_stitch.journeys j
    JOIN journey_stitch.projects p ON p.id = j.project_id
    CROSS JOIN LATERAL journey_stitch.get_journey(j.uuid::text, p.name) AS g
    WHERE j.merged_into IS NULL;
    RETURN QUERY
    SELECT (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL), (SELECT count(*) FROM by_sql),
           (SELECT count(*) FROM (TABLE by_sql EXCEPT ALL TABLE by_cypher) AS d)
         + (SELECT count(*) FROM (TABLE by_cypher EXCEPT ALL TABLE by_sql) AS d)
         + (SELECT abs(count(*) - (SELECT sum(event_count) FROM journey_stitch.journeys
                                    WHERE merged_into IS NULL))::bigint FROM by_sql);
END
$function$;
-- verify() counts, or says which table it does not find.
CREATE FUNCTION public.is_damaged() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT sum(violations) > 0 FROM journey_stitch.verify());
EXCEPTION WHEN undefined_table OR invalid_schema_name THEN
    RETURN true;
END $$;
SQL
}

found() { sql damage "SELECT string_agg(format('%s %s %s', label, problem, entries), ', ')
                      FROM journey_stitch.graph_check() WHERE entries <> 0"; }
violations() { sql damage "SELECT sum(violations) FROM journey_stitch.verify()"; }
differences() { sql damage "SELECT differences FROM public.differences()"; }
agree() {
    check "$1: graph_check(), verify(), and events of which Cypher and SQL differ" \
        "$(found)|$(violations)|$(differences)" '|0|0'
}

# damaged 'what was done' 'what graph_check() finds' [what verify() is: t, or f where the graph holds what it must]
damaged() {
    check "$1: graph_check()" "$(found)" "$2"
    check "$1: verify() is not zero" "$(sql damage "SELECT public.is_damaged()")" "${3:-t}"
    sql damage "SELECT journey_stitch.rebuild_graph()" >/dev/null
    agree "$1, mended"
}

cypher() { sql damage "LOAD 'age'; SET search_path = ag_catalog, public;
    SELECT * FROM cypher('journey_graph', \$cypher\$ $1 \$cypher\$) AS (none agtype)"; }

# by_cypher 'what' 'Cypher' 'what graph_check() finds'
by_cypher() {
    cypher "$2" >/dev/null
    damaged "$1" "$3" "${4:-t}"
}
by_sql() {
    sql damage "SET client_min_messages = warning; $2" >/dev/null
    damaged "$1" "$3" "${4:-t}"
}
number() { sql damage "SELECT $1"; }
entries() { number "count(*) FROM journey_graph.\"$1\""; }

by_hand_through_cypher() {
    local uuid other keys events edges
    # The journey with the most events, another one, a key of it that has several events, and one of these.
    read -r uuid other < <(sql damage "SELECT string_agg(uuid::text, ' ') FROM
        (SELECT uuid FROM journey_stitch.journeys WHERE merged_into IS NULL
         ORDER BY event_count DESC, id LIMIT 2) AS j")
    keys=$(number "key_count FROM journey_stitch.journeys WHERE uuid = '$uuid'")
    events=$(number "count(*) FROM journey_stitch.events WHERE event_id = 'e1/13'")
    edges=$(number "count(*) FROM journey_stitch.events e, journey_stitch.event_keys(
        e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) WHERE e.event_id = 'e1/13'")
    by_cypher "an event deleted in each project" "MATCH (e:Event) WHERE e.id = 'e1/13' DETACH DELETE e" \
        "Event missing $events, HAS_KEY missing $edges"
    edges=$(number "count(*) FROM journey_stitch.events WHERE session_id = 's2/3'")
    by_cypher "a key deleted in each project" "MATCH (k:Correlation) WHERE k.value = 's2/3' DETACH DELETE k" \
        "Correlation missing 3, HAS_KEY missing $edges, PART_OF missing 3"
    by_cypher "a journey deleted" "MATCH (j:Journey) WHERE j.id = '$uuid' DETACH DELETE j" \
        "Journey missing 1, PART_OF missing $keys"
    by_cypher "everything deleted" "MATCH (v) DETACH DELETE v" \
        "$(for edges in Event Correlation Journey HAS_KEY PART_OF; do
            printf '%s missing %s\n' "$edges" "$(entries "$edges")"
        done | paste -sd , | sed 's/,/, /g')"
    by_cypher "edges from events deleted" "MATCH (e:Event)-[h:HAS_KEY]->(:Correlation) WHERE e.id = 'e3/1' DELETE h" \
        "HAS_KEY missing 3"
    by_cypher "all keys' edges to a journey deleted" "MATCH ()-[p:PART_OF]->(j:Journey) WHERE j.id = '$uuid' DELETE p" \
        "PART_OF missing $keys"

    by_cypher "an event's type altered" "MATCH (e:Event) WHERE e.id = 'e1/2' SET e.type = 'sell'" "Event altered 3"
    by_cypher "a time in another form" "MATCH (e:Event) WHERE e.id = 'e1/2' SET e.ts = 1772323200" "Event altered 3"
    by_cypher "a property too many" "MATCH (e:Event) WHERE e.id = 'e1/2' SET e.note = 'mine'" "Event altered 3"
    by_cypher "other properties altogether" "MATCH (k:Correlation) WHERE k.value = 'u1' SET k = {value: 'u1'}" \
        "Correlation altered 3"
    by_cypher "a journey's id altered" "MATCH (j:Journey) WHERE j.id = '$uuid' SET j.id = '$other'" "Journey altered 1"
    by_cypher "a property removed" "MATCH (k:Correlation) WHERE k.value = 'u2' REMOVE k.kind" "Correlation altered 3"
    by_cypher "a property of an edge" \
        "MATCH (e:Event)-[h:HAS_KEY]->() WHERE e.id = 'e3/1' SET h.weight = 0.5" "HAS_KEY altered 3"

    by_cypher "a vertex too many of each label" \
        "CREATE (:Event {id: 'e1/1', type: 'view', ts: ''}), (:Correlation {kind: 'user_id', value: 'u1'}),
                (:Journey {id: '$uuid'})" \
        "Event surplus 1, Correlation surplus 1, Journey surplus 1"
    by_cypher "a path too many" \
        "CREATE (:Event {id: 'x'})-[:HAS_KEY]->(:Correlation {kind: 'x', value: 'x'})
                -[:PART_OF]->(:Journey {id: 'x'})" \
        "Event surplus 1, Correlation surplus 1, Journey surplus 1, HAS_KEY surplus 1, PART_OF surplus 1"
    by_cypher "an edge to a key that an event does not have" \
        "MATCH (e:Event), (k:Correlation) WHERE e.id = 'e3/1' AND k.value = 'u0' CREATE (e)-[:HAS_KEY]->(k)" \
        "HAS_KEY surplus 9"
    by_cypher "an edge that is there already" \
        "MATCH (e:Event)-[:HAS_KEY]->(k:Correlation) WHERE e.id = 'e3/1' CREATE (e)-[:HAS_KEY]->(k)" "HAS_KEY double 3"
    by_cypher "an edge the wrong way round" \
        "MATCH (e:Event)-[:HAS_KEY]->(k:Correlation) WHERE e.id = 'e3/1' CREATE (k)-[:HAS_KEY]->(e)" \
        "HAS_KEY surplus 3, HAS_KEY dangling 3"
    # What it must hold, the graph does hold then, so verify() has nothing to say.
    by_cypher "labels of one's own, and none" \
        "MATCH (e:Event) WHERE e.id = 'e3/1' CREATE (:Note {text: 'x'})-[:ABOUT]->(e), ({text: 'no label'})" \
        "ABOUT unknown label 3, Note unknown label 3, _ag_label_vertex unknown label 3" f

    by_cypher "an event made a key: deleted, and created with another label" \
        "MATCH (e:Event) WHERE e.id = 'e3/1' DETACH DELETE e CREATE (:Correlation {kind: 'event', value: 'e3/1'})" \
        "Event missing 3, Correlation surplus 3, HAS_KEY missing 3"
    by_cypher "an event deleted and created as it was" \
        "MATCH (e:Event)-[:HAS_KEY]->(k:Correlation) WHERE e.id = 'e3/1' DETACH DELETE e
         CREATE (:Event {id: 'e3/1', type: e.type, ts: e.ts})-[:HAS_KEY]->(k)" \
        "Event missing 3, Event surplus 3, HAS_KEY missing 3, HAS_KEY surplus 3"
    # Its unique index lets a key be part of one journey only, so the edge goes first, in a statement of its own.
    cypher "MATCH (k:Correlation)-[p:PART_OF]->(j:Journey) WHERE k.value = 's1/1' DELETE p" >/dev/null
    by_cypher "a key moved to another journey" \
        "MATCH (k:Correlation), (j:Journey) WHERE k.value = 's1/1' AND j.id = '$(unrelated s1/1)'
         CREATE (k)-[:PART_OF]->(j)" \
        "PART_OF missing 3, PART_OF surplus 3"
}

# A present journey that none of the keys of that value is in.
unrelated() { sql damage "SELECT uuid FROM journey_stitch.journeys WHERE merged_into IS NULL AND id NOT IN
    (SELECT journey_id FROM journey_stitch.keys WHERE value = '$1') ORDER BY id LIMIT 1"; }

by_hand_in_sql() {
    local label index
    local -A dangling=([Event]=HAS_KEY [Correlation]='HAS_KEY PART_OF' [Journey]=PART_OF [HAS_KEY]='' [PART_OF]='')
    for label in Event Correlation Journey HAS_KEY PART_OF; do
        by_sql "table $label emptied" "TRUNCATE journey_graph.\"$label\"" \
            "$(expected "$label missing $(entries "$label")" "${dangling[$label]}")"
        by_sql "table $label dropped" "DROP TABLE journey_graph.\"$label\"" \
            "$(expected "$label no table 1" "${dangling[$label]}")"
        by_sql "label $label dropped by AGE" "SELECT ag_catalog.drop_label('journey_graph', '$label')" \
            "$(expected "$label no table 1" "${dangling[$label]}")"
    done
    by_sql "graph dropped by AGE" "SELECT ag_catalog.drop_graph('journey_graph', true)" "$(no_tables)"
    by_sql "schema dropped" "DROP SCHEMA journey_graph CASCADE" "$(no_tables)"
    by_sql "AGE's entry of the graph gone" \
        "DELETE FROM ag_catalog.ag_label; DELETE FROM ag_catalog.ag_graph" "$(no_tables)"
    by_sql "a column too many" "ALTER TABLE journey_graph.\"Journey\" ADD COLUMN note text" \
        "$(expected "Journey no table 1" PART_OF)"
    # An index that is gone makes the graph slow, not wrong.
    for index in $(sql damage "SELECT relname FROM pg_class WHERE relnamespace = 'journey_graph'::regnamespace
            AND relkind = 'i' AND relname !~ '^_ag' ORDER BY relname"); do
        label=$(number "indrelid::regclass::text FROM pg_index WHERE indexrelid = 'journey_graph.\"$index\"'::regclass")
        label=${label#journey_graph.}
        by_sql "index $index dropped" "DROP INDEX journey_graph.\"$index\"" "${label//\"/} no index 1" f
    done
}

# expected 'what is wrong with the label itself' 'labels of edges whose ends are gone with it', as graph_check() has it.
expected() {
    local label result=$1
    for label in $2; do result+=", $label dangling $(entries "$label")"; done
    printf '%s' "$result"
}
no_tables() { printf '%s no table 1, ' Event Correlation Journey HAS_KEY; printf 'PART_OF no table 1'; }

cluster_start graph_damage "fsync = off"
create_database damage
create_differences
stitched() { wait_until "stitched by the worker" 60 damage "SELECT NOT EXISTS (SELECT FROM journey_stitch.pending)"; }
send_events 1 6
stitched
check_true "there are journeys, of 540 events, and some have merged" "$(sql damage "
    SELECT events = 540 AND journeys > 10 AND EXISTS (SELECT FROM journey_stitch.merges) FROM public.differences()")"
agree "as it was stitched"
by_hand_through_cypher
by_hand_in_sql
# The worker goes on with the graph that was mended, also in journeys that were there before.
send_events 5 9
stitched
check "events in the end" "$(sql damage "SELECT events FROM public.differences()")" 810
agree "stitched further"
summary
