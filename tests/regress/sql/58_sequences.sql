-- What is done one after the other: funnel, funnel_by, paths, sessions; running totals of users; pictures. On data whose
-- answers can be found by hand.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';

-- In May 2024, in order of time, at equal times of arrival (v: view, c: cart, b: buy):
--   ann     1 May 10:00 v, 10:10 c, 10:30 b
--   bob     1 May 10:00 v, 10:20 c, 10:30 v, 10:40 b
--   cid     1 May  9:00 c, 10:00 v, 11:00 b
--   dan     1 May 12:00 v, 15 May 12:00 c, and b a microsecond later
--   eve     2 May  8:00 c, v, b, all at once
--   fay     2 May  8:00 v, c, b, all at once
--   gil    30 April 23:59 v, 3 May 10:00 v, 10:05 c
--   cookie  1 May 10:00 v, and has no user_id
-- ann, cid and cookie are on plan pro; bob is on free, but his cart, which is pro's; the others on none.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "a1", "type": "view", "ts": "2024-05-01T10:00:00Z", "user_id": "ann", "source": "web", "properties": {"plan": "pro"}},
    {"id": "a2", "type": "cart", "ts": "2024-05-01T10:10:00Z", "user_id": "ann", "source": "web", "properties": {"plan": "pro"}},
    {"id": "a3", "type": "buy",  "ts": "2024-05-01T10:30:00Z", "user_id": "ann", "source": "app", "properties": {"plan": "pro"}},
    {"id": "b4", "type": "buy",  "ts": "2024-05-01T10:40:00Z", "user_id": "bob", "source": "app", "properties": {"plan": "free"}},
    {"id": "b3", "type": "view", "ts": "2024-05-01T10:30:00Z", "user_id": "bob", "source": "app", "properties": {"plan": "free"}},
    {"id": "b2", "type": "cart", "ts": "2024-05-01T10:20:00Z", "user_id": "bob", "source": "app", "properties": {"plan": "pro"}},
    {"id": "b1", "type": "view", "ts": "2024-05-01T10:00:00Z", "user_id": "bob", "source": "app", "properties": {"plan": "free"}},
    {"id": "c1", "type": "cart", "ts": "2024-05-01T09:00:00Z", "user_id": "cid", "source": "web", "properties": {"plan": "pro"}},
    {"id": "c2", "type": "view", "ts": "2024-05-01T10:00:00Z", "user_id": "cid", "source": "web", "properties": {"plan": "pro"}},
    {"id": "c3", "type": "buy",  "ts": "2024-05-01T11:00:00Z", "user_id": "cid", "source": "web", "properties": {"plan": "pro"}},
    {"id": "d1", "type": "view", "ts": "2024-05-01T12:00:00Z", "user_id": "dan"},
    {"id": "d2", "type": "cart", "ts": "2024-05-15T12:00:00Z", "user_id": "dan"},
    {"id": "d3", "type": "buy",  "ts": "2024-05-15T12:00:00.000001Z", "user_id": "dan"},
    {"id": "e1", "type": "cart", "ts": "2024-05-02T08:00:00Z", "user_id": "eve"},
    {"id": "e2", "type": "view", "ts": "2024-05-02T08:00:00Z", "user_id": "eve"},
    {"id": "e3", "type": "buy",  "ts": "2024-05-02T08:00:00Z", "user_id": "eve"},
    {"id": "g0", "type": "view", "ts": "2024-04-30T23:59:00Z", "user_id": "gil"}]');
SELECT events, journeys_created FROM journey_stitch.stitch_pending();
-- The rest is pending.
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "f1", "type": "view", "ts": "2024-05-02T08:00:00Z", "user_id": "fay"},
    {"id": "f2", "type": "cart", "ts": "2024-05-02T08:00:00Z", "user_id": "fay"},
    {"id": "f3", "type": "buy",  "ts": "2024-05-02T08:00:00Z", "user_id": "fay"},
    {"id": "g1", "type": "view", "ts": "2024-05-03T10:00:00Z", "user_id": "gil"},
    {"id": "g2", "type": "cart", "ts": "2024-05-03T10:05:00Z", "user_id": "gil"},
    {"id": "k1", "type": "view", "ts": "2024-05-01T10:00:00Z", "anonymous_id": "cookie", "source": "web", "properties": {"plan": "pro"}}]');

