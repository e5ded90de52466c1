-- journey_stitch 0.4.0 to 0.5.0. Written by hand; tests/upgrade.sh compares what it leaves behind with what CREATE
-- EXTENSION makes. In the order of sql/*.sql, with the bodies of functions to the letter as they are there.
--
-- It is one transaction. No table is rewritten; the indexes of the ledger and on the graph's edges are made anew.

-- The script's own statements find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- First what every call reads first, as in clean(): whoever is under way ends before, and whoever comes begins after.
LOCK TABLE journey_stitch.projects IN ACCESS EXCLUSIVE MODE;

-- 10_tables.sql

ALTER TABLE journey_stitch.event_ids ALTER COLUMN event_id TYPE text COLLATE "C";
COMMENT ON COLUMN journey_stitch.event_ids.event_id IS
    'As sent. Compared by its bytes: quickly, and whatever becomes of the operating system''s collations.';

-- 40_graph.sql

CREATE OR REPLACE FUNCTION journey_stitch.ensure_graph() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET default_tablespace = ''
SET default_table_access_method = heap
SET client_min_messages = warning
AS $$
DECLARE
    labels CONSTANT text[] := ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF'];
    has_own_class boolean;
    wanted record;
BEGIN
    -- One at a time.
    LOCK TABLE journey_stitch.journeys IN SHARE UPDATE EXCLUSIVE MODE;
    PERFORM journey_stitch.refuse_foreign_graph();

    IF NOT EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = 'journey_graph') THEN
        -- Tables that AGE does not know, as a dump of only the schema makes them.
        IF to_regclass('journey_graph."PART_OF"') IS NOT NULL THEN
            PERFORM journey_stitch.drop_graph();
        END IF;
        PERFORM ag_catalog.create_graph('journey_graph');
        PERFORM ag_catalog.create_vlabel('journey_graph', 'Event');
        PERFORM ag_catalog.create_vlabel('journey_graph', 'Correlation');
        PERFORM ag_catalog.create_vlabel('journey_graph', 'Journey');
        PERFORM ag_catalog.create_elabel('journey_graph', 'HAS_KEY');
        PERFORM ag_catalog.create_elabel('journey_graph', 'PART_OF');
        -- Cypher's own CREATE draws from the upper half of the entry ids, our ids from the lower.
        PERFORM setval('journey_graph."Event_id_seq"', 140737488355328);
        PERFORM setval('journey_graph."Correlation_id_seq"', 140737488355328);
        PERFORM setval('journey_graph."Journey_id_seq"', 140737488355328);
        PERFORM journey_stitch.keep_private(c.oid::regclass) FROM pg_class c
        WHERE c.relnamespace = to_regnamespace('journey_graph') AND c.relkind IN ('r', 'S');
        PERFORM journey_stitch.keep_private_schema('journey_graph');
    ELSIF EXISTS (SELECT FROM unnest(labels) AS l (name) WHERE to_regclass(format('journey_graph.%I', l.name)) IS NULL) THEN
        RAISE EXCEPTION 'a graph journey_graph exists, and it is not one of journey_stitch'
            USING ERRCODE = 'duplicate_object',
                  HINT = 'Rename it with ag_catalog.alter_graph(), then call journey_stitch.setup().';
    ELSIF NOT EXISTS (SELECT FROM journey_stitch.journeys)
          AND EXISTS (SELECT FROM journey_graph."Journey" UNION ALL SELECT FROM journey_graph."Event") THEN
        -- Left over from an extension that was dropped: the tables are the truth, and they are empty.
        TRUNCATE journey_graph."Event", journey_graph."Correlation", journey_graph."Journey",
                 journey_graph."HAS_KEY", journey_graph."PART_OF";
    END IF;

    -- The stitcher draws edges' ids by blocks: a draw leaves it all of them up to the next.
    FOR wanted IN
        SELECT s.seqrelid::regclass AS sequence
        FROM pg_sequence s
        WHERE s.seqincrement = 1
          AND s.seqrelid IN (to_regclass('journey_graph."HAS_KEY_id_seq"'), to_regclass('journey_graph."PART_OF_id_seq"'))
    LOOP
        EXECUTE format('ALTER SEQUENCE %s INCREMENT BY 64', wanted.sequence);
    END LOOP;

    -- AGE's operator class for graphids does not say that equal ones look alike, so that its indexes hold each of the
    -- many edges of a vertex by itself. This one says it, and they take a third of the room. It is part of the graph, not
    -- of the extension: whoever drops the one or the other drops no more. (Only a superuser can make it.)
    has_own_class := EXISTS (SELECT FROM pg_opclass o WHERE o.opcnamespace = to_regnamespace('journey_graph')
                                                        AND o.opcname = 'graphid_ops');
    IF NOT has_own_class AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        CREATE OPERATOR CLASS journey_graph.graphid_ops FOR TYPE ag_catalog.graphid USING btree AS
            OPERATOR 1 ag_catalog.<, OPERATOR 2 ag_catalog.<=, OPERATOR 3 ag_catalog.=,
            OPERATOR 4 ag_catalog.>=, OPERATOR 5 ag_catalog.>,
            FUNCTION 1 ag_catalog.graphid_btree_cmp(ag_catalog.graphid, ag_catalog.graphid),
            FUNCTION 2 ag_catalog.graphid_btree_sort(internal),
            FUNCTION 4 pg_catalog.btequalimage(oid);
        has_own_class := true;
    END IF;

    -- AGE 1.5 makes no index at all, later versions some of these.
    FOR wanted IN
        SELECT format('journey_graph.%I', v.label)::regclass AS relation, v.label, v.col, v.is_unique
        FROM (VALUES ('Event', 'id', true), ('Correlation', 'id', true), ('Journey', 'id', true),
                     ('HAS_KEY', 'start_id', false), ('HAS_KEY', 'end_id', false),
                     ('PART_OF', 'start_id', true), ('PART_OF', 'end_id', false)) AS v (label, col, is_unique)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_index i
                       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                       WHERE i.indrelid = wanted.relation AND a.attname = wanted.col AND i.indisunique >= wanted.is_unique) THEN
            EXECUTE format('CREATE %s INDEX ON journey_graph.%I USING btree (%I%s)',
                           CASE WHEN wanted.is_unique THEN 'UNIQUE' ELSE '' END, wanted.label, wanted.col,
                           CASE WHEN NOT wanted.is_unique AND has_own_class THEN ' journey_graph.graphid_ops' END);
        END IF;
    END LOOP;

    -- For Cypher's WHERE n.id = '…'; half the insert cost of a btree.
    FOR wanted IN
        SELECT v.name, v.label, v.property
        FROM (VALUES ('journey_stitch_event_id', 'Event', 'id'), ('journey_stitch_journey_id', 'Journey', 'id'),
                     ('journey_stitch_correlation_value', 'Correlation', 'value')) AS v (name, label, property)
        WHERE to_regclass(format('journey_graph.%I', v.name)) IS NULL
    LOOP
        EXECUTE format('CREATE INDEX %I ON journey_graph.%I USING hash (ag_catalog.agtype_access_operator(VARIADIC ARRAY[properties, %L::ag_catalog.agtype]))',
                       wanted.name, wanted.label, format('"%s"', wanted.property));
    END LOOP;
END
$$;

-- A graph that is there gets the smaller indexes, too. The operator class that makes them so is the graph's; made by a
-- script, it is the extension's at first.
DO $$
DECLARE
    old record;
    made record;
BEGIN
    IF journey_stitch.has_graph() AND (SELECT count(*) FROM journey_stitch.whole_graph_labels()) = 5 THEN
        FOR old IN
            SELECT i.indexrelid::regclass AS index
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
            WHERE i.indrelid IN (to_regclass('journey_graph."HAS_KEY"'), to_regclass('journey_graph."PART_OF"'))
              AND m.amname = 'btree' AND i.indnatts = 1 AND NOT i.indisunique AND i.indpred IS NULL
              AND i.indkey[0] IN (SELECT a.attnum FROM pg_attribute a
                                  WHERE a.attrelid = i.indrelid AND a.attname IN ('start_id', 'end_id'))
        LOOP
            EXECUTE format('DROP INDEX %s', old.index);
        END LOOP;
        PERFORM journey_stitch.ensure_graph();
        FOR made IN
            SELECT i.type, i.identity
            FROM pg_extension x
            JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
            CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
            WHERE x.extname = 'journey_stitch' AND d.classid IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass)
        LOOP
            EXECUTE format('ALTER EXTENSION journey_stitch DROP %s %s', made.type, made.identity);
        END LOOP;
    END IF;
END
$$;

-- 70_rights.sql

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
