-- The worked examples of other products' public documentation, with the answers that their pages give: what a user who
-- moves over finds unchanged, and where it differs on purpose. The comments name the pages. Where a page has a
-- definition in words only, the data are the smallest that show it, and the comment says "in words".
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET search_path = journey_stitch;
-- The day of most examples, as a range of dates.
\set day '''2024-01-10'', ''2024-01-10'''

-- Sends events of one user: their types, a minute (or so much) apart.
CREATE FUNCTION pg_temp.send(project text, user_id text, first timestamptz, types text,
                             apart interval DEFAULT '1 minute') RETURNS bigint LANGUAGE sql AS $$
    SELECT inserted FROM ingest_events((
        SELECT jsonb_agg(jsonb_build_object('type', t, 'ts', first + (n - 1) * apart, 'user_id', user_id) ORDER BY n)
        FROM string_to_table(types, ' ') WITH ORDINALITY AS s (t, n)), project)
$$;
-- The same, each with its time since the day's beginning: '13:00 A, 13:30 B'.
CREATE FUNCTION pg_temp.send_at(project text, user_id text, day timestamptz, events text)
RETURNS bigint LANGUAGE sql AS $$
    SELECT inserted FROM ingest_events((
        SELECT jsonb_agg(jsonb_build_object('type', split_part(e, ' ', 2), 'ts', day + split_part(e, ' ', 1)::interval,
                                            'user_id', user_id) ORDER BY n)
        FROM string_to_table(events, ', ') WITH ORDINALITY AS s (e, n)), project)
$$;
-- Sends one event of each of the users first to last.
CREATE FUNCTION pg_temp.send_users(project text, type text, at timestamptz, first int, last int,
                                   prefix text DEFAULT 'u') RETURNS bigint LANGUAGE sql AS $$
    SELECT inserted FROM ingest_events((
        SELECT jsonb_agg(jsonb_build_object('type', type, 'ts', at, 'user_id', prefix || n) ORDER BY n)
        FROM generate_series(first, last) AS n), project)
$$;

------------------------------------------------------------------------------------------------------------------------
-- ClickHouse, "Parametric aggregate functions"
------------------------------------------------------------------------------------------------------------------------

-- windowFunnel: one user logs in (1003), orders (1009), searches (1007), orders again (1010). With the chain 1003,
-- 1009, 1007, 1010 and a window of ages, the page's answer is level 4, c 1.
SELECT pg_temp.send_at('clickhouse trend', '1', '2019-01-29 00:00Z', '10:00 1003, 57:00 1007, 32:00 1009, 80:00 1010');
SELECT event_type, occurred_at FROM events_list('clickhouse trend') ORDER BY occurred_at;
SELECT level, count(*) AS c
FROM (SELECT user_id, window_funnel('30 days', occurred_at, event_type = '1003', event_type = '1009',
                                    event_type = '1007', event_type = '1010') AS level
      FROM events_list('clickhouse trend') GROUP BY user_id) AS levels
GROUP BY level ORDER BY level;
SELECT * FROM funnel(ARRAY['1003', '1009', '1007', '1010'], '2019-01-01', '2019-02-02', '30 days',
                     project => 'clickhouse trend');
-- In the order of the page's story (1003, 1007, 1009, 1010) the order came before the search: level 2. In a window of
-- two days the last comes too late: level 3.
SELECT step_no, step, users
FROM funnel(ARRAY['1003', '1007', '1009', '1010'], '2019-01-01', '2019-02-02', '30 days',
            project => 'clickhouse trend');
SELECT step_no, step, users
FROM funnel(ARRAY['1003', '1009', '1007', '1010'], '2019-01-01', '2019-02-02', '2 days', project => 'clickhouse trend');
SELECT window_funnel('30 days', occurred_at, event_type = '1003', event_type = '1007', event_type = '1009',
                     event_type = '1010') AS story,
       window_funnel('2 days', occurred_at, event_type = '1003', event_type = '1009', event_type = '1007',
                     event_type = '1010') AS two_days
FROM events_list('clickhouse trend');

-- windowFunnel, mode strict_order: in A, B, D, C the search for A, B, C stops at D; the level is 2. So does 'strict'.
SELECT pg_temp.send('clickhouse strict', 'u', '2024-01-10 10:00Z', 'A B D C');
SELECT step_no, step, users
FROM funnel(ARRAY['A', 'B', 'C'], :day, '1 hour', 'strict', project => 'clickhouse strict');
SELECT window_funnel('1 hour', 'strict_order', occurred_at, event_type = 'A', event_type = 'B', event_type = 'C')
           AS strict_order,
       window_funnel('1 hour', occurred_at, event_type = 'A', event_type = 'B', event_type = 'C') AS by_default
FROM events_list('clickhouse strict');

-- retention: users 0 to 4 came on the first day, 0 to 9 on the second, 0 to 14 on the third. The page has r1 = 5, r2 =
-- 5, r3 = 5: who did not come on the first day counts nowhere.
SELECT pg_temp.send_users('clickhouse retention', 'visit', '2020-01-01 12:00Z', 0, 4)
     + pg_temp.send_users('clickhouse retention', 'visit', '2020-01-02 12:00Z', 0, 9)
     + pg_temp.send_users('clickhouse retention', 'visit', '2020-01-03 12:00Z', 0, 14) AS inserted;
