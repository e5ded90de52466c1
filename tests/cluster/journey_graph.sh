#!/usr/bin/env bash
# Drawings of journeys whose values are as hostile as can be: Graphviz renders the dot, jq reads the JSON, a grammar
# stricter than Mermaid's own takes the rest, and each label that is drawn is the label that JSON has.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh

# Compares a drawing, an SVG that Graphviz made or Mermaid, with that in JSON: prints how much was drawn, then every
# difference, and in Mermaid's case every line that the grammar does not know.
write_reader() {
    cat >"$CLUSTER_DIR/read.py" <<'PYTHON'
import html, json, re, sys
import xml.etree.ElementTree as xml

form, drawing, reference = sys.argv[1:]
wanted = json.load(open(reference, encoding="utf-8"))
labels = {n["id"]: n["label"] for n in wanted["nodes"]}
edges = {(e["from"], e["to"]): e.get("label", "") for e in wanted["edges"]}
found, found_edges, wrong = {}, {}, []

if form == "svg":
    name = "{http://www.w3.org/2000/svg}"
    for group in xml.parse(drawing).iter(name + "g"):
        if group.get("class") in ("node", "edge"):
            title = group.find(name + "title").text
            # Graphviz draws the space as one that does not break.
            label = "\n".join((t.text or "").replace("\u00a0", " ") for t in group.iter(name + "text"))
            if group.get("class") == "node": found[title] = label
            else: found_edges[tuple(title.split("->"))] = label
else:
    # Letters and digits of any language, marks, and of ASCII what has no meaning; anything else is an entity.
    text = (r'((?:[^\x00-\x7f]|[A-Za-z0-9 ,/=]|(?<=[A-Za-z0-9])[-_](?=[A-Za-z0-9])|#\d+;|#quot;|<br/>'
            r'|\d\d:\d\d:\d\d UTC)*)')
    color = '#[0-9a-f]{6}'
    node = r'([jarkem][1-9]\d*)'
    grammar = [r'flowchart LR', rf'  {node}(?:\(\["{text}"\]\)|\["{text}"\]|\("{text}"\)):::[a-z_]+',
               rf'  {node} (?:-->|-\.-) {node}', rf'  {node} (?:-\.->|==>)\|"{text}"\| {node}',
               rf'  classDef [a-z_]+ fill:{color},stroke:{color},color:{color}(?:,stroke-(?:width:2px|dasharray:4 3))?']
    def plain(label):
        return html.unescape(re.sub(r'#(\w+);', lambda m: f'&{m[1]};' if m[1] == 'quot' else f'&#{m[1]};',
                                    label.replace('<br/>', '\n')))
    lines = open(drawing, encoding="utf-8", newline="").read().split("\n")
    if lines.pop() != "" or lines[0] != grammar[0]: wrong.append("ends or begins otherwise")
    for line in lines[1:]:
        match = [re.fullmatch(g, line) for g in grammar[1:]]
        if match[0]: found[match[0][1]] = plain(match[0][2] or match[0][3] or match[0][4] or "")
        elif match[1]: found_edges[match[1][1], match[1][2]] = ""
        elif match[2]: found_edges[match[2][1], match[2][3]] = plain(match[2][2])
        elif not match[3]: wrong.append("not in the grammar: " + line)
    drawn = "\n".join(lines)
    if len(drawn.encode("utf-16-le")) // 2 > 50000: wrong.append("more than Mermaid's 50,000 characters")
    if len(found_edges) > 500: wrong.append("more than Mermaid's 500 edges")

for what, have, want in (("node", found, labels), ("edge", found_edges, edges)):
    for key in sorted(have.keys() | want.keys()):
        if have.get(key) != want.get(key):
            wrong.append(f"{what} {key}: {have.get(key)!r} instead of {want.get(key)!r}")
print(f"{len(found)} nodes and {len(found_edges)} edges", *wrong, sep="\n")
PYTHON
}

