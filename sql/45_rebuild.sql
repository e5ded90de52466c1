-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The graph made anew from the tables.

CREATE FUNCTION journey_stitch.drop_graph() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET default_tablespace = ''
SET default_table_access_method = heap
SET client_min_messages = warning
AS $$
DECLARE
    dropped oid;
BEGIN
    IF to_regnamespace('journey_graph') IS NULL
       AND NOT EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = 'journey_graph') THEN
        RETURN;
    END IF;
    PERFORM journey_stitch.refuse_foreign_graph();
    -- What AGE's drop_graph() expects to find, and what it leaves behind of tables that are gone.
    IF to_regnamespace('journey_graph') IS NULL THEN
        CREATE SCHEMA journey_graph;
    END IF;
    IF to_regclass('journey_graph._label_id_seq') IS NULL THEN
        CREATE SEQUENCE journey_graph._label_id_seq AS integer;
    END IF;
    INSERT INTO ag_catalog.ag_graph AS g (graphid, name, namespace)
    VALUES (to_regnamespace('journey_graph')::oid, 'journey_graph', to_regnamespace('journey_graph'))
    ON CONFLICT (name) DO UPDATE SET namespace = EXCLUDED.namespace
    RETURNING g.graphid INTO dropped;
    PERFORM ag_catalog.drop_graph('journey_graph', true);
    DELETE FROM ag_catalog.ag_label WHERE graph = dropped;
END
$$;
COMMENT ON FUNCTION journey_stitch.drop_graph() IS
    'Drops the graph journey_graph, or what is left of one: its schema without AGE''s entries, these without the schema, or without some of the tables.';

CREATE FUNCTION journey_stitch.rebuild_graph() RETURNS TABLE (label text, entries bigint)
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
COMMENT ON FUNCTION journey_stitch.rebuild_graph() IS
    'Makes the graph journey_graph anew from the tables, whatever has become of it, and answers how many entries each label has. Whatever else was put into it by hand goes. Stitching waits meanwhile; ingesting and reading go on.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
