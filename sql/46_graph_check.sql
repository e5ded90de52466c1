-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- What somebody has done to the graph by hand, through Cypher or SQL: found here, mended by rebuild_graph().

CREATE FUNCTION journey_stitch.whole_graph_labels() RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT wanted.name
    FROM (VALUES ('Event', '_ag_label_vertex'), ('Correlation', '_ag_label_vertex'), ('Journey', '_ag_label_vertex'),
                 ('HAS_KEY', '_ag_label_edge'), ('PART_OF', '_ag_label_edge')) AS wanted (name, parent)
    JOIN ag_catalog.ag_graph g ON g.name = 'journey_graph'
    JOIN ag_catalog.ag_label l ON l.graph = g.graphid AND l.name = wanted.name
    JOIN ag_catalog.ag_label parent ON parent.graph = g.graphid AND parent.name = wanted.parent
    JOIN pg_inherits i ON i.inhrelid = l.relation AND i.inhparent = parent.relation
    JOIN pg_class c ON c.oid = l.relation AND c.oid = to_regclass(format('journey_graph.%I', l.name))
    JOIN pg_class s ON s.oid = to_regclass(format('journey_graph.%I', l.name || '_id_seq')) AND s.relkind = 'S'
    WHERE CASE wanted.parent
              WHEN '_ag_label_vertex' THEN 'id graphid, properties agtype'
              ELSE 'id graphid, start_id graphid, end_id graphid, properties agtype'
          END = (SELECT string_agg(format('%s %s', a.attname,
                                          CASE a.atttypid WHEN 'ag_catalog.graphid'::regtype THEN 'graphid'
                                                          WHEN 'ag_catalog.agtype'::regtype THEN 'agtype' END),
                                   ', ' ORDER BY a.attnum)
                 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
$$;
COMMENT ON FUNCTION journey_stitch.whole_graph_labels() IS
    'Those of the five labels of journey_graph that AGE knows, with table, columns and sequence as it makes them.';

CREATE FUNCTION journey_stitch.graph_check() RETURNS TABLE (label text, problem text, entries bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 32
SET search_path = pg_catalog, pg_temp
-- Joins of whole tables, whose statistics may be older than their rows.
SET enable_nestloop = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    labels CONSTANT text[] := ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF'];
    whole CONSTANT text[] := ARRAY(SELECT journey_stitch.whole_graph_labels());
    -- Without a graph there is none to check, until there are journeys.
    is_wanted CONSTANT boolean := EXISTS (SELECT FROM journey_stitch.journeys)
        OR to_regnamespace('journey_graph') IS NOT NULL
        OR EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = 'journey_graph');
    -- What is expected, in the form that the stitcher gives it (src/graph); $1 is the label's number.
    vertices CONSTANT jsonb := jsonb_build_object(
        'Event', $q$
            SELECT ag_catalog._graphid($1, e.id) AS id,
                   ag_catalog.agtype_build_map(
                       'id', e.event_id, 'type', e.event_type,
                       'ts', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS properties
            FROM journey_stitch.events e
            WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q) $q$,
        'Correlation', $q$
            SELECT ag_catalog._graphid($1, k.id) AS id,
                   ag_catalog.agtype_build_map('kind', k.kind, 'value', k.value) AS properties
            FROM journey_stitch.keys k $q$,
        'Journey', $q$
            SELECT ag_catalog._graphid($1, j.id) AS id,
                   ag_catalog.agtype_build_map(
                       'id', j.uuid::text,
                       'created_at', to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                       AS properties
            FROM journey_stitch.journeys j
            WHERE j.merged_into IS NULL $q$);
    edges CONSTANT jsonb := jsonb_build_object(
        'HAS_KEY', $q$
            SELECT g.id AS a, k.id AS b
            -- Kept apart by OFFSET 0: joined to an event's keys one event at a time, all keys of its project are read
            -- for each.
            FROM (SELECT e.id, e.project_id, g.kind, g.value
                  FROM journey_stitch.events e
                  CROSS JOIN LATERAL journey_stitch.event_keys(
                      e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS g
                  WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q)
                  OFFSET 0) AS g
            JOIN journey_stitch.keys k ON k.project_id = g.project_id AND k.kind = g.kind AND k.value = g.value
            WHERE NOT EXISTS (SELECT FROM journey_stitch.merge_conflicts c
                              WHERE c.event_id = g.id AND c.key_id = k.id) $q$,
        'PART_OF', $q$
            SELECT k.id AS a, k.journey_id AS b FROM journey_stitch.keys k WHERE k.journey_id IS NOT NULL $q$);
    ends CONSTANT jsonb := '{"HAS_KEY": ["Event", "Correlation"], "PART_OF": ["Correlation", "Journey"]}';
    name text;
    vertex_ids text[];
    counts bigint[];
BEGIN
    -- SECURITY DEFINER: journey_stitch_admin may execute it, to whom neither the graph nor all tables are granted.
    PERFORM journey_stitch.refuse_foreign_graph();

    FOREACH name IN ARRAY labels LOOP
        IF name <> ALL (whole) THEN
            RETURN QUERY SELECT name, 'no table', is_wanted::integer::bigint;
            CONTINUE;
        END IF;
        IF vertices ? name THEN
            EXECUTE format($q$
                SELECT ARRAY[
                    count(*) FILTER (WHERE v.id IS NULL), count(*) FILTER (WHERE e.id IS NULL),
                    count(e.id) FILTER (WHERE v.id IS NOT NULL) - count(DISTINCT e.id) FILTER (WHERE v.id IS NOT NULL),
                    count(*) FILTER (WHERE NOT v.properties OPERATOR(ag_catalog.=) e.properties)]
                FROM (%1$s) AS e
                FULL JOIN journey_graph.%2$I AS v ON v.id OPERATOR(ag_catalog.=) e.id $q$, vertices ->> name, name)
            INTO counts USING journey_stitch.graph_label_id(name);
        ELSE
            -- Ends are compared by entry ids, as far as they are of the right label: a label that AGE does not know
            -- any more has no number.
            EXECUTE format($q$
                SELECT ARRAY[
                    count(*) FILTER (WHERE x.n IS NULL), COALESCE(sum(x.n) FILTER (WHERE e.is_there IS NULL), 0),
                    COALESCE(sum(x.n - 1) FILTER (WHERE e.is_there), 0)]
                FROM (SELECT *, true AS is_there FROM (%1$s) AS e) AS e
                FULL JOIN (SELECT CASE WHEN ag_catalog._extract_label_id(start_id) <> $1 THEN NULL
                                       ELSE journey_stitch.graph_entry_id(start_id) END AS a,
                                  CASE WHEN ag_catalog._extract_label_id(end_id) <> $2 THEN NULL
                                       ELSE journey_stitch.graph_entry_id(end_id) END AS b,
                                  count(*) AS n
                           FROM journey_graph.%2$I GROUP BY 1, 2) AS x USING (a, b) $q$, edges ->> name, name)
            INTO counts
            USING journey_stitch.graph_label_id(ends -> name ->> 0), journey_stitch.graph_label_id(ends -> name ->> 1);
            -- Of a label whose table is gone there is no vertex.
            SELECT array_agg(CASE WHEN v.name = ANY (whole)
                                  THEN format('SELECT DISTINCT id FROM journey_graph.%I', v.name)
                                  ELSE 'SELECT NULL::ag_catalog.graphid AS id WHERE false' END ORDER BY v.n)
            INTO vertex_ids FROM jsonb_array_elements_text(ends -> name) WITH ORDINALITY AS v (name, n);
            -- Cypher walks an edge once, and knows it by its id: none may have another's.
            EXECUTE format($q$
                SELECT $2 || ARRAY[
                    count(*) FILTER (WHERE NOT x.properties OPERATOR(ag_catalog.=) '{}'::ag_catalog.agtype
                                        OR ag_catalog._extract_label_id(x.id) <> $1)
                    + count(*) - count(DISTINCT journey_stitch.graph_entry_id(x.id)),
                    count(*) FILTER (WHERE a.id IS NULL OR b.id IS NULL)]
                FROM journey_graph.%1$I AS x
                LEFT JOIN (%2$s) AS a ON a.id OPERATOR(ag_catalog.=) x.start_id
                LEFT JOIN (%3$s) AS b ON b.id OPERATOR(ag_catalog.=) x.end_id $q$, name, vertex_ids[1], vertex_ids[2])
            INTO counts USING journey_stitch.graph_label_id(name), counts;
        END IF;
        RETURN QUERY
            SELECT name, 'no table', 0::bigint
            UNION ALL
            SELECT name, p.problem, p.entries
            FROM ROWS FROM (unnest(ARRAY['missing', 'surplus', 'double', 'altered', 'dangling']), unnest(counts))
                AS p (problem, entries)
            WHERE p.entries IS NOT NULL
            UNION ALL
            -- As ensure_graph() makes them.
            SELECT name, 'no index', count(*)
            FROM (VALUES ('Event', 'id', true, 'journey_stitch_event_id'),
                         ('Correlation', 'id', true, 'journey_stitch_correlation_value'),
                         ('Journey', 'id', true, 'journey_stitch_journey_id'),
                         ('HAS_KEY', 'start_id', false, NULL), ('HAS_KEY', 'end_id', false, NULL),
                         ('PART_OF', 'start_id', true, NULL), ('PART_OF', 'end_id', false, NULL))
                 AS w (label, col, is_unique, of_property)
            CROSS JOIN LATERAL (VALUES
                (EXISTS (SELECT FROM pg_index i
                         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                         WHERE i.indrelid = format('journey_graph.%I', w.label)::regclass AND a.attname = w.col
                           AND i.indisunique >= w.is_unique)),
                (w.of_property IS NULL OR to_regclass(format('journey_graph.%I', w.of_property)) IS NOT NULL))
                AS h (is_there)
            WHERE w.label = name AND NOT h.is_there;
    END LOOP;

    -- All that MATCH finds: tables that inherit from AGE's two, and what is in these themselves.
    FOR name IN
        SELECT c.relname
        FROM pg_class c
        WHERE c.relnamespace = to_regnamespace('journey_graph') AND c.relkind = 'r' AND c.relname <> ALL (labels)
          AND (c.relname IN ('_ag_label_vertex', '_ag_label_edge')
               OR EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
                          WHERE i.inhrelid = c.oid AND p.relnamespace = c.relnamespace
                            AND p.relname IN ('_ag_label_vertex', '_ag_label_edge')))
        ORDER BY c.relname COLLATE "C"
    LOOP
        RETURN QUERY EXECUTE format($q$
            SELECT %1$L, 'unknown label', count(*) FROM ONLY journey_graph.%1$I HAVING count(*) > 0 $q$, name);
    END LOOP;
END
$$;
COMMENT ON FUNCTION journey_stitch.graph_check() IS
    'Compares the graph journey_graph with the tables, and counts for each label what is wrong: "no table" (1: AGE does not know the label, or its table, columns or sequence are not as AGE makes them; nothing else is said of it then), "missing", "surplus", "double", "altered" (properties, or the id of an edge, are not what they must be), "dangling" (edges with an end that is no vertex), "no index"; and entries of other labels ("unknown label"; "_ag_label_vertex": vertices without a label). All 0: well. rebuild_graph() mends all of it.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