# Texts that mean something to a renderer, that are long, or that are hard to write, in JSON.
hostile() {
    cat <<'JSON'
["\"quoted\"", "\"]; evil [label=\"x", "[a](http://b){c}|d|", "# heading", "#quot; #35; #",
 "two\nlines\r\n\tand a tab", "<script>alert(1)</script><br>", "&lt;b&gt; &amp; &#35; &", "`**bold** _it_ ~~no~~`",
 "```", "back\\slash \\N \\G \\\"", "\\", "%%{init: {\"theme\": \"dark\"}}%%", "%% comment", "style a fill:#fff;",
 "classDef x fill:#1;", "click e1 call f()", "end",
 "1. list", "- item", "$$x^2$$", "fa:fa-car", "a -->|b| c", "e1@{ shape: x }", "subgraph s", "a;b;c", ":::event",
 "\ufb02\u00b0lt\u00b6\u00df", "\u202eright to left\u202c", "line\u2028separator\u2029",
 "not a character \uffff \ufffe", "\ufeffmark", "\u0001\u001b[31mred\u007f\u0085",
 "emoji \ud83d\udc69\u200d\ud83d\udc67 \u2615", "\u00e9 e\u0301 \u4e2d\u6587",
 "' -- /* */ ]]> <!--", "$1 %s %1$s {}", "__proto__", "www.example.org ann@example.org", "   ", "==="]
JSON
    # 512 bytes, of one byte and of four each.
    printf '["%s", "%s"]\n' "$(printf 'x%.0s' {1..512})" "$(printf '\\ud83d\\udc69%.0s' {1..128})"
}

# ingest 'jq program': what the program makes of the hostile texts, and stitched at once.
ingest() {
    hostile | jq -cs "add | $1" >"$CLUSTER_DIR/events.json"
    psql -At -d drawn -v events="$(cat "$CLUSTER_DIR/events.json")" >/dev/null \
        <<<"SELECT journey_stitch.ingest_events(:'events')"
    sql drawn "SELECT journey_stitch.stitch_pending()" >/dev/null
}

# draw NAME 'SQL that answers the journey': in all forms, NAME.json, NAME.dot, NAME.svg and NAME.mermaid.
draw() {
    local format
    for format in json dot mermaid; do
        # psql ends it with a line of its own.
        sql drawn "SELECT journey_stitch.journey_drawing(($2), '$format')" | sed '$ { /^$/ d }' \
            >"$CLUSTER_DIR/$1.$format"
    done
}

# What is wrong with the JSON by itself: ids that are not one node's, edges without ends, unknown types.
json_problems() {
    jq -r '(.nodes | map(.id)) as $ids
        | [($ids | length) - ($ids | unique | length),
           ([.edges[] | select((.from | IN($ids[]) | not) or (.to | IN($ids[]) | not))] | length),
           ([.nodes[] | select((.label | type) != "string" or (.type | IN("journey", "absorbed_journey", "key",
                "held_key", "refused_key", "event", "left_out") | not))] | length),
           ([.edges[] | select(.type | IN("HAS_KEY", "PART_OF", "REFUSED", "MERGED_INTO", "LEFT_OUT") | not)] | length),
           ([.nodes[], .edges[] | .label // ""
             | select(test("[\u0001-\u0009\u000b-\u001f\u007f\u2028\u202e]"))] | length)]
        | join(" ")' "$CLUSTER_DIR/$1.json"
}

# check_drawing NAME 'what': JSON by itself, and the others against it.
check_drawing() {
    local size
    check "$2: JSON's ids that are double, ends that are none, unknown nodes, unknown edges, control characters" \
        "$(json_problems "$1")" '0 0 0 0 0'
    size=$(jq -r '"\(.nodes | length) nodes and \(.edges | length) edges"' "$CLUSTER_DIR/$1.json")
    if command -v dot >/dev/null; then
        check "$2: what Graphviz has to say about the dot" \
            "$(dot -Tsvg -o "$CLUSTER_DIR/$1.svg" "$CLUSTER_DIR/$1.dot" 2>&1 || echo "exit status $?")" ''
        check "$2: drawn by Graphviz, $size, each with its label" \
            "$(python3 "$CLUSTER_DIR/read.py" svg "$CLUSTER_DIR/$1.svg" "$CLUSTER_DIR/$1.json")" "$size"
    else
        skip "$2: there is no program dot (package graphviz) to render it"
    fi
}

