-- top_events(): a small example whose numbers can be counted by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- view 4 (ann, bob, a cookie), buy 2 (ann), click 2 (cookie, and one without identifier), Click 1 (bob).
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "view",  "ts": "2024-05-01T00:00:00Z", "user_id": "ann"},
    {"id": 2, "type": "view",  "ts": "2024-05-02T12:00:00Z", "user_id": "ann"},
    {"id": 3, "type": "view",  "ts": "2024-05-02T12:00:00Z", "user_id": "bob"},
    {"id": 4, "type": "view",  "ts": "2024-05-03T23:59:59.999999Z", "anonymous_id": "cookie"},
    {"id": 5, "type": "buy",   "ts": "2024-05-01T12:00:00Z", "user_id": "ann"},
    {"id": 6, "type": "buy",   "ts": "2024-05-03T12:00:00Z", "user_id": "ann"},
    {"id": 7, "type": "click", "ts": "2024-05-01T12:00:00Z", "anonymous_id": "cookie"},
    {"id": 8, "type": "click", "ts": "2024-05-01T12:00:00Z"},
    {"id": 9, "type": "Click", "ts": "2024-05-02T12:00:00Z", "user_id": "bob"},
    {"id": 10, "type": "view", "ts": "2024-05-04T00:00:00Z", "user_id": "dan"}]');
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.stitch_pending();
-- Most events first, equal ones by name; users are counted once, however often they came.
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03', identity => 'journey');
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03', 2);
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03', max_rows => 1);
-- One day, and days without any.
SELECT * FROM journey_stitch.top_events('2024-05-02', '2024-05-02');
SELECT * FROM journey_stitch.top_events('2024-06-01', '2024-06-30');
-- Elsewhere: in Kolkata the cookie's view is of 4 May, and dan's midnight is too.
SELECT * FROM journey_stitch.top_events('2024-05-04', '2024-05-04', tz => 'Asia/Kolkata');
SELECT * FROM journey_stitch.top_events('2024-05-03', '2024-05-03', tz => 'America/New_York');

-- Half stitched, half pending: counted once each.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 11, "type": "view", "ts": "2024-05-02T13:00:00Z", "user_id": "ann"},
    {"id": 12, "type": "view", "ts": "2024-05-02T13:00:00Z", "user_id": "eve"},
    {"id": 13, "type": "new",  "ts": "2024-05-02T13:00:00Z", "anonymous_id": "cookie", "user_id": "ann"}]');
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03', identity => 'journey');
-- The same with edges on which there is no rollup.
SELECT * FROM journey_stitch.top_events('2024-05-02', '2024-05-02', tz => 'Asia/Kathmandu');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03');
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-03', identity => 'journey');
SELECT * FROM journey_stitch.top_events('2024-05-02', '2024-05-02', tz => 'Asia/Kathmandu');

-- Names as they are; ties by their bytes.
SELECT journey_stitch.clean();
SELECT * FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('type', t, 'ts', '2024-05-01')) FROM unnest(ARRAY['b', 'a', 'B', 'ä', 'a b', ' a', 'z', '☕', 'Ω']) AS t));
SELECT format('<%s>', event_type) AS event_type, events FROM journey_stitch.top_events('2024-05-01', '2024-05-01', 100);
SELECT format('<%s>', event_type) AS event_type FROM journey_stitch.top_events('2024-05-01', '2024-05-01', 3);

SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
