-- A month of a shop's events, the same on every run: who came when, on which device, and did what.
-- psql variables: shoppers, days, first_day.
--
-- Some shoppers stay anonymous on one device. The others browse on a phone first, then on the web, where
-- they log in on their third visit (on the second if there is no third), and later come back on phone, web
-- and tablet; on the tablet they pay. Phone and web come together in one of two ways: by the e-mail address
-- left on the phone and given again at the login, or by logging in on the phone's app too.

-- A number in [0, 1) that depends on its arguments alone.
CREATE FUNCTION demo.dice(shopper integer, what text, n integer DEFAULT 0) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('x' || left(md5(shopper || '/' || what || '/' || n), 8))::bit(32)::bigint / 4294967296.0::double precision;

-- An opaque identifier, likewise.
CREATE FUNCTION demo.token(shopper integer, what text, n integer DEFAULT 0) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(md5(what || '/' || shopper || '/' || n), 16);

CREATE TABLE demo.shoppers AS
SELECT n AS shopper,
       demo.dice(n, 'anonymous') < 0.35 AS stays_anonymous,
       demo.dice(n, 'link') < 0.5 AS gives_email_on_phone,
       CASE WHEN demo.dice(n, 'device') < 0.6 THEN 'phone' ELSE 'web' END AS first_device,
       floor(:days * demo.dice(n, 'first day') ^ 1.7)::integer AS first_day,
       0.5 + demo.dice(n, 'loyalty') AS loyalty
FROM generate_series(1, :shoppers) AS n;

-- People come back less from week to week, and more at weekends.
CREATE TABLE demo.visits AS
WITH came AS (
    SELECT s.*, d AS day, row_number() OVER (PARTITION BY s.shopper ORDER BY d)::integer AS visit,
           CASE WHEN NOT stays_anonymous THEN LEAST(count(*) OVER (PARTITION BY s.shopper), 3) END AS login_visit
    FROM demo.shoppers s
    CROSS JOIN generate_series(0, :days - 1) AS d
    WHERE d = s.first_day
       OR d > s.first_day
          AND demo.dice(s.shopper, 'visit', d) < 0.3 * s.loyalty * 0.65 ^ ((d - s.first_day) / 7)
              * (ARRAY[0.8, 0.85, 0.9, 1.0, 1.2, 1.5, 1.4])[extract(isodow FROM date :'first_day' + d)]
)
SELECT shopper, visit, login_visit, stays_anonymous, gives_email_on_phone,
       CASE WHEN stays_anonymous THEN first_device
            WHEN visit = 1 THEN 'phone'
            WHEN visit <= login_visit THEN 'web'
            WHEN demo.dice(shopper, 'device', visit) < 0.4 THEN 'tablet'
            WHEN demo.dice(shopper, 'device', visit) < 0.7 THEN 'web'
            ELSE 'phone' END AS device,
       2 + floor(8 * demo.dice(shopper, 'steps', visit) ^ 1.7)::integer AS steps,
       (date :'first_day' + day)::timestamp AT TIME ZONE 'UTC' + interval '1 hour'
           * (6 + 8 * demo.dice(shopper, 'hour', visit) + 8 * demo.dice(shopper, 'later', visit)) AS starts_at
FROM came;

-- One row an event. Behind the last step of the login's visit may come two of a login on the phone's app.
CREATE TABLE demo.steps AS
WITH stepped AS (
    SELECT v.shopper, v.visit, n AS step, v.steps, v.stays_anonymous, v.gives_email_on_phone,
           COALESCE(v.visit > v.login_visit, false) AS has_logged_in,
           COALESCE(v.visit = v.login_visit AND v.visit > 1, false) AS logs_in,
           CASE WHEN n >= v.steps THEN 'phone' ELSE v.device END AS device,
           (v.shopper * 100 + v.visit) * 100 + n AS number,
           v.starts_at + make_interval(secs => 60 * n + 50 * demo.dice(v.shopper, 'second ' || v.visit, n)) AS occurred_at
    FROM demo.visits v
    CROSS JOIN LATERAL generate_series(0, v.steps - 1 + CASE
        WHEN v.visit = v.login_visit AND v.visit > 1 AND NOT v.gives_email_on_phone THEN 2 ELSE 0 END) AS n
), typed AS (
    SELECT *,
           CASE
               WHEN step = steps + 1 OR logs_in AND step = 1 THEN 'login'
               WHEN step IN (0, steps) THEN CASE device WHEN 'web' THEN 'page_view' ELSE 'app_open' END
               WHEN visit = 1 AND NOT stays_anonymous AND gives_email_on_phone AND step = steps - 1 THEN 'newsletter_signup'
               WHEN has_logged_in AND step >= steps - 2
                    AND demo.dice(shopper, 'buys', visit) < CASE device WHEN 'tablet' THEN 0.6 ELSE 0.15 END
                    THEN CASE WHEN step = steps - 1 THEN 'purchase' ELSE 'checkout' END
               WHEN demo.dice(shopper, 'type', visit * 100 + step) < 0.2 THEN 'search'
               WHEN demo.dice(shopper, 'type', visit * 100 + step) < 0.3 THEN 'add_to_cart'
               ELSE 'product_view' END AS event_type
    FROM stepped
)
SELECT shopper, number, device, event_type, date_trunc('milliseconds', occurred_at) AS occurred_at,
       left(md5('event ' || number), 20) AS event_id,
       demo.token(shopper, 'session on ' || device, visit) AS session_id,
       CASE WHEN has_logged_in AND NOT (device = 'phone' AND gives_email_on_phone)
              OR logs_in AND step > 0 AND step <> steps
            THEN 'user-' || shopper END AS user_id,
       CASE WHEN event_type IN ('newsletter_signup', 'purchase') OR event_type = 'login' AND device = 'web'
            THEN 'shopper' || shopper || '@shop.example' END AS email,
       CASE WHEN event_type = 'purchase'
            THEN jsonb_build_object('amount', round((5 + 195 * demo.dice(shopper, 'amount', visit) ^ 2)::numeric, 2), 'currency', 'EUR')
            WHEN event_type = 'search' THEN jsonb_build_object('query', 'shoes ' || number % 50)
            ELSE jsonb_build_object('product', number % 400) END AS properties