# The same for Mermaid, where nothing is left out of it that is in JSON.
check_mermaid() {
    check "$2: Mermaid, line by line, each label as in JSON" \
        "$(python3 "$CLUSTER_DIR/read.py" mermaid "$CLUSTER_DIR/$1.mermaid" "$CLUSTER_DIR/${3:-$1}.json")" \
        "$(jq -r '"\(.nodes | length) nodes and \(.edges | length) edges"' "$CLUSTER_DIR/${3:-$1}.json")"
}

# Every text is an event's id and type and a session of its own, then they are one user's: the journeys merge. As kind
# of a key and in the rule of a refusal it is, too.
draw_hostile() {
    local texts
    texts=$(hostile | jq -s 'add | length')
    ingest 'to_entries | map({event_id: .value, type: .value, ts: (1772323200 + .key), session_id: .value})'
    ingest 'to_entries | map({event_id: "u\(.key)", type: "log in", ts: (1772409600 + .key), user_id: "u",
                              session_id: .value, correlations: ["kind\(.key):\(.value)"]})'
    ingest 'to_entries | map({event_id: "r\(.key)", type: "other", ts: (1772409600 + .key),
                              device_id: "other \(.value)"})'
    check "journeys that are one after the logins" "$(sql drawn "SELECT count(*) FROM journey_stitch.journeys
        WHERE merged_into = journey_stitch.find_entry('u0')")" "$((texts - 2))"
    sql drawn "
        INSERT INTO journey_stitch.merge_conflicts (event_id, key_id, project_id, rule, occurred_at)
        SELECT e.id, k.id, e.project_id, 'max_values of ' || e.session_id, e.occurred_at
        FROM journey_stitch.events e
        JOIN journey_stitch.keys k ON k.kind = 'device_id' AND k.value = btrim('other ' || e.session_id)
        WHERE e.event_id LIKE 'u%' AND e.user_id = 'u';
        UPDATE journey_stitch.keys SET hold = CASE id % 3 WHEN 0 THEN 'q' WHEN 1 THEN 'u' END WHERE kind <> 'user_id'"
    check_true "some keys are refused" "$(sql drawn "SELECT count(*) > 20 FROM journey_stitch.merge_conflicts")"
    draw hostile "SELECT journey_stitch.find_entry('u0')"
    check "events in the drawing, of all of the journey" \
        "$(jq '[.nodes[] | select(.type == "event")] | length' "$CLUSTER_DIR/hostile.json")" "$(sql drawn "
            SELECT event_count FROM journey_stitch.journeys WHERE id = journey_stitch.find_entry('u0')")"
    check "its keys with their values, in JSON and in the table" \
        "$(jq -r '[.nodes[] | select(.type == "key" or .type == "held_key") | [.kind, .value]] | sort | tojson' \
            "$CLUSTER_DIR/hostile.json")" \
        "$(sql drawn "SELECT json_agg(json_build_array(kind, value)) FROM journey_stitch.keys
            WHERE journey_id = journey_stitch.find_entry('u0')" | jq -c sort)"
    check "merges, refusals and held keys, in JSON and in the tables" \
        "$(jq -r '[([.edges[] | select(.type == "MERGED_INTO")] | length),
                   ([.edges[] | select(.type == "REFUSED")] | length),
                   ([.nodes[] | select(.hold)] | length)] | join("|")' "$CLUSTER_DIR/hostile.json")" \
        "$(sql drawn "SELECT (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NOT NULL),
            (SELECT count(*) FROM journey_stitch.merge_conflicts), (SELECT count(*) FROM journey_stitch.keys
             WHERE hold IS NOT NULL AND (journey_id = journey_stitch.find_entry('u0')
                   OR id IN (SELECT key_id FROM journey_stitch.merge_conflicts)))")"
    check_drawing hostile "hostile values"
    check_mermaid_within hostile
}

