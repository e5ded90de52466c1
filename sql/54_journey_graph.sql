-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- One journey drawn, in languages that other programs render. What events have sent is in none of them more than text.

CREATE FUNCTION journey_stitch.drawing_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- On one line, without what XML does not allow and what turns the direction of writing.
    SELECT CASE WHEN t.line = '' THEN '…' WHEN char_length(t.line) > 40 THEN left(t.line, 39) || '…' ELSE t.line END
    FROM (SELECT btrim(regexp_replace(
        value, '[\u0001-\u0020\u007f-\u00a0\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]+', ' ', 'g')) AS line) AS t
$$;
COMMENT ON FUNCTION journey_stitch.drawing_text(text) IS 'A value as one line of a label: at most 40 characters, the last of them … if it is shortened.';

CREATE FUNCTION journey_stitch.mermaid_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Mermaid looks for syntax, comments, directives, icons, formulas and, since version 11, Markdown in quoted text,
    -- too, so everything but letters and digits becomes an entity, except where it certainly means nothing. ﬂ and ¶
    -- are what it marks entities with inside.
    SELECT CASE WHEN value ~ '^[A-Za-z0-9 ,/=]*$' THEN value ELSE (
        SELECT string_agg(
            CASE WHEN c = '"' THEN '#quot;'
                 WHEN c ~ '[A-Za-z0-9 ,/=]' OR ascii(c) > 127 AND c NOT IN ('ﬂ', '¶') THEN c
                 WHEN c IN ('-', '_') AND c_before ~ '[A-Za-z0-9]' AND c_after ~ '[A-Za-z0-9]' THEN c
                 ELSE '#' || ascii(c) || ';' END, '' ORDER BY n)
        FROM (SELECT c, n, lag(c) OVER (ORDER BY n) AS c_before, lead(c) OVER (ORDER BY n) AS c_after
              FROM unnest(string_to_array(value, NULL)) WITH ORDINALITY AS u (c, n)) AS chars) END
$$;
COMMENT ON FUNCTION journey_stitch.mermaid_text(text) IS 'A text for a quoted label of Mermaid, which draws it as it is.';

