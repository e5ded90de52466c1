-- What the analytics must answer, by the definitions of the README alone: plain SQL over one table of raw events,
-- without rollups and without anything of the extension. Each function has the name, the arguments and the columns of
-- the one that it judges, so that the same call serves both; the project is the one that oracle.events was read from.
-- Written to be obviously right rather than fast. Funnels, paths and sessions are in analytics_oracle_sequences.sql.
CREATE SCHEMA oracle;

CREATE UNLOGGED TABLE oracle.events (
    id         bigint PRIMARY KEY,
    at         timestamptz NOT NULL,
    event_id   text NOT NULL,
    event_type text NOT NULL,
    event_name text,
    user_id    text,
    source     text,
    user_agent text,
    properties jsonb NOT NULL,
    keys       text[] NOT NULL,
    journey    text
);

-- The date of an instant: the latest that clocks there have shown until then. It only differs from the date that they
-- show where they were put back over midnight. (No zone here has put them back by more than three hours.)
CREATE FUNCTION oracle.day(at timestamptz, tz text) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN at AT TIME ZONE tz - (at - interval '3 hours') AT TIME ZONE tz >= interval '3 hours'
        THEN (at AT TIME ZONE tz)::date
        ELSE (SELECT max(((at - make_interval(mins => n)) AT TIME ZONE tz)::date) FROM generate_series(0, 180) AS n)
        END
$$;

-- The first instant of a date, by halving: no offset from UTC is more than 30 hours, nor finer than a second.
CREATE UNLOGGED TABLE oracle.day_starts (day date, tz text, starts timestamptz NOT NULL, PRIMARY KEY (day, tz));
CREATE FUNCTION oracle.day_start(day date, tz text) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    midnight timestamptz := day::timestamp AT TIME ZONE 'UTC';
    before integer := -108000;
    after integer := 108000;
    middle integer;
    known timestamptz := (SELECT s.starts FROM oracle.day_starts s WHERE s.day = day_start.day AND s.tz = day_start.tz);
BEGIN
    IF known IS NOT NULL THEN
        RETURN known;
    END IF;
    WHILE after - before > 1 LOOP
        middle := (before + after) / 2;
        IF oracle.day(midnight + make_interval(secs => middle), tz) >= day THEN
            after := middle;
        ELSE
            before := middle;
        END IF;
    END LOOP;
    INSERT INTO oracle.day_starts VALUES (day, tz, midnight + make_interval(secs => after));
    RETURN midnight + make_interval(secs => after);
END
$$;

CREATE FUNCTION oracle.days(start_date date, end_date date) RETURNS TABLE (day date) LANGUAGE sql IMMUTABLE AS $$
    SELECT start_date + n FROM generate_series(0, end_date - start_date) AS n
$$;

CREATE FUNCTION oracle.plus(start_date date, n integer, unit text) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT (start_date + n * ('1 ' || unit)::interval)::date
$$;

