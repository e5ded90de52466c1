-- Who is active, comes back, and goes: wau, mau, stickiness, lifecycle, dau_by, top_events_by, retention and its matrix,
-- and filters, on data that can be counted by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- 1 January 2024 was a Monday. Who was there, and how (v: view, b: buy):
--           Mon 1  Tue 2  Wed 3  Sun 7  Mon 8  Thu 1 Feb
--   ann     v b    v             v      v
--   bob     v             v                    b
--   cid            v                    v
--   cookie  v                                             nobody has logged in with it
-- ann is on plan pro, bob on free, cid's 8 January on pro and his 2 January on none.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 1, "type": "view", "ts": "2024-01-01T00:00:00Z", "user_id": "ann", "source": "web", "properties": {"plan": "pro", "n": 1}},
    {"id": 2, "type": "buy",  "ts": "2024-01-01T23:59:59.999999Z", "user_id": "ann", "source": "web", "properties": {"plan": "pro", "n": 1.0}},
    {"id": 3, "type": "view", "ts": "2024-01-01T10:00:00Z", "user_id": "bob", "source": "app", "properties": {"plan": "free", "n": "1"}},
    {"id": 4, "type": "view", "ts": "2024-01-01T11:00:00Z", "anonymous_id": "cookie", "properties": {"plan": "pro", "n": [1, {"a": 2}]}},
    {"id": 5, "type": "view", "ts": "2024-01-02T09:00:00Z", "user_id": "ann", "source": "web", "properties": {"plan": "pro", "n": null}},
    {"id": 6, "type": "view", "ts": "2024-01-02T09:30:00Z", "user_id": "cid", "source": "app", "properties": {"n": true}},
    {"id": 7, "type": "view", "ts": "2024-01-03T12:00:00Z", "user_id": "bob", "source": "app", "properties": {"plan": "free", "n": {"a": 2}}},
    {"id": 8, "type": "view", "ts": "2024-01-07T12:00:00Z", "user_id": "ann", "source": "app", "properties": {"plan": "pro"}},
    {"id": 9, "type": "view", "ts": "2024-01-08T12:00:00Z", "user_id": "ann", "source": "web", "properties": {"plan": "pro"}}]');
SELECT * FROM journey_stitch.stitch_pending();
-- The last two are pending.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 10, "type": "view", "ts": "2024-01-08T00:00:00Z", "user_id": "cid", "properties": {"plan": "pro"}},
    {"id": 11, "type": "buy",  "ts": "2024-02-01T00:00:00Z", "user_id": "bob", "source": "app", "event_name": "Bought", "properties": {"plan": "free"}}]');

CREATE TEMP VIEW answers AS
SELECT 'wau' AS of, identity, day, active_users::text AS answer
FROM unnest(ARRAY['user', 'journey']) AS identity CROSS JOIN LATERAL journey_stitch.wau('2023-12-31', '2024-01-16', identity => identity)
UNION ALL
SELECT 'mau', identity, day, active_users::text
FROM unnest(ARRAY['user', 'journey']) AS identity CROSS JOIN LATERAL journey_stitch.mau('2024-01-29', '2024-02-03', identity => identity)
UNION ALL
SELECT 'stickiness', identity, day, concat_ws(' ', dau, mau, stickiness)
FROM unnest(ARRAY['user', 'journey']) AS identity CROSS JOIN LATERAL journey_stitch.stickiness('2023-12-31', '2024-01-08', identity => identity)
UNION ALL
SELECT 'lifecycle', identity, day, concat_ws(' ', new_users, returning_users, resurrecting_users, dormant_users)
FROM unnest(ARRAY['user', 'journey']) AS identity CROSS JOIN LATERAL journey_stitch.lifecycle('2023-12-31', '2024-01-09', identity => identity)
UNION ALL
SELECT 'dau_by', identity, day, concat_ws(' ', COALESCE(value, 'NULL'), active_users)
FROM unnest(ARRAY['user', 'journey']) AS identity CROSS JOIN LATERAL journey_stitch.dau_by('$.plan', '2024-01-01', '2024-01-08', identity => identity);
-- Seven days back, the day included: bob's 3 January is in until the 9th, and 8 January until the 14th.
SELECT * FROM journey_stitch.wau('2023-12-31', '2024-01-16');
SELECT * FROM journey_stitch.wau('2024-01-07', '2024-01-08', identity => 'journey');
SELECT * FROM journey_stitch.wau('2024-01-07', '2024-01-08', event_type => 'buy');
-- By the calendar: weeks from Monday, the whole week where the range begins or ends within it.
SELECT * FROM journey_stitch.wau('2024-01-07', '2024-01-08', mode => 'calendar');
SELECT * FROM journey_stitch.wau('2024-01-03', '2024-01-03', 'calendar', identity => 'journey');
SELECT * FROM journey_stitch.wau('2023-12-31', '2024-01-31', 'calendar');
-- Thirty days back: 1 January is in until the 30th, 2 January until the 31st.
SELECT * FROM journey_stitch.mau('2024-01-29', '2024-02-03');
SELECT * FROM journey_stitch.mau('2024-01-30', '2024-01-31', identity => 'journey');
SELECT * FROM journey_stitch.mau('2023-12-31', '2024-02-01', mode => 'calendar');
SELECT * FROM journey_stitch.mau('2024-01-15', '2024-01-16', 'calendar', event_type => 'buy');
-- Two of three on 2 January, one of three on the 3rd; NULL of nobody.
SELECT * FROM journey_stitch.stickiness('2023-12-31', '2024-01-08');
SELECT * FROM journey_stitch.stickiness('2024-01-01', '2024-01-02', identity => 'journey');
SELECT * FROM journey_stitch.stickiness('2024-02-01', '2024-02-01', event_type => 'buy');

