#!/usr/bin/env bash
# Draws the README's pictures (tests/demo/images/*.svg) from the demo's shoppers, on a throwaway cluster: a
# journey, retention and daily active users. With --check it leaves them alone, and proves that they are what
# the extension draws now (the charts to the byte, the journey but for its layout, which is graphviz's), and that
# the charts say what dau() and retention_matrix() answer.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh
. tests/demo/load.sh

IMAGES=tests/demo/images
FIRST_DAY=2025-06-01
LAST_DAY=2025-06-30
# The Mondays of the month: retention's cohorts are then calendar weeks.
FIRST_MONDAY=2025-06-02
LAST_MONDAY=2025-06-23

case "${1:-}" in
'' | --check) ;;
*) printf 'usage: %s [--check]\n' "$0" >&2; exit 2 ;;
esac
command -v dot >/dev/null || { printf 'graphviz is missing: make setup\n' >&2; exit 1; }

# Stitches after each call, by this session and no worker, so that the same journeys merge on every run.
load_shoppers() {
    local batches batch
    demo_database demo
    sql_file demo tests/demo/shoppers.sql -v shoppers=2000 -v days=30 -v first_day="$FIRST_DAY"
    batches=$(sql demo "SELECT count(*) FROM demo.batches WHERE source = 'shoppers'")
    for ((batch = 0; batch < batches; batch++)); do
        printf "SELECT demo.send('shoppers', %d, 'default', 'pictures');\n" "$batch"
        printf 'SELECT remaining FROM journey_stitch.stitch_pending();\n'
    done | psql -At -d demo >/dev/null
    sql demo "SELECT demo.wait_until_stitched(0)" >/dev/null
}

# An event of the journey that shoppers_report.sql shows: phone, web and tablet, and a purchase.
journey_to_show() {
    sql demo "SELECT (array_agg(event_id ORDER BY occurred_at))[1]
              FROM demo.truth GROUP BY shopper
              HAVING count(*) BETWEEN 6 AND 12 AND count(DISTINCT device) = 3 AND bool_or(event_type = 'purchase')
                 AND min(occurred_at) FILTER (WHERE device = 'web') > min(occurred_at) + interval '4 days'
                 AND min(occurred_at) FILTER (WHERE event_type = 'login')
                     > min(occurred_at) FILTER (WHERE device = 'web') + interval '4 days'
              ORDER BY shopper LIMIT 1"
}

# Journeys' ids are random. In a picture that is made again they are the same: digests of their places in it.
pin_ids() {
    local text ids id digest n=0
    text=$(cat)
    mapfile -t ids < <(grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' <<<"$text" | awk '!seen[$0]++')
    for id in "${ids[@]}"; do
        n=$((n + 1))
        digest=$(printf 'journey %d' "$n" | md5sum)
        text=${text//"$id"/${digest:0:8}-${digest:8:4}-4${digest:13:3}-8${digest:17:3}-${digest:20:12}}
    done
    printf '%s\n' "$text"
}

# query 'text': a single answer, without psql's line end after the text's own; or the end of this script.
query() {
    local answer
    answer=$(sql demo "$1")
    [ -n "$answer" ]
    printf '%s\n' "$answer"
}

# draw DIRECTORY: the three pictures, into files of it.
draw() {
    local event
    event=$(journey_to_show)
    query "SELECT journey_stitch.journey_graph('$event', 'dot')" | pin_ids | dot -Tsvg >"$1/journey.svg"
    query "SELECT journey_stitch.retention_svg(start_date => '$FIRST_MONDAY', end_date => '$LAST_MONDAY',
                                               unit => 'week')" >"$1/retention.svg"
    query "SELECT journey_stitch.dau_svg(start_date => '$FIRST_DAY', end_date => '$LAST_DAY')" >"$1/dau.svg"
}

# The texts of a picture and how often each occurs: nodes with their labels and edges, without places and fonts.
texts_of() {
    python3 -c '
import collections, sys
import xml.etree.ElementTree as tree
texts = collections.Counter()
for element in tree.parse(sys.argv[1]).iter():
    texts[element.tag.rpartition("}")[2], (element.text or "").strip()] += 1
for (name, text), times in sorted(texts.items()):
    print(times, name, text)' "$1"
}

cluster_start pictures "fsync = off" "journey_stitch.enabled = off"
load_shoppers
draw "$CLUSTER_DIR"
if [ "${1:-}" != --check ]; then
    for picture in journey retention dau; do
        texts_of "$CLUSTER_DIR/$picture.svg" >/dev/null
    done
    mkdir -p "$IMAGES"
    cp "$CLUSTER_DIR"/{journey,retention,dau}.svg "$IMAGES"
    exit
fi
check 'the picture of the journey shows the same events, keys and journeys' \
    "$(diff <(texts_of "$CLUSTER_DIR/journey.svg") <(texts_of "$IMAGES/journey.svg") 2>&1 | head -n 20)" ''
for picture in retention dau; do
    check "the picture of $picture is the same" \
        "$(diff "$CLUSTER_DIR/$picture.svg" "$IMAGES/$picture.svg" 2>&1 | head -n 20 | cut -c 1-300)" ''
done
tooltips() { grep -oE '<title>[^<]*' "$1" | sed 's/<title>//'; }
days=$(query "SELECT day || ': ' || active_users FROM journey_stitch.dau('$FIRST_DAY', '$LAST_DAY') ORDER BY day")
check 'the picture of dau has the days and numbers of dau()' "$(tooltips "$CLUSTER_DIR/dau.svg")" "$days"
cells=$(query "SELECT format('%s, week %s: %s%% of %s', cohort_start, window_no, retention_rate, cohort_size)
               FROM journey_stitch.retention_matrix('$FIRST_MONDAY', '$LAST_MONDAY', 'week')
               ORDER BY cohort_start, window_no")
check 'the picture of retention has the cohorts, windows and rates of retention_matrix()' \
    "$(tooltips "$CLUSTER_DIR/retention.svg")" "$cells"
summary