SELECT * FROM retention('2020-01-01', 2, 'day', project => 'clickhouse retention');
SELECT * FROM dau('2020-01-01', '2020-01-03', project => 'clickhouse retention');

-- These are stitched from here on; the ones that follow are pending until the end.
SELECT events, remaining FROM stitch_pending();
SELECT * FROM retention('2020-01-01', 2, 'day', project => 'clickhouse retention');

------------------------------------------------------------------------------------------------------------------------
-- Mixpanel, "Funnels Advanced Concepts"
------------------------------------------------------------------------------------------------------------------------

-- Conversion Window: A at 1:00, A at 1:30, B at 1:45, C at 2:15; one hour. The user converts to B, and times out: the A
-- of 1:30 does not open the window again. The window is inclusive: C is 75 minutes after the first A.
SELECT pg_temp.send_at('mixpanel window', 'u', '2024-01-10 00:00Z', '13:00 A, 13:30 A, 13:45 B, 14:15 C');
SELECT * FROM funnel(ARRAY['A', 'B', 'C'], :day, '1 hour', project => 'mixpanel window');
SELECT "window", users
FROM (VALUES (interval '75 minutes'), ('74 minutes 59.999999 seconds')) AS v ("window"),
     funnel(ARRAY['A', 'B', 'C'], :day, v."window", project => 'mixpanel window')
WHERE step_no = 3 ORDER BY 1;

-- Optimized Re-entry. Scenario 1 is A, the window ends, A, B; scenario 2 is A, A, the window of the first A ends, B: in
-- Mixpanel's default mode, as here, neither user converts. The third, A, A, A, B, does, in the time from the first A.
-- With Optimized Re-entry on all three convert; that is what windowFunnel's search for the longest chain gives.
SELECT user_id, pg_temp.send_at('mixpanel re-entry', user_id, '2024-01-10 00:00Z', events)
FROM (VALUES ('1', '10:00 A, 12:00 A, 12:10 B'), ('2', '10:00 A, 10:30 A, 11:15 B'),
             ('3', '10:00 A, 10:01 A, 10:02 A, 10:03 B')) AS v (user_id, events);
SELECT * FROM funnel(ARRAY['A', 'B'], :day, '1 hour', project => 'mixpanel re-entry');
SELECT user_id, window_funnel('1 hour', occurred_at, event_type = 'A', event_type = 'B') AS optimized
FROM events_list('mixpanel re-entry') GROUP BY user_id ORDER BY user_id;

-- Specific Order, A, B, C, D, E: the first three users convert, the fourth drops off after C.
SELECT user_id, pg_temp.send('mixpanel order', user_id, '2024-01-10 10:00Z', types)
FROM (VALUES ('1', 'A B C D E'), ('2', 'A B F C D E'), ('3', 'A B D C D E'), ('4', 'A B C E')) AS v (user_id, types);
SELECT * FROM funnel(ARRAY['A', 'B', 'C', 'D', 'E'], :day, '7 days', project => 'mixpanel order');
-- The same users by Amplitude's Exact order ("How Amplitude computes funnels") and PostHog's Strict order ("Funnels"),
-- in words: no other event between two steps. F stops the second after B, D the third after B, E the fourth after C.
SELECT * FROM funnel(ARRAY['A', 'B', 'C', 'D', 'E'], :day, '7 days', 'strict', project => 'mixpanel order');

-- Any Order, in words: a job application's name, email and title. cara and dov send all three, eve two, fay her email
-- only. Here row n counts who has done n of the steps: 4, 3, 2. By Amplitude's Any order nobody is in the funnel who
-- has not done its first event: fay would not be.
SELECT user_id, pg_temp.send('mixpanel any order', user_id, '2024-01-10 10:00Z', types)
FROM (VALUES ('cara', 'name email title'), ('dov', 'title name email'), ('eve', 'name title'), ('fay', 'email'))
    AS v (user_id, types);
SELECT * FROM funnel(ARRAY['name', 'email', 'title'], :day, '7 days', 'unordered', project => 'mixpanel any order');
SELECT * FROM funnel(ARRAY['name', 'email', 'title'], :day, '7 days', project => 'mixpanel any order');

-- Hold Property Constant, in words: browse, add and purchase the same item: 2, 1, 1, for gus has added another one.
-- There is no such option here; calls that are filtered by each item have the same parts.
SELECT inserted FROM ingest_events('[
    {"type": "browse", "ts": "2024-01-10T10:00:00Z", "user_id": "gus", "item": "shirt"},
    {"type": "add", "ts": "2024-01-10T10:01:00Z", "user_id": "gus", "item": "jeans"},
    {"type": "purchase", "ts": "2024-01-10T10:02:00Z", "user_id": "gus", "item": "jeans"},
    {"type": "browse", "ts": "2024-01-10T10:00:00Z", "user_id": "ida", "item": "hat"},
    {"type": "add", "ts": "2024-01-10T10:01:00Z", "user_id": "ida", "item": "hat"},
    {"type": "purchase", "ts": "2024-01-10T10:02:00Z", "user_id": "ida", "item": "hat"}]', 'mixpanel constant');
SELECT step_no, step, users FROM funnel(ARRAY['browse', 'add', 'purchase'], :day, project => 'mixpanel constant');
SELECT item, step_no, step, users
FROM (VALUES ('hat'), ('jeans'), ('shirt')) AS v (item),
     funnel(ARRAY['browse', 'add', 'purchase'], :day, project => 'mixpanel constant',
            filter => jsonb_build_object('item', item))
