-- retention(): a small example whose numbers can be counted by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Weeks from Monday, 6 May 2024:   0 (6–12)    1 (13–19)   2 (20–26)   3 (27 May – 2 June)
--   ann                             x           x           x           x
--   bob                             x           -           x           -
--   cid                             x           x           -           -
--   dan (not of the cohort)         -           x           x           x
--   a cookie                        x           -           -           x
-- Users: a cohort of 3; 2 of 3 came in week 1 (66.7 %), 2 in week 2, 1 in week 3 (33.3 %).
-- Journeys: the cookie is one more, who came back in week 3: 4; 2 (50.0), 2 (50.0), 2 (50.0).
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "ann0", "type": "view", "ts": "2024-05-06T00:00:00Z", "user_id": "ann"},
    {"id": "ann1", "type": "view", "ts": "2024-05-13T00:00:00Z", "user_id": "ann"},
    {"id": "ann2", "type": "buy",  "ts": "2024-05-20T00:00:00Z", "user_id": "ann"},
    {"id": "ann3", "type": "view", "ts": "2024-06-02T23:59:59.999999Z", "user_id": "ann"},
    {"id": "bob0", "type": "view", "ts": "2024-05-12T23:59:59.999999Z", "user_id": "bob"},
    {"id": "bob2", "type": "view", "ts": "2024-05-22T12:00:00Z", "user_id": "bob"},
    {"id": "cid0", "type": "buy",  "ts": "2024-05-08T12:00:00Z", "user_id": "cid"},
    {"id": "cid1", "type": "view", "ts": "2024-05-14T12:00:00Z", "user_id": "cid"},
    {"id": "dan1", "type": "view", "ts": "2024-05-15T12:00:00Z", "user_id": "dan"},
    {"id": "dan2", "type": "view", "ts": "2024-05-23T12:00:00Z", "user_id": "dan"},
    {"id": "dan3", "type": "view", "ts": "2024-05-29T12:00:00Z", "user_id": "dan"},
    {"id": "cookie0", "type": "view", "ts": "2024-05-09T12:00:00Z", "anonymous_id": "cookie"},
    {"id": "cookie3", "type": "view", "ts": "2024-05-30T12:00:00Z", "anonymous_id": "cookie"}]');
SELECT * FROM journey_stitch.retention('2024-05-06');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.retention('2024-05-06');
SELECT * FROM journey_stitch.retention('2024-05-06', 3, identity => 'journey');

-- The windows are anchored at start_date, which need not be a Monday: from Tuesday, ann's first and bob's
-- last event are in other weeks.
--   Tuesday 7–13: ann (13th), bob, cid; 14–20: ann, cid, dan; 21–27: bob, dan
SELECT * FROM journey_stitch.retention('2024-05-07', 2);

-- Of one type. Only cid bought in week 0, and never again.
SELECT * FROM journey_stitch.retention('2024-05-06', 2, event_type => 'buy');

-- Nobody at all: no rate.
SELECT * FROM journey_stitch.retention('2023-05-06', 2);
SELECT * FROM journey_stitch.retention('2024-05-06', 1, event_type => 'no such');
SELECT * FROM journey_stitch.retention('2024-05-06', 1, event_type => '');
-- Nobody came back: a rate of 0.0.
SELECT * FROM journey_stitch.retention('2024-05-27', 2);

-- In New York, ann's first event is of the week before, and her second of week 0: bob, cid and she are the cohort still.
SELECT * FROM journey_stitch.retention('2024-05-06', 1, tz => 'America/New_York');

-- The cookie turns out to be cid: of the journeys, cid's came back in week 3 as well, and the cohort is 3.
SELECT * FROM journey_stitch.ingest_events('{"id": "cid4", "type": "log in", "ts": "2024-07-01T12:00:00Z", "anonymous_id": "cookie", "user_id": "cid"}');
SELECT * FROM journey_stitch.retention('2024-05-06', 3, identity => 'journey');
SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.retention('2024-05-06', 3, identity => 'journey');
SELECT * FROM journey_stitch.retention('2024-05-06', 3);

-- Rates are rounded as numeric is: of a cohort of 16, 1 is 6.3 % (6.25), 3 are 18.8 (18.75), 15 are 93.8 (93.75), 16 are 100.0.
SELECT inserted FROM journey_stitch.ingest_events((
    SELECT jsonb_agg(jsonb_build_object('id', format('%s %s', week, n), 'type', 't', 'user_id', 'u' || n, 'ts', date '2020-01-06' + 7 * week))
    FROM (VALUES (0, 16), (1, 1), (2, 3), (3, 15), (4, 16)) AS v (week, users), generate_series(1, users) AS n), 'rates');
SELECT window_no, retained_users, retention_rate FROM journey_stitch.retention('2020-01-06', 4, project => 'rates');

-- By default, three weeks before this one and this one, of the project default.
SELECT window_no, window_start = date_trunc('week', current_date)::date - 21 + 7 * window_no AS expected FROM journey_stitch.retention();
-- As many windows as there may be.
SELECT count(*), max(window_no), max(window_start) FROM journey_stitch.retention('2000-01-01', 1428);

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
