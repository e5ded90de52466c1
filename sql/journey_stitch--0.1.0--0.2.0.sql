-- journey_stitch 0.1.0 to 0.2.0. Written by hand; tests/upgrade.sh compares what it leaves behind with what CREATE
-- EXTENSION makes. In the order of sql/*.sql, with the bodies of functions to the letter as they are there.
--
-- It is one transaction. No table is rewritten; pending and the partitions of events are read.

-- The script's own statements find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- First what every call reads first, as in clean(): whoever is under way ends before, and whoever comes begins after.
LOCK TABLE journey_stitch.projects IN ACCESS EXCLUSIVE MODE;
-- Then what else is altered. Whoever has one of them, and has called nothing, is waited for here and nowhere else.
LOCK TABLE journey_stitch.events, journey_stitch.event_ids, journey_stitch.pending, journey_stitch.dead_letters,
           journey_stitch.journeys, journey_stitch.keys, journey_stitch.merges, journey_stitch.users,
           journey_stitch.activity, journey_stitch.event_counts IN ACCESS EXCLUSIVE MODE;

-- Functions that the library declares. Those that have become the library's are replaced, never dropped, so that
-- what users have made of them and granted on them stays.

CREATE OR REPLACE FUNCTION journey_stitch.find_journey(id text, project text DEFAULT 'default') RETURNS bigint
LANGUAGE c STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'find_journey_wrapper';

CREATE OR REPLACE FUNCTION journey_stitch.journey_of(event_id text, project text DEFAULT 'default') RETURNS uuid
LANGUAGE c STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'journey_of_wrapper';

CREATE FUNCTION journey_stitch.granted_projects(privilege text DEFAULT 'read') RETURNS integer[]
LANGUAGE c STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'granted_projects_wrapper';

CREATE FUNCTION journey_stitch.library_version() RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'library_version_wrapper';

CREATE FUNCTION journey_stitch.has_graph() RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'has_graph_wrapper';

CREATE FUNCTION journey_stitch.wake_worker() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'wake_worker_wrapper';

CREATE FUNCTION journey_stitch.worker_slots()
RETURNS TABLE (database oid, pid integer, is_wanted boolean, failures integer, next_start timestamptz)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'worker_slots_wrapper';

CREATE FUNCTION journey_stitch.note_progress(command text, step text, done integer, total integer) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'note_progress_wrapper';

CREATE FUNCTION journey_stitch.progress_slots()
RETURNS TABLE (pid integer, project_id integer, command text, step text, steps_done integer, steps_total integer,
               events bigint, started_at timestamptz)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'progress_slots_wrapper';

-- 10_tables.sql

CREATE TABLE journey_stitch.state (
    is_ready boolean NOT NULL
);
CREATE UNIQUE INDEX state_is_one_row ON journey_stitch.state ((true));
COMMENT ON TABLE journey_stitch.state IS
    'One row. is_ready: workers may stitch here. It is not so between CREATE EXTENSION and setup(), or the first ingest into an empty database: while a dump is restored they would work on half of the tables. Not in dumps.';
-- What had begun goes on.
INSERT INTO journey_stitch.state
SELECT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = 'journey_stitch.events'::regclass);

-- Primary keys and indexes of events become the partitions', which keep their own when they are detached. To attach a
-- partition again, PostgreSQL reads it and finds that its ids are within its bounds.
DO $$
DECLARE
    partitions CONSTANT jsonb := (SELECT jsonb_object_agg(c.oid::regclass, pg_get_expr(c.relpartbound, c.oid))
                                  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                                  WHERE i.inhparent = 'journey_stitch.events'::regclass);
    partition record;
BEGIN
    FOR partition IN SELECT p.name FROM jsonb_each_text(partitions) AS p (name, bounds) LOOP
        EXECUTE format('ALTER TABLE journey_stitch.events DETACH PARTITION %s', partition.name);
    END LOOP;
    ALTER TABLE journey_stitch.events DROP CONSTRAINT events_pkey;
    DROP INDEX journey_stitch.events_occurred_at;
    FOR partition IN SELECT p.name, p.bounds FROM jsonb_each_text(partitions) AS p (name, bounds) LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', partition.name);
        EXECUTE format('ALTER TABLE journey_stitch.events ATTACH PARTITION %s %s', partition.name, partition.bounds);
    END LOOP;
END
$$;

-- Queue rows carry the counts of the calls that they come from. What is in the queue has none.
ALTER TABLE journey_stitch.pending
    DROP CONSTRAINT pending_events_check,
    ADD CONSTRAINT pending_events_check CHECK (events >= 0),
    ADD COLUMN received integer NOT NULL DEFAULT 0,
    ADD COLUMN duplicates integer NOT NULL DEFAULT 0,
    ADD COLUMN rejected jsonb;
COMMENT ON TABLE journey_stitch.pending IS
    'The stitchers'' queue: a row for every 1,000 events or fewer of an ingest call, deleted by the transaction that stitches them. The first row of a call carries the call''s counts, which the stitcher adds to project_stats: so calls never wait for each other to count.';
COMMENT ON COLUMN journey_stitch.pending.rejected IS 'How many events of the call were rejected, by reason; NULL if none was.';

ALTER TABLE journey_stitch.dead_letters DROP CONSTRAINT dead_letters_project_id_fkey;
ALTER TABLE journey_stitch.journeys DROP CONSTRAINT journeys_merged_into_fkey;

-- 30_storage.sql

CREATE FUNCTION journey_stitch.keep_private(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS role
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.oid = keep_private.relation AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', granted.kind, relation, granted.role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION journey_stitch.keep_private(regclass) IS
    'Takes back what ALTER DEFAULT PRIVILEGES has granted on a new relation: its rows are read through the functions and the partitioned table, which look who is asking.';

CREATE FUNCTION journey_stitch.keep_private_schema(schema regnamespace) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted text;
BEGIN
    FOR granted IN
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
        FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
        WHERE n.oid = keep_private_schema.schema AND a.grantee <> n.nspowner
    LOOP
        EXECUTE format('REVOKE ALL ON SCHEMA %s FROM %s', schema, granted);
    END LOOP;
END
$$;
COMMENT ON FUNCTION journey_stitch.keep_private_schema(regnamespace) IS 'The same for a new schema.';

CREATE OR REPLACE FUNCTION journey_stitch.ensure_event_partitions(up_to bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET default_tablespace = ''
SET default_table_access_method = heap
AS $$
DECLARE
    partition_size CONSTANT bigint := 10000000;
    n bigint;
BEGIN
    -- One at a time, and never in the way of readers and writers: ATTACH needs no stronger lock than this.
    LOCK TABLE journey_stitch.events IN SHARE UPDATE EXCLUSIVE MODE;
    FOR n IN
        SELECT g FROM generate_series(
            (SELECT last_value / partition_size FROM journey_stitch.event_entry_id), up_to / partition_size) AS g
        WHERE to_regclass(format('journey_stitch.events_p%s', g)) IS NULL
    LOOP
        EXECUTE format('CREATE TABLE journey_stitch.events_p%s (LIKE journey_stitch.events INCLUDING ALL, PRIMARY KEY (id))', n);
        EXECUTE format('CREATE INDEX ON journey_stitch.events_p%s USING brin (occurred_at)', n);
        -- Also for whom GRANT … ON ALL TABLES lets at a partition directly.
        EXECUTE format('ALTER TABLE journey_stitch.events_p%s ENABLE ROW LEVEL SECURITY', n);
        PERFORM journey_stitch.keep_private(format('journey_stitch.events_p%s', n)::regclass);
        EXECUTE format('ALTER TABLE journey_stitch.events ATTACH PARTITION journey_stitch.events_p%s FOR VALUES FROM (%s) TO (%s)',
                       n, n * partition_size, (n + 1) * partition_size);
        UPDATE journey_stitch.state SET is_ready = true WHERE NOT is_ready;
    END LOOP;
END
$$;
COMMENT ON FUNCTION journey_stitch.ensure_event_partitions(bigint) IS
    'Makes the partitions of events for ids from the present one up to the given one. Called by setup(), by stitching ahead of need, and by an ingest call that finds its partition missing.';

CREATE OR REPLACE FUNCTION journey_stitch.clean() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SECURITY DEFINER: only journey_stitch_admin may execute it, who has no right to change the tables otherwise.
    -- First, what every call reads first: whoever is under way ends before, and whoever comes begins after.
    LOCK TABLE journey_stitch.projects IN ACCESS EXCLUSIVE MODE;
    -- Ids go on from where they are: what a client still remembers must never name something new.
    TRUNCATE journey_stitch.events, journey_stitch.event_ids, journey_stitch.pending, journey_stitch.dead_letters,
             journey_stitch.keys, journey_stitch.journeys, journey_stitch.merges, journey_stitch.users,
             journey_stitch.activity, journey_stitch.event_counts, journey_stitch.project_stats,
             journey_stitch.rejection_stats, journey_stitch.job_errors, journey_stitch.project_grants;
    IF to_regclass('journey_graph."Event"') IS NOT NULL THEN
        -- Whose they are is asked of tables that nobody can exchange any more.
        LOCK TABLE journey_graph."Event", journey_graph."Correlation", journey_graph."Journey",
                   journey_graph."HAS_KEY", journey_graph."PART_OF" IN ACCESS EXCLUSIVE MODE;
        PERFORM journey_stitch.refuse_foreign_graph();
        TRUNCATE journey_graph."Event", journey_graph."Correlation", journey_graph."Journey",
                 journey_graph."HAS_KEY", journey_graph."PART_OF";
    END IF;
    DELETE FROM journey_stitch.projects WHERE name <> 'default';
END
$$;
COMMENT ON FUNCTION journey_stitch.clean() IS
    'Removes all data of all projects: events, journeys, dead letters, rollups and the graph''s contents. Keeps the extension, and the project "default", of which nothing is granted to anybody afterwards.';

-- 40_graph.sql: the graph itself is as it was.

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

CREATE OR REPLACE FUNCTION journey_stitch.ensure_graph() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET default_tablespace = ''
SET default_table_access_method = heap
SET client_min_messages = warning
AS $$
DECLARE
    labels CONSTANT text[] := ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF'];
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
            EXECUTE format('CREATE %s INDEX ON journey_graph.%I USING btree (%I)',
                           CASE WHEN wanted.is_unique THEN 'UNIQUE' ELSE '' END, wanted.label, wanted.col);
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

CREATE OR REPLACE FUNCTION journey_stitch.setup() RETURNS void
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

-- 45_rebuild.sql

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
    SELECT count(*) = 5 INTO is_whole
    FROM (VALUES ('Event', '_ag_label_vertex', 'id ag_catalog.graphid, properties ag_catalog.agtype'),
                 ('Correlation', '_ag_label_vertex', 'id ag_catalog.graphid, properties ag_catalog.agtype'),
                 ('Journey', '_ag_label_vertex', 'id ag_catalog.graphid, properties ag_catalog.agtype'),
                 ('HAS_KEY', '_ag_label_edge', 'id ag_catalog.graphid, start_id ag_catalog.graphid, end_id ag_catalog.graphid, properties ag_catalog.agtype'),
                 ('PART_OF', '_ag_label_edge', 'id ag_catalog.graphid, start_id ag_catalog.graphid, end_id ag_catalog.graphid, properties ag_catalog.agtype'))
         AS wanted (name, parent, columns)
    -- In a restored dump AGE's number of the graph is that of another schema, which later versions of AGE mind.
    JOIN ag_catalog.ag_graph g ON g.name = 'journey_graph' AND g.graphid = g.namespace::oid
    JOIN ag_catalog.ag_label l ON l.graph = g.graphid AND l.name = wanted.name
    JOIN ag_catalog.ag_label parent ON parent.graph = g.graphid AND parent.name = wanted.parent
    JOIN pg_inherits i ON i.inhrelid = l.relation AND i.inhparent = parent.relation
    JOIN pg_class c ON c.oid = l.relation AND c.oid = to_regclass(format('journey_graph.%I', l.name))
    JOIN pg_class s ON s.oid = to_regclass(format('journey_graph.%I', l.name || '_id_seq')) AND s.relkind = 'S'
    WHERE wanted.columns = (SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, NULL)), ', ' ORDER BY a.attnum)
                            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped);

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

    -- In the form that the stitcher gives them (sql/steps/graph_*.sql). Events that are pending are left to it;
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
           ag_catalog._graphid(event_label, e.id), ag_catalog._graphid(correlation_label, k.id), '{}'::ag_catalog.agtype
    FROM journey_stitch.events e
    CROSS JOIN LATERAL journey_stitch.event_keys(e.event_id, e.user_id, e.session_id, e.identifiers) AS g
    JOIN journey_stitch.keys k ON k.project_id = e.project_id AND k.kind = g.kind AND k.value = g.value
    WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q);
    label := 'HAS_KEY';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'PART_OF', 5, 7);
    INSERT INTO journey_graph."PART_OF" (id, start_id, end_id, properties)
    SELECT ag_catalog._graphid(part_of_label, nextval('journey_graph."PART_OF_id_seq"')),
           ag_catalog._graphid(correlation_label, k.id), ag_catalog._graphid(journey_label, k.journey_id), '{}'::ag_catalog.agtype
    FROM journey_stitch.keys k;
    label := 'PART_OF';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'indexes', 6, 7);
    PERFORM journey_stitch.ensure_graph();
END
$$;
COMMENT ON FUNCTION journey_stitch.rebuild_graph() IS
    'Makes the graph journey_graph anew from the tables, whatever has become of it, and answers how many entries each label has. Whatever else was put into it by hand goes. Stitching waits meanwhile; ingesting and reading go on.';

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
            WHERE h.start_id OPERATOR(ag_catalog.=) ag_catalog._graphid(journey_stitch.graph_label_id('Event'), entry)
            LIMIT 1);
END
$$;

CREATE OR REPLACE FUNCTION journey_stitch.get_journey(id text, project text DEFAULT 'default')
RETURNS TABLE (journey_id uuid, event_id text, event_type text, event_name text, occurred_at timestamptz,
               user_id text, session_id text, source text, properties jsonb)
LANGUAGE c STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'get_journey';

DROP FUNCTION journey_stitch.project_id(text);

ALTER VIEW journey_stitch.stitched_events SET (security_invoker = true);

-- 55_events.sql

CREATE FUNCTION journey_stitch.events_list(project text DEFAULT 'default', filters jsonb DEFAULT NULL,
                                           after text DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (event_id text, event_type text, event_name text, occurred_at timestamptz, received_at timestamptz,
               user_id text, session_id text, source text, properties jsonb, journey_id uuid)
LANGUAGE c STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'events_list';
COMMENT ON FUNCTION journey_stitch.events_list(text, jsonb, text, integer) IS
    'The events of a project, the latest arrival first, at most max_rows (1 to 10,000). filters is an object of event_type, event_name, user_id, session_id, source (equal to), since and until (occurred_at; ISO 8601, UTC without an offset; until is not included) and properties (contained in). after is the event_id of the last row of the page before: the pages of a list neither overlap nor leave anything out, whatever arrives meanwhile. journey_id is NULL while the event is pending.';

CREATE FUNCTION journey_stitch.get_event(id text, project text DEFAULT 'default')
RETURNS TABLE (event_id text, event_type text, event_name text, occurred_at timestamptz, received_at timestamptz,
               user_id text, session_id text, identifiers jsonb, source text, ip inet, user_agent text,
               properties jsonb, journey_id uuid)
LANGUAGE c STABLE PARALLEL SAFE ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'get_event';
COMMENT ON FUNCTION journey_stitch.get_event(text, text) IS
    'One event as it was accepted, and the journey that it is in (NULL while it is pending). No row if there is no event of that id.';

CREATE FUNCTION journey_stitch.ingest_status(project text DEFAULT 'default')
RETURNS TABLE (pending bigint, failed bigint, processed bigint)
LANGUAGE c STABLE PARALLEL SAFE ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ingest_status';
COMMENT ON FUNCTION journey_stitch.ingest_status(text) IS
    'How far a project''s events have come: pending (accepted, not stitched yet), failed (open dead letters) and processed (stitched).';

-- 60_monitoring.sql

CREATE TABLE journey_stitch.project_stats (
    project_id       integer          NOT NULL PRIMARY KEY,
    received         bigint           NOT NULL DEFAULT 0,
    duplicates       bigint           NOT NULL DEFAULT 0,
    rejected         bigint           NOT NULL DEFAULT 0,
    events           bigint           NOT NULL DEFAULT 0,
    batches          bigint           NOT NULL DEFAULT 0,
    journeys_created bigint           NOT NULL DEFAULT 0,
    journeys_merged  bigint           NOT NULL DEFAULT 0,
    retries          bigint           NOT NULL DEFAULT 0,
    errors           bigint           NOT NULL DEFAULT 0,
    busy_seconds     double precision NOT NULL DEFAULT 0,
    last_batch_at    timestamptz,
    reset_at         timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE journey_stitch.project_stats IS
    'Counters a project, since stat_reset(). Written by the stitcher, in the transactions that they count; what calls of ingest_events() count waits in pending until then. The views stat_stitch and stat_ingest add both up.';

CREATE TABLE journey_stitch.rejection_stats (
    project_id integer NOT NULL,
    reason     text    NOT NULL,
    events     bigint  NOT NULL,
    PRIMARY KEY (project_id, reason)
) WITH (fillfactor = 50);
COMMENT ON TABLE journey_stitch.rejection_stats IS 'Counters of rejected events a project and reason, as project_stats.';

CREATE TABLE journey_stitch.job_errors (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id  integer     NOT NULL,
    sqlstate    text        NOT NULL,
    message     text        NOT NULL,
    events      bigint      NOT NULL,
    attempt     integer     NOT NULL,
    consequence text        NOT NULL,
    pid         integer     NOT NULL DEFAULT pg_backend_pid()
);
COMMENT ON TABLE journey_stitch.job_errors IS 'The last 10,000 batches that failed: why, and what became of them.';
COMMENT ON COLUMN journey_stitch.job_errors.events IS 'How many events the batch had.';
COMMENT ON COLUMN journey_stitch.job_errors.attempt IS 'The how-manieth failure of these events this was.';

CREATE VIEW journey_stitch.stat_ingest AS
SELECT p.name AS project,
       COALESCE(s.received, 0) + q.received AS received,
       COALESCE(s.received - s.duplicates - s.rejected, 0) + q.received - q.duplicates - q.rejected AS inserted,
       COALESCE(s.duplicates, 0) + q.duplicates AS duplicates,
       COALESCE(s.rejected, 0) + q.rejected AS rejected,
       COALESCE(s.reset_at, p.created_at) AS counted_since
FROM journey_stitch.projects p
LEFT JOIN journey_stitch.project_stats s ON s.project_id = p.id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(q.received), 0)::bigint AS received, COALESCE(sum(q.duplicates), 0)::bigint AS duplicates,
           COALESCE(sum((SELECT sum(r.events::bigint) FROM jsonb_each_text(q.rejected) AS r (reason, events))), 0)::bigint AS rejected
    FROM journey_stitch.pending q
    WHERE q.project_id = p.id
) AS q;
COMMENT ON VIEW journey_stitch.stat_ingest IS
    'What calls of ingest_events() and retry_dead_letters() have brought a project since stat_reset(): events received, and how many of them were inserted, duplicates, or rejected (an event that is rejected, mended and retried is received twice). Exact, as of the calls that have committed.';

CREATE VIEW journey_stitch.stat_rejections AS
SELECT p.name AS project, r.reason, sum(r.events)::bigint AS events
FROM (SELECT s.project_id, s.reason, s.events FROM journey_stitch.rejection_stats s
      UNION ALL
      SELECT q.project_id, r.reason, r.events::bigint
      FROM journey_stitch.pending q CROSS JOIN jsonb_each_text(q.rejected) AS r (reason, events)) AS r
JOIN journey_stitch.projects p ON p.id = r.project_id
GROUP BY p.name, r.reason;
COMMENT ON VIEW journey_stitch.stat_rejections IS
    'How many events of a project were rejected for which reason since stat_reset(). The reasons are those of dead_letters.';

CREATE VIEW journey_stitch.stat_stitch AS
SELECT p.name AS project,
       COALESCE(s.events, 0) AS events,
       COALESCE(s.batches, 0) AS batches,
       COALESCE(s.journeys_created, 0) AS journeys_created,
       COALESCE(s.journeys_merged, 0) AS journeys_merged,
       COALESCE(s.retries, 0) AS retries,
       COALESCE(s.errors, 0) AS errors,
       round((s.events / NULLIF(s.busy_seconds, 0))::numeric, 1) AS events_per_second,
       q.lag_events,
       round(extract(epoch FROM clock_timestamp() - q.oldest_pending), 3) AS lag_seconds,
       q.oldest_pending,
       s.last_batch_at,
       d.dead_letters,
       COALESCE(s.reset_at, p.created_at) AS counted_since,
       p.id AS project_id
FROM journey_stitch.projects p
LEFT JOIN journey_stitch.project_stats s ON s.project_id = p.id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(q.events), 0)::bigint AS lag_events, min(q.created_at) AS oldest_pending
    FROM journey_stitch.pending q
    WHERE q.project_id = p.id AND q.events > 0
) AS q
CROSS JOIN LATERAL (
    SELECT count(*) AS dead_letters FROM journey_stitch.dead_letters d WHERE d.project_id = p.id AND d.status = 'open'
) AS d;
COMMENT ON VIEW journey_stitch.stat_stitch IS
    'Stitching, a row a project, since stat_reset(): events and batches stitched, journeys created and absorbed, batches that failed and were put back (retries), events given up to dead_letters (errors), events a second while stitching; and now: events that wait (lag_events), since when the oldest does (oldest_pending, lag_seconds; NULL if none waits), and open dead letters. The counters begin at counted_since.';

CREATE VIEW journey_stitch.stat_worker AS
SELECT w.role, d.datname, w.pid,
       -- Who is not in pg_monitor sees that a process is there, and no more.
       CASE WHEN w.pid IS NOT NULL THEN COALESCE(a.state, CASE WHEN a.pid IS NULL THEN 'starting' ELSE 'running' END)
            WHEN w.next_start > clock_timestamp() THEN 'backing off'
            WHEN w.is_wanted OR w.next_start IS NOT NULL THEN 'wanted'
            ELSE 'gone' END AS state,
       a.wait_event_type, a.wait_event, a.query AS activity, a.backend_start, w.failures, w.next_start
FROM (SELECT 'launcher' AS role, NULL::oid AS database, journey_stitch.launcher_pid() AS pid, false AS is_wanted,
             0 AS failures, NULL::timestamptz AS next_start
      UNION ALL
      SELECT 'worker', database, pid, is_wanted, failures, next_start FROM journey_stitch.worker_slots()) AS w
LEFT JOIN pg_catalog.pg_database d ON d.oid = w.database
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid;
COMMENT ON VIEW journey_stitch.stat_worker IS
    'The launcher, and each database (of the whole server) that has a worker or is to get one: what the process does and waits for, how many workers in a row have ended by an error, and when the next one is started.';

CREATE VIEW journey_stitch.stat_progress AS
SELECT g.pid, g.command, p.name AS project, g.step, g.steps_done, g.steps_total, g.events, g.started_at,
       round(extract(epoch FROM clock_timestamp() - g.started_at), 3) AS seconds
FROM journey_stitch.progress_slots() AS g
LEFT JOIN journey_stitch.projects p ON p.id = g.project_id;
COMMENT ON VIEW journey_stitch.stat_progress IS
    'What is being stitched or rebuilt in this database at this moment, a row a process: the step that it is at, how many steps are done of how many, and the events of the batch. Needs preloading.';

CREATE FUNCTION journey_stitch.stat_reset(project text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reset CONSTANT integer[] := ARRAY(SELECT p.id FROM journey_stitch.projects p
                                      WHERE stat_reset.project IS NULL OR p.name = stat_reset.project);
BEGIN
    -- SECURITY DEFINER: only journey_stitch_admin may execute it, who has no right to change the tables otherwise.
    IF stat_reset.project IS NOT NULL AND reset = '{}' THEN
        RAISE EXCEPTION 'project "%" does not exist', stat_reset.project USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE journey_stitch.pending q SET received = 0, duplicates = 0, rejected = NULL
    WHERE q.project_id = ANY (reset) AND (q.received > 0 OR q.rejected IS NOT NULL);
    DELETE FROM journey_stitch.rejection_stats s WHERE s.project_id = ANY (reset);
    DELETE FROM journey_stitch.job_errors e WHERE e.project_id = ANY (reset);
    -- The row may be there, or come in the meantime with a project's first batch.
    INSERT INTO journey_stitch.project_stats (project_id, reset_at) SELECT r.id, now() FROM unnest(reset) AS r (id)
    ON CONFLICT (project_id) DO UPDATE
    SET received = 0, duplicates = 0, rejected = 0, events = 0, batches = 0, journeys_created = 0, journeys_merged = 0,
        retries = 0, errors = 0, busy_seconds = 0, last_batch_at = NULL, reset_at = now();
END
$$;
COMMENT ON FUNCTION journey_stitch.stat_reset(text) IS
    'Sets the counters of one project, or (NULL) of all, to zero and forgets their job_errors.';

-- The counters begin now, as after stat_reset(): what came before is not known.
INSERT INTO journey_stitch.project_stats (project_id, reset_at) SELECT p.id, now() FROM journey_stitch.projects p;

-- 65_health.sql

CREATE OR REPLACE FUNCTION journey_stitch.health() RETURNS TABLE ("check" text, status text, detail text)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SECURITY DEFINER: pg_monitor may execute it, who has no right to read the tables.
    RETURN QUERY
    SELECT 'version',
           CASE WHEN x.extversion = journey_stitch.library_version() THEN 'OK' ELSE 'FAIL' END,
           CASE WHEN x.extversion = journey_stitch.library_version() THEN format('library and objects are %s', x.extversion)
                ELSE format('the library is %s, the objects are %s: ALTER EXTENSION journey_stitch UPDATE, or restart the server if it runs an older library',
                            journey_stitch.library_version(), x.extversion) END
    FROM pg_extension x
    WHERE x.extname = 'journey_stitch';

    RETURN QUERY
    SELECT 'workers',
           CASE WHEN pg_is_in_recovery() THEN 'OK'
                WHEN journey_stitch.launcher_pid() IS NULL OR NOT current_setting('journey_stitch.enabled')::boolean
                     OR (SELECT NOT s.is_ready FROM journey_stitch.state s) AND EXISTS (SELECT FROM journey_stitch.pending) THEN 'WARN'
                ELSE 'OK' END,
           CASE WHEN pg_is_in_recovery() THEN 'this is a standby: the primary stitches'
                WHEN NOT journey_stitch.is_preloaded() THEN
                    'workers are off: add journey_stitch to shared_preload_libraries and restart, or call stitch_pending() regularly'
                WHEN journey_stitch.launcher_pid() IS NULL THEN
                    'workers are off: the launcher is not running; the server''s log says why'
                WHEN NOT current_setting('journey_stitch.enabled')::boolean THEN
                    'workers are off in this database: journey_stitch.enabled = off; call stitch_pending() regularly'
                WHEN (SELECT NOT s.is_ready FROM journey_stitch.state s) AND EXISTS (SELECT FROM journey_stitch.pending) THEN
                    'workers wait, as after a restored dump: SELECT journey_stitch.setup()'
                ELSE format('launcher runs with process id %s', journey_stitch.launcher_pid()) END;

    RETURN QUERY
    SELECT 'graph',
           CASE WHEN g.labels = 5 OR g.labels = 0 AND NOT g.has_journeys THEN 'OK' ELSE 'FAIL' END,
           CASE WHEN g.labels = 5 THEN 'journey_graph exists'
                WHEN g.labels = 0 AND NOT g.has_journeys THEN 'journey_graph is made by setup() or by the first stitching'
                ELSE format('journey_graph has %s of its 5 labels: SELECT * FROM journey_stitch.rebuild_graph()', g.labels) END
    FROM (SELECT count(*) FILTER (WHERE journey_stitch.graph_label_id(l.name) IS NOT NULL
                                  AND to_regclass(format('journey_graph.%I', l.name)) IS NOT NULL) AS labels,
                 EXISTS (SELECT FROM journey_stitch.journeys) AS has_journeys
          FROM unnest(ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF']) AS l (name)) AS g;

    RETURN QUERY
    SELECT 'queue',
           CASE WHEN min(q.created_at) < now() - interval '1 minute' THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'no event waits to be stitched'
                ELSE format('%s events wait to be stitched, the oldest for %s s%s', sum(q.events),
                            floor(extract(epoch FROM now() - min(q.created_at))),
                            CASE WHEN min(q.created_at) < now() - interval '1 minute' THEN
                                 ': see stat_worker and stat_progress; stitch_pending() stitches now' END) END
    FROM journey_stitch.pending q
    WHERE q.events > 0;

    RETURN QUERY
    SELECT 'failing batches',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none'
                ELSE format('%s events failed and will be tried again; last error: %s; see journey_stitch.job_errors',
                            sum(q.events), (array_agg(q.last_error ORDER BY q.next_attempt_at DESC))[1]) END
    FROM journey_stitch.pending q
    WHERE q.attempts > 0;

    -- A worker that ends by an error says so in the server's log; here is that it does.
    RETURN QUERY
    SELECT 'failing workers',
           CASE WHEN max(w.failures) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN max(w.failures) > 0 THEN
                    format('the last %s workers of this database ended by an error, which the server''s log has', max(w.failures))
                ELSE 'none' END
    FROM journey_stitch.worker_slots() AS w
    WHERE w.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());

    RETURN QUERY
    SELECT 'event ids',
           CASE WHEN s.last_value > 0.9 * 140737488355327 THEN 'FAIL' WHEN s.last_value > 0.5 * 140737488355327 THEN 'WARN' ELSE 'OK' END,
           format('%s of 140737488355327 are used%s', s.last_value,
                  CASE WHEN s.last_value > 0.5 * 140737488355327 THEN ': plan to move to a new database' END)
    FROM journey_stitch.event_entry_id AS s;

    RETURN QUERY
    SELECT 'dead letters',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none is open'
                ELSE format('%s open: see journey_stitch.dead_letters, mend them, then call retry_dead_letters()', count(*)) END
    FROM journey_stitch.dead_letters d
    WHERE d.status = 'open';
END
$$;

-- 70_rights.sql

-- Roles belong to the whole server: another database, or a restored dump, may have them already.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['journey_stitch_reader', 'journey_stitch_writer', 'journey_stitch_admin'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = role) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role);
        ELSIF EXISTS (SELECT FROM pg_catalog.pg_auth_members m
                      JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles a ON a.oid = m.member
                      WHERE r.rolname = role AND m.admin_option AND NOT a.rolsuper) THEN
            RAISE WARNING 'role % was there before, and others than superusers may grant it', role
                USING HINT = 'REVOKE ADMIN OPTION FOR it from whoever is not to give away rights on events.';
        END IF;
    END LOOP;
END
$$;

CREATE TABLE journey_stitch.project_grants (
    project_id integer     NOT NULL,
    grantee    regrole     NOT NULL,
    privilege  text        NOT NULL CHECK (privilege IN ('read', 'write')),
    granted_by name        NOT NULL DEFAULT session_user,
    granted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, grantee, privilege)
);
COMMENT ON TABLE journey_stitch.project_grants IS
    'Which role, and so its members, may read a project and write to it. Superusers, the owner and journey_stitch_admin may do so with all.';

-- Without a policy, row level security shows nothing to anybody but the owner, as whom functions work.
ALTER TABLE journey_stitch.projects ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.project_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.events ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.event_ids ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.pending ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.dead_letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.journeys ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.merges ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.activity ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.event_counts ENABLE ROW LEVEL SECURITY;

-- Minor versions of pg_dump differ in whether they carry the policies of an extension's tables, and where they
-- do, CREATE POLICY fails if the extension has made them: so this function makes them, and never this script.
CREATE FUNCTION journey_stitch.ensure_policies() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT v.name, v.relation, v.command, v.condition
        -- The subqueries are run once a statement, not once a row.
        FROM (SELECT 'granted' AS name, t.relation, 'SELECT' AS command,
                     'project_id = ANY ((SELECT journey_stitch.granted_projects())::integer[])' AS condition
              FROM unnest(ARRAY['events', 'event_ids', 'pending', 'dead_letters', 'journeys', 'keys', 'merges', 'users',
                                'activity', 'event_counts']) AS t (relation)
              UNION ALL
              VALUES ('granted', 'projects', 'SELECT',
                      'id = ANY ((SELECT journey_stitch.granted_projects() || journey_stitch.granted_projects(''write''))::integer[])'),
                     ('granted', 'project_grants', 'SELECT',
                      'project_id = ANY ((SELECT journey_stitch.granted_projects())::integer[]) AND (pg_has_role(grantee, ''USAGE'') OR pg_has_role(''journey_stitch_admin'', ''USAGE''))'),
                     ('mended', 'dead_letters', 'UPDATE',
                      'project_id = ANY ((SELECT journey_stitch.granted_projects(''write''))::integer[])')) AS v
        WHERE NOT EXISTS (SELECT FROM pg_policy p
                          WHERE p.polname = v.name AND p.polrelid = format('journey_stitch.%I', v.relation)::regclass)
    LOOP
        EXECUTE format('CREATE POLICY %I ON journey_stitch.%I FOR %s USING (%s)',
                       wanted.name, wanted.relation, wanted.command, wanted.condition);
    END LOOP;
END
$$;
COMMENT ON FUNCTION journey_stitch.ensure_policies() IS
    'Makes the policies of row level security where they are missing. Called by setup() and grant_project().';

CREATE FUNCTION journey_stitch.grant_project(project text, grantee name, privilege text DEFAULT 'read') RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    -- SECURITY DEFINER: only journey_stitch_admin may execute it, who has no right to change the table otherwise.
    IF grant_project.privilege IS NULL OR grant_project.privilege NOT IN ('read', 'write', 'all') THEN
        RAISE EXCEPTION 'invalid privilege: there is no privilege "%"', grant_project.privilege
            USING ERRCODE = 'invalid_parameter_value', HINT = 'privilege takes ''read'', ''write'' or ''all''.';
    END IF;
    IF grant_project.project IS NULL OR octet_length(grant_project.project) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'invalid project: its name has % bytes', octet_length(grant_project.project)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'project takes a name of 1 to 200 bytes.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = grant_project.grantee) THEN
        RAISE EXCEPTION 'role "%" does not exist', grant_project.grantee USING ERRCODE = 'undefined_object';
    END IF;
    PERFORM journey_stitch.ensure_policies();
    -- What was granted to roles that are gone must not be their successors'.
    DELETE FROM journey_stitch.project_grants g WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = g.grantee);
    INSERT INTO journey_stitch.projects (name) VALUES (grant_project.project) ON CONFLICT (name) DO NOTHING;
    INSERT INTO journey_stitch.project_grants (project_id, grantee, privilege)
    SELECT p.id, r.oid::regrole, g.privilege
    FROM journey_stitch.projects p, pg_roles r, (VALUES ('read'), ('write')) AS g (privilege)
    WHERE p.name = grant_project.project AND r.rolname = grant_project.grantee
      AND grant_project.privilege IN (g.privilege, 'all')
    ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION journey_stitch.grant_project(text, name, text) IS
    'Lets a role and its members read a project, write to it (ingest), or both (privilege ''read'', ''write'', ''all''). A project that is new is made. The role also needs journey_stitch_reader or journey_stitch_writer, to execute the functions.';

CREATE FUNCTION journey_stitch.revoke_project(project text, grantee name, privilege text DEFAULT 'all') RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SECURITY DEFINER: only journey_stitch_admin may execute it, who has no right to change the table otherwise.
    IF revoke_project.privilege IS NULL OR revoke_project.privilege NOT IN ('read', 'write', 'all') THEN
        RAISE EXCEPTION 'invalid privilege: there is no privilege "%"', revoke_project.privilege
            USING ERRCODE = 'invalid_parameter_value', HINT = 'privilege takes ''read'', ''write'' or ''all''.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = revoke_project.grantee) THEN
        RAISE EXCEPTION 'role "%" does not exist', revoke_project.grantee USING ERRCODE = 'undefined_object';
    END IF;
    IF NOT EXISTS (SELECT FROM journey_stitch.projects p WHERE p.name = revoke_project.project) THEN
        RAISE EXCEPTION 'project "%" does not exist', revoke_project.project USING ERRCODE = 'invalid_parameter_value';
    END IF;
    DELETE FROM journey_stitch.project_grants g
    USING journey_stitch.projects p, pg_roles r
    WHERE p.id = g.project_id AND p.name = revoke_project.project
      AND r.oid = g.grantee AND r.rolname = revoke_project.grantee
      AND revoke_project.privilege IN (g.privilege, 'all');
END
$$;
COMMENT ON FUNCTION journey_stitch.revoke_project(text, name, text) IS 'Takes back what grant_project() has given.';

-- Everything is to be the extension's owner's, as whom the functions work: what is new, whoever updates, and what
-- setup() has made, which was its caller's before.
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
            -- A label's sequence is its table's.
            SELECT 'TABLE', c.oid::regclass::text, c.relowner
            FROM pg_class c
            WHERE c.relnamespace = to_regnamespace('journey_graph')
              AND c.relname IN ('_ag_label_vertex', '_ag_label_edge', '_label_id_seq',
                                'Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF')
            UNION ALL
            SELECT 'SCHEMA', n.oid::regnamespace::text, n.nspowner
            FROM pg_namespace n
            WHERE n.nspname = 'journey_graph') AS o
        WHERE x.extname = 'journey_stitch' AND o.owner <> x.extowner
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %s', strange.kind, strange.name, strange.owner);
    END LOOP;
END
$$;

-- PUBLIC has nothing. Only what is new: what users have granted on the others is theirs.
REVOKE ALL ON FUNCTION
    journey_stitch.granted_projects(text), journey_stitch.library_version(), journey_stitch.wake_worker(),
    journey_stitch.worker_slots(), journey_stitch.has_graph(), journey_stitch.keep_private(regclass),
    journey_stitch.keep_private_schema(regnamespace),
    journey_stitch.refuse_foreign_graph(),
    journey_stitch.note_progress(text, text, integer, integer), journey_stitch.progress_slots(),
    journey_stitch.drop_graph(), journey_stitch.rebuild_graph(), journey_stitch.events_list(text, jsonb, text, integer),
    journey_stitch.get_event(text, text), journey_stitch.ingest_status(text), journey_stitch.stat_reset(text),
    journey_stitch.ensure_policies(), journey_stitch.grant_project(text, name, text),
    journey_stitch.revoke_project(text, name, text)
    FROM PUBLIC;

-- What setup() makes in this version beside what it made in the old one.
SELECT journey_stitch.ensure_policies();

-- Whoever sends or reads events by users' own grants goes on doing so: until now that was of all projects, so it is
-- of those that there are. (PUBLIC cannot be granted a project: what PUBLIC was granted ends here.)
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT r.oid::regrole AS grantee, bool_or(a.kind = 'function') AS writes, bool_or(a.kind <> 'function') AS reads,
               bool_or(a.kind = 'view') AS reads_view
        FROM (SELECT 'function' AS kind, p.proacl AS acl, 'EXECUTE' AS privilege
              FROM pg_proc p
              WHERE p.oid IN ('journey_stitch.ingest_events(jsonb, text)'::regprocedure,
                              'journey_stitch.retry_dead_letters(text, integer)'::regprocedure)
              UNION ALL
              SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, t.acl, 'SELECT'
              FROM pg_class c
              CROSS JOIN LATERAL (SELECT c.relacl AS acl
                                  UNION ALL SELECT t.attacl FROM pg_attribute t WHERE t.attrelid = c.oid) AS t
              WHERE c.relnamespace = 'journey_stitch'::regnamespace
                AND (c.relrowsecurity OR c.oid = 'journey_stitch.stitched_events'::regclass)) AS a
        CROSS JOIN LATERAL aclexplode(a.acl) AS e
        JOIN pg_roles r ON r.oid = e.grantee
        WHERE e.privilege_type = a.privilege
          AND r.oid <> (SELECT x.extowner FROM pg_extension x WHERE x.extname = 'journey_stitch')
        GROUP BY r.oid
    LOOP
        INSERT INTO journey_stitch.project_grants (project_id, grantee, privilege)
        SELECT p.id, granted.grantee, g.privilege
        FROM journey_stitch.projects p, (VALUES ('read', granted.reads), ('write', granted.writes)) AS g (privilege, has)
        WHERE g.has;
        IF granted.reads THEN
            -- The policies call it with the rights of whoever reads.
            EXECUTE format('GRANT EXECUTE ON FUNCTION journey_stitch.granted_projects(text) TO %s', granted.grantee);
        END IF;
        IF granted.reads_view THEN
            -- It reads these with the rights of whoever reads it; before, with its owner's.
            EXECUTE format('GRANT SELECT ON journey_stitch.events, journey_stitch.pending TO %s', granted.grantee);
        END IF;
    END LOOP;
END
$$;

GRANT journey_stitch_reader, journey_stitch_writer TO journey_stitch_admin;
GRANT USAGE ON SCHEMA journey_stitch TO journey_stitch_reader, journey_stitch_writer, pg_monitor;

GRANT EXECUTE ON FUNCTION
    journey_stitch.get_journey(text, text), journey_stitch.journey_of(text, text), journey_stitch.find_journey(text, text),
    journey_stitch.dau(date, date, text, text, text, text), journey_stitch.retention(date, integer, text, text, text, text),
    journey_stitch.top_events(date, date, integer, text, text, text),
    journey_stitch.events_list(text, jsonb, text, integer), journey_stitch.get_event(text, text),
    journey_stitch.ingest_status(text)
    TO journey_stitch_reader;
GRANT SELECT ON
    journey_stitch.projects, journey_stitch.project_grants, journey_stitch.events, journey_stitch.event_ids,
    journey_stitch.pending, journey_stitch.dead_letters, journey_stitch.journeys, journey_stitch.keys,
    journey_stitch.merges, journey_stitch.users, journey_stitch.activity, journey_stitch.event_counts,
    journey_stitch.stitched_events
    TO journey_stitch_reader;
GRANT EXECUTE ON FUNCTION
    journey_stitch.ingest_events(jsonb, text), journey_stitch.retry_dead_letters(text, integer)
    TO journey_stitch_writer;
GRANT UPDATE (event), SELECT ON journey_stitch.dead_letters TO journey_stitch_writer;
-- What the policies ask, and what rollups are read with.
GRANT EXECUTE ON FUNCTION journey_stitch.granted_projects(text) TO journey_stitch_reader, journey_stitch_writer;
GRANT EXECUTE ON FUNCTION journey_stitch.members_ids(bigint, bytea) TO journey_stitch_reader;

GRANT EXECUTE ON FUNCTION
    journey_stitch.stitch_pending(bigint), journey_stitch.setup(), journey_stitch.clean(), journey_stitch.verify(),
    journey_stitch.rebuild_graph(), journey_stitch.stat_reset(text), journey_stitch.health(),
    journey_stitch.grant_project(text, name, text), journey_stitch.revoke_project(text, name, text)
    TO journey_stitch_admin;

GRANT SELECT ON
    journey_stitch.stat_ingest, journey_stitch.stat_rejections, journey_stitch.stat_stitch, journey_stitch.stat_worker,
    journey_stitch.stat_progress, journey_stitch.job_errors
    TO pg_monitor, journey_stitch_admin;
GRANT EXECUTE ON FUNCTION
    journey_stitch.health(), journey_stitch.is_preloaded(), journey_stitch.launcher_pid(), journey_stitch.library_version(),
    journey_stitch.worker_slots(), journey_stitch.progress_slots()
    TO pg_monitor, journey_stitch_admin;

-- 80_comments.sql

COMMENT ON FUNCTION journey_stitch.granted_projects(text) IS
    'The projects that the present role may read or (privilege ''write'') write to, as the policies of row level security ask.';
COMMENT ON FUNCTION journey_stitch.has_graph() IS
    'Whether the graph''s tables are there and the extension owner''s; what they hold, rebuild_graph() can make.';
COMMENT ON FUNCTION journey_stitch.wake_worker() IS 'Has a worker look at this database when the transaction commits.';
COMMENT ON FUNCTION journey_stitch.library_version() IS
    'The version of the library that this session has loaded. Another one than that of the extension''s objects: ALTER EXTENSION journey_stitch UPDATE is due.';
COMMENT ON FUNCTION journey_stitch.worker_slots() IS 'The databases that have work or a worker, as the view stat_worker shows them.';
COMMENT ON FUNCTION journey_stitch.progress_slots() IS 'The long work that is being done in this database, as the view stat_progress shows it.';
COMMENT ON FUNCTION journey_stitch.note_progress(text, text, integer, integer) IS
    'Shows in stat_progress, until the transaction ends, which step of a command this session is at. For the extension''s own functions; done = 0 begins.';

SELECT pg_catalog.pg_extension_config_dump('journey_stitch.project_stats', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.rejection_stats', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.job_errors', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.job_errors_id_seq', '');
-- What was granted to a role that is gone would be another role's where the dump is restored.
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.project_grants',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) grantee)');

-- A GRANT in an extension's script has PostgreSQL note all privileges of the object as the extension's own, users'
-- grants among them: pg_dump would leave these out, and a restored database would lack them. Ours are to stay noted,
-- users' are not, nor the dependencies on their roles that go with it.
DO $$
DECLARE
    ours CONSTANT oid[] := ARRAY(SELECT x.extowner FROM pg_extension x WHERE x.extname = 'journey_stitch'
                                 UNION ALL
                                 SELECT r.oid FROM pg_roles r
                                 WHERE r.rolname IN ('journey_stitch_reader', 'journey_stitch_writer',
                                                     'journey_stitch_admin', 'pg_monitor'));
    noted record;
BEGIN
    FOR noted IN
        SELECT i.classoid, i.objoid, i.objsubid,
               ARRAY(SELECT a.item FROM unnest(i.initprivs) AS a (item)
                     WHERE EXISTS (SELECT FROM aclexplode(ARRAY[a.item]) AS e WHERE e.grantee = ANY (ours))) AS privileges
        FROM pg_extension x
        CROSS JOIN LATERAL (
            SELECT d.classid, d.objid FROM pg_depend d
            WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
            UNION ALL VALUES ('pg_namespace'::regclass::oid, x.extnamespace)) AS o
        JOIN pg_init_privs i ON i.classoid = o.classid AND i.objoid = o.objid
        WHERE x.extname = 'journey_stitch'
    LOOP
        IF cardinality(noted.privileges) > 0 THEN
            UPDATE pg_init_privs i SET initprivs = noted.privileges
            WHERE i.classoid = noted.classoid AND i.objoid = noted.objoid AND i.objsubid = noted.objsubid;
        ELSE
            DELETE FROM pg_init_privs i
            WHERE i.classoid = noted.classoid AND i.objoid = noted.objoid AND i.objsubid = noted.objsubid;
        END IF;
        DELETE FROM pg_shdepend s
        WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND s.classid = noted.classoid AND s.objid = noted.objoid AND s.objsubid = noted.objsubid
          AND s.refclassid = 'pg_authid'::regclass AND s.deptype = 'i' AND s.refobjid <> ALL (ours);
    END LOOP;
END
$$;

-- Nobody is to wait for the launcher's next look.
SELECT journey_stitch.wake_worker();