FROM typed;

-- The truth to check journeys against: whose event each one is.
CREATE TABLE demo.truth AS
SELECT shopper, event_id, event_type, device, occurred_at FROM demo.steps;
CREATE INDEX ON demo.truth (shopper);

-- The three devices speak three dialects.
CREATE TABLE demo.messages AS
SELECT shopper, number, occurred_at, jsonb_strip_nulls(CASE device
    WHEN 'phone' THEN jsonb_build_object(
        'event_id', event_id, 'event_type', event_type, 'user_id', user_id, 'session_id', session_id,
        'occurred_at', to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'device_id', demo.token(shopper, 'phone'), 'anonymous_id', demo.token(shopper, 'app'),
        'correlations', CASE WHEN email IS NOT NULL THEN jsonb_build_object('email', email) END,
        'source', 'phone', 'properties', properties)
    WHEN 'web' THEN jsonb_build_object(
        'messageId', event_id, 'type', event_type, 'userId', user_id, 'session_id', session_id,
        'timestamp', to_char(occurred_at + interval '2 hours', 'YYYY-MM-DD"T"HH24:MI:SS.MS"+02:00"'),
        'anonymous_id', demo.token(shopper, 'cookie'), 'user_agent', 'Mozilla/5.0',
        'correlations', CASE WHEN email IS NOT NULL THEN jsonb_build_array('email:' || email) END,
        'source', 'web', 'properties', properties)
    ELSE jsonb_build_object(
        'uuid', event_id, 'eventType', event_type, 'distinct_id', user_id, 'session_id', session_id,
        'ts', (extract(epoch FROM occurred_at) * 1000)::bigint,
        'correlations', CASE WHEN email IS NOT NULL THEN jsonb_build_object('email', email) END,
        'source', 'tablet', 'payload', properties)
    END) AS event
FROM demo.steps;

-- In order of arrival: some late, some twice, and some broken on the way.
CREATE TABLE demo.arrivals AS
SELECT number, event, occurred_at + CASE WHEN demo.dice(number, 'late') < 0.03
           THEN interval '36 hours' * demo.dice(number, 'how late') ELSE interval '0' END AS arrives_at
FROM demo.messages
UNION ALL
SELECT number, event, occurred_at + interval '60 hours' * (0.7 + 0.3 * demo.dice(number, 'when again'))
FROM demo.messages
WHERE demo.dice(number, 'again') < 0.02
UNION ALL
SELECT number, CASE number % 4
           WHEN 0 THEN event - '{event_id,messageId,uuid,event_type,type,eventType}'::text[]
           WHEN 1 THEN event - '{event_id,messageId,uuid,occurred_at,timestamp,ts}'::text[] || '{"occurred_at": "a while ago"}'
           WHEN 2 THEN event - '{event_id,messageId,uuid}'::text[] || jsonb_build_object('session_id', repeat('x', 2000))
           ELSE '"heartbeat"' END, occurred_at
FROM demo.messages
WHERE demo.dice(number, 'broken') < 0.004;

INSERT INTO demo.batches (source, batch, events, payload)
SELECT 'shoppers', (n - 1) / 1000, count(*), '[' || string_agg(event::text, ',' ORDER BY n) || ']'
FROM (SELECT event, row_number() OVER (ORDER BY arrives_at, number, event) AS n FROM demo.arrivals) AS arrived
GROUP BY 2;
