-- journey_stitch 0.5.0 to 0.6.0. Written by hand; tests/upgrade.sh compares what it leaves behind with what CREATE
-- EXTENSION makes. In the order of sql/*.sql, with the bodies of functions to the letter as they are there.
--
-- It is one transaction. No table is rewritten; the queue's index is made anew.

-- The script's own statements find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- First what every call reads first, as in clean(): whoever is under way ends before, and whoever comes begins after.
LOCK TABLE journey_stitch.projects IN ACCESS EXCLUSIVE MODE;

-- 10_tables.sql

ALTER TABLE journey_stitch.pending DROP CONSTRAINT pending_pkey, ADD PRIMARY KEY (project_id, id);
DROP INDEX journey_stitch.pending_project;

-- 40_graph.sql

CREATE FUNCTION journey_stitch.vertex_id(label text, entry bigint) RETURNS ag_catalog.graphid
LANGUAGE c STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'vertex_id_wrapper';
COMMENT ON FUNCTION journey_stitch.vertex_id(text, bigint) IS
    'The id of a vertex of journey_graph, by its label and its entry id (events.id, keys.id or journeys.id); NULL if there is no such label.';
-- The owner's at once, as PostgreSQL notes in whose name privileges of a new object were taken back. PUBLIC has nothing
-- of what is new, and nobody what ALTER DEFAULT PRIVILEGES may have granted.
DO $$
DECLARE
    granted record;
BEGIN
    EXECUTE (SELECT format('ALTER FUNCTION journey_stitch.vertex_id(text, bigint) OWNER TO %s', x.extowner::regrole)
             FROM pg_extension x WHERE x.extname = 'journey_stitch');
    REVOKE ALL ON FUNCTION journey_stitch.vertex_id(text, bigint) FROM PUBLIC;
    FOR granted IN
        SELECT DISTINCT p.oid::regprocedure AS function, a.grantee::regrole AS role
        FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) AS a
        WHERE p.oid = 'journey_stitch.vertex_id(text, bigint)'::regprocedure AND a.grantee <> p.proowner
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', granted.function, granted.role);
    END LOOP;
END
$$;

-- 45_rebuild.sql

CREATE OR REPLACE FUNCTION journey_stitch.rebuild_graph() RETURNS TABLE (label text, entries bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET default_tablespace = ''
SET default_table_access_method = heap
SET client_min_messages = warning
-- Joins of whole tables, whose statistics may be older than their rows.
SET enable_nestloop = off
SET jit = off
AS $$
DECLARE
    is_whole boolean;
    old_index regclass;
    event_label integer;
    correlation_label integer;
    journey_label integer;
    has_key_label integer;
    part_of_label integer;
BEGIN
    -- SECURITY DEFINER: journey_stitch_admin may execute it, and what it makes is to be the owner's.
    -- Stitchers update their project's row first of all, so they wait here until this transaction ends. Ingest
    -- goes on, dead letters included, whose foreign key locks a row (ROW SHARE); only a new project waits.
    LOCK TABLE journey_stitch.projects IN SHARE ROW EXCLUSIVE MODE;
    -- And nobody else makes the graph meanwhile: see ensure_graph().
    LOCK TABLE journey_stitch.journeys IN SHARE UPDATE EXCLUSIVE MODE;
    PERFORM journey_stitch.refuse_foreign_graph();
    -- As every stitched batch does: a REPEATABLE READ caller with a snapshot from before gets a serialization
    -- failure. Rows locked now are those of workers that wait for the table, and these have no old snapshot.
    UPDATE journey_stitch.projects SET version = version + 1
    WHERE id IN (SELECT id FROM journey_stitch.projects FOR NO KEY UPDATE SKIP LOCKED);

    PERFORM journey_stitch.note_progress('rebuild_graph', 'emptying', 0, 7);
    -- In a restored dump AGE's number of the graph is that of another schema, which later versions of AGE mind.
    SELECT count(*) = 5 INTO is_whole
    FROM journey_stitch.whole_graph_labels()
    WHERE EXISTS (SELECT FROM ag_catalog.ag_graph g WHERE g.name = 'journey_graph' AND g.graphid = g.namespace::oid);

    IF is_whole THEN
        -- Not TRUNCATE: whoever reads the graph goes on and sees what was there until this commits, and a
        -- running pg_dump is not waited for. All labels, a user's own too, whose edges might lead to nothing.
        LOCK TABLE journey_graph._ag_label_vertex, journey_graph._ag_label_edge IN SHARE ROW EXCLUSIVE MODE;
        DELETE FROM journey_graph._ag_label_edge;
        DELETE FROM journey_graph._ag_label_vertex;
        -- No vertex of Cypher's is left, and the next one must not get an id of ours.
        PERFORM setval(s.name, greatest(140737488355328, nextval(s.name)))
        FROM (VALUES ('journey_graph."Event_id_seq"'::regclass), ('journey_graph."Correlation_id_seq"'),
                     ('journey_graph."Journey_id_seq"')) AS s (name);
    ELSE
        -- With journeys in the tables it is ours, and so are tables that AGE does not know, as a dump of only the
        -- schema makes them. Otherwise ensure_graph() says what it is, and harms nothing.
        IF EXISTS (SELECT FROM journey_stitch.journeys)
           OR to_regclass('journey_graph."PART_OF"') IS NOT NULL
              AND NOT EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = 'journey_graph') THEN
            PERFORM journey_stitch.drop_graph();
        END IF;
        PERFORM journey_stitch.ensure_graph();
        -- Indexes are quicker made at the end. One that belongs to a constraint stays.
        FOR old_index IN
            SELECT i.indexrelid
            FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
            WHERE c.relnamespace = to_regnamespace('journey_graph')
              AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
        LOOP
            EXECUTE format('DROP INDEX %s', old_index);
        END LOOP;
    END IF;

    event_label := journey_stitch.graph_label_id('Event');
    correlation_label := journey_stitch.graph_label_id('Correlation');
    journey_label := journey_stitch.graph_label_id('Journey');
    has_key_label := journey_stitch.graph_label_id('HAS_KEY');
    part_of_label := journey_stitch.graph_label_id('PART_OF');

    -- In the form that the stitcher gives them (src/graph). Events that are pending are left to it;
    -- which ones these are is asked in the same statement, because events come in meanwhile.
    PERFORM journey_stitch.note_progress('rebuild_graph', 'Event', 1, 7);
    INSERT INTO journey_graph."Event" (id, properties)
    SELECT ag_catalog._graphid(event_label, e.id),
           ag_catalog.agtype_build_map(
               'id', e.event_id, 'type', e.event_type,
               'ts', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    FROM journey_stitch.events e
    WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q);
    label := 'Event';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'Correlation', 2, 7);
    INSERT INTO journey_graph."Correlation" (id, properties)
    SELECT ag_catalog._graphid(correlation_label, k.id), ag_catalog.agtype_build_map('kind', k.kind, 'value', k.value)
    FROM journey_stitch.keys k;
    label := 'Correlation';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'Journey', 3, 7);
    INSERT INTO journey_graph."Journey" (id, properties)
    SELECT ag_catalog._graphid(journey_label, j.id),
           ag_catalog.agtype_build_map(
               'id', j.uuid::text,
               'created_at', to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    FROM journey_stitch.journeys j
    WHERE j.merged_into IS NULL;
    label := 'Journey';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'HAS_KEY', 4, 7);
    INSERT INTO journey_graph."HAS_KEY" (id, start_id, end_id, properties)
    SELECT ag_catalog._graphid(has_key_label, nextval('journey_graph."HAS_KEY_id_seq"')),
           ag_catalog._graphid(event_label, g.id), ag_catalog._graphid(correlation_label, k.id), '{}'::ag_catalog.agtype
    -- Kept apart, so that keys are joined by the whole of what identifies them, whatever the planner knows of them.
    FROM (SELECT e.id, e.project_id, g.kind, g.value
          FROM journey_stitch.events e
          CROSS JOIN LATERAL journey_stitch.event_keys(e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS g
          WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q)
          OFFSET 0) AS g
    JOIN journey_stitch.keys k ON k.project_id = g.project_id AND k.kind = g.kind AND k.value = g.value
    WHERE NOT EXISTS (SELECT FROM journey_stitch.merge_conflicts c WHERE c.event_id = g.id AND c.key_id = k.id);
    label := 'HAS_KEY';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'PART_OF', 5, 7);
    INSERT INTO journey_graph."PART_OF" (id, start_id, end_id, properties)
    SELECT ag_catalog._graphid(part_of_label, nextval('journey_graph."PART_OF_id_seq"')),
           ag_catalog._graphid(correlation_label, k.id), ag_catalog._graphid(journey_label, k.journey_id), '{}'::ag_catalog.agtype
    FROM journey_stitch.keys k
    WHERE k.journey_id IS NOT NULL;
    label := 'PART_OF';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'indexes', 6, 7);
    PERFORM journey_stitch.ensure_graph();
END
$$;

-- 46_graph_check.sql

CREATE OR REPLACE FUNCTION journey_stitch.graph_check() RETURNS TABLE (label text, problem text, entries bigint)
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

-- 50_journeys.sql

CREATE OR REPLACE FUNCTION journey_stitch.journey_of_entry(entry bigint) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The graph comes with the first stitching; before, every event is pending.
    IF entry IS NULL OR NOT journey_stitch.has_graph() THEN
        RETURN NULL;
    END IF;
    -- All keys of an event are in one journey, so any will do.
    RETURN (SELECT k.journey_id
            FROM journey_graph."HAS_KEY" h
            JOIN journey_stitch.keys k ON k.id = journey_stitch.graph_entry_id(h.end_id)
            WHERE h.start_id OPERATOR(ag_catalog.=) journey_stitch.vertex_id('Event', entry)
            LIMIT 1);
END
$$;

-- 52_history.sql

CREATE OR REPLACE FUNCTION journey_stitch.journey_of_entry_at(entry bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    event record;
BEGIN
    SELECT e.project_id, e.occurred_at INTO event
    FROM journey_stitch.events e
    WHERE e.id = journey_of_entry_at.entry AND e.received_at <= journey_of_entry_at.at;
    -- The graph comes with the first stitching; before, every event is pending.
    IF NOT FOUND OR NOT journey_stitch.has_graph() THEN
        RETURN NULL;
    END IF;
    -- An event belongs to its first key, in the order in which keys are taken; which of its keys tied it then is not
    -- recorded, and what are keys of one journey now may have been of several: so all of its keys are asked, those that
    -- are refused now, too. A key that was unmerged by then comes last.
    RETURN (
        SELECT k.journey
        FROM (SELECT k.kind, k.value,
                     CASE WHEN EXISTS (SELECT FROM journey_stitch.identity_words w
                                       WHERE w.project_id = event.project_id AND w.word = 'unmerge'
                                         AND w.kind = k.kind AND w.value = k.value
                                         AND w.made_at <= journey_of_entry_at.at) THEN 2
                          WHEN k.hold IS DISTINCT FROM 'u' AND k.since <= event.occurred_at THEN 1 ELSE 0 END AS class,
                     (SELECT r.priority
                      FROM journey_stitch.identity_rules r
                      WHERE r.project_id IN (0, event.project_id) AND r.kind IN (k.kind, '*') AND r.is_in_force
                        AND r.priority IS NOT NULL
                      ORDER BY r.kind = '*', r.project_id = 0
                      LIMIT 1) AS priority,
                     journey_stitch.journey_at(k.id, journey_of_entry_at.at) AS journey
              FROM (SELECT journey_stitch.graph_entry_id(h.end_id) AS key_id
                    FROM journey_graph."HAS_KEY" h
                    WHERE h.start_id OPERATOR(ag_catalog.=)
                          journey_stitch.vertex_id('Event', journey_of_entry_at.entry)
                    UNION ALL
                    SELECT c.key_id FROM journey_stitch.merge_conflicts c WHERE c.event_id = journey_of_entry_at.entry
                    OFFSET 0) AS h
              CROSS JOIN LATERAL (SELECT * FROM journey_stitch.keys k WHERE k.id = h.key_id LIMIT 1) AS k) AS k
        WHERE k.journey IS NOT NULL
        ORDER BY k.class, k.priority, k.kind COLLATE "C", k.value COLLATE "C"
        LIMIT 1);
END
$$;

CREATE OR REPLACE FUNCTION journey_stitch.journey_of_key_at(key_id bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT journey_stitch.has_graph() THEN
        RETURN NULL;
    END IF;
    -- Of the events that have the key, tied by it or not, one at a time until one is old enough.
    IF NOT EXISTS (SELECT
                   FROM (SELECT journey_stitch.graph_entry_id(h.start_id) AS event_id
                         FROM journey_graph."HAS_KEY" h
                         WHERE h.end_id OPERATOR(ag_catalog.=)
                               journey_stitch.vertex_id('Correlation', journey_of_key_at.key_id)
                         UNION ALL
                         SELECT c.event_id FROM journey_stitch.merge_conflicts c
                         WHERE c.key_id = journey_of_key_at.key_id
                         OFFSET 0) AS h
                   CROSS JOIN LATERAL (SELECT e.received_at FROM journey_stitch.events e
                                       WHERE e.id = h.event_id LIMIT 1) AS e
                   WHERE e.received_at <= journey_of_key_at.at) THEN
        RETURN NULL;
    END IF;
    RETURN journey_stitch.journey_at(journey_of_key_at.key_id, journey_of_key_at.at);
END
$$;

CREATE OR REPLACE FUNCTION journey_stitch.journeys_refused(key_id bigint) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT journey_stitch.has_graph() THEN
        RETURN 0;
    END IF;
    -- All keys that tie an event are in one journey, so any will do.
    RETURN (SELECT count(DISTINCT k.journey_id)
            FROM (SELECT c.event_id FROM journey_stitch.merge_conflicts c
                  WHERE c.key_id = journeys_refused.key_id OFFSET 0) AS c
            CROSS JOIN LATERAL (
                SELECT journey_stitch.graph_entry_id(h.end_id) AS key_id
                FROM journey_graph."HAS_KEY" h
                WHERE h.start_id OPERATOR(ag_catalog.=)
                      journey_stitch.vertex_id('Event', c.event_id)
                LIMIT 1) AS h
            CROSS JOIN LATERAL (SELECT k.journey_id FROM journey_stitch.keys k WHERE k.id = h.key_id LIMIT 1) AS k);
END
$$;

-- 54_journey_graph.sql

CREATE OR REPLACE FUNCTION journey_stitch.drawing_parts(journey bigint, most integer)
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

-- 55_events.sql

ALTER FUNCTION journey_stitch.ingest_events(jsonb, text) ROWS 1;

-- Everything is to be the extension's owner's, as whom the functions work: what is new, whoever updates, and what other
-- superusers have made by its functions.
DO $$
DECLARE
    strange record;
BEGIN
    FOR strange IN
        SELECT o.kind, o.name, x.extowner::regrole AS owner
        FROM pg_extension x
        CROSS JOIN LATERAL (
            SELECT 'FUNCTION' AS kind, p.oid::regprocedure::text AS name, p.proowner AS owner
            FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
            WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
            UNION ALL
            SELECT 'TABLE', c.oid::regclass::text, c.relowner
            FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
            WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
              AND c.relkind IN ('r', 'p', 'v')
            UNION ALL
            SELECT 'TABLE', c.oid::regclass::text, c.relowner
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'journey_stitch.events'::regclass
            UNION ALL
            -- A graph that is somebody else's stays so.
            SELECT g.*
            FROM (
                -- A label's sequence is its table's.
                SELECT 'TABLE', c.oid::regclass::text, c.relowner
                FROM pg_class c
                WHERE c.relnamespace = to_regnamespace('journey_graph')
                  AND c.relname IN ('_ag_label_vertex', '_ag_label_edge', '_label_id_seq',
                                    'Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF')
                UNION ALL
                SELECT 'OPERATOR CLASS', 'journey_graph.graphid_ops USING btree', c.opcowner
                FROM pg_opclass c
                WHERE c.opcnamespace = to_regnamespace('journey_graph') AND c.opcname = 'graphid_ops'
                UNION ALL
                SELECT 'OPERATOR FAMILY', 'journey_graph.graphid_ops USING btree', f.opfowner
                FROM pg_opfamily f
                WHERE f.opfnamespace = to_regnamespace('journey_graph') AND f.opfname = 'graphid_ops'
                UNION ALL
                SELECT 'SCHEMA', n.oid::regnamespace::text, n.nspowner
                FROM pg_namespace n
                WHERE n.nspname = 'journey_graph') AS g
            WHERE journey_stitch.has_graph()) AS o
        WHERE x.extname = 'journey_stitch' AND o.owner <> x.extowner
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %s', strange.kind, strange.name, strange.owner);
    END LOOP;
END
$$;

-- Nobody is to wait for the launcher's next look.
SELECT journey_stitch.wake_worker();
