-- dau(), retention() and top_events() against plain SQL over the events, while these are pending, half stitched,
-- stitched, and merged; for users and for journeys; in zones on the hour, the half hour and the quarter.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET jit = off;  -- the oracle's queries look costly, and are not
CREATE TABLE pg_temp.zones (tz text);
INSERT INTO zones VALUES ('UTC'), ('America/New_York'), ('Asia/Kolkata'), ('Asia/Kathmandu');

-- Forty days with a leap day, and with New York's change to summer time.
SELECT oracle.generate('leap', 2000, 200, '2024-02-19 00:00Z', 40);
SELECT oracle.find_components();
SELECT oracle.send(1, 2000);
SELECT tz, c.* FROM zones, oracle.compare('2024-02-18', '2024-03-31', tz) AS c;
-- In small batches, some of them: most merges are still to come.
SET journey_stitch.batch_size = 50;
SELECT events, remaining FROM journey_stitch.stitch_pending(700);
SELECT tz, c.* FROM zones, oracle.compare('2024-02-18', '2024-03-31', tz) AS c;
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT tz, c.* FROM zones, oracle.compare('2024-02-18', '2024-03-31', tz) AS c;
SELECT count(*) > 0 AS some_merged FROM journey_stitch.merges;
SELECT * FROM oracle.partition;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
-- Single days, and a start in the middle of the week.
SELECT c.function, sum(c.rows) AS rows, sum(c.total) AS total, sum(c.wrong) AS wrong
FROM generate_series(date '2024-02-26', date '2024-03-12', interval '1 day') AS day, oracle.compare(day::date, day::date, 'America/New_York') AS c GROUP BY 1 ORDER BY 1;

-- One event that ties hundreds of journeys together, for the past too.
INSERT INTO oracle.events (n, event_id, event_type, occurred_at, user_id, keys)
SELECT 2001, 'tie', 'buy', '2024-03-20 12:00Z', 'user-1', array_agg(DISTINCT k.key) FROM oracle.events e, unnest(e.keys) AS k (key) WHERE e.n % 7 = 0;
SELECT oracle.find_components();
SELECT oracle.send(2001, 2001);
SELECT tz, c.* FROM zones, oracle.compare('2024-02-18', '2024-03-31', tz) AS c;
SELECT * FROM journey_stitch.stitch_pending();
SELECT tz, c.* FROM zones, oracle.compare('2024-02-18', '2024-03-31', tz) AS c;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;

-- The session's time zone changes nothing.
SET timezone = 'America/New_York';
SELECT * FROM oracle.compare('2024-02-18', '2024-03-31');
SELECT * FROM oracle.compare('2024-02-18', '2024-03-31', 'Asia/Kolkata');
SET timezone = 'UTC';
SELECT journey_stitch.clean();

-- Before 1970.
SELECT oracle.generate('moon', 800, 80, '1969-12-20 00:00Z', 20);
SELECT oracle.find_components();
SELECT oracle.send(1, 800);
SET journey_stitch.batch_size = 100;
SELECT events, remaining FROM journey_stitch.stitch_pending(400);
SELECT tz, c.* FROM zones, oracle.compare('1969-12-19', '1970-01-10', tz) AS c;
SELECT events, remaining FROM journey_stitch.stitch_pending();
SELECT tz, c.* FROM zones, oracle.compare('1969-12-19', '1970-01-10', tz) AS c;
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
RESET journey_stitch.batch_size;
SELECT journey_stitch.clean();
TRUNCATE oracle.events, oracle.components;
