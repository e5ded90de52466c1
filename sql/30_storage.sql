-- Partitions, setup and removal.

CREATE FUNCTION journey_stitch.ensure_event_partitions(up_to bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
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
             journey_stitch.activity, journey_stitch.event_counts, journey_stitch.project_stats,
             journey_stitch.rejection_stats, journey_stitch.job_errors, journey_stitch.project_grants;
    IF to_regclass('journey_graph."Event"') IS NOT NULL THEN
        TRUNCATE journey_graph."Event", journey_graph."Correlation", journey_graph."Journey",
                 journey_graph."HAS_KEY", journey_graph."PART_OF";
    END IF;
    DELETE FROM journey_stitch.projects WHERE name <> 'default';
END
$$;
COMMENT ON FUNCTION journey_stitch.clean() IS
    'Removes all data of all projects: events, journeys, dead letters, rollups and the graph''s contents. Keeps the extension, and the project "default", of which nothing is granted to anybody afterwards.';