ORDER BY item, step_no;

-- User Count in Breakdown: Mixpanel shows two entries, shirt and shoes, and one conversion, on shirt: a user enters
-- once a value. Here a member enters once, and belongs to the event that opened the window: shirt.
SELECT inserted FROM ingest_events('[
    {"type": "Browse Product", "ts": "2024-01-10T10:00:00Z", "user_id": "u", "item": "shirt"},
    {"type": "Browse Product", "ts": "2024-01-10T10:01:00Z", "user_id": "u", "item": "jeans"},
    {"type": "Add to Cart", "ts": "2024-01-10T10:02:00Z", "user_id": "u"},
    {"type": "Browse Product", "ts": "2024-01-10T10:03:00Z", "user_id": "u", "item": "shoes"}]', 'mixpanel breakdown');
SELECT * FROM funnel_by('$.item', ARRAY['Browse Product', 'Add to Cart'], :day, project => 'mixpanel breakdown');

-- Filters: View Item on Chrome; more than an hour later View Item and Add to Cart on Safari, and Purchase without a
-- browser; one hour. The page: without a filter one entry and no conversion; with an inline filter for Safari on View
-- Item converted to the end; with one on each step, to the second step. The argument filter is that of each step.
SELECT inserted FROM ingest_events('[
    {"type": "View Item", "ts": "2024-01-10T09:00:00Z", "user_id": "u", "browser": "Chrome"},
    {"type": "View Item", "ts": "2024-01-10T10:30:00Z", "user_id": "u", "browser": "Safari"},
    {"type": "Add to Cart", "ts": "2024-01-10T10:40:00Z", "user_id": "u", "browser": "Safari"},
    {"type": "Purchase", "ts": "2024-01-10T10:50:00Z", "user_id": "u"}]', 'mixpanel filters');
SELECT step_no, step, users
FROM funnel(ARRAY['View Item', 'Add to Cart', 'Purchase'], :day, '1 hour', project => 'mixpanel filters');
SELECT step_no, step, users
FROM funnel('[{"event_type": "View Item", "filter": {"browser": "Safari"}, "name": "View Item on Safari"},
              "Add to Cart", "Purchase"]'::jsonb, :day, '1 hour', project => 'mixpanel filters');
SELECT step_no, step, users
FROM funnel('[{"event_type": "View Item", "filter": {"browser": "Safari"}},
              {"event_type": "Add to Cart", "filter": {"browser": "Safari"}},
              {"event_type": "Purchase", "filter": {"browser": "Safari"}}]'::jsonb, :day, '1 hour',
            project => 'mixpanel filters');
SELECT step_no, step, users
FROM funnel(ARRAY['View Item', 'Add to Cart', 'Purchase'], :day, '1 hour', project => 'mixpanel filters',
            filter => '{"browser": "Safari"}');
-- Mixpanel's global filter is applied after the funnel: by it nobody entered on Safari. Here funnel_by() tells that.
SELECT value, step_no, step, users
FROM funnel_by('$.browser', ARRAY['View Item', 'Add to Cart', 'Purchase'], :day, '1 hour',
               project => 'mixpanel filters');

------------------------------------------------------------------------------------------------------------------------
-- Mixpanel, "Funnels FAQ", "Flows"
------------------------------------------------------------------------------------------------------------------------

-- Simultaneous events: within two seconds B, A is as good as A, B (Amplitude: within one). Not here: time decides (user
-- 1), and of the same instant arrival (user 2 sent A first, user 3 B). 'unordered' takes either.
SELECT user_id, pg_temp.send_at('mixpanel simultaneous', user_id, '2024-01-10 00:00Z', events)
FROM (VALUES ('1', '10:00:00 B, 10:00:01 A'), ('2', '10:00 A, 10:00 B'), ('3', '10:00 B, 10:00 A'))
    AS v (user_id, events);
SELECT * FROM funnel(ARRAY['A', 'B'], :day, project => 'mixpanel simultaneous');
SELECT * FROM funnel(ARRAY['A', 'B'], :day, ordering => 'unordered', project => 'mixpanel simultaneous');

-- Several events for one step, in words: A or B, then C.
SELECT user_id, pg_temp.send('mixpanel custom events', user_id, '2024-01-10 10:00Z', types)
FROM (VALUES ('1', 'A C'), ('2', 'B C'), ('3', 'C')) AS v (user_id, types);
SELECT step_no, step, users
FROM funnel('[{"event_type": ["A", "B"], "name": "A or B"}, "C"]'::jsonb, :day, project => 'mixpanel custom events');

-- Funnels and Insights: Step1, Step1, Step2 enters the funnel once, though there are two events of step 1.
SELECT pg_temp.send('mixpanel insights', 'u', '2024-01-10 10:00Z', 'Step1 Step1 Step2');
SELECT step_no, step, users FROM funnel(ARRAY['Step1', 'Step2'], :day, project => 'mixpanel insights');
SELECT * FROM top_events(:day, project => 'mixpanel insights');

