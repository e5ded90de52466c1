#!/usr/bin/env bash
# With rules, limits and a person's words, too, membership depends on events, rules and words alone. Random graphs with
# random rules are sent in several orders of arrival, each stage with events that are earlier than some of the stage
# before; between the stages words are said and taken back, and in the end half of the projects get other rules by
# restitch(). Each time journeys, refusals and quarantined keys must be what tests/lib/identity_oracle.py computes.
#
#   identity_random.sh     environment: GRAPHS (30), SEED (20261121)
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

GRAPHS=${GRAPHS:-30} SEED=${SEED:-20261121}
ORDERS=(natural reversed shuffled stepwise callers4)
PROJECTS=$((${#ORDERS[@]} * GRAPHS + 1)) # and the one that is there from the start
export PSQL=$PG_BIN/psql

oracle() { python3 tests/lib/identity_oracle.py "$@" || true; }

# compare WHAT [option …]
compare() {
    rm -rf "$SENT/dump"
    mkdir "$SENT/dump"
    oracle dump graphs "$SENT/dump"
    check "$1: as the oracle says, in all orders" "$(oracle compare "$SENT/dump" "${@:2}")" \
        "0 wrong of $PROJECTS projects"
    check "$1: verify()" "$(sql graphs "
        SELECT invariant, violations FROM journey_stitch.verify() WHERE violations <> 0")" ''
}

# The events of a stage, in each order.
arrive() {
    local order script pid pids=() failed=0
    for order in "${ORDERS[@]}"; do
        if [ "$order" != callers4 ]; then sql_file graphs "$SENT/$1/$order.sql"; fi
    done
    for script in "$SENT/$1/callers4"/*.sql; do sql_file graphs "$script" & pids+=($!); done
    for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
    check "stage $1: callers that got an error" "$failed" 0
    sql graphs "SELECT journey_stitch.stitch_pending()" >/dev/null
    check "stage $1: nothing is pending" "$(sql graphs "SELECT count(*) FROM journey_stitch.pending")" 0
}

# A word is said until it is heard: in the middle of the events its keys may not be there yet. Then those after it wait,
# so that in every order of arrival the same words are said in the same order.
procedures() {
    psql -d graphs <<'SQL'
CREATE TABLE public.said (project text, n integer, statement text, outcome text, PRIMARY KEY (project, n));
CREATE FUNCTION public.words(project text) RETURNS text LANGUAGE sql RETURN (
    SELECT string_agg(concat_ws(' ', w.word, w.kind, w.value, w.other_kind, w.other_value), E'\n'
                      ORDER BY w.word, w.kind, w.value, w.other_kind, w.other_value)
    FROM journey_stitch.identity_words w JOIN journey_stitch.projects p ON p.id = w.project_id
    WHERE p.name = words.project);
CREATE PROCEDURE public.say(project text, n integer, statement text, is_early boolean) LANGUAGE plpgsql AS $$
DECLARE
    before text := words(project);
    result text := 'nothing';
BEGIN
    IF EXISTS (SELECT FROM said s WHERE s.project = say.project AND s.n = say.n AND s.outcome = 'done')
       OR is_early AND EXISTS (SELECT FROM said s WHERE s.project = say.project AND s.outcome <> 'done') THEN
        RETURN;
    END IF;
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        result := SQLSTATE || ' ' || SQLERRM;
    END;
    IF words(project) IS DISTINCT FROM before THEN
        result := 'done';
    END IF;
    INSERT INTO said AS s VALUES (project, n, statement, result)
    ON CONFLICT ON CONSTRAINT said_pkey DO UPDATE SET outcome = EXCLUDED.outcome;
END
$$;
-- Projects whose restitch() did something else than simulate_rules() had said.
CREATE FUNCTION public.restitch_all() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    project text;
    said text;
BEGIN
    FOR project IN SELECT name FROM journey_stitch.projects ORDER BY id LOOP
        said := (SELECT string_agg(s::text, ' ' ORDER BY s) FROM journey_stitch.simulate_rules(project) AS s);
        IF said IS DISTINCT FROM
           (SELECT string_agg(s::text, ' ' ORDER BY s) FROM journey_stitch.restitch(project) AS s) THEN
            RETURN NEXT project;
        END IF;
    END LOOP;
END
$$;
SQL
}

words() {
    sql_file graphs "$SENT/$1/words.sql"
    check "stage $1: words that failed for another reason than what they say" "$(sql graphs "
        SELECT outcome, min(statement) FROM said
        WHERE outcome NOT IN ('done', 'nothing') AND outcome !~ '^(22023|55000)' GROUP BY 1")" ''
    check "stage $1: graphs in whose orders not the same words hold" "$(sql graphs "
        SELECT split_part(name, '/', 1) FROM journey_stitch.projects GROUP BY 1
        HAVING count(DISTINCT COALESCE(words(name), '')) > 1")" ''
}

# damage WHAT FILE JQ-PROGRAM: the oracle must see what the program does to the rows of one project.
damage() {
    local damaged=$CLUSTER_DIR/damaged
    rm -rf "$damaged"
    cp -r "$SENT/dump" "$damaged"
    jq -c --slurp "$3 | .[]" "$SENT/dump/$2" >"$damaged/$2"
    check "the oracle sees $1" "$(oracle compare "$damaged" | tail -n 1)" "1 wrong of $PROJECTS projects"
}

# Whether the comparison can fail. The dollars in quotes are jq's.
# shellcheck disable=SC2016
damages() {
    damage "a refusal that is missing" merge_conflicts 'del(.[length / 2 | floor])'
    damage "a refusal by another rule" merge_conflicts '.[length / 2 | floor].rule = "whim"'
    # Not every seed has a quarantined key.
    damage "a key that is wrongly held, or wrongly not" keys '(map(.hold == "q") | index(true)) as $n
        | if $n then .[$n].hold = null else .[0].hold = "q" end'
    damage "a key that is in another journey" keys '
        (map(.journey_id != null) | index(true)) as $n | .[$n].project_id as $p | .[$n].journey_id as $from
        | .[$n].journey_id = first(.[] | select(.project_id == $p and .journey_id != $from)).journey_id'
    damage "an edge HAS_KEY that is missing" has_key 'del(.[length / 2 | floor])'
    damage "an edge PART_OF that is missing" part_of 'del(.[length / 2 | floor])'
}

cluster_start identity_random "fsync = off"
SENT=$CLUSTER_DIR/sent
create_database graphs
sql postgres "ALTER DATABASE graphs SET journey_stitch.enabled = off"
printf '        seed %s: %s\n' "$SEED" "$(python3 tests/lib/graphs.py ruled "$SENT" --seed "$SEED" --graphs "$GRAPHS")"
procedures
sql_file graphs "$SENT/rules.sql"

arrive 1
# One order has heard some words by now.
compare "rules"
words 1
compare "and words" --same
arrive 2
compare "and late events" --same
words 2
compare "and other words" --same
sql_file graphs "$SENT/new_rules.sql"
arrive 3
compare "and still the old rules" --same --sent "$SENT/sent"
check "projects in which restitch() did something else than simulate_rules() had said" \
    "$(sql graphs "SET client_min_messages = warning; SELECT restitch_all()")" ''
compare "restitch()" --same
check "rules that wait" "$(sql graphs "SELECT count(*) FROM journey_stitch.identity_rules WHERE NOT is_in_force")" 0
sql graphs "SELECT format('        words: %s said, %s without effect, %s refused',
                          count(*) FILTER (WHERE outcome = 'done'), count(*) FILTER (WHERE outcome = 'nothing'),
                          count(*) FILTER (WHERE outcome NOT IN ('done', 'nothing')))
            FROM said"
sql graphs "SELECT format('        refusals: %s', string_agg(rule || ' ' || n, ', ' ORDER BY rule))
            FROM (SELECT rule, count(*) AS n FROM journey_stitch.merge_conflicts GROUP BY rule) AS c"
# They show that what was right could have been wrong.
[ "$FAILED" != 0 ] || damages
printf '        %d graphs, %d orders, %d s\n' "$GRAPHS" ${#ORDERS[@]} $SECONDS
summary
