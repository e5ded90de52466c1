-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The graph. Its label tables are AGE's; only their contents and indexes are ours. Made by functions,
-- never by this script: here the label tables would become members of the extension, their rows would
-- be missing from dumps, and DROP EXTENSION would leave AGE's catalog with dangling entries.

CREATE FUNCTION journey_stitch.graph_entry_id(ag_catalog.graphid) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'graph_entry_id_wrapper';
COMMENT ON FUNCTION journey_stitch.graph_entry_id(ag_catalog.graphid) IS
    'The entry id (lower 48 bits) of a vertex or edge: events.id, keys.id or journeys.id for a vertex of journey_graph.';

CREATE FUNCTION journey_stitch.graph_label_id(label text) RETURNS integer
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT l.id
    FROM ag_catalog.ag_label l
    JOIN ag_catalog.ag_graph g ON g.graphid = l.graph
    WHERE g.name = 'journey_graph' AND l.name = $1
$$;
COMMENT ON FUNCTION journey_stitch.graph_label_id(text) IS
    'The number that AGE gave to a label of journey_graph; NULL if there is no such label.';

CREATE FUNCTION journey_stitch.vertex_id(label text, entry bigint) RETURNS ag_catalog.graphid
LANGUAGE c STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'vertex_id_wrapper';
COMMENT ON FUNCTION journey_stitch.vertex_id(text, bigint) IS
    'The id of a vertex of journey_graph, by its label and its entry id (events.id, keys.id or journeys.id); NULL if there is no such label.';

-- Whoever may create schemas could have made one of this name, with triggers that would run as our owner.
CREATE FUNCTION journey_stitch.refuse_foreign_graph() RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A superuser's is as good as the owner's: a restored dump may have been made by another one.
    IF EXISTS (SELECT FROM (SELECT n.nspowner AS owner FROM pg_namespace n WHERE n.nspname = 'journey_graph'
                            UNION
                            SELECT c.relowner FROM pg_class c WHERE c.relnamespace = to_regnamespace('journey_graph')) AS o
               JOIN pg_roles r ON r.oid = o.owner
               WHERE NOT r.rolsuper AND o.owner <> (SELECT x.extowner FROM pg_extension x WHERE x.extname = 'journey_stitch')) THEN
        RAISE EXCEPTION 'a schema journey_graph exists, and it, or something in it, is not the owner''s of journey_stitch'
            USING ERRCODE = 'duplicate_object',
                  HINT = 'Rename it, or give it and what is in it to that role, then call journey_stitch.setup().';
    END IF;
END
$$;
COMMENT ON FUNCTION journey_stitch.refuse_foreign_graph() IS
    'An error (42710) if there is a schema journey_graph that does not belong, with all that is in it, to the extension''s owner.';

CREATE FUNCTION journey_stitch.ensure_graph() RETURNS void
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
COMMENT ON FUNCTION journey_stitch.ensure_graph() IS
    'Makes the graph journey_graph with its labels and indexes where they are missing. Called by setup() and by the first stitching.';

CREATE FUNCTION journey_stitch.setup() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SECURITY DEFINER: journey_stitch_admin may execute it, and what it makes is to be the owner's.
    PERFORM journey_stitch.ensure_event_partitions((SELECT last_value FROM journey_stitch.event_entry_id));
    IF to_regclass('journey_graph."PART_OF"') IS NULL AND EXISTS (SELECT FROM journey_stitch.journeys) THEN
        PERFORM journey_stitch.rebuild_graph();
    ELSE
        PERFORM journey_stitch.ensure_graph();
    END IF;
    PERFORM journey_stitch.ensure_policies();
    UPDATE journey_stitch.state SET is_ready = true WHERE NOT is_ready;
    PERFORM journey_stitch.wake_worker();
END
$$;
COMMENT ON FUNCTION journey_stitch.setup() IS
    'Makes what CREATE EXTENSION cannot: the first partition of events, the graph, and the policies of row level security. Starts stitching after a restored dump. In a new database the first ingest, the first stitching and the first grant_project() make what they need, too.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