-- "Dropped off even though just completed": there it can take 24 hours until what a visitor did before he logged in is
-- tied to him. Here it is at once, stitched or not. identity 'user' has what was sent with a user_id, and View was not.
SELECT inserted FROM ingest_events('[
    {"type": "View", "ts": "2024-01-10T10:00:00Z", "anonymous_id": "cookie"},
    {"type": "Log In", "ts": "2024-01-10T10:05:00Z", "anonymous_id": "cookie", "user_id": "jo"},
    {"type": "Buy", "ts": "2024-01-10T10:10:00Z", "user_id": "jo"}]', 'mixpanel identity');
SELECT * FROM funnel(ARRAY['View', 'Buy'], :day, project => 'mixpanel identity', identity => 'journey');
SELECT * FROM funnel(ARRAY['View', 'Buy'], :day, project => 'mixpanel identity');

-- "Flows", in words: what did users do after signing up? Two took the tour, after 1 and 3 minutes, one invited at once.
SELECT user_id, pg_temp.send('mixpanel flows', user_id, '2024-01-10 10:00Z', types, apart)
FROM (VALUES ('1', 'Landing SignUp Tour Invite', interval '1 minute'), ('2', 'Landing SignUp Invite', '1 minute'),
             ('3', 'Landing', '1 minute'), ('4', 'Landing SignUp Tour', '3 minutes')) AS v (user_id, types, apart);
SELECT * FROM paths(:day, 'SignUp', 2, project => 'mixpanel flows');

------------------------------------------------------------------------------------------------------------------------
-- Mixpanel, "Query Retention Report", "Retention", "Sessions"
------------------------------------------------------------------------------------------------------------------------

-- "Query Retention Report": users who did event integration, by day first 2, 10, 10, and who then viewed the report,
-- counts [2, 1, 2], [9, 7, 6], [9, 6, 4]. Each first number is of the same interval: here row 0 is the cohort, and a
-- funnel of 24 hours says it. The others are windows 1 and 2. (The events are an hour apart, so that 24 hours and days
-- are the same.)
SELECT day, pg_temp.send_users('mixpanel query', 'integration', day + interval '12 hours', 1, size, prefix)
          + pg_temp.send_users('mixpanel query', 'report', day + interval '13 hours', 1, day_0, prefix)
          + pg_temp.send_users('mixpanel query', 'report', day + interval '37 hours', size - day_1 + 1, size, prefix)
          + pg_temp.send_users('mixpanel query', 'report', day + interval '61 hours', 1, day_2, prefix) AS inserted
FROM (VALUES (timestamptz '2012-01-01', 'a', 2, 2, 1, 2), ('2012-01-02', 'b', 10, 9, 7, 6),
             ('2012-01-03', 'c', 10, 9, 6, 4)) AS v (day, prefix, size, day_0, day_1, day_2);
SELECT * FROM retention_matrix('2012-01-01', '2012-01-05', 'day', 'new', 'integration', 'report',
                               project => 'mixpanel query')
WHERE cohort_start <= '2012-01-03' AND window_no <= 2;
SELECT day, step_no, step, users
FROM (VALUES (date '2012-01-01'), ('2012-01-02'), ('2012-01-03')) AS v (day),
     funnel(ARRAY['integration', 'report'], day, day, '24 hours', project => 'mixpanel query')
ORDER BY day, step_no;

-- "Retention", On and On or After, in words (PostHog's "Retention" and Amplitude's "Interpret your retention analysis"
-- say the same): day 5 is who came back on the fifth day, or then or later. User 1 comes on day 5, 2 on day 7, 3 never.
SELECT user_id, pg_temp.send_at('mixpanel on or after', user_id, '2024-01-10 00:00Z', events)
FROM (VALUES ('1', '20:00 open, 128:00 open'), ('2', '20:00 open, 176:00 open'), ('3', '20:00 open'))
    AS v (user_id, events);
SELECT * FROM retention('2024-01-10', 8, 'day', project => 'mixpanel on or after');
SELECT * FROM retention('2024-01-10', 8, 'day', criterion => 'on_or_after', project => 'mixpanel on or after');

-- "Retention", Calendar Retention Mode: 8 pm on Monday and 6 am on Tuesday is day 1, Friday and Monday is week 1, 25
-- February and 3 March is month 1. Our windows are calendar's; Mixpanel's default, rolling mode counts none of the
-- three.
SELECT type, at, pg_temp.send('mixpanel calendar', 'u', at, type)
FROM (VALUES ('workout', timestamptz '2024-02-19 20:00Z'), ('workout', '2024-02-20 06:00Z'),
             ('visit', '2024-02-23 12:00Z'), ('visit', '2024-02-26 12:00Z'),
             ('purchase', '2024-02-25 12:00Z'), ('purchase', '2024-03-03 12:00Z')) AS v (type, at);
SELECT * FROM retention('2024-02-19', 1, 'day', event_type => 'workout', project => 'mixpanel calendar');
SELECT * FROM retention('2024-02-19', 1, 'week', event_type => 'visit', project => 'mixpanel calendar');
SELECT * FROM retention('2024-02-01', 1, 'month', event_type => 'purchase', project => 'mixpanel calendar');

