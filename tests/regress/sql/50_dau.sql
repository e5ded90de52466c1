-- dau(): a small example whose numbers can be counted by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Day by day (UTC), who was there:
--   1 May  ann (twice), bob, and a cookie that nobody has logged in with: 2 users, 3 journeys
--   2 May  nobody
--   3 May  ann; at midnight exactly, bob: 2 users, 2 journeys; and an event with no identifier at all: 3 journeys
--   4 May  ann; unknown, which is a user_id like another, but ties nothing together: 2 users, 2 + 1 journeys
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "view", "ts": "2024-05-01T00:00:00Z", "user_id": "ann"},
    {"id": 2, "type": "buy",  "ts": "2024-05-01T23:59:59.999999Z", "user_id": "ann"},
    {"id": 3, "type": "view", "ts": "2024-05-01T12:00:00Z", "user_id": "bob"},
    {"id": 4, "type": "view", "ts": "2024-05-01T18:00:00Z", "anonymous_id": "cookie"},
    {"id": 5, "type": "view", "ts": "2024-05-03T00:00:00Z", "user_id": "bob"},
    {"id": 6, "type": "view", "ts": "2024-05-03T10:00:00Z", "user_id": "ann"},
    {"id": 7, "type": "ping", "ts": "2024-05-03T11:00:00Z"},
    {"id": 8, "type": "view", "ts": "2024-05-04T20:00:00Z", "user_id": "ann"},
    {"id": 9, "type": "view", "ts": "2024-05-04T21:00:00Z", "user_id": "unknown"},
    {"id": 10, "type": "view", "ts": "2024-05-04T22:00:00Z", "user_id": "unknown", "session_id": "s"}]');
-- Nothing is stitched, and the numbers are there.
SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-05');
SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-05', identity => 'journey');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-05');
-- Of 4 May: ann's journey, and one for each of unknown's two events, which share nothing else.
SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-05', identity => 'journey');

-- Of one type; the type is matched exactly, and one that no event has is not an error.
SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-03', event_type => 'buy');
SELECT * FROM journey_stitch.dau('2024-05-03', '2024-05-03', event_type => 'ping');
SELECT * FROM journey_stitch.dau('2024-05-03', '2024-05-03', event_type => 'ping', identity => 'journey');
SELECT sum(active_users) FROM journey_stitch.dau('2024-05-01', '2024-05-04', event_type => 'View');
-- No event has the empty type.
SELECT sum(active_users) FROM journey_stitch.dau('2024-05-01', '2024-05-04', event_type => '');

-- The same instants are other days elsewhere: ann's midnight is 30 April in New York, her last is 2 May in Kolkata.
SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-05', tz => 'America/New_York');
SELECT * FROM journey_stitch.dau('2024-04-30', '2024-05-05', tz => 'Asia/Kolkata');

-- The cookie logs in, as ann, ten days later: for 1 May there are now two persons, not three.
SELECT * FROM journey_stitch.ingest_events('{"id": 11, "type": "log in", "ts": "2024-05-11T12:00:00Z", "anonymous_id": "cookie", "user_id": "ann"}');
SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-01', identity => 'journey');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-01', identity => 'journey');
SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-01');

-- A late event joins its day.
SELECT * FROM journey_stitch.ingest_events('{"id": 12, "type": "view", "ts": "2024-05-02T05:00:00Z", "user_id": "cid"}');
SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.dau('2024-05-01', '2024-05-03');

-- By default the thirty days up to today, of the project default.
SELECT count(*) AS days, min(day) = current_date - 29 AS from_day, max(day) = current_date AS to_day, sum(active_users) FROM journey_stitch.dau();
SELECT * FROM journey_stitch.ingest_events('{"id": 13, "type": "view", "user_id": "dan"}');
SELECT day = current_date AS today, active_users FROM journey_stitch.dau() WHERE active_users > 0;
SELECT count(*) AS days FROM journey_stitch.dau(start_date => current_date - 6);

-- Far away days, and many of them.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 14, "type": "view", "ts": "0001-01-01T00:00:00Z", "user_id": "eve"},
    {"id": 15, "type": "view", "ts": "9999-12-31T23:59:59Z", "user_id": "eve"},
    {"id": 16, "type": "view", "ts": "1969-12-31T23:59:59.999999Z", "user_id": "eve"},
    {"id": 17, "type": "view", "ts": "1970-01-01T00:00:00Z", "user_id": "eve"},
    {"id": 18, "type": "view", "ts": "2024-02-29T12:00:00Z", "user_id": "eve"},
    {"id": 19, "type": "view", "ts": "1600-02-29T12:00:00Z", "user_id": "eve"}]');
SELECT * FROM journey_stitch.dau('0001-01-01', '0001-01-02');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.dau('0001-01-01', '0001-01-02');
SELECT * FROM journey_stitch.dau('9999-12-30', '9999-12-31');
SELECT * FROM journey_stitch.dau('9999-12-31', '9999-12-31', tz => 'Pacific/Kiritimati');
SELECT * FROM journey_stitch.dau('1969-12-30', '1970-01-02');
SELECT * FROM journey_stitch.dau('2024-02-28', '2024-03-01');
SELECT * FROM journey_stitch.dau('1600-02-28', '1600-03-01');
SELECT count(*) AS days, sum(active_users) FROM journey_stitch.dau('1997-01-01', '2024-05-18');

-- Within larger queries, and in parallel plans.
SELECT identity, sum(d.active_users) FROM unnest(ARRAY['user', 'journey']) AS identity
CROSS JOIN LATERAL journey_stitch.dau('2024-05-01', '2024-05-31', identity => identity) AS d GROUP BY 1 ORDER BY 1;
BEGIN READ ONLY;
SET LOCAL debug_parallel_query = on;
SELECT sum(active_users) FROM journey_stitch.dau('2024-05-01', '2024-05-31');
COMMIT;

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
SELECT sum(active_users) FROM journey_stitch.dau('2024-05-01', '2024-05-31');
