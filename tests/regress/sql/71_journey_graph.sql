-- journey_drawing(): one journey as Mermaid, DOT and JSON. tests/cluster/journey_graph.sh renders them.
\set VERBOSITY default
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT journey_stitch.clean();

-- The same each time: without uuids, and without the times of today.
CREATE FUNCTION public.drawn(key text, format text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(
               journey_stitch.journey_drawing(k.journey_id, format), '[0-9a-f]{8}-[-0-9a-f]{27}', '(uuid)', 'g'),
               '("(created|merged)_at": )"[^"]*"', '\1"(time)"', 'g')
    FROM journey_stitch.keys k WHERE k.value = key
$$;

-- A phone and a tablet, whose journeys become one when ann logs in on both.
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "1", "type": "view", "ts": "2024-05-01T10:00:00Z", "session_id": "phone"}]');
SELECT events FROM journey_stitch.stitch_pending();
SELECT public.drawn('phone', 'mermaid');
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "2 \"<b>\"", "type": "log in",    "ts": "2024-05-02T10:00:00.5Z", "session_id": "phone", "user_id": "ann"},
    {"id": "3",         "type": "page_view", "ts": "2024-05-03T10:00:00Z",   "session_id": "tablet \\ \"#1\""}]');
SELECT events FROM journey_stitch.stitch_pending();
SELECT inserted FROM journey_stitch.ingest_events('[
    {"id": "4", "type": "log in", "ts": "2024-05-03T11:00:00Z", "session_id": "tablet \\ \"#1\"", "user_id": "ann",
     "correlations": {"email": "ann@example.org"}},
    {"id": "5", "type": "view",   "ts": "2024-05-03T11:00:00Z", "session_id": "another",
     "correlations": {"email": "bob@example.org"}}]');
SELECT events FROM journey_stitch.stitch_pending();
SELECT public.drawn('ann', 'mermaid');
SELECT public.drawn('ann', 'dot');
SELECT public.drawn('ann', 'json');

-- Keys that are quarantined, unmerged, and refused; the refused one belongs to another journey, or to none.
BEGIN;
INSERT INTO journey_stitch.merge_conflicts (event_id, key_id, project_id, rule, occurred_at)
SELECT e.id, k.id, e.project_id, 'max_values of email', e.occurred_at
FROM journey_stitch.events e JOIN journey_stitch.keys k ON k.value = 'bob@example.org' WHERE e.event_id = '4';
UPDATE journey_stitch.keys SET hold = CASE value WHEN 'phone' THEN 'q' WHEN 'bob@example.org' THEN 'u' END;
SELECT public.drawn('ann', 'mermaid');
UPDATE journey_stitch.keys SET journey_id = NULL WHERE value = 'bob@example.org';
SELECT line FROM regexp_split_to_table(public.drawn('ann', 'json'), E'\n') AS line WHERE line ~ '"(r1|k1)"';
SELECT line FROM regexp_split_to_table(public.drawn('ann', 'dot'), E'\n') AS line WHERE line ~ '(r1|k1) ';
ROLLBACK;

-- A chain of merges. What a merge's event was is gone.
BEGIN;
INSERT INTO journey_stitch.journeys (id, project_id, key_count, event_count, first_seen, last_seen, merged_into)
SELECT nextval('journey_stitch.journey_entry_id'), j.project_id, 1, 1, j.first_seen, j.last_seen, j.id
FROM journey_stitch.keys k JOIN journey_stitch.journeys j ON j.id = k.journey_id WHERE k.value = 'ann';
INSERT INTO journey_stitch.merges (project_id, survivor_id, absorbed_id, rule)
SELECT m.project_id, m.absorbed_id, (SELECT max(id) FROM journey_stitch.journeys), 'late events'
FROM journey_stitch.merges m;
SELECT line FROM regexp_split_to_table(public.drawn('ann', 'mermaid'), E'\n') AS line WHERE line ~ '^  a';
ROLLBACK;

-- The texts that are drawn: one line, shortened, and nothing in them is syntax.
SELECT journey_stitch.drawing_text(t)
FROM unnest(ARRAY['a  b', E' \n\t\r ', '', repeat('x', 40), repeat('x', 41), E'a\u2028b\u202ec\ufeff',
                  repeat('☕', 500)]) AS t;
SELECT journey_stitch.mermaid_text(t), journey_stitch.dot_text(t)
FROM unnest(ARRAY['user_id', '_user_', 'a-b - c', '"quoted"', '#quot; &lt;', '%%{init}%%', '[x](y)', '`*a*`', '<b>', 'a\n\N\',
                  '1. x', 'ﬂ°35¶ß', 'ünï ☕', '']) AS t;

-- 502 events: the first and last 250; of Mermaid's nodes and edges, no more than it draws.
SELECT inserted FROM journey_stitch.ingest_events(
    (SELECT jsonb_agg(jsonb_build_object('id', 'many ' || n, 'type', 'view', 'ts', 1714557600 + n, 'user_id', 'many'))
     FROM generate_series(1, 502) AS n));
SELECT events FROM journey_stitch.stitch_pending();
SELECT count(*) FILTER (WHERE node ->> 'type' = 'event'),
       max(node ->> 'label') FILTER (WHERE node ->> 'type' = 'left_out'),
       bool_or(node ->> 'event_id' = 'many 250') AS first,
       bool_or(node ->> 'event_id' IN ('many 251', 'many 252')) AS between,
       bool_or(node ->> 'event_id' = 'many 253') AS last
FROM json_array_elements(public.drawn('many', 'json')::json -> 'nodes') AS node;
SELECT line FROM regexp_split_to_table(public.drawn('many', 'dot'), E'\n') AS line WHERE line ~ 'm1|\me(1|2|502) ';
SELECT count(*) FILTER (WHERE line ~ ':::event$') AS events, count(*) FILTER (WHERE line ~ ' -') <= 500 AS edges,
       sum(char_length(line) + 1) <= 50000 AS characters, string_agg(line, E'\n') FILTER (WHERE line ~ 'm1') AS left_out
FROM regexp_split_to_table(public.drawn('many', 'mermaid'), E'\n') AS line;

-- A journey that is not there, formats that there are not, and no graph.
SELECT journey_stitch.journey_drawing(0, 'dot') IS NULL;
SELECT journey_stitch.journey_drawing(0, 'svg');
SELECT journey_stitch.journey_drawing(0, 'DOT');
SELECT journey_stitch.journey_drawing(0, NULL);
\c -
\set VERBOSITY default
\set SHOW_CONTEXT never
BEGIN;
DROP TABLE journey_graph."HAS_KEY";
SELECT public.drawn('ann', 'json');
ROLLBACK;
DROP FUNCTION public.drawn(text, text);
SELECT journey_stitch.clean();