CREATE TEMP VIEW answers AS
SELECT 'funnel, ' || ordering AS of, identity, concat_ws(' ', step_no, step, users, conversion_from_start, conversion_from_previous, median_time) AS answer
FROM unnest(ARRAY['ordered', 'strict', 'unordered']) AS ordering, unnest(ARRAY['user', 'journey']) AS identity
CROSS JOIN LATERAL journey_stitch.funnel('{view,cart,buy}', '2024-05-01', '2024-05-10', ordering => ordering, identity => identity)
UNION ALL
SELECT 'funnel_by', identity, concat_ws(' ', COALESCE(value, 'NULL'), step_no, step, users, conversion_from_start)
FROM unnest(ARRAY['user', 'journey']) AS identity
CROSS JOIN LATERAL journey_stitch.funnel_by('$.plan', '{view,cart,buy}', '2024-05-01', '2024-05-10', identity => identity)
UNION ALL
SELECT 'paths', identity, concat_ws(' ', step_no, source, target, journeys, average_seconds)
FROM unnest(ARRAY['user', 'journey']) AS identity CROSS JOIN LATERAL journey_stitch.paths('2024-05-01', '2024-05-10', identity => identity);

-- Everybody but the cookie, which is no user, views; cid's and eve's carts came before.
SELECT * FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10');
SELECT * FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10', identity => 'journey');
-- bob's view stands between cart and buy.
SELECT * FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10', ordering => 'strict');
-- cid's window opens with the cart, and so does eve's.
SELECT * FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10', ordering => 'unordered');
-- The end of the window belongs to it: ann's cart comes after just ten minutes, dan's after just fourteen days.
SELECT * FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10', '10 minutes');
SELECT * FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10', '00:09:59.999999');
SELECT * FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10', '14 days 00:00:00.000001');
-- The range is for where windows open: of 1 May only dan gets to cart after it; gil's first view is of 30 April.
SELECT * FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-01');
SELECT * FROM journey_stitch.funnel('["view", "cart"]', '2024-04-30', '2024-05-10', '1 day', filter => '{}');
SELECT * FROM journey_stitch.funnel('["view", "cart"]', '2024-04-30', '2024-04-30', '3 days');
-- An event serves one step: bob and gil view twice. A step may be an event of several types.
SELECT step_no, step, users FROM journey_stitch.funnel('["view", "view"]', '2024-04-30', '2024-05-10');
SELECT step_no, step, users FROM journey_stitch.funnel('[{"event_type": ["cart", "buy"]}, {"event_type": ["view", "buy"], "name": "Then"}]', '2024-05-01', '2024-05-02');
SELECT step_no, step, users FROM journey_stitch.funnel('["view", {"event_type": ["view", "cart"]}]', '2024-05-01', '2024-05-03', ordering => 'unordered');
-- filter is for all events: a strict funnel does not see the others. A step's filter is for the step.
SELECT step_no, users FROM journey_stitch.funnel('["view", "cart"]', '2024-05-01', '2024-05-10', filter => '{"plan": "pro"}');
SELECT step_no, users FROM journey_stitch.funnel('["view", "buy"]', '2024-05-01', '2024-05-10', ordering => 'strict', filter => '{"plan": "free"}');
SELECT step_no, step, users FROM journey_stitch.funnel('["view", {"event_type": "cart", "filter": {"plan": "pro"}, "name": "Cart of pro"}, "buy"]', '2024-05-01', '2024-05-10');
SELECT step_no, step, users FROM journey_stitch.funnel('[{"event_type": "view", "filter": {"plan": "pro"}}, {"event_type": "buy", "filter": {"plan": "free"}}]', '2024-05-01', '2024-05-10');
-- Nobody: NULL of nothing.
SELECT * FROM journey_stitch.funnel('["no such", "buy"]', '2024-05-01', '2024-05-10');
SELECT * FROM journey_stitch.funnel('["buy", "no such", "view"]', '2024-05-01', '2024-05-10');