SELECT * FROM journey_stitch.lifecycle('2023-12-31', '2024-01-09');
SELECT * FROM journey_stitch.lifecycle('2024-02-01', '2024-02-02');
-- Of journeys; and of the type buy, for which bob is new when he first buys.
SELECT * FROM journey_stitch.lifecycle('2024-01-01', '2024-01-02', identity => 'journey');
SELECT * FROM journey_stitch.lifecycle('2024-02-01', '2024-02-01', event_type => 'buy');

-- By a property, by a column; the value with the most users only; NULL is the value of events without one.
SELECT * FROM journey_stitch.dau_by('$.plan', '2024-01-01', '2024-01-02');
SELECT * FROM journey_stitch.dau_by('$.plan', '2024-01-01', '2024-01-02', identity => 'journey');
SELECT * FROM journey_stitch.dau_by('source', '2024-01-01', '2024-01-02', max_values => 1);
SELECT * FROM journey_stitch.dau_by('event_type', '2024-02-01', '2024-02-01');
SELECT * FROM journey_stitch.dau_by('event_name', '2024-01-31', '2024-02-01');
SELECT * FROM journey_stitch.dau_by('user_agent', '2024-02-01', '2024-02-01');
SELECT * FROM journey_stitch.dau_by('$.plan', '2023-12-31', '2023-12-31');
-- Events that are nobody's count, too. A string is shown without quotes, so that 1 and "1" are one value, and 1.0 another;
-- null is as if there were none. Of several matches of the path the first counts.
SELECT * FROM journey_stitch.top_events_by('$.n', '2024-01-01', '2024-01-31', 20);
SELECT * FROM journey_stitch.top_events_by('$.n.a', '2024-01-01', '2024-01-31');
SELECT * FROM journey_stitch.top_events_by('$.n[*]', '2024-01-01', '2024-01-01');
SELECT * FROM journey_stitch.top_events_by('$.plan', '2024-01-01', '2024-02-01', identity => 'journey');
SELECT * FROM journey_stitch.top_events_by('$.plan', '2024-01-01', '2024-02-01', 1, event_type => 'buy');
SELECT * FROM journey_stitch.top_events_by('source', '2024-01-01', '2024-01-02', filter => '{"plan": "pro"}');
SELECT * FROM journey_stitch.top_events('2024-01-01', '2024-02-01', event_type => 'buy');
SELECT * FROM journey_stitch.top_events('2024-01-01', '2024-02-01', identity => 'journey', filter => '{"plan": "pro"}');