# Mermaid draws fewer: whatever it draws must be a node or an edge of the same journey drawn with as few.
check_mermaid_within() {
    local most
    most=$(sql drawn "SELECT m FROM unnest(ARRAY[500, 250, 125, 62, 31, 15, 7, 3, 1]) AS m
        WHERE (SELECT count(*) FROM journey_stitch.drawing_parts(journey_stitch.find_entry('u0'), m)
               WHERE type = 'event') = $(grep -c ':::event$' "$CLUSTER_DIR/$1.mermaid") ORDER BY m DESC LIMIT 1")
    sql drawn "SELECT json_build_object(
            'nodes', json_agg(json_build_object('id', source, 'label', label)) FILTER (WHERE target IS NULL),
            'edges', json_agg(json_build_object('from', source, 'to', target, 'label', label))
                     FILTER (WHERE target IS NOT NULL))
        FROM journey_stitch.drawing_parts(journey_stitch.find_entry('u0'), $most),
             array_to_string(lines || note, E'\n') AS label" >"$CLUSTER_DIR/within.json"
    check_mermaid "$1" "$1, at most $most of each" within
}

# 600 events of one user and 40 sessions: of the dot and JSON 100 in the middle are left out.
draw_large() {
    ingest '[range(600) | {event_id: "l\(.)", type: "view", ts: (1772323200 + . * 60), user_id: "large",
                           session_id: "s\(. % 40)"}]'
    draw large "SELECT journey_stitch.find_entry('l0')"
    check "of 600 events: how many are drawn, the last of the first half, the first of the last, what is left out" \
        "$(jq -r '[([.nodes[] | select(.type == "event")] | length),
                   ([.nodes[] | select(.type == "event") | .event_id] | .[249], .[250]),
                   (.nodes[] | select(.type == "left_out") | .label)] | join(" ")' "$CLUSTER_DIR/large.json")" \
        '500 l249 l350 100 more events'
    check_drawing large "600 events"
    check_true "Mermaid's edges and characters: no more than it renders" "$(awk '
        { n += length($0) + 1 } / (-->|-\.-|-\.->|==>)/ { e++ }
        END { print (e <= 500 && n <= 50000 && e > 50) ? "t" : e " " n }' "$CLUSTER_DIR/large.mermaid")"
    check "its first event, its last one, and how many are left out" \
        "$(grep -c ':::event$' "$CLUSTER_DIR/large.mermaid") $(grep -cE '^  e(1|600)\[' "$CLUSTER_DIR/large.mermaid") $(
            grep -oE '[0-9,]+ more events' "$CLUSTER_DIR/large.mermaid")" "125 2 475 more events"
}

# One event with more keys than are drawn, of which Mermaid draws fewer still.
draw_wide() {
    ingest '[{event_id: "w", type: "wide", correlations: [range(1500) | "k\(.):v\(.)"]}]'
    draw wide "SELECT journey_stitch.find_entry('w')"
    check "of 1,500 keys, what is left out" \
        "$(jq -r '[.nodes[] | select(.type == "left_out") | .label] | join(", ")' "$CLUSTER_DIR/wide.json")" \
        '1,000 more keys'
    check_drawing wide "1,500 keys"
    check_true "Mermaid draws some, and says how many it does not" "$(
        grep -qE ' more keys' "$CLUSTER_DIR/wide.mermaid" &&
            awk '/ --> /{ e++ } END { print (e > 100 && e <= 500) ? "t" : e }' "$CLUSTER_DIR/wide.mermaid")"
}

cluster_start journey_graph "fsync = off"
write_reader
create_database drawn
sql postgres "ALTER DATABASE drawn SET journey_stitch.enabled = off"
# Before the first stitching there may be no journey, and so none to draw.
check "a journey that is not there" "$(sql drawn "SELECT journey_stitch.journey_drawing(1, 'dot') IS NULL")" t
sql drawn "CREATE FUNCTION journey_stitch.find_entry(event text) RETURNS bigint LANGUAGE sql STABLE AS \$\$
    SELECT journey_stitch.journey_of_entry(l.id) FROM journey_stitch.event_ids l WHERE l.event_id = event LIMIT 1 \$\$"
draw_hostile
draw_large
draw_wide
check "formats that there are not" "$(for format in "'svg'" "'JSON'" "''" NULL; do
    psql -At -d drawn -v VERBOSITY=sqlstate -c "SELECT journey_stitch.journey_drawing(1, $format)" 2>&1 || true
done | sort -u)" 'ERROR:  22023'
summary