-- By what the event was that opened the window: bob is on free, though he buys with pro's cart.
SELECT * FROM journey_stitch.funnel_by('$.plan', '["view", "cart", "buy"]', '2024-05-01', '2024-05-10');
SELECT value, step_no, users FROM journey_stitch.funnel_by('source', '["view", "buy"]', '2024-05-01', '2024-05-10', max_values => 2, identity => 'journey');
SELECT value, step_no, users FROM journey_stitch.funnel_by('source', '["view", "buy"]', '2024-05-01', '2024-05-10', max_values => 1, ordering => 'strict', filter => '{"plan": "pro"}');
SELECT value, step_no, users FROM journey_stitch.funnel_by('event_type', ARRAY['view', 'cart', 'buy'], '2024-05-01', '2024-05-01', '1 hour', 'unordered');
SELECT * FROM journey_stitch.funnel_by('source', '["no such"]', '2024-05-01', '2024-05-10');

-- Paths: dan only views in that time.
SELECT * FROM journey_stitch.paths('2024-05-01', '2024-05-10');
SELECT * FROM journey_stitch.paths('2024-05-01', '2024-05-10', max_steps => 1);
SELECT * FROM journey_stitch.paths('2024-05-01', '2024-05-10', max_edges => 3);
SELECT * FROM journey_stitch.paths('2024-05-01', '2024-05-10', 'cart', 2);
SELECT * FROM journey_stitch.paths('2024-05-01', '2024-05-10', filter => '{"plan": "pro"}', identity => 'journey');
SELECT * FROM journey_stitch.paths('2024-05-01', '2024-05-10', 'no such');
SELECT * FROM journey_stitch.paths('2024-05-15', '2024-05-15');

-- Stitched, what was pending has the same answers; then the cookie turns out to be dan's, and what was is otherwise: of journeys,
-- dan's window opens two hours earlier, so that his cart is late. Of users, there is only an event more.
CREATE TEMP TABLE before AS TABLE answers;
SELECT events FROM journey_stitch.stitch_pending();
SELECT (SELECT count(*) FROM before) AS compared, count(*) AS differences
FROM ((TABLE answers EXCEPT TABLE before) UNION ALL (TABLE before EXCEPT TABLE answers)) AS d;
SELECT * FROM journey_stitch.ingest_events('{"id": "k2", "type": "log in", "ts": "2024-07-01", "anonymous_id": "cookie", "user_id": "dan"}');
CREATE TEMP TABLE pending AS TABLE answers;
SELECT 'now' AS is, * FROM (TABLE answers EXCEPT TABLE before) AS d UNION ALL
SELECT 'was', * FROM (TABLE before EXCEPT TABLE answers) AS d ORDER BY 2, 3, 4, 1;
SELECT events, journeys_merged FROM journey_stitch.stitch_pending();
SELECT count(*) AS differences
FROM ((TABLE answers EXCEPT TABLE pending) UNION ALL (TABLE pending EXCEPT TABLE answers)) AS d;
-- Months late, cid's second cart comes between view and buy.
SELECT FROM journey_stitch.ingest_events('{"id": "c4", "type": "cart", "ts": "2024-05-01T10:45:00Z", "user_id": "cid"}');
SELECT step_no, users, median_time FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10', ordering => 'strict');
SELECT events FROM journey_stitch.stitch_pending();
SELECT step_no, users, median_time FROM journey_stitch.funnel('["view", "cart", "buy"]', '2024-05-01', '2024-05-10', ordering => 'strict');