-- "Retention", User Cohort Buckets: who purchased in each week is in each bucket, not only that of the first purchase:
-- cohort 'active'. In PostHog's first time retention ("Retention") users are in one cohort only: cohort 'new'.
SELECT pg_temp.send('mixpanel buckets', 'u', '2024-01-03 12:00Z', 'purchase purchase purchase', '7 days');
SELECT * FROM retention_matrix('2024-01-01', '2024-01-21', 'week', project => 'mixpanel buckets');
SELECT * FROM retention_matrix('2024-01-01', '2024-01-21', 'week', 'new', project => 'mixpanel buckets');

-- "Sessions", Example 1 of a timeout of 30 minutes: two sessions, of 10 and of 35 minutes.
SELECT pg_temp.send_at('mixpanel session 1', 'u', '2024-01-10 00:00Z', '13:00 A, 13:10 B, 13:50 C, 14:10 D, 14:25 E');
SELECT * FROM sessions('u', project => 'mixpanel session 1');
-- Example 2: Mixpanel cuts it at midnight, into 20 and 5 minutes. Here it is one of 40.
SELECT pg_temp.send_at('mixpanel session 2', 'u', '2024-01-10 00:00Z', '23:30 A, 23:50 B, 24:05 C, 24:10 D');
SELECT * FROM sessions('u', project => 'mixpanel session 2');
-- Session Timeout, of 15 minutes: StartGame after 14 minutes begins the timeout anew; 16 later the session has ended,
-- at StartGame.
SELECT pg_temp.send_at('mixpanel session 3', 'u', '2024-01-10 00:00Z', '13:00 LogIn, 13:14 StartGame, 13:30 LogIn');
SELECT * FROM sessions('u', '15 minutes', project => 'mixpanel session 3');

------------------------------------------------------------------------------------------------------------------------
-- PostHog
------------------------------------------------------------------------------------------------------------------------

-- "Funnels", Adding steps, in words: between two steps any events (sequential) or none (strict); or in any sequence.
SELECT user_id, pg_temp.send('posthog order', user_id, '2024-01-10 10:00Z', types)
FROM (VALUES ('1', 'A B'), ('2', 'A x B'), ('3', 'B A'), ('4', 'B x A')) AS v (user_id, types);
SELECT ordering, step_no, users
FROM (VALUES ('ordered'), ('strict'), ('unordered')) AS v (ordering),
     funnel(ARRAY['A', 'B'], :day, '14 days', v.ordering, project => 'posthog order')
ORDER BY 1, 2;

-- "Funnels", Duplicate steps: clicked button, and clicked button filtered for Sign Up, takes two clicks. User 1 clicked
-- Sign Up only, user 2 Sign Up and then Menu, user 3 Menu and then Sign Up.
SELECT inserted FROM ingest_events('[
    {"type": "click", "ts": "2024-01-10T10:00:00Z", "user_id": "1", "button": "Sign Up"},
    {"type": "click", "ts": "2024-01-10T10:00:00Z", "user_id": "2", "button": "Sign Up"},
    {"type": "click", "ts": "2024-01-10T10:01:00Z", "user_id": "2", "button": "Menu"},
    {"type": "click", "ts": "2024-01-10T10:00:00Z", "user_id": "3", "button": "Menu"},
    {"type": "click", "ts": "2024-01-10T10:01:00Z", "user_id": "3", "button": "Sign Up"}]', 'posthog duplicate steps');
SELECT ordering, step_no, step, users
FROM (VALUES ('ordered'), ('strict'), ('unordered')) AS v (ordering),
     funnel('["click", {"event_type": "click", "filter": {"button": "Sign Up"}, "name": "Sign Up"}]'::jsonb,
            :day, '14 days', v.ordering, project => 'posthog duplicate steps')
ORDER BY 1, 2;

-- "Funnels", First occurrence matching filters: /pricing is passed over, /about is matched. (First-ever occurrence, by
-- which the user would drop out, does not exist here.)
SELECT inserted FROM ingest_events('[
    {"type": "$pageview", "ts": "2024-01-10T10:00:00Z", "user_id": "u", "path": "/pricing"},
    {"type": "$pageview", "ts": "2024-01-10T10:01:00Z", "user_id": "u", "path": "/about"}]',
    'posthog first occurrence');
SELECT step_no, step, users
FROM funnel('[{"event_type": "$pageview", "filter": {"path": "/about"}, "name": "/about"}]'::jsonb, :day,
            project => 'posthog first occurrence');

-- "Funnels", Attribution types, First touchpoint: user 1, $pageview with Chrome and user signed up with Firefox, is
-- Chrome. User 2 is the example of All steps, which counts him in Chrome (all steps) and in Firefox (the first): here
-- he is Chrome's. User 3's first step has no browser: PostHog's first touchpoint takes the next one, ours has none.
SELECT inserted FROM ingest_events('[
    {"type": "$pageview", "ts": "2024-01-10T10:00:00Z", "user_id": "1", "browser": "Chrome"},
    {"type": "user signed up", "ts": "2024-01-10T10:01:00Z", "user_id": "1", "browser": "Firefox"},
    {"type": "$pageview", "ts": "2024-01-10T10:00:00Z", "user_id": "2", "browser": "Chrome"},
    {"type": "$pageview", "ts": "2024-01-10T10:01:00Z", "user_id": "2", "browser": "Firefox"},
    {"type": "user signed up", "ts": "2024-01-10T10:02:00Z", "user_id": "2", "browser": "Chrome"},
    {"type": "user posted", "ts": "2024-01-10T10:03:00Z", "user_id": "2", "browser": "Chrome"},
    {"type": "user posted", "ts": "2024-01-10T10:04:00Z", "user_id": "2", "browser": "Firefox"},
    {"type": "$pageview", "ts": "2024-01-10T10:00:00Z", "user_id": "3"},
    {"type": "user signed up", "ts": "2024-01-10T10:01:00Z", "user_id": "3", "browser": "Safari"}]',
    'posthog attribution');