CREATE FUNCTION oracle.percent(part bigint, whole bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT round(part * 100.0 / NULLIF(whole, 0), 1)
$$;

-- A length of time in days counts 24 hours each.
CREATE FUNCTION oracle.hours(length interval) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
    SELECT make_interval(secs => extract(epoch FROM length)::double precision)
$$;

-- The number that a JSON value is, or the text in it.
CREATE FUNCTION oracle.number(value jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN jsonb_typeof(value) IN ('number', 'string') AND pg_input_is_valid(value #>> '{}', 'numeric')
        THEN CASE WHEN lower(trim(value #>> '{}')) !~ 'nan|inf' THEN (value #>> '{}')::numeric END
        END
$$;

-- The events that an analysis is about, with their days and members. member is NULL where the event has no user.
CREATE FUNCTION oracle.chosen(tz text, identity text, event_type text, filter jsonb)
RETURNS TABLE (id bigint, at timestamptz, day date, member text, event_type text, event_name text, source text,
               user_agent text, properties jsonb)
LANGUAGE sql STABLE AS $$
    SELECT e.id, e.at, oracle.day(e.at, tz), CASE identity WHEN 'user' THEN e.user_id WHEN 'journey' THEN e.journey END,
           e.event_type, e.event_name, e.source, e.user_agent, e.properties
    FROM oracle.events e
    WHERE (chosen.event_type IS NULL OR e.event_type = chosen.event_type)
      AND (filter IS NULL OR e.properties @> filter)
    OFFSET 0
$$;

-- The way into properties that a JSON path of names and places says, such as $.a.b or $.a[1]
CREATE FUNCTION oracle.way(path text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT string_to_array(translate(substr(path, 3), '[]', '.'), '.')
$$;

-- What an event shows under a breakdown: a column, or such a path.
CREATE FUNCTION oracle.value(event jsonb, breakdown text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN breakdown LIKE '$.%' THEN event -> 'properties' #>> oracle.way(breakdown)
        ELSE event ->> breakdown END
$$;

-- Active users

CREATE FUNCTION oracle.dau(start_date date DEFAULT current_date - 29, end_date date DEFAULT current_date,
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL,
    filter jsonb DEFAULT NULL)
RETURNS TABLE (day date, active_users bigint) LANGUAGE sql STABLE AS $$
    SELECT d.day, count(DISTINCT c.member)
    FROM oracle.days(start_date, end_date) AS d
    LEFT JOIN oracle.chosen(tz, identity, event_type, filter) AS c ON c.day = d.day
    GROUP BY d.day ORDER BY d.day
$$;

-- The spans [first, last] of days, each shown under one day.
CREATE FUNCTION oracle.spans(start_date date, end_date date, mode text, trailing_days integer, unit text)
RETURNS TABLE (day date, first date, last date) LANGUAGE sql STABLE AS $$
    SELECT d.day, d.day - (trailing_days - 1), d.day FROM oracle.days(start_date, end_date) AS d
    WHERE mode = 'trailing'
    UNION
    SELECT b.first, b.first, oracle.plus(b.first, 1, unit) - 1
    FROM (SELECT DISTINCT date_trunc(unit, d.day::timestamp)::date AS first
          FROM oracle.days(start_date, end_date) AS d) AS b
    WHERE mode = 'calendar'
$$;

CREATE FUNCTION oracle.active_in_spans(start_date date, end_date date, mode text, trailing_days integer, unit text,
    tz text, identity text, event_type text, filter jsonb)
RETURNS TABLE (day date, active_users bigint) LANGUAGE sql STABLE AS $$
    SELECT s.day, count(DISTINCT c.member)
    FROM oracle.spans(start_date, end_date, mode, trailing_days, unit) AS s
    LEFT JOIN oracle.chosen(tz, identity, event_type, filter) AS c ON c.day BETWEEN s.first AND s.last
    GROUP BY s.day ORDER BY s.day
$$;

CREATE FUNCTION oracle.wau(start_date date DEFAULT current_date - 29, end_date date DEFAULT current_date,
    mode text DEFAULT 'trailing', project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user',
    event_type text DEFAULT NULL, filter jsonb DEFAULT NULL)
RETURNS TABLE (day date, active_users bigint) LANGUAGE sql STABLE AS $$
    SELECT * FROM oracle.active_in_spans(start_date, end_date, mode, 7, 'week', tz, identity, event_type, filter)
$$;

CREATE FUNCTION oracle.mau(start_date date DEFAULT current_date - 29, end_date date DEFAULT current_date,
    mode text DEFAULT 'trailing', project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user',
    event_type text DEFAULT NULL, filter jsonb DEFAULT NULL)
RETURNS TABLE (day date, active_users bigint) LANGUAGE sql STABLE AS $$
    SELECT * FROM oracle.active_in_spans(start_date, end_date, mode, 30, 'month', tz, identity, event_type, filter)
$$;

CREATE FUNCTION oracle.stickiness(start_date date DEFAULT current_date - 29, end_date date DEFAULT current_date,
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL,
    filter jsonb DEFAULT NULL)
RETURNS TABLE (day date, dau bigint, mau bigint, stickiness numeric) LANGUAGE sql STABLE AS $$
    SELECT d.day, count(DISTINCT c.member) FILTER (WHERE c.day = d.day), count(DISTINCT c.member),
           round(count(DISTINCT c.member) FILTER (WHERE c.day = d.day) * 1.0 / NULLIF(count(DISTINCT c.member), 0), 4)
    FROM oracle.days(start_date, end_date) AS d
    LEFT JOIN oracle.chosen(tz, identity, event_type, filter) AS c ON c.day > d.day - 30 AND c.day <= d.day
    GROUP BY d.day ORDER BY d.day
$$;

CREATE FUNCTION oracle.lifecycle(start_date date DEFAULT current_date - 29, end_date date DEFAULT current_date,
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL,
    filter jsonb DEFAULT NULL)
RETURNS TABLE (day date, new_users bigint, returning_users bigint, resurrecting_users bigint, dormant_users bigint)
LANGUAGE sql STABLE AS $$
    SELECT s.day, count(*) FILTER (WHERE s.today AND NOT s.yesterday AND NOT s.earlier),
           count(*) FILTER (WHERE s.today AND s.yesterday),
           count(*) FILTER (WHERE s.today AND NOT s.yesterday AND s.earlier),
           count(*) FILTER (WHERE NOT s.today AND s.yesterday)
    FROM (SELECT d.day, c.member, bool_or(c.day = d.day) AS today, bool_or(c.day = d.day - 1) AS yesterday,
                 bool_or(c.day < d.day - 1) AS earlier
          FROM oracle.days(start_date, end_date) AS d
          LEFT JOIN oracle.chosen(tz, identity, event_type, filter) AS c ON c.member IS NOT NULL
          GROUP BY d.day, c.member) AS s
    GROUP BY s.day ORDER BY s.day
$$;

-- Retention

-- The rows of one cohort, in windows that begin on these dates; the last date ends the last window. With 'on_or_after'
-- they have no end.
CREATE FUNCTION oracle.cohort(dates date[], cohort text, start_event text, return_event text, criterion text, tz text,
    identity text, filter jsonb)
RETURNS TABLE (window_no integer, window_start date, cohort_size bigint, retained_users bigint, retention_rate numeric)
LANGUAGE sql STABLE AS $$
    WITH started AS MATERIALIZED (
        SELECT c.member, c.day FROM oracle.chosen(tz, identity, start_event, filter) AS c WHERE c.member IS NOT NULL
    ), members AS MATERIALIZED (
        SELECT s.member FROM started s GROUP BY s.member
        HAVING bool_or(s.day >= dates[1] AND s.day < dates[2])
           AND (cohort.cohort = 'active' OR NOT bool_or(s.day < dates[1]))
    ), returned AS MATERIALIZED (
        SELECT c.member, c.day FROM oracle.chosen(tz, identity, return_event, filter) AS c
        WHERE c.member = ANY (ARRAY(SELECT m.member FROM members m))
    ), counted AS (
        SELECT n - 1 AS n, (SELECT count(*) FROM members) AS size,
               (SELECT count(DISTINCT r.member) FROM returned r
                WHERE r.day >= dates[n] AND (criterion = 'on_or_after' OR r.day < dates[n + 1])) AS came
        FROM generate_series(1, cardinality(dates) - 1) AS n
    )
    SELECT n, dates[n + 1], size, CASE n WHEN 0 THEN size ELSE came END,
           oracle.percent(CASE n WHEN 0 THEN size ELSE came END, size)
    FROM counted ORDER BY n
$$;

CREATE FUNCTION oracle.retention(
    start_date date DEFAULT (date_trunc('week', current_date::timestamp) - interval '21 days')::date,
    windows integer DEFAULT 3, unit text DEFAULT 'week', cohort text DEFAULT 'active', start_event text DEFAULT NULL,
    return_event text DEFAULT NULL, criterion text DEFAULT 'on', project text DEFAULT 'default', tz text DEFAULT 'UTC',
    identity text DEFAULT 'user', event_type text DEFAULT NULL, filter jsonb DEFAULT NULL)
RETURNS TABLE (window_no integer, window_start date, cohort_size bigint, retained_users bigint, retention_rate numeric)
LANGUAGE sql STABLE AS $$
    SELECT * FROM oracle.cohort(
        ARRAY(SELECT oracle.plus(start_date, n, unit) FROM generate_series(0, windows + 1) AS n ORDER BY n), cohort,
        COALESCE(start_event, event_type), COALESCE(return_event, event_type), criterion, tz, identity, filter)
$$;

CREATE FUNCTION oracle.retention_matrix(
    start_date date DEFAULT (date_trunc('week', current_date::timestamp) - interval '77 days')::date,
    end_date date DEFAULT current_date, unit text DEFAULT 'week', cohort text DEFAULT 'active',
    start_event text DEFAULT NULL, return_event text DEFAULT NULL, criterion text DEFAULT 'on',
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL,
    filter jsonb DEFAULT NULL)
RETURNS TABLE (cohort_start date, window_no integer, window_start date, cohort_size bigint, retained_users bigint,
               retention_rate numeric)
LANGUAGE sql STABLE AS $$
    WITH units AS (
        SELECT oracle.plus(start_date, i, unit) AS starts, oracle.plus(start_date, i + 1, unit) AS ends
        FROM generate_series(0, end_date - start_date) AS i
        WHERE oracle.plus(start_date, i, unit) <= end_date
    )
    SELECT u.starts, r.*
    FROM units u
    CROSS JOIN LATERAL oracle.cohort(
        ARRAY(SELECT o.starts FROM units o WHERE o.starts >= u.starts ORDER BY 1) || (SELECT max(o.ends) FROM units o),
        cohort, COALESCE(start_event, event_type), COALESCE(return_event, event_type), criterion, tz, identity,
        filter) AS r
    ORDER BY u.starts, r.window_no
$$;

-- Events

CREATE FUNCTION oracle.top_events(start_date date, end_date date, max_rows integer DEFAULT 10,
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL,
    filter jsonb DEFAULT NULL)
RETURNS TABLE (event_type text, events bigint, users bigint) LANGUAGE sql STABLE AS $$
    SELECT c.event_type, count(*), count(DISTINCT c.member)
    FROM oracle.chosen(tz, identity, top_events.event_type, filter) AS c
    WHERE c.day BETWEEN start_date AND end_date
    GROUP BY c.event_type ORDER BY count(*) DESC, c.event_type COLLATE "C" LIMIT max_rows
$$;

CREATE FUNCTION oracle.top_events_by(breakdown text, start_date date, end_date date, max_rows integer DEFAULT 10,
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL,
    filter jsonb DEFAULT NULL)
RETURNS TABLE (value text, events bigint, users bigint) LANGUAGE sql STABLE AS $$
    SELECT oracle.value(to_jsonb(c), breakdown), count(*), count(DISTINCT c.member)
    FROM oracle.chosen(tz, identity, top_events_by.event_type, filter) AS c
    WHERE c.day BETWEEN start_date AND end_date
    GROUP BY 1 ORDER BY count(*) DESC, oracle.value(to_jsonb(c), breakdown) COLLATE "C" NULLS LAST LIMIT max_rows
$$;

-- A value whose events have no members (all of them without user) is none.
CREATE FUNCTION oracle.dau_by(breakdown text, start_date date DEFAULT current_date - 29,
    end_date date DEFAULT current_date, max_values integer DEFAULT 25, project text DEFAULT 'default',
    tz text DEFAULT 'UTC', identity text DEFAULT 'user', event_type text DEFAULT NULL, filter jsonb DEFAULT NULL)
RETURNS TABLE (day date, value text, active_users bigint) LANGUAGE sql STABLE AS $$
    WITH shown AS MATERIALIZED (
        SELECT c.day, c.member, oracle.value(to_jsonb(c), breakdown) AS value
        FROM oracle.chosen(tz, identity, dau_by.event_type, filter) AS c
        WHERE c.day BETWEEN start_date AND end_date AND c.member IS NOT NULL
    ), most AS (
        SELECT s.value,
               row_number() OVER (ORDER BY count(DISTINCT s.member) DESC, s.value COLLATE "C" NULLS LAST) AS rank
        FROM shown s GROUP BY s.value
        ORDER BY rank LIMIT max_values
    )
    SELECT d.day, m.value, count(DISTINCT s.member)
    FROM oracle.days(start_date, end_date) AS d
    CROSS JOIN most m
    LEFT JOIN shown s ON s.day = d.day AND s.value IS NOT DISTINCT FROM m.value
    GROUP BY d.day, m.value, m.rank ORDER BY d.day, m.rank
$$;

-- Users

-- The scores depend on now, and are proved elsewhere.
CREATE FUNCTION oracle.user_stats(user_id text DEFAULT NULL, project text DEFAULT 'default')
RETURNS TABLE (user_id text, total_events bigint, total_purchases bigint, total_spent numeric, first_seen timestamptz,
               last_active timestamptz, last_purchase timestamptz, avg_session_duration numeric)
LANGUAGE sql STABLE AS $$
    SELECT e.user_id, count(*), count(*) FILTER (WHERE e.event_type = 'purchase'),
           COALESCE(sum(oracle.number(e.properties -> 'amount')) FILTER (WHERE e.event_type = 'purchase'), 0),
           min(e.at), max(e.at), max(e.at) FILTER (WHERE e.event_type = 'purchase'),
           avg(oracle.number(e.properties -> 'duration'))
    FROM oracle.events e
    WHERE e.user_id IS NOT NULL AND (user_stats.user_id IS NULL OR e.user_id = user_stats.user_id)
    GROUP BY e.user_id ORDER BY e.user_id COLLATE "C"
$$;

-- Windowed metrics

CREATE TABLE oracle.metrics (
    project    text,
    name       text,
    event_type text,
    value      text,
    dimensions text[] NOT NULL,
    filter     jsonb,
    keep       text NOT NULL,
    PRIMARY KEY (project, name)
);

-- An event's values of some dimensions, by the names that they have in answers.
CREATE FUNCTION oracle.combination(dimensions text[], event jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT COALESCE(jsonb_object_agg(
        CASE WHEN d LIKE '$.%' THEN substr(d, 3) ELSE d END,
        COALESCE(CASE WHEN d LIKE '$.%' THEN event -> 'properties' #> oracle.way(d) ELSE event -> d END, 'null')), '{}')
    FROM unnest(dimensions) AS d
$$;

-- The windows that begin in [start, end), up to the next one's begin.
CREATE FUNCTION oracle.windows(granularity text, start timestamptz, "end" timestamptz, tz text)
RETURNS TABLE (starts timestamptz, ends timestamptz) LANGUAGE sql AS $$
    SELECT d.starts, d.ends
    FROM (SELECT oracle.day_start(day, tz) AS starts, oracle.day_start(day + 1, tz) AS ends
          FROM oracle.days(start::date - 3, "end"::date + 3)
          WHERE granularity = '1 day' AND start < "end") AS d
    WHERE d.starts >= start AND d.starts < "end" AND d.starts < d.ends
    UNION ALL
    SELECT w, w + granularity::interval
    FROM generate_series(date_bin(NULLIF(granularity, '1 day')::interval, start, '2000-01-01Z'), "end",
                         NULLIF(granularity, '1 day')::interval) AS w
    WHERE w >= start AND w < "end"
$$;

CREATE FUNCTION oracle.metric(name text, granularity text, start timestamptz, "end" timestamptz,
    dimensions jsonb DEFAULT NULL, project text DEFAULT 'default', tz text DEFAULT 'UTC')
RETURNS TABLE (window_start timestamptz, dimensions jsonb, count bigint, sum numeric, min numeric, max numeric,
               average numeric, users bigint)
LANGUAGE sql AS $$
    WITH m AS (SELECT * FROM oracle.metrics x WHERE x.project = metric.project AND x.name = metric.name),
    counted AS MATERIALIZED (
        SELECT e.id, e.at, e.user_id,
               oracle.number(e.properties #> oracle.way(m.value)) AS number,
               oracle.combination(m.dimensions, to_jsonb(e)) AS combination
        FROM oracle.events e JOIN m ON (m.event_type IS NULL OR e.event_type = m.event_type)
                                   AND (m.filter IS NULL OR e.properties @> m.filter)
    )
    SELECT w.starts, CASE WHEN metric.dimensions IS NULL THEN '{}' ELSE c.combination END, count(c.id),
           sum(c.number), min(c.number), max(c.number), avg(c.number), count(DISTINCT c.user_id)
    FROM oracle.windows(granularity, start, "end", tz) AS w
    LEFT JOIN counted c ON c.at >= w.starts AND c.at < w.ends
    WHERE metric.dimensions IS NULL OR c.combination @> metric.dimensions
    GROUP BY 1, 2 ORDER BY 1, 2
$$;