-- Days of 23 and of 25 hours in Berlin: 30 March 23:00 to 31 March 22:00 UTC, 26 October 22:00 to 27 October 23:00 UTC. A day of a
-- window has 24 hours, always; far away days; and the leap day.
SELECT FROM journey_stitch.ingest_events('[
    {"type": "in",  "ts": "2024-03-30T22:59:59.999999Z", "user_id": "before"}, {"type": "in", "ts": "2024-03-30T23:00:00Z", "user_id": "first"},
    {"type": "in",  "ts": "2024-03-31T21:59:59.999999Z", "user_id": "last"},   {"type": "in", "ts": "2024-03-31T22:00:00Z", "user_id": "after"},
    {"type": "out", "ts": "2024-03-31T23:00:00Z", "user_id": "first"},         {"type": "out", "ts": "2024-04-01T22:00:00Z", "user_id": "last"},
    {"type": "in",  "ts": "2024-10-26T21:59:59.999999Z", "user_id": "before"}, {"type": "in", "ts": "2024-10-26T22:00:00Z", "user_id": "first"},
    {"type": "in",  "ts": "2024-10-27T22:59:59.999999Z", "user_id": "last"},   {"type": "in", "ts": "2024-10-27T23:00:00Z", "user_id": "after"},
    {"type": "out", "ts": "2024-10-27T22:30:00Z", "user_id": "first"},
    {"type": "in",  "ts": "0001-01-01T00:00:00Z", "user_id": "old"},           {"type": "out", "ts": "9999-12-31T23:59:59.999999Z", "user_id": "old"},
    {"type": "in",  "ts": "2024-02-29T23:00:00Z", "user_id": "leap"},          {"type": "out", "ts": "2024-03-01T01:00:00Z", "user_id": "leap"}]', 'berlin');
CREATE TEMP VIEW berlin AS
SELECT 'spring' AS of, concat_ws(' ', step, users, median_time) AS answer FROM journey_stitch.funnel('{in,out}', '2024-03-31', '2024-03-31', '1 day', project => 'berlin', tz => 'Europe/Berlin')
UNION ALL SELECT 'autumn', concat_ws(' ', step, users, median_time) FROM journey_stitch.funnel('{in,out}', '2024-10-27', '2024-10-27', '1 day', project => 'berlin', tz => 'Europe/Berlin')
UNION ALL SELECT 'autumn, 25 hours', concat_ws(' ', step, users, median_time) FROM journey_stitch.funnel('{in,out}', '2024-10-27', '2024-10-27', '25 hours', project => 'berlin', tz => 'Europe/Berlin')
UNION ALL SELECT 'ages', concat_ws(' ', step, users, median_time) FROM journey_stitch.funnel('{in,out}', '0001-01-01', '0001-01-01', '100000000 days', project => 'berlin', tz => 'UTC')
UNION ALL SELECT 'leap day', concat_ws(' ', step, users, median_time) FROM journey_stitch.funnel('{in,out}', '2024-02-29', '2024-02-29', project => 'berlin')
UNION ALL SELECT 'paths in spring', concat_ws(' ', step_no, source, target, journeys, average_seconds) FROM journey_stitch.paths('2024-03-31', '2024-03-31', project => 'berlin', tz => 'Europe/Berlin')
UNION ALL SELECT 'paths in autumn', concat_ws(' ', step_no, source, target, journeys, average_seconds) FROM journey_stitch.paths('2024-10-27', '2024-10-27', project => 'berlin', tz => 'Europe/Berlin')
UNION ALL SELECT 'paths at the end of days', concat_ws(' ', step_no, source, target, journeys, average_seconds) FROM journey_stitch.paths('9999-12-31', '9999-12-31', project => 'berlin');
SELECT * FROM berlin ORDER BY of, answer COLLATE "C";
CREATE TEMP TABLE berlin_before AS TABLE berlin;
SELECT events FROM journey_stitch.stitch_pending();
(TABLE berlin EXCEPT TABLE berlin_before) UNION ALL (TABLE berlin_before EXCEPT TABLE berlin);