SELECT value, step_no, step, users
FROM funnel_by('$.browser', ARRAY['$pageview', 'user signed up', 'user posted'], :day,
               project => 'posthog attribution');

-- "Lifecycle", in words; today is 20 March. lia did not send for 10 days, but today: resurrecting. max sent yesterday
-- and today: returning. nia yesterday, but not today: dormant. ora created her account and sent today: new. pat created
-- hers on the 10th and sends for the first time: to PostHog, which asks when the person was created, and to Amplitude
-- ("Interpret your Lifecycle chart") she is resurrecting. Here new is her first such event; without event_type, her
-- first.
SELECT user_id, pg_temp.send_at('posthog lifecycle', user_id, '2024-03-10 00:00Z', events)
FROM (VALUES ('lia', '12:00 sent, 252:00 sent'), ('max', '228:00 sent, 252:00 sent'), ('nia', '228:00 sent'),
             ('ora', '251:00 created, 252:00 sent'), ('pat', '12:00 created, 252:00 sent')) AS v (user_id, events);
SELECT * FROM lifecycle('2024-03-19', '2024-03-21', project => 'posthog lifecycle', event_type => 'sent');
SELECT * FROM lifecycle('2024-03-19', '2024-03-21', project => 'posthog lifecycle');
-- Amplitude's Pulse: (new + resurrected) / dormant.
SELECT day, round((new_users + resurrecting_users)::numeric / NULLIF(dormant_users, 0), 2) AS pulse
FROM lifecycle('2024-03-19', '2024-03-21', project => 'posthog lifecycle');

-- "Stickiness" is another measure there: how many people did it on just 3 of the last 7 days, in words (Mixpanel's
-- Frequency, non-cumulative, too). Ours is daily by monthly active users. Of four people one came on 1 day, two on 3
-- days (user 2 twice a day), one on 7 (and again on the 10th); theirs is a query over the events.
SELECT user_id, pg_temp.send_at('posthog stickiness', user_id, '2024-04-01 00:00Z', events)
FROM (VALUES ('1', '10:00 view, 34:00 view, 58:00 view'),
             ('2', '10:00 view, 11:00 view, 82:00 view, 83:00 view, 154:00 view, 155:00 view'), ('3', '154:00 view'),
             ('4', '10:00 view, 34:00 view, 58:00 view, 82:00 view, 106:00 view, 130:00 view, 154:00 view, ' ||
              '226:00 view')) AS v (user_id, events);
SELECT days, count(*) AS people
FROM (SELECT user_id, count(DISTINCT (occurred_at AT TIME ZONE 'UTC')::date) AS days
      FROM events_list('posthog stickiness', '{"event_type": "view", "since": "2024-04-01", "until": "2024-04-08"}')
      GROUP BY user_id) AS people
GROUP BY days ORDER BY days;
SELECT * FROM stickiness('2024-04-01', '2024-04-10', project => 'posthog stickiness');

-- "Aggregations" of Trends, in words: WAU and MAU are rolling, the unique users of the last 7 days.
SELECT day, w.active_users AS wau, m.active_users AS mau
FROM wau('2024-04-07', '2024-04-14', project => 'posthog stickiness') AS w
JOIN mau('2024-04-07', '2024-04-14', project => 'posthog stickiness') AS m USING (day) ORDER BY day;
SELECT * FROM mau('2024-05-05', '2024-05-07', project => 'posthog stickiness');

-- "User paths": of A to G a step count of 5 keeps the first five events, which are four edges. Ours counts edges.
SELECT pg_temp.send('posthog paths', 'u', '2024-01-10 10:00Z', 'A B C D E F G');
SELECT * FROM paths(:day, max_steps => 4, project => 'posthog paths');
SELECT * FROM paths(:day, project => 'posthog paths');
-- "User paths": Home, Pricing in three sessions counts as 3 there, as a path ends after 30 minutes, and each counts.
-- Here a member has one path, and is counted once a step.
SELECT pg_temp.send_at('posthog sessions of paths', 'u', '2024-01-10 00:00Z',
                       '10:00 Home, 10:01 Pricing, 12:00 Home, 12:01 Pricing, 14:00 Home, 14:01 Pricing');
SELECT * FROM paths(:day, project => 'posthog sessions of paths');

-- "Sessions", in words: a new one after 30 minutes without activity, or when it has lasted 24 hours. With an event
-- every 20 minutes for 25 hours, the first session has those of 24 hours (73), the second the other three.
SELECT pg_temp.send('posthog session', 'u', '2024-01-10 10:00Z', rtrim(repeat('ping ', 76)), '20 minutes');
SELECT * FROM sessions('u', project => 'posthog session');

------------------------------------------------------------------------------------------------------------------------
-- Amplitude, Snowplow
------------------------------------------------------------------------------------------------------------------------