-- Containment, whatever else the properties hold.
SELECT * FROM journey_stitch.dau('2024-01-01', '2024-01-03', filter => '{"plan": "pro"}');
SELECT * FROM journey_stitch.dau('2024-01-01', '2024-01-03', filter => '{"n": [{"a": 2}]}', identity => 'journey');
SELECT sum(active_users) FROM journey_stitch.dau('2024-01-01', '2024-01-03', filter => '{"n": 1}');
SELECT * FROM journey_stitch.wau('2024-01-08', '2024-01-08', filter => '{"plan": "pro"}');
SELECT * FROM journey_stitch.mau('2024-01-08', '2024-01-08', filter => '{"plan": "pro"}', identity => 'journey');
SELECT * FROM journey_stitch.stickiness('2024-01-08', '2024-01-08', filter => '{"plan": "pro"}');
SELECT * FROM journey_stitch.lifecycle('2024-01-07', '2024-01-08', filter => '{"plan": "pro"}');

-- Of the week of 1 January (ann, bob, cid) two come back in the next, none in the third and fourth, bob in the fifth.
SELECT * FROM journey_stitch.retention('2024-01-01', 5);
-- on_or_after: whoever comes later has not gone yet.
SELECT * FROM journey_stitch.retention('2024-01-01', 5, criterion => 'on_or_after');
SELECT * FROM journey_stitch.retention('2024-01-01', 2, 'day');
SELECT * FROM journey_stitch.retention('2024-01-01', 2, 'month');
-- cohort new: of those of 2 January only cid; of those who buy on 1 February bob, who was there before.
SELECT * FROM journey_stitch.retention('2024-01-02', 6, 'day', cohort => 'new');
SELECT * FROM journey_stitch.retention('2024-01-02', 1, 'day', cohort => 'active');
SELECT * FROM journey_stitch.retention('2024-02-01', 1, 'day', cohort => 'new', start_event => 'buy', return_event => 'view');
-- From one event to another; event_type stands for both.
SELECT * FROM journey_stitch.retention('2024-01-01', 1, start_event => 'buy', return_event => 'view');
SELECT * FROM journey_stitch.retention('2024-01-01', 1, start_event => 'view', return_event => 'buy', criterion => 'on_or_after');
SELECT * FROM journey_stitch.retention('2024-01-01', 5, event_type => 'buy');
SELECT * FROM journey_stitch.retention('2024-01-01', 1, return_event => 'view', event_type => 'buy');
SELECT * FROM journey_stitch.retention('2024-01-01', 1, identity => 'journey');
SELECT * FROM journey_stitch.retention('2024-01-01', 1, filter => '{"plan": "pro"}');
SELECT * FROM journey_stitch.retention('2024-01-15', 1);
-- The triangle; its rows are those of retention().
SELECT * FROM journey_stitch.retention_matrix('2024-01-01', '2024-01-16');
SELECT * FROM journey_stitch.retention_matrix('2024-01-01', '2024-01-04', 'day', 'new', criterion => 'on_or_after');
SELECT * FROM journey_stitch.retention_matrix('2024-01-31', '2024-03-31', 'month', filter => '{"plan": "free"}');
SELECT count(*) AS rows, count(*) FILTER (WHERE (m.window_start, m.cohort_size, m.retained_users, m.retention_rate) IS DISTINCT FROM
                                                (r.window_start, r.cohort_size, r.retained_users, r.retention_rate)) AS differences
FROM journey_stitch.retention_matrix('2024-01-01', '2024-02-05', start_event => 'view', criterion => 'on_or_after') AS m
CROSS JOIN LATERAL journey_stitch.retention(m.cohort_start, 6, start_event => 'view', criterion => 'on_or_after') AS r
WHERE r.window_no = m.window_no;

-- Stitched, all that was pending has the same answers; then the cookie turns out to be bob's, and past days move.
CREATE TEMP TABLE before AS TABLE answers;
SELECT * FROM journey_stitch.stitch_pending();
SELECT (SELECT count(*) FROM before) AS compared, count(*) AS differences
FROM ((TABLE answers EXCEPT TABLE before) UNION ALL (TABLE before EXCEPT TABLE answers)) AS d;
SELECT * FROM journey_stitch.ingest_events('{"id": 12, "type": "log in", "ts": "2024-06-01", "anonymous_id": "cookie", "user_id": "bob"}');
TABLE answers EXCEPT TABLE before ORDER BY 1, 2, 3, 4;
CREATE TEMP TABLE pending AS TABLE answers;
SELECT events FROM journey_stitch.stitch_pending();
SELECT count(*) AS differences
FROM ((TABLE answers EXCEPT TABLE pending) UNION ALL (TABLE pending EXCEPT TABLE answers)) AS d;