-- Sessions. kim's go over midnight; half an hour to the microsecond is no gap, a microsecond more is one. The last is pending.
SELECT FROM journey_stitch.ingest_events('[
    {"type": "wake",  "ts": "2024-05-01T23:50:00Z", "user_id": "kim", "properties": {"loud": true}},
    {"type": "read",  "ts": "2024-05-02T00:10:00Z", "user_id": "kim"}, {"type": "sleep", "ts": "2024-05-02T00:10:00Z", "user_id": "kim"},
    {"type": "wake",  "ts": "2024-05-02T00:40:00Z", "user_id": "kim", "properties": {"loud": true}},
    {"type": "read",  "ts": "2024-05-02T01:10:00.000001Z", "user_id": "kim", "session_id": "tablet"},
    {"type": "look",  "ts": "2024-05-02T01:20:00Z", "session_id": "tablet", "id": "look"},
    {"type": "look",  "ts": "9999-12-31T23:59:59.999999Z", "session_id": "tablet"}]', 'sessions');
SELECT events FROM journey_stitch.stitch_pending();
SELECT FROM journey_stitch.ingest_events('{"id": "late", "type": "sleep", "ts": "2024-05-02T01:30:00Z", "user_id": "kim"}', 'sessions');
SELECT * FROM journey_stitch.sessions('kim', project => 'sessions');
-- Of all of the journey, by another key, by an event, and by its id; by an event that is pending there is none yet.
SELECT * FROM journey_stitch.sessions('session_id:tablet', project => 'sessions');
SELECT count(*) FROM journey_stitch.sessions('look', project => 'sessions');
SELECT count(*) FROM journey_stitch.sessions(journey_stitch.journey_of('look', 'sessions')::text, project => 'sessions');
SELECT count(*) FROM journey_stitch.sessions('late', project => 'sessions');
SELECT * FROM journey_stitch.sessions('kim', '5 minutes', project => 'sessions');
SELECT * FROM journey_stitch.sessions('kim', '1 hour', '20 minutes', 'sessions');
SELECT * FROM journey_stitch.sessions('kim', '1 hour', project => 'sessions', filter => '{"loud": true}');
SELECT * FROM journey_stitch.sessions('nobody', project => 'sessions');
SELECT events FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.sessions('kim', project => 'sessions');
SELECT count(*) FROM journey_stitch.sessions('late', project => 'sessions');

-- Totals. Amounts and durations are numbers, or texts that are; lee is here for the first time now, max was fourteen days ago.
SELECT FROM journey_stitch.ingest_events('[
    {"type": "purchase", "ts": "2024-05-01T10:00:00Z", "user_id": "ann", "properties": {"amount": 19.90, "duration": 10}},
    {"type": "purchase", "ts": "2024-05-03T10:00:00Z", "user_id": "ann", "properties": {"amount": " 0.10 ", "duration": "2e1"}},
    {"type": "purchase", "ts": "2024-05-02T10:00:00Z", "user_id": "ann", "properties": {"amount": "free", "duration": "long"}},
    {"type": "purchase", "ts": "2024-05-02T10:00:00Z", "user_id": "ann", "properties": {"amount": "NaN", "duration": "Infinity"}},
    {"type": "refund",   "ts": "2024-05-04T10:00:00Z", "user_id": "ann", "properties": {"amount": 5}},
    {"type": "purchase", "ts": "2024-05-04T10:00:00Z", "anonymous_id": "cookie", "properties": {"amount": 5}},
    {"type": "purchase", "ts": "2024-05-01T00:00:00Z", "user_id": "bob", "properties": {"amount": -2.5}}]', 'totals');
CREATE TEMP VIEW totals AS
SELECT user_id, total_events AS events, total_purchases AS purchases, total_spent AS spent, first_seen, last_active, last_purchase,
       avg_session_duration AS duration, engagement_score BETWEEN 0 AND 100 AS score, churn_risk BETWEEN 0 AND 1 AS risk