-- "Interpret your Lifecycle chart": who fired on 1 and 2 August is new on the 1st and current (returning) on the 2nd;
-- who was active on 1 January and not on the 2nd is dormant on the 2nd.
SELECT pg_temp.send('amplitude lifecycle', '1', '2023-08-01 12:00Z', 'fired fired', '1 day')
     + pg_temp.send('amplitude lifecycle', '2', '2023-01-01 12:00Z', 'fired') AS inserted;
SELECT * FROM lifecycle('2023-08-01', '2023-08-02', project => 'amplitude lifecycle', event_type => 'fired');
SELECT * FROM lifecycle('2023-01-01', '2023-01-02', project => 'amplitude lifecycle', event_type => 'fired');

-- "How time works in a retention analysis": user 1, on 1 December at 5:59 pm and on the 2nd at 5 pm, is retained on day
-- 1. User 2, 1 and 6 December, is in week zero by windows of 7 days, and in week 1 by calendar weeks from Monday: our
-- windows begin at start_date, so both can be asked for. User 3, 6 and 12 December: month zero.
SELECT user_id, pg_temp.send_at('amplitude time', user_id, '2021-12-01 00:00Z', events)
FROM (VALUES ('1', '17:59 daily, 41:00 daily'), ('2', '12:00 weekly, 132:00 weekly'),
             ('3', '132:00 monthly, 276:00 monthly')) AS v (user_id, events);
SELECT * FROM retention('2021-12-01', 1, 'day', event_type => 'daily', project => 'amplitude time');
SELECT * FROM retention('2021-12-01', 1, 'week', event_type => 'weekly', project => 'amplitude time');
SELECT * FROM retention('2021-11-29', 1, 'week', event_type => 'weekly', project => 'amplitude time');
SELECT * FROM retention('2021-12-01', 1, 'month', event_type => 'monthly', project => 'amplitude time');

-- The same page: of the 254 users of 7 June 72 return on 10 June (28.3 %), and 168 on 10 June or after (66.1 %).
SELECT pg_temp.send_users('amplitude types', 'start', '2021-06-07 12:00Z', 1, 254)
     + pg_temp.send_users('amplitude types', 'return', '2021-06-10 12:00Z', 1, 72)
     + pg_temp.send_users('amplitude types', 'return', '2021-06-12 12:00Z', 60, 168) AS inserted;
SELECT * FROM retention('2021-06-07', 4, 'day', start_event => 'start', return_event => 'return',
                        project => 'amplitude types');
SELECT * FROM retention('2021-06-07', 4, 'day', start_event => 'start', return_event => 'return',
                        criterion => 'on_or_after', project => 'amplitude types');

-- "How Amplitude computes funnels": four searches and an add to cart are one conversion; A, A, B takes A twice, then B.
SELECT user_id, pg_temp.send('amplitude repeats', user_id, '2024-01-10 10:00Z', types)
FROM (VALUES ('1', 'search search search search add_to_cart'), ('2', 'A A B'), ('3', 'A B'), ('4', 'A B A'))
    AS v (user_id, types);
SELECT * FROM funnel(ARRAY['search', 'add_to_cart'], :day, project => 'amplitude repeats');
SELECT * FROM funnel(ARRAY['A', 'A', 'B'], :day, project => 'amplitude repeats');

-- "How Amplitude computes conversions through funnels", Scenario 2: landing page A, registered; pages A and B,
-- registered; pages A and B, not registered. All are page A's, and two of them converted; none is page B's.
SELECT inserted FROM ingest_events('[
    {"type": "landing", "ts": "2024-01-10T10:00:00Z", "user_id": "1", "page": "A"},
    {"type": "registration", "ts": "2024-01-10T10:05:00Z", "user_id": "1"},
    {"type": "landing", "ts": "2024-01-10T10:00:00Z", "user_id": "2", "page": "A"},
    {"type": "landing", "ts": "2024-01-11T10:00:00Z", "user_id": "2", "page": "B"},
    {"type": "registration", "ts": "2024-01-11T10:05:00Z", "user_id": "2"},
    {"type": "landing", "ts": "2024-01-10T10:00:00Z", "user_id": "3", "page": "A"},
    {"type": "landing", "ts": "2024-01-11T10:00:00Z", "user_id": "3", "page": "B"}]', 'amplitude landing pages');
SELECT * FROM funnel_by('$.page', ARRAY['landing', 'registration'], '2024-01-10', '2024-01-11',
                        project => 'amplitude landing pages');

-- Snowplow, "Basic server-side sessionization in SQL": a new session when 30 or more minutes have passed since the last
-- event. Here just 30 minutes are still the same session, and a microsecond more is not; a shorter timeout gives
-- Snowplow's three.
SELECT pg_temp.send_at('snowplow', 'u', '2024-01-10 00:00Z',
                       '10:00 page_view, 10:30 page_ping, 11:00:00.000001 page_view');
SELECT * FROM sessions('u', project => 'snowplow');
SELECT * FROM sessions('u', '29 minutes 59.999999 seconds', project => 'snowplow');

------------------------------------------------------------------------------------------------------------------------
-- Pending and stitched are the same
------------------------------------------------------------------------------------------------------------------------