CREATE FUNCTION journey_stitch.dot_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- In labels Graphviz reads HTML's entities as well.
    SELECT replace(replace(replace(value, '\', '\\'), '"', '\"'), '&', '&amp;')
$$;
COMMENT ON FUNCTION journey_stitch.dot_text(text) IS 'A text for a quoted label of DOT, which draws it as it is.';

CREATE FUNCTION journey_stitch.drawing_parts(journey bigint, most integer)
RETURNS TABLE (n bigint, source text, target text, type text, lines text[], note text, details jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH present AS MATERIALIZED (
        SELECT * FROM journey_stitch.journeys WHERE id = drawing_parts.journey
    ), event AS MATERIALIZED (
        -- The first and the last ones. Walked by index, as get_journey() does (sql/steps/journey_events.sql).
        SELECT 'e' || o.place AS node, o.*
        FROM (SELECT e.*, row_number() OVER (ORDER BY e.occurred_at, e.id) AS place, count(*) OVER () AS places
              FROM (SELECT DISTINCT h.start_id
                    FROM (SELECT p.start_id
                          FROM journey_graph."PART_OF" p
                          WHERE p.end_id OPERATOR(ag_catalog.=)
                                journey_stitch.vertex_id('Journey', drawing_parts.journey)
                          OFFSET 0) AS p
                    CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                                        WHERE h.end_id OPERATOR(ag_catalog.=) p.start_id OFFSET 0) AS h) AS m
              CROSS JOIN LATERAL (SELECT e.id, m.start_id, e.event_id, e.event_type, e.occurred_at
                                  FROM journey_stitch.events e
                                  WHERE e.id = journey_stitch.graph_entry_id(m.start_id) LIMIT 1) AS e) AS o
        WHERE o.place <= most - most / 2 OR o.place > o.places - most / 2
    ), tie AS MATERIALIZED (
        SELECT e.node AS event, e.place, journey_stitch.graph_entry_id(h.end_id) AS key_id, NULL::text AS rule
        FROM event e
        CROSS JOIN LATERAL (SELECT h.end_id FROM journey_graph."HAS_KEY" h
                            WHERE h.start_id OPERATOR(ag_catalog.=) e.start_id OFFSET 0) AS h
        UNION ALL
        SELECT e.node, e.place, c.key_id, c.rule
        FROM event e
        CROSS JOIN LATERAL (SELECT c.key_id, c.rule FROM journey_stitch.merge_conflicts c
                            WHERE c.event_id = e.id OFFSET 0) AS c
    ), key AS MATERIALIZED (
        SELECT CASE WHEN o.is_refused THEN 'r' ELSE 'k' END || o.place AS node, o.*
        FROM (SELECT k.*, k.journey_id IS DISTINCT FROM drawing_parts.journey AS is_refused,
                     CASE k.hold WHEN 'q' THEN 'quarantined' WHEN 'u' THEN 'unmerged' END AS held,
                     row_number() OVER (PARTITION BY k.journey_id IS DISTINCT FROM drawing_parts.journey
                                        ORDER BY t.first_place, k.kind COLLATE "C", k.value COLLATE "C") AS place
              FROM (SELECT key_id, min(place) AS first_place FROM tie GROUP BY key_id) AS t
              CROSS JOIN LATERAL (SELECT * FROM journey_stitch.keys k WHERE k.id = t.key_id LIMIT 1) AS k) AS o
    ), absorbed AS MATERIALIZED (
        SELECT 'a' || o.place AS node, o.*
        FROM (SELECT j.id, j.uuid, m.survivor_id, m.event_id, m.key_id, m.rule, m.merged_at,
                     row_number() OVER (ORDER BY m.id DESC NULLS LAST, j.id) AS place, count(*) OVER () AS places
              FROM journey_stitch.journeys j
              LEFT JOIN LATERAL (SELECT * FROM journey_stitch.merges m WHERE m.absorbed_id = j.id
                                 ORDER BY m.id DESC LIMIT 1) AS m ON true
              WHERE j.merged_into = drawing_parts.journey) AS o
        WHERE o.place <= most
    ), part AS (
        SELECT 1 AS layer, 1 AS place, 'j1' AS source, NULL AS target, 'journey' AS type,
               ARRAY['Journey', p.uuid::text] AS lines,
               format('%s event%s, %s key%s', p.event_count, CASE WHEN p.event_count <> 1 THEN 's' END,
                      p.key_count, CASE WHEN p.key_count <> 1 THEN 's' END) AS note,
               jsonb_build_object('journey_id', p.uuid, 'events', p.event_count, 'keys', p.key_count,
                                  'first_seen', p.first_seen, 'last_seen', p.last_seen, 'created_at', p.created_at)
                   AS details
        FROM present p
        UNION ALL
        SELECT 2, a.place, a.node, NULL, 'absorbed_journey', ARRAY['Absorbed journey', a.uuid::text], NULL,
               jsonb_build_object('journey_id', a.uuid)
        FROM absorbed a
        UNION ALL
        SELECT 3, k.place, k.node, NULL,
               CASE WHEN k.is_refused THEN 'refused_key' WHEN k.held IS NOT NULL THEN 'held_key' ELSE 'key' END,
               ARRAY[k.kind, k.value], k.held,
               jsonb_build_object('kind', k.kind, 'value', k.value, 'hold', k.held, 'journey_id',
                                  (SELECT j.uuid FROM journey_stitch.journeys j WHERE j.id = k.journey_id))
        FROM key k WHERE k.place <= most
        UNION ALL
        SELECT 4, e.place, e.node, NULL, 'event', ARRAY[e.event_type],
               to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
               jsonb_build_object('event_id', e.event_id, 'event_type', e.event_type, 'occurred_at', e.occurred_at)
        FROM event e
        UNION ALL
        SELECT 5, l.place, 'm' || l.place, NULL, 'left_out', '{}',
               concat(to_char(l.entries, 'FM999,999,999,990'), ' more ', l.what, CASE WHEN l.entries <> 1 THEN 's' END),
               jsonb_build_object('what', l.what, 'entries', l.entries)
        FROM (SELECT 1 AS place, 'event' AS what, (SELECT max(places) - count(*) FROM event) AS entries
              UNION ALL
              SELECT 2, 'key', (SELECT p.key_count - (SELECT count(*) FROM key WHERE NOT is_refused AND place <= most)
                                 FROM present p)
              UNION ALL
              SELECT 3, 'refused key', (SELECT count(*) FROM key WHERE is_refused AND place > most)
              UNION ALL
              SELECT 4, 'absorbed journey', (SELECT max(places) - count(*) FROM absorbed)) AS l
        WHERE l.entries > 0
        UNION ALL
        SELECT 6, t.place, t.event, k.node, CASE WHEN t.rule IS NULL THEN 'HAS_KEY' ELSE 'REFUSED' END,
               ARRAY[t.rule], NULL,
               jsonb_build_object('rule', t.rule)
        FROM tie t JOIN key k ON k.id = t.key_id WHERE k.place <= most
        UNION ALL
        SELECT 7, k.place, k.node, 'j1', 'PART_OF', '{}', NULL, '{}'
        FROM key k WHERE NOT k.is_refused AND k.place <= most
        UNION ALL
        SELECT 8, a.place, a.node, COALESCE(s.node, 'j1'), 'MERGED_INTO',
               ARRAY[a.rule, 'event ' || e.event_id, k.kind || ' ' || k.value], NULL,
               jsonb_build_object('rule', a.rule, 'event_id', e.event_id, 'key', k.kind || ':' || k.value,
                                  'merged_at', a.merged_at)
        FROM absorbed a
        LEFT JOIN absorbed s ON s.id = a.survivor_id
        LEFT JOIN LATERAL (SELECT e.event_id FROM journey_stitch.events e WHERE e.id = a.event_id LIMIT 1) AS e ON true
        LEFT JOIN LATERAL (SELECT k.kind, k.value FROM journey_stitch.keys k WHERE k.id = a.key_id LIMIT 1) AS k ON true
    )
    SELECT row_number() OVER (ORDER BY p.layer, p.place, char_length(p.target), p.target COLLATE "C"),
           p.source, p.target, p.type,
           ARRAY(SELECT journey_stitch.drawing_text(l.line) FROM unnest(p.lines) WITH ORDINALITY AS l (line, n)
                 WHERE l.line IS NOT NULL ORDER BY l.n),
           p.note, jsonb_strip_nulls(p.details)
    FROM part p
    UNION ALL
    -- What is left out belongs to the journey, too.
    SELECT 1000000 + p.place, p.source, 'j1', 'LEFT_OUT', '{}', NULL, '{}' FROM part p WHERE p.layer = 5
    ORDER BY 1;
END
$$;
COMMENT ON FUNCTION journey_stitch.drawing_parts(bigint, integer) IS
    'What a drawing of journey (journeys.id) consists of, nodes first (target is NULL), then edges: the journey (j1), journeys that it absorbed (a1 …, the latest first), its keys (k1 …), keys that its events were refused to be tied by (r1 …), its events (e1 …, in order of time) and what is left out of them (m1 …), because there are more than the given number. lines are from the data, each on one line and shortened; note is ours.';

CREATE FUNCTION journey_stitch.journey_drawing(journey bigint, format text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
-- The times in JSON.
SET timezone = 'UTC'
AS $$
DECLARE
    most integer := 500;
    drawing text;
    edges bigint;
BEGIN
    IF format IS NULL OR format NOT IN ('mermaid', 'dot', 'json') THEN
        RAISE EXCEPTION 'invalid format: there is no format "%"', format
            USING ERRCODE = 'invalid_parameter_value', HINT = 'format takes ''mermaid'', ''dot'' or ''json''.';
    END IF;
    IF NOT EXISTS (SELECT FROM journey_stitch.journeys j WHERE j.id = journey) THEN
        RETURN NULL;
    END IF;
    -- Nor somebody else's tables of these names.
    IF NOT journey_stitch.has_graph() THEN
        RAISE EXCEPTION 'the graph journey_graph is gone, or parts of it are'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'SELECT * FROM journey_stitch.rebuild_graph() makes it from the tables.';
    END IF;

    IF format = 'json' THEN
        SELECT concat(E'{"nodes": [\n', string_agg(o.line, E',\n' ORDER BY o.n) FILTER (WHERE NOT o.is_edge),
                      E'\n], "edges": [\n', string_agg(o.line, E',\n' ORDER BY o.n) FILTER (WHERE o.is_edge), E'\n]}')
        INTO drawing
        FROM (SELECT p.n, p.target IS NOT NULL AS is_edge,
                     (CASE WHEN p.target IS NULL THEN jsonb_build_object('id', p.source)
                           ELSE jsonb_build_object('from', p.source, 'to', p.target) END
                      || jsonb_strip_nulls(jsonb_build_object('type', p.type, 'label', NULLIF(l.label, '')))
                      || p.details)::text AS line
              FROM journey_stitch.drawing_parts(journey, most) AS p
              CROSS JOIN LATERAL (SELECT array_to_string(p.lines || p.note, E'\n') AS label) AS l) AS o;
        RETURN drawing;
    END IF;

    IF format = 'dot' THEN
        -- Colors that can be read on light and on dark paper.
        SELECT concat(
            E'digraph journey {\n',
            E'  graph [rankdir=LR, bgcolor=transparent, ranksep=1.2, nodesep=0.15];\n',
            E'  node [shape=box, style="rounded,filled", fontname="Helvetica,Arial,sans-serif", fontsize=11];\n',
            E'  edge [fontname="Helvetica,Arial,sans-serif", fontsize=10, color="#767676", fontcolor="#767676"];\n',
            string_agg(
                CASE WHEN p.target IS NULL THEN format('  %s [label="%s", %s];', p.source, l.label,
                    CASE p.type
                        WHEN 'journey' THEN 'fillcolor="#cfe2ff", color="#2f5fa8", fontcolor="#10233f", penwidth=2'
                        WHEN 'absorbed_journey' THEN 'fillcolor="#e4e4e4", color="#6e6e6e", fontcolor="#222222"'
                        WHEN 'key' THEN 'fillcolor="#d8f0d2", color="#3d7a33", fontcolor="#12290e"'
                        WHEN 'held_key' THEN 'fillcolor="#ffe3b3", color="#a86a00", fontcolor="#3b2600"'
                        WHEN 'refused_key' THEN
                            'fillcolor="#ffdada", color="#b03030", fontcolor="#3d0c0c", style="rounded,filled,dashed"'
                        WHEN 'event' THEN 'fillcolor="#fff6cc", color="#8a7a1f", fontcolor="#2e2800", style=filled'
                        ELSE 'fillcolor="#f2f2f2", color="#767676", fontcolor="#222222", style="filled,dashed"' END)
                ELSE format('  %s -> %s%s;', p.source, p.target,
                    CASE p.type
                        WHEN 'REFUSED' THEN format(' [label="%s", style=dashed, color="#b03030"]', l.label)
                        WHEN 'MERGED_INTO' THEN format(' [label="%s", style=bold]', l.label)
                        WHEN 'LEFT_OUT' THEN ' [style=dotted, arrowhead=none]' END) END,
                E'\n' ORDER BY p.n),
            E'\n}\n')
        INTO drawing
        FROM journey_stitch.drawing_parts(journey, most) AS p
        CROSS JOIN LATERAL (SELECT string_agg(journey_stitch.dot_text(u.line), '\n' ORDER BY u.n) AS label
                            FROM unnest(p.lines || p.note) WITH ORDINALITY AS u (line, n)) AS l;
        RETURN drawing;
    END IF;

    -- Where nobody has set it otherwise, Mermaid renders no more than 50,000 characters (UTF-16's) and 500 edges.
    LOOP
        SELECT concat(
            E'flowchart LR\n',
            string_agg(
                CASE WHEN p.target IS NULL THEN format(
                    CASE WHEN p.type IN ('journey', 'absorbed_journey') THEN '  %s(["%s"]):::%s'
                         WHEN p.type IN ('event', 'left_out') THEN '  %s["%s"]:::%s'
                         ELSE '  %s("%s"):::%s' END, p.source, l.label, p.type)
                ELSE format(
                    CASE p.type WHEN 'REFUSED' THEN '  %s -.->|"%3$s"| %2$s'
                                WHEN 'MERGED_INTO' THEN '  %s ==>|"%3$s"| %2$s'
                                WHEN 'LEFT_OUT' THEN '  %s -.- %s'
                                ELSE '  %s --> %s' END, p.source, p.target, l.label) END,
                E'\n' ORDER BY p.n),
            E'\n  classDef journey fill:#cfe2ff,stroke:#2f5fa8,color:#10233f,stroke-width:2px',
            E'\n  classDef absorbed_journey fill:#e4e4e4,stroke:#6e6e6e,color:#222222',
            E'\n  classDef key fill:#d8f0d2,stroke:#3d7a33,color:#12290e',
            E'\n  classDef held_key fill:#ffe3b3,stroke:#a86a00,color:#3b2600',
            E'\n  classDef refused_key fill:#ffdada,stroke:#b03030,color:#3d0c0c,stroke-dasharray:4 3',
            E'\n  classDef event fill:#fff6cc,stroke:#8a7a1f,color:#2e2800',
            E'\n  classDef left_out fill:#f2f2f2,stroke:#767676,color:#222222,stroke-dasharray:4 3\n'),
            count(p.target)
        INTO drawing, edges
        FROM journey_stitch.drawing_parts(journey, most) AS p
        CROSS JOIN LATERAL (
            SELECT concat_ws('<br/>', string_agg(journey_stitch.mermaid_text(u.line), '<br/>' ORDER BY u.n), p.note)
                       AS label
            FROM unnest(p.lines) WITH ORDINALITY AS u (line, n)) AS l;
        -- What is beyond \uffff is two of UTF-16's.
        EXIT WHEN most = 1
               OR edges <= 500
              AND char_length(drawing || regexp_replace(drawing, '[\u0001-\uffff]+', '', 'g')) <= 50000;
        most := most / 2;
    END LOOP;
    RETURN drawing;
END
$$;
COMMENT ON FUNCTION journey_stitch.journey_drawing(bigint, text) IS
    'A journey (journeys.id), its events, keys, refused keys and absorbed journeys as a graph in the language that format names (mermaid, dot, json). Of more than 500 events, keys or absorbed journeys (for mermaid, of more than it renders unasked) some are left out, of events those in the middle, and a node says how many. NULL if there is no such journey.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