FROM journey_stitch.user_stats(project => 'totals') WHERE user_id <> 'lee' AND user_id <> 'max';
TABLE totals;
SELECT events FROM journey_stitch.stitch_pending();
TABLE totals;
-- A part is stitched, a part is not.
SELECT FROM journey_stitch.ingest_events('[{"type": "purchase", "ts": "2023-01-01T00:00:00Z", "user_id": "bob", "properties": {"amount": "1e2", "duration": 7}},
    {"type": "look", "ts": "0001-01-01T00:00:00Z", "user_id": "old"}, {"type": "look", "ts": "9999-12-31T23:59:59Z", "user_id": "young"},
    {"type": "look", "user_id": "lee"}]', 'totals');
SELECT FROM journey_stitch.ingest_events(jsonb_build_object('type', 'purchase', 'user_id', 'max', 'ts', now() - interval '14 days'), 'totals');
TABLE totals;
-- A score of 50 x 1 + 30 x 1/2, and no risk; and of 50 x 1/2 + 30 x (1/14) / (15/14) + 20 x 1/2, and an even one.
SELECT user_id, total_events, total_purchases, engagement_score, round(churn_risk, 2) AS risk FROM journey_stitch.user_stats('lee', 'totals');
SELECT user_id, total_events, total_purchases, engagement_score, round(churn_risk, 2) AS risk FROM journey_stitch.user_stats('max', 'totals');
SELECT * FROM journey_stitch.user_stats('nobody', 'totals');
SELECT count(*) FROM journey_stitch.user_stats();
SELECT events FROM journey_stitch.stitch_pending();
TABLE totals;

-- Nothing at all.
SELECT FROM journey_stitch.ingest_events('[]', 'empty');
SELECT * FROM journey_stitch.funnel('{a,b}', '2024-05-01', '2024-05-01', project => 'empty');
SELECT * FROM journey_stitch.funnel_by('source', '{a,b}', '2024-05-01', '2024-05-01', project => 'empty');
SELECT * FROM journey_stitch.paths('2024-05-01', '2024-05-01', project => 'empty');
SELECT * FROM journey_stitch.sessions('kim', project => 'empty');
SELECT * FROM journey_stitch.user_stats(project => 'empty');

-- Pictures are documents of their own, whatever there is to be seen in them.
SELECT name, xml_is_well_formed_document(svg) AS well_formed, svg LIKE '<svg xmlns="http://www.w3.org/2000/svg"%' AS svg,
       svg ~ 'href|<script|on[a-z]+=' AS active
FROM (SELECT 'dau', journey_stitch.dau_svg('2024-05-01', '2024-05-31')
      UNION ALL SELECT 'dau of one day', journey_stitch.dau_svg('2024-05-01', '2024-05-01')
      UNION ALL SELECT 'dau of ages', journey_stitch.dau_svg('2024-01-01', '2051-05-18', identity => 'journey')
      UNION ALL SELECT 'dau of nobody', journey_stitch.dau_svg('2024-05-01', '2024-05-31', 'empty', filter => '{"a": "<&>"}')
      UNION ALL SELECT 'retention', journey_stitch.retention_svg('2024-04-29', '2024-07-01')
      UNION ALL SELECT 'retention of nobody', journey_stitch.retention_svg('2024-04-29', '2024-07-01', 'month', project => 'empty')
      UNION ALL SELECT 'retention by day', journey_stitch.retention_svg('2024-05-01', '2024-05-10', 'day', 'new', 'view', 'buy', 'on_or_after', identity => 'journey')) AS v (name, svg);
-- They show the answer's dates and numbers.
SELECT count(*) FILTER (WHERE position(day::text IN svg) > 0) AS days_shown, bool_or(svg ~ '>2024-05-01<') AS first_day
FROM journey_stitch.dau_svg('2024-05-01', '2024-05-03') AS svg, journey_stitch.dau('2024-05-01', '2024-05-03');
SELECT count(*) AS cells, count(*) FILTER (WHERE svg ~ format('>%s ?%%?<', replace(retention_rate::text, '.', '\.'))) AS shown
FROM journey_stitch.retention_svg('2024-04-29', '2024-05-13') AS svg, journey_stitch.retention_matrix('2024-04-29', '2024-05-13');

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