-- Of each function an example of those above, before and after stitching.
CREATE TEMP VIEW answers AS
SELECT 'window' AS example, to_jsonb(a) AS answer
FROM funnel(ARRAY['A', 'B', 'C'], :day, '1 hour', project => 'mixpanel window') AS a
UNION ALL SELECT 'strict', to_jsonb(a)
FROM funnel(ARRAY['A', 'B', 'C', 'D', 'E'], :day, '7 days', 'strict', project => 'mixpanel order') AS a
UNION ALL SELECT 'any order', to_jsonb(a)
FROM funnel(ARRAY['name', 'email', 'title'], :day, '7 days', 'unordered', project => 'mixpanel any order') AS a
UNION ALL SELECT 'simultaneous', to_jsonb(a)
FROM funnel(ARRAY['A', 'B'], :day, project => 'mixpanel simultaneous') AS a
UNION ALL SELECT 'identity', to_jsonb(a)
FROM funnel(ARRAY['View', 'Buy'], :day, project => 'mixpanel identity', identity => 'journey') AS a
UNION ALL SELECT 'attribution', to_jsonb(a)
FROM funnel_by('$.browser', ARRAY['$pageview', 'user signed up', 'user posted'], :day,
               project => 'posthog attribution') AS a
UNION ALL SELECT 'matrix', to_jsonb(a)
FROM retention_matrix('2012-01-01', '2012-01-05', 'day', 'new', 'integration', 'report',
                      project => 'mixpanel query') AS a
UNION ALL SELECT 'on or after', to_jsonb(a)
FROM retention('2024-01-10', 8, 'day', criterion => 'on_or_after', project => 'mixpanel on or after') AS a
UNION ALL SELECT 'sessions', to_jsonb(a) FROM sessions('u', project => 'mixpanel session 1') AS a
UNION ALL SELECT 'flows', to_jsonb(a) FROM paths(:day, 'SignUp', 2, project => 'mixpanel flows') AS a
UNION ALL SELECT 'lifecycle', to_jsonb(a)
FROM lifecycle('2024-03-19', '2024-03-21', project => 'posthog lifecycle', event_type => 'sent') AS a
UNION ALL SELECT 'stickiness', to_jsonb(a)
FROM stickiness('2024-04-01', '2024-04-10', project => 'posthog stickiness') AS a
UNION ALL SELECT 'wau', to_jsonb(a) FROM wau('2024-04-07', '2024-04-14', project => 'posthog stickiness') AS a
UNION ALL SELECT 'mau', to_jsonb(a) FROM mau('2024-05-05', '2024-05-07', project => 'posthog stickiness') AS a;
CREATE TEMP TABLE while_pending AS TABLE answers;
SELECT events > 0 AS stitched, remaining FROM stitch_pending();
CREATE TEMP TABLE when_stitched AS TABLE answers;
SELECT example, count(p) AS while_pending, count(s) AS when_stitched,
       count(*) FILTER (WHERE p IS NULL OR s IS NULL) AS different
FROM while_pending AS p FULL JOIN when_stitched AS s USING (example, answer) GROUP BY example
ORDER BY example COLLATE "C";

------------------------------------------------------------------------------------------------------------------------
-- Larger ones
------------------------------------------------------------------------------------------------------------------------

-- Amplitude, "How the Retention Analysis chart calculates retention": of 9,644 users of 1 April 6,594 returned on 4
-- April (68.4 %), 6,633 on 4 April or later (68.8 %).
SELECT pg_temp.send_users('amplitude calculation', 'start', '2019-04-01 12:00Z', 1, 9644)
     + pg_temp.send_users('amplitude calculation', 'return', '2019-04-04 12:00Z', 1, 6594)
     + pg_temp.send_users('amplitude calculation', 'return', '2019-04-07 12:00Z', 6595, 6633) AS inserted;
-- Mixpanel, "Retention", how the Average row is calculated: 1 March 1000 and 500 on day 1, 2 March 500 and 400, 3 March
-- 700 and 10, which is not complete. Mixpanel weights each cohort by its size twice: 56 %. Of all users it is 60. We
-- have no such row.
SELECT pg_temp.send_users('mixpanel average', 'A', day + interval '12 hours', 1, size, prefix)
     + pg_temp.send_users('mixpanel average', 'B', day + interval '36 hours', 1, retained, prefix) AS inserted
FROM (VALUES (timestamptz '2024-03-01', 'a', 1000, 500), ('2024-03-02', 'b', 500, 400), ('2024-03-03', 'c', 700, 10))
    AS v (day, prefix, size, retained);
SELECT events, remaining FROM stitch_pending();
SELECT * FROM retention('2019-04-01', 3, 'day', start_event => 'start', return_event => 'return',
                        project => 'amplitude calculation') WHERE window_no = 3;
SELECT * FROM retention('2019-04-01', 3, 'day', start_event => 'start', return_event => 'return',
                        criterion => 'on_or_after', project => 'amplitude calculation') WHERE window_no = 3;
SELECT * FROM retention_matrix('2024-03-01', '2024-03-03', 'day', start_event => 'A', return_event => 'B',
                               project => 'mixpanel average');
SELECT round(100 * sum(retained_users * cohort_size) / sum(cohort_size * cohort_size), 1) AS mixpanel_average,
       round(100 * sum(retained_users) / sum(cohort_size), 1) AS of_all_users
FROM retention_matrix('2024-03-01', '2024-03-03', 'day', start_event => 'A', return_event => 'B',
                      project => 'mixpanel average')
WHERE window_no = 1;

SELECT * FROM verify() WHERE violations <> 0;
SELECT clean();
RESET search_path;
