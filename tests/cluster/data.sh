#!/usr/bin/env bash
# One hour of GH Archive against figures that were counted by another program, and the journeys by actor
# and repository against connected components computed here in plain SQL.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/cluster.sh
. tests/demo/load.sh

cluster_start data "fsync = off"
demo_database lines
printf '%s\n' '{"id": "1", "text": "a\\nb\tc \"d\""}' 'not JSON' '' '\.' '{"id": "2"}' >"$CLUSTER_DIR/lines.ndjson"
printf '{"id": "3"}\r\n{"id": "4"}' >>"$CLUSTER_DIR/lines.ndjson"
read_lines lines "$CLUSTER_DIR/lines.ndjson"
check "lines read from a file that is not all JSON, and which of them are JSON" \
    "$(sql lines "SELECT count(*), string_agg(n::text, ',' ORDER BY n) FILTER (WHERE pg_input_is_valid(line, 'jsonb')) FROM demo.lines")" \
    '7|1,5,6,7'
check "a line's backslashes and quotes" "$(sql lines "SELECT line FROM demo.lines WHERE n = 1")" \
    ' {"id": "1", "text": "a\\nb\tc \"d\""}'

data=${JOURNEY_STITCH_DATA:-../shared/data/gharchive-2015-01-01-0.ndjson.gz}
if [ ! -f "$data" ]; then
    skip "real data: no file $(basename "$data"); name it in JOURNEY_STITCH_DATA"
    summary
    exit
fi

totals() { sql data "SELECT received, inserted, duplicates, rejected FROM demo.totals WHERE load = '$1'"; }
journeys() { sql data "SELECT count(*) FROM journey_stitch.journeys j JOIN journey_stitch.projects p ON p.id = j.project_id
                       WHERE p.name = '$1' AND j.merged_into IS NULL"; }
wait_stitched() { sql data "SELECT demo.wait_until_stitched(120)" >/dev/null; }

demo_database data
read_lines data "$data"
sql_file data tests/demo/gharchive.sql
map_lines data map
map_lines data map_actor_and_repository

send data map default first
check "first load: received, inserted, duplicates, rejected" "$(totals first)" '7702|7702|0|0'
send data map default second
check "second load" "$(totals second)" '7702|0|7702|0'
send data map_actor_and_repository actor_and_repository both
check "loaded with actor and repository" "$(totals both)" '7702|7702|0|0'

day="date '2015-01-01'"
check "daily active users before and while stitching" "$(sql data "SELECT active_users FROM journey_stitch.dau($day, $day)")" 3648
wait_stitched
check "daily active users" "$(sql data "SELECT * FROM journey_stitch.dau($day, $day)")" '2015-01-01|3648'
check "journeys by actor" "$(journeys default)" 3648
check "events of the largest" "$(sql data "SELECT max(event_count) FROM journey_stitch.journeys j
    JOIN journey_stitch.projects p ON p.id = j.project_id AND p.name = 'default'")" 79
check "journeys by actor and repository" "$(journeys actor_and_repository)" 3342
check "daily active journeys by actor and repository" "$(sql data "SELECT active_users
    FROM journey_stitch.dau($day, $day, project => 'actor_and_repository', identity => 'journey')")" 3342
check "top events" "$(sql data "SELECT string_agg(event_type || ' ' || events, ', ')
    FROM journey_stitch.top_events($day, $day, 20)")" \
    'PushEvent 4280, CreateEvent 815, IssueCommentEvent 650, WatchEvent 642, IssuesEvent 373, PullRequestEvent 315, ForkEvent 213, DeleteEvent 141, GollumEvent 90, PullRequestReviewCommentEvent 85, CommitCommentEvent 56, ReleaseEvent 24, MemberEvent 16, PublicEvent 2'

# Components: every node takes the smallest label in reach, over and over until nothing changes.
sql data "
CREATE TABLE edges AS
SELECT line::jsonb ->> 'id' AS event_id, 'a' || (line::jsonb -> 'actor' ->> 'id') AS actor,
       'r' || (line::jsonb -> 'repo' ->> 'id') AS repository FROM demo.lines;
CREATE TABLE labels AS SELECT DISTINCT node, node AS label FROM edges, LATERAL (VALUES (actor), (repository)) AS n (node);
DO \$\$
BEGIN
    LOOP
        UPDATE labels l SET label = s.label
        FROM (SELECT n.node, min(n.label) AS label
              FROM edges e JOIN labels a ON a.node = e.actor JOIN labels r ON r.node = e.repository,
                   LATERAL (VALUES (a.node, LEAST(a.label, r.label)), (r.node, LEAST(a.label, r.label))) AS n (node, label)
              GROUP BY n.node) AS s
        WHERE s.node = l.node AND s.label < l.label;
        EXIT WHEN NOT FOUND;
    END LOOP;
END \$\$"
check "partition of the events: components, journeys, pairs of both" "$(sql data "
    SELECT count(DISTINCT label), count(DISTINCT journey), count(DISTINCT (label, journey)), count(*)
    FROM (SELECT l.label, journey_stitch.journey_of(e.event_id, 'actor_and_repository') AS journey
          FROM edges e JOIN labels l ON l.node = e.actor) AS pairs")" '3342|3342|3342|7702'
check "event text survives: properties equal the line's, differences" "$(sql data "
    SELECT count(*) FROM demo.lines l
    JOIN journey_stitch.events e ON e.event_id = l.line::jsonb ->> 'id' AND e.project_id = 1
    WHERE e.properties::text IS DISTINCT FROM (l.line::jsonb - '{id,type,created_at}'::text[])::text")" 0
check "violations found by verify()" "$(sql data "SELECT sum(violations) FROM journey_stitch.verify()")" 0
summary