-- Late by months: an event of the year before makes ann no new user of 1 January.
SELECT * FROM journey_stitch.ingest_events('{"id": 13, "type": "view", "ts": "2023-06-01", "user_id": "ann"}');
SELECT * FROM journey_stitch.lifecycle('2024-01-01', '2024-01-01');
SELECT events FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.lifecycle('2024-01-01', '2024-01-01');
SELECT * FROM journey_stitch.retention('2024-01-01', 1, 'month', cohort => 'new');
SELECT * FROM journey_stitch.mau('2023-06-30', '2023-07-01');

-- Far away, and nothing at all.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": 14, "type": "view", "ts": "0001-01-01T00:00:00Z", "user_id": "eve"},
    {"id": 15, "type": "view", "ts": "9999-12-31T23:59:59.999999Z", "user_id": "eve"},
    {"id": 16, "type": "view", "ts": "2024-02-29T00:00:00Z", "user_id": "eve"}]');
CREATE TEMP VIEW far AS
SELECT 'wau' AS of, day, active_users::text AS answer FROM journey_stitch.wau('0001-01-01', '0001-01-08')
UNION ALL SELECT 'wau, calendar', day, active_users::text FROM journey_stitch.wau('9999-12-26', '9999-12-31', 'calendar')
UNION ALL SELECT 'mau, calendar', day, active_users::text FROM journey_stitch.mau('0001-01-01', '0001-01-02', 'calendar')
UNION ALL SELECT 'mau, calendar', day, active_users::text FROM journey_stitch.mau('2024-02-29', '2024-02-29', 'calendar')
UNION ALL SELECT 'lifecycle', day, concat_ws(' ', new_users, returning_users, resurrecting_users, dormant_users)
          FROM journey_stitch.lifecycle('0001-01-01', '0001-01-02')
UNION ALL SELECT 'lifecycle', day, concat_ws(' ', new_users, returning_users, resurrecting_users, dormant_users)
          FROM journey_stitch.lifecycle('9999-12-30', '9999-12-31')
UNION ALL SELECT 'stickiness', day, concat_ws(' ', dau, mau, stickiness) FROM journey_stitch.stickiness('9999-12-31', '9999-12-31')
UNION ALL SELECT 'dau_by', day, concat_ws(' ', value, active_users) FROM journey_stitch.dau_by('event_type', '9999-12-31', '9999-12-31')
UNION ALL SELECT 'retention', window_start, concat_ws(' ', window_no, cohort_size, retained_users, retention_rate)
          FROM journey_stitch.retention('0001-01-01', 2, 'day', 'new', criterion => 'on_or_after');
SELECT * FROM far ORDER BY of, day, answer;
CREATE TEMP TABLE far_before AS TABLE far;
SELECT events FROM journey_stitch.stitch_pending();
(TABLE far EXCEPT TABLE far_before) UNION ALL (TABLE far_before EXCEPT TABLE far);
-- Windows may end after the last day.
SELECT * FROM journey_stitch.mau('9999-11-30', '9999-12-31', 'calendar');
SELECT * FROM journey_stitch.retention('9999-12-31', 1, 'month');
SELECT * FROM journey_stitch.retention_matrix('9999-11-30', '9999-12-31', 'month');
SELECT FROM journey_stitch.ingest_events('[]', 'empty');
SELECT * FROM journey_stitch.wau('2024-01-01', '2024-01-02', project => 'empty');
SELECT * FROM journey_stitch.mau('2024-01-01', '2024-01-02', 'calendar', project => 'empty');
SELECT * FROM journey_stitch.stickiness('2024-01-01', '2024-01-01', project => 'empty');
SELECT * FROM journey_stitch.lifecycle('2024-01-01', '2024-01-01', project => 'empty');
SELECT * FROM journey_stitch.dau_by('source', '2024-01-01', '2024-01-01', project => 'empty');
SELECT * FROM journey_stitch.top_events_by('source', '2024-01-01', '2024-01-01', project => 'empty');
SELECT * FROM journey_stitch.retention('2024-01-01', 1, project => 'empty');
SELECT * FROM journey_stitch.retention_matrix('2024-01-01', '2024-01-08', project => 'empty');

