-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Partitions, setup and removal.

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

CREATE FUNCTION journey_stitch.ensure_event_partitions(up_to bigint) RETURNS void
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

CREATE FUNCTION journey_stitch.clean() RETURNS void
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
             journey_stitch.activity, journey_stitch.event_counts, journey_stitch.timeline, journey_stitch.project_stats,
             journey_stitch.rejection_stats, journey_stitch.job_errors, journey_stitch.project_grants,
             journey_stitch.merge_conflicts, journey_stitch.key_moves, journey_stitch.identity_words,
             journey_stitch.identity_log, journey_stitch.metric_definitions, journey_stitch.metric_granularities,
             journey_stitch.metric_combinations, journey_stitch.metric_windows;
    DELETE FROM journey_stitch.identity_rules WHERE project_id <> 0;
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

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
