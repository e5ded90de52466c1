-- Run by benches/analytics.sh, in a database of its own: makes :events events, ingests and stitches them, and
-- prints how fast that went. The same :events make the same events, wherever and whenever they are made.
\set ON_ERROR_STOP 1
\pset footer off
\pset null -
SET client_min_messages = warning;

CREATE SCHEMA bench;

-- Events number first to last of total, as one call's argument: spread over the 90 days from 2026-01-01 to 2026-03-31,
-- in order of time. 100,000 users come for visits of five events, some three minutes apart, and visits are under way
-- side by side. A visit in five stays anonymous, and a third of the others begin so; but the device, one of the user's
-- two, is sent with every event.
CREATE FUNCTION bench.events(first bigint, last bigint, total bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT ('[' || string_agg(
        '{"event_id":"e' || n || '","event_type":"' || event_type || '","ts":' || 1767225600000 + n * 7776000000 / total
        || CASE WHEN v.hash % 5 > 0 AND (step > 0 OR v.hash / 5 % 3 > 0) THEN ',"user_id":"u' || u.id || '"' ELSE '' END
        || ',"session_id":"s' || visit || '","device_id":"d' || u.id || '-' || v.hash / 15 % 2
        || '","source":"' || (ARRAY['web', 'web', 'ios', 'android'])[1 + (u.id * 2 + v.hash / 15 % 2) % 4]
        || '","properties":{"plan":"' || (ARRAY['free', 'free', 'free', 'pro', 'team'])[1 + u.id % 5]
        || '","country":"' || (ARRAY['US', 'DE', 'FR', 'GB', 'IN', 'BR', 'JP'])[1 + u.id / 5 % 7] || '"'
        || CASE WHEN event_type = 'purchase' THEN ',"amount":' || (1 + e.hash / 1000 % 20000)::numeric / 100 ELSE '' END
        || CASE WHEN e.hash / 1000 % 4 = 0 THEN ',"duration":' || e.hash / 4000 % 600 ELSE '' END
        || '}}', ',' ORDER BY n) || ']')::jsonb
    FROM generate_series(first, last) AS n,
         LATERAL (SELECT GREATEST(total / 43200, 1) AS visits) AS c,
         LATERAL (SELECT n / (visits * 5) * visits + n % visits AS visit, n % (visits * 5) / visits AS step) AS s,
         LATERAL (SELECT hashint8extended(visit, 1) & 0x7FFFFFFFFFFF AS hash) AS v,
         LATERAL (SELECT v.hash / 30 % 100000 AS id) AS u,
         LATERAL (SELECT hashint8extended(n, 2) & 0x7FFFFFFFFFFF AS hash) AS e,
         LATERAL (SELECT (ARRAY['page_view', 'view_item', 'search', 'click', 'add_to_cart', 'login', 'checkout',
                                'purchase', 'share', 'refund'])
                         [1 + width_bucket(e.hash % 1000, ARRAY[400, 600, 720, 800, 870, 920, 950, 975, 990]::bigint[])]
                         AS event_type) AS t
$$;

CREATE TABLE bench.loads (
    n            integer PRIMARY KEY,
    events       bigint  NOT NULL,
    generated_ms numeric NOT NULL DEFAULT 0,
    ingested_ms  numeric NOT NULL DEFAULT 0,
    stitched_ms  numeric NOT NULL DEFAULT 0
);

-- Milliseconds since then.
CREATE FUNCTION bench.since(began timestamptz) RETURNS numeric LANGUAGE sql VOLATILE
RETURN extract(epoch FROM clock_timestamp() - began) * 1000;

-- Ingests 10,000 events from one on, in calls of 1,000, each a transaction; then stitches the queue empty, a batch a
-- transaction, as the worker does it that keeps up.
CREATE PROCEDURE bench.load(first bigint, total bigint) LANGUAGE plpgsql AS $$
DECLARE
    made bench.loads := (first / 10000 + 1, LEAST(10000, total - first), 0, 0, 0);
    payload jsonb;
    began timestamptz;
    done bigint;
BEGIN
    FOR start IN first .. first + made.events - 1 BY 1000 LOOP
        began := clock_timestamp();
        payload := bench.events(start, LEAST(start + 1000, first + made.events) - 1, total);
        made.generated_ms := made.generated_ms + bench.since(began);
        began := clock_timestamp();
        PERFORM journey_stitch.ingest_events(payload);
        COMMIT;
        made.ingested_ms := made.ingested_ms + bench.since(began);
    END LOOP;
    began := clock_timestamp();
    LOOP
        SELECT events INTO done FROM journey_stitch.stitch_pending(5000);
        COMMIT;
        EXIT WHEN done = 0;
    END LOOP;
    made.stitched_ms := bench.since(began);
    INSERT INTO bench.loads SELECT made.*;
END
$$;

-- Kept as if the last day of the events were today, with a day to spare.
SELECT journey_stitch.create_metric(
    name, event_type, value, dimensions, keep_minutes => now() - timestamptz '2026-03-30',
    keep_5_minutes => now() - timestamptz '2026-03-24', keep_hours => now() - timestamptz '2025-12-31')
FROM (VALUES ('traffic', NULL, '$.duration', ARRAY['source']), ('revenue', 'purchase', '$.amount', ARRAY['$.country']))
    AS m (name, event_type, value, dimensions) \g /dev/null

-- Statements of their own, because autovacuum learns only between statements what there is to do.
SELECT format('CALL bench.load(%s, %s)', first, :events) FROM generate_series(0, :events - 1, 10000) AS first \gexec
VACUUM (ANALYZE);
CHECKPOINT;

\echo
\echo == :events events
SELECT count(user_id) AS "with user_id", count(DISTINCT user_id) AS users, count(DISTINCT session_id) AS sessions,
       (SELECT count(*) FROM journey_stitch.keys) AS keys,
       (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NULL) AS journeys,
       (SELECT count(*) FROM journey_stitch.journeys WHERE merged_into IS NOT NULL) AS merged
FROM journey_stitch.events;
SELECT round(sum(generated_ms) / 1000, 1) AS "generated in s", round(sum(ingested_ms) / 1000, 1) AS "ingested in s",
       round(sum(stitched_ms) / 1000, 1) AS "stitched in s",
       round(sum(events) / sum(ingested_ms) * 1000) AS "ingested/s",
       round(sum(events) / sum(stitched_ms) * 1000) AS "stitched/s",
       round(sum(events) FILTER (WHERE tenth = 1) / sum(stitched_ms) FILTER (WHERE tenth = 1) * 1000) AS "first tenth",
       round(sum(events) FILTER (WHERE tenth = 10) / sum(stitched_ms) FILTER (WHERE tenth = 10) * 1000) AS "last tenth"
FROM (SELECT *, ntile(10) OVER (ORDER BY n) AS tenth FROM bench.loads) AS l;

\echo == What it takes, with indexes
WITH sizes (n, what, bytes) AS (
    SELECT 1, 'events', sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('journey_stitch.events')
    UNION ALL SELECT 2, 'event_ids', pg_total_relation_size('journey_stitch.event_ids')
    UNION ALL SELECT 3, name, pg_total_relation_size('journey_stitch.' || name)
    FROM unnest(ARRAY['activity', 'timeline', 'event_counts', 'users', 'metric_windows']) AS name
    UNION ALL SELECT 4, 'keys', pg_total_relation_size('journey_stitch.keys')
    UNION ALL SELECT 5, 'journeys', pg_total_relation_size('journey_stitch.journeys')
    UNION ALL SELECT 6, 'graph', sum(pg_total_relation_size(oid))::bigint FROM pg_class
                        WHERE relnamespace = 'journey_graph'::regnamespace AND relkind = 'r'
), of_events AS (
    SELECT sum(bytes) AS bytes FROM sizes WHERE n <= 2
)
SELECT what, pg_size_pretty(bytes) AS size, round(bytes::numeric / :events) AS "bytes an event",
       round(100.0 * bytes / (SELECT bytes FROM of_events), 1) AS "% of the events'"
FROM (SELECT n, what, bytes FROM sizes
      UNION ALL SELECT 3, 'all rollups', sum(bytes) FROM sizes WHERE n = 3) AS s
ORDER BY n, what = 'all rollups', bytes DESC;
