-- However the events are cut into batches, and in whatever order they arrive, the journeys are the same.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT oracle.generate('batches', 2000, 250, '2024-03-01 00:00Z', 14);
SELECT oracle.find_components();

-- All at once.
SELECT oracle.send(1, 2000);
SELECT count(*) AS queue_rows, sum(events) AS events FROM journey_stitch.pending;
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM oracle.partition;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT count(*) AS journeys, sum(event_count) AS events, sum(key_count) AS keys FROM journey_stitch.journeys WHERE merged_into IS NULL;
SELECT journey_stitch.clean();

-- The last first, in calls of 7 and batches of 64.
SET journey_stitch.batch_size = 64;
SELECT sum(oracle.send(n, n + 99, 7) ORDER BY n DESC) FROM generate_series(1901, 1, -100) AS n;
SELECT events, remaining, journeys_created - journeys_merged AS journeys FROM journey_stitch.stitch_pending();
SELECT * FROM oracle.partition;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
RESET journey_stitch.batch_size;

-- Arriving while earlier ones are stitched.
DO $$
BEGIN
    FOR n IN 1 .. 1901 BY 100 LOOP
        PERFORM oracle.send(n, n + 99);
        PERFORM journey_stitch.stitch_pending(90);
    END LOOP;
END
$$;
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT * FROM oracle.partition;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- All at once, and one by one: the same partition, by many merges.
SELECT oracle.generate('one by one', 500, 60, '2024-03-01 00:00Z', 14);
SELECT oracle.find_components();
SELECT oracle.send(1, 500);
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM oracle.partition;
SELECT count(*) AS journeys, sum(event_count) AS events, sum(key_count) AS keys FROM journey_stitch.journeys WHERE merged_into IS NULL;
SELECT journey_stitch.clean();
SET journey_stitch.batch_size = 1;
SELECT oracle.send(1, 500);
SELECT events, remaining, journeys_created - journeys_merged AS journeys, journeys_merged > 0 AS some_merged FROM journey_stitch.stitch_pending();
SELECT * FROM oracle.partition;
SELECT count(*) AS absorbed, (SELECT count(*) FROM journey_stitch.merges) AS merges FROM journey_stitch.journeys WHERE merged_into IS NOT NULL;
SELECT count(*) AS journeys, sum(event_count) AS events, sum(key_count) AS keys FROM journey_stitch.journeys WHERE merged_into IS NULL;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
RESET journey_stitch.batch_size;

-- max_events: so many, counted over all projects, and what remains. Queue rows are cut where they must be.
SELECT * FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', n, 'type', 't', 'ts', n)) FROM generate_series(1, 2500) AS n));
SELECT * FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('id', n, 'type', 't', 'ts', n)) FROM generate_series(1, 100) AS n), 'shop');
SELECT events FROM journey_stitch.pending ORDER BY id;
SELECT * FROM journey_stitch.stitch_pending(1);
SELECT * FROM journey_stitch.stitch_pending(max_events => 10);
SELECT count(*) AS stitched FROM journey_stitch.stitched_events;
SELECT * FROM journey_stitch.stitch_pending(2400);
SELECT * FROM journey_stitch.stitch_pending(100);
SELECT * FROM journey_stitch.stitch_pending(1000000);
SELECT * FROM journey_stitch.stitch_pending();
SELECT count(*) AS queue_rows FROM journey_stitch.pending;
SELECT count(*) AS stitched FROM journey_stitch.stitched_events;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();

-- Nothing to do.
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.stitch_pending(5);

-- Wrong arguments.
SELECT * FROM journey_stitch.stitch_pending(0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.stitch_pending(-1);
\echo :LAST_ERROR_SQLSTATE

-- Calls whose events were mostly duplicates, cut across each other: each event once.
SELECT oracle.send(1, 100);
SELECT oracle.send(50, 200, 3);
SELECT oracle.send(30, 300, 50);
SELECT oracle.send(1, 500, 11);
SELECT sum(events) AS pending FROM journey_stitch.pending;
SELECT events, remaining FROM journey_stitch.stitch_pending(123);
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT * FROM oracle.partition;

-- The version of a project rises with what is stitched in it.
SELECT version > 0 AS raised FROM journey_stitch.projects WHERE name = 'default';
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
TRUNCATE oracle.events, oracle.components;