-- Days of 23 and of 25 hours. Berlin's 31 March 2024 is 30 March 23:00 UTC to 31 March 22:00 UTC, its 27 October 26 October 22:00
-- UTC to 27 October 23:00 UTC. A user each at the first and last instant of these days, and just before and after.
SELECT * FROM journey_stitch.ingest_events((SELECT jsonb_agg(jsonb_build_object('type', 'tick', 'user_id', name, 'ts', at, 'properties', jsonb_build_object('at', name)))
    FROM (VALUES ('30 March, last', '2024-03-30T22:59:59.999999Z'), ('31 March, first', '2024-03-30T23:00:00Z'),
                 ('31 March, last', '2024-03-31T21:59:59.999999Z'), ('1 April, first', '2024-03-31T22:00:00Z'),
                 ('26 October, last', '2024-10-26T21:59:59.999999Z'), ('27 October, first', '2024-10-26T22:00:00Z'),
                 ('27 October, 2:30', '2024-10-27T00:30:00Z'), ('27 October, 2:30 again', '2024-10-27T01:30:00Z'),
                 ('27 October, last', '2024-10-27T22:59:59.999999Z'), ('28 October, first', '2024-10-27T23:00:00Z')) AS v (name, at)), 'berlin');
CREATE TEMP VIEW berlin AS
SELECT 'dau' AS of, day, active_users::text AS answer FROM journey_stitch.dau('2024-03-30', '2024-04-01', 'berlin', 'Europe/Berlin')
UNION ALL SELECT 'dau', day, active_users::text FROM journey_stitch.dau('2024-10-26', '2024-10-28', 'berlin', 'Europe/Berlin')
UNION ALL SELECT 'dau_by', day, value || ' ' || active_users FROM journey_stitch.dau_by('$.at', '2024-03-31', '2024-03-31', 25, 'berlin', 'Europe/Berlin')
UNION ALL SELECT 'dau_by', day, value || ' ' || active_users FROM journey_stitch.dau_by('$.at', '2024-10-27', '2024-10-27', 25, 'berlin', 'Europe/Berlin')
UNION ALL SELECT 'dau of one', day, active_users::text FROM journey_stitch.dau('2024-03-30', '2024-04-01', 'berlin', 'Europe/Berlin', filter => '{"at": "31 March, last"}')
-- Sunday, the last day of its week in both.
UNION ALL SELECT 'wau, calendar', day, active_users::text FROM journey_stitch.wau('2024-03-31', '2024-04-01', 'calendar', 'berlin', 'Europe/Berlin')
UNION ALL SELECT 'wau, calendar', day, active_users::text FROM journey_stitch.wau('2024-10-27', '2024-10-28', 'calendar', 'berlin', 'Europe/Berlin')
UNION ALL SELECT 'mau, calendar', day, active_users::text FROM journey_stitch.mau('2024-03-31', '2024-04-01', 'calendar', 'berlin', 'Europe/Berlin')
UNION ALL SELECT 'lifecycle', day, concat_ws(' ', new_users, returning_users, resurrecting_users, dormant_users)
          FROM journey_stitch.lifecycle('2024-03-31', '2024-04-01', 'berlin', 'Europe/Berlin')
UNION ALL SELECT 'retention', window_start, concat_ws(' ', window_no, cohort_size) FROM journey_stitch.retention('2024-10-27', 1, 'day', project => 'berlin', tz => 'Europe/Berlin')
UNION ALL SELECT 'top_events_by', NULL, concat_ws(' ', value, events, users)
          FROM journey_stitch.top_events_by('event_type', '2024-10-27', '2024-10-27', 10, 'berlin', 'Europe/Berlin');
SELECT * FROM berlin ORDER BY of, day, answer;
CREATE TEMP TABLE berlin_before AS TABLE berlin;
SELECT events FROM journey_stitch.stitch_pending();
(TABLE berlin EXCEPT TABLE berlin_before) UNION ALL (TABLE berlin_before EXCEPT TABLE berlin);

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
