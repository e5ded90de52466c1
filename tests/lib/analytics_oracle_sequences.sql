-- The oracle's funnels, paths and sessions: whatever depends on the order of events. Needs analytics_oracle.sql.

-- Funnels

CREATE FUNCTION oracle.steps(steps jsonb) RETURNS TABLE (n integer, types text[], name text, filter jsonb)
LANGUAGE sql IMMUTABLE AS $$
    SELECT s.n::integer, t.types, COALESCE(s.step ->> 'name', array_to_string(t.types, ', ')), s.step -> 'filter'
    FROM jsonb_array_elements(steps) WITH ORDINALITY AS s (step, n)
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN jsonb_typeof(s.step) = 'string' THEN ARRAY[s.step #>> '{}']
            WHEN jsonb_typeof(s.step -> 'event_type') = 'string' THEN ARRAY[s.step ->> 'event_type']
            ELSE ARRAY(SELECT jsonb_array_elements_text(s.step -> 'event_type')) END AS types) AS t
$$;

-- Each member's events in order, as arrays: times, whether each may open a window, and which steps it fits, as bits.
CREATE FUNCTION oracle.actions(steps jsonb, start_date date, end_date date, tz text, identity text, filter jsonb)
RETURNS TABLE (member text, ids bigint[], times timestamptz[], in_range boolean[], fits bigint[])
LANGUAGE sql STABLE AS $$
    SELECT c.member, array_agg(c.id ORDER BY c.at, c.id), array_agg(c.at ORDER BY c.at, c.id),
           array_agg(c.day BETWEEN start_date AND end_date ORDER BY c.at, c.id),
           array_agg((SELECT COALESCE(sum(1::bigint << (s.n - 1)), 0)::bigint FROM oracle.steps(steps) AS s
                      WHERE c.event_type = ANY (s.types) AND (s.filter IS NULL OR c.properties @> s.filter))
                     ORDER BY c.at, c.id)
    FROM oracle.chosen(tz, identity, NULL, actions.filter) AS c
    WHERE c.member IS NOT NULL
    GROUP BY c.member
$$;

-- When each member completed its n-th step, and the event that opened its window. ordered and strict: step by step, by
-- the index of the event. unordered: how many steps k events can fill is the smallest, over all sets of steps, of the
-- steps outside the set and the events that fit one inside (the theorem of Hall and Koenig).
CREATE FUNCTION oracle.reached(steps jsonb, start_date date, end_date date, "window" interval, ordering text, tz text,
    identity text, filter jsonb)
RETURNS TABLE (member text, opener bigint, step_no integer, at timestamptz) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE opened AS MATERIALIZED (
        SELECT a.*, f.k AS first, a.times[f.k] + oracle.hours("window") AS closes
        FROM oracle.actions(steps, start_date, end_date, tz, identity, filter) AS a
        CROSS JOIN LATERAL (
            SELECT min(k) AS k FROM generate_subscripts(a.ids, 1) AS k
            WHERE a.in_range[k] AND a.fits[k] & CASE ordering WHEN 'unordered' THEN -1 ELSE 1 END <> 0) AS f
        WHERE f.k IS NOT NULL
    ), walk AS (
        SELECT o.member, 1 AS step_no, o.first AS k FROM opened o WHERE ordering <> 'unordered'
        UNION ALL
        SELECT w.member, w.step_no + 1, n.k
        FROM walk w
        JOIN opened o USING (member)
        CROSS JOIN LATERAL (
            SELECT min(k) AS k FROM generate_series(w.k + 1, cardinality(o.ids)) AS k
            WHERE ordering = 'strict' OR o.fits[k] & (1::bigint << w.step_no) <> 0) AS n
        WHERE n.k IS NOT NULL AND o.times[n.k] <= o.closes AND o.fits[n.k] & (1::bigint << w.step_no) <> 0
          AND w.step_no < jsonb_array_length(steps)
    ), filled AS (
        SELECT f.member, f.k, min(f.outside + f.inside) AS steps
        FROM (SELECT o.member, k, jsonb_array_length(steps) - bit_count(chosen::bit(64)) AS outside,
                     count(*) FILTER (WHERE o.fits[k] & chosen <> 0)
                         OVER (PARTITION BY o.member, chosen ORDER BY k) AS inside
              FROM opened o
              CROSS JOIN generate_series(o.first, cardinality(o.ids)) AS k
              CROSS JOIN generate_series(0, (1::bigint << jsonb_array_length(steps)) - 1) AS chosen
              WHERE o.times[k] <= o.closes AND ordering = 'unordered') AS f
        GROUP BY f.member, f.k
    )
    SELECT o.member, o.ids[o.first], r.step_no, r.at
    FROM opened o
    JOIN (SELECT w.member, w.step_no, o.times[w.k] AS at FROM walk w JOIN opened o USING (member)
          UNION ALL
          SELECT f.member, n, min(o.times[f.k]) FROM filled f JOIN opened o USING (member)
          CROSS JOIN generate_series(1, f.steps) AS n GROUP BY f.member, n) AS r USING (member)
$$;

CREATE FUNCTION oracle.funnel(steps jsonb, start_date date DEFAULT current_date - 29,
    end_date date DEFAULT current_date, "window" interval DEFAULT '14 days', ordering text DEFAULT 'ordered',
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', filter jsonb DEFAULT NULL)
RETURNS TABLE (step_no integer, step text, users bigint, conversion_from_start numeric,
               conversion_from_previous numeric, median_time interval)
LANGUAGE sql STABLE AS $$
    WITH times AS (
        SELECT r.member, r.step_no, r.at - lag(r.at) OVER (PARTITION BY r.member ORDER BY r.step_no) AS took
        FROM oracle.reached(steps, start_date, end_date, "window", ordering, tz, identity, funnel.filter) AS r
    ), counted AS (
        SELECT s.n, s.name, count(t.member) AS users, percentile_cont(0.5) WITHIN GROUP (ORDER BY t.took) AS took
        FROM oracle.steps(steps) AS s LEFT JOIN times t ON t.step_no = s.n GROUP BY s.n, s.name
    )
    SELECT c.n, c.name, c.users, oracle.percent(c.users, first_value(c.users) OVER steps),
           oracle.percent(c.users, CASE c.n WHEN 1 THEN c.users ELSE lag(c.users) OVER steps END), c.took
    FROM counted c WINDOW steps AS (ORDER BY c.n) ORDER BY c.n
$$;

CREATE FUNCTION oracle.funnel(steps text[], start_date date DEFAULT current_date - 29,
    end_date date DEFAULT current_date, "window" interval DEFAULT '14 days', ordering text DEFAULT 'ordered',
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', filter jsonb DEFAULT NULL)
RETURNS TABLE (step_no integer, step text, users bigint, conversion_from_start numeric,
               conversion_from_previous numeric, median_time interval)
LANGUAGE sql STABLE AS $$
    SELECT *
    FROM oracle.funnel(to_jsonb(steps), start_date, end_date, "window", ordering, project, tz, identity, filter)
$$;

CREATE FUNCTION oracle.funnel_by(breakdown text, steps jsonb, start_date date DEFAULT current_date - 29,
    end_date date DEFAULT current_date, "window" interval DEFAULT '14 days', ordering text DEFAULT 'ordered',
    max_values integer DEFAULT 10, project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user',
    filter jsonb DEFAULT NULL)
RETURNS TABLE (value text, step_no integer, step text, users bigint, conversion_from_start numeric,
               conversion_from_previous numeric, median_time interval)
LANGUAGE sql STABLE AS $$
    WITH times AS (
        SELECT r.member, r.step_no, r.at - lag(r.at) OVER (PARTITION BY r.member ORDER BY r.step_no) AS took,
               (SELECT oracle.value(to_jsonb(e), breakdown) FROM oracle.events e WHERE e.id = r.opener) AS value
        FROM oracle.reached(steps, start_date, end_date, "window", ordering, tz, identity, funnel_by.filter) AS r
    ), most AS (
        SELECT t.value, row_number() OVER (ORDER BY count(*) DESC, t.value COLLATE "C" NULLS LAST) AS rank
        FROM times t WHERE t.step_no = 1 GROUP BY t.value ORDER BY rank LIMIT max_values
    ), counted AS (
        SELECT m.rank, m.value, s.n, s.name, count(t.member) AS users,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY t.took) AS took
        FROM most m CROSS JOIN oracle.steps(steps) AS s
        LEFT JOIN times t ON t.step_no = s.n AND t.value IS NOT DISTINCT FROM m.value
        GROUP BY m.rank, m.value, s.n, s.name
    )
    SELECT c.value, c.n, c.name, c.users, oracle.percent(c.users, first_value(c.users) OVER steps),
           oracle.percent(c.users, CASE c.n WHEN 1 THEN c.users ELSE lag(c.users) OVER steps END), c.took
    FROM counted c WINDOW steps AS (PARTITION BY c.rank ORDER BY c.n) ORDER BY c.rank, c.n
$$;

-- Paths and sessions

CREATE FUNCTION oracle.paths(start_date date DEFAULT current_date - 29, end_date date DEFAULT current_date,
    start_event text DEFAULT NULL, max_steps integer DEFAULT 5, max_edges integer DEFAULT 50,
    project text DEFAULT 'default', tz text DEFAULT 'UTC', identity text DEFAULT 'user', filter jsonb DEFAULT NULL)
RETURNS TABLE (step_no integer, source text, target text, journeys bigint, average_seconds numeric)
LANGUAGE sql STABLE AS $$
    WITH started AS (
        SELECT c.member, c.at, c.id, c.event_type,
               bool_or(start_event IS NULL OR c.event_type = start_event)
                   OVER (PARTITION BY c.member ORDER BY c.at, c.id) AS has_begun
        FROM oracle.chosen(tz, identity, NULL, filter) AS c
        WHERE c.member IS NOT NULL AND c.day BETWEEN start_date AND end_date
    ), edges AS (
        SELECT row_number() OVER path::integer AS n, s.event_type AS source,
               COALESCE(lead(s.event_type) OVER path, '(drop-off)') AS target,
               extract(epoch FROM lead(s.at) OVER path - s.at) AS seconds
        FROM started s WHERE s.has_begun WINDOW path AS (PARTITION BY s.member ORDER BY s.at, s.id)
    ), most AS (
        SELECT e.n, e.source, e.target, count(*) AS members, round(avg(e.seconds), 3) AS seconds
        FROM edges e WHERE e.n <= max_steps
        GROUP BY e.n, e.source, e.target
        ORDER BY count(*) DESC, e.n, e.source COLLATE "C", e.target COLLATE "C" LIMIT max_edges
    )
    SELECT m.n, m.source, m.target, m.members, m.seconds FROM most m
    ORDER BY m.n, m.members DESC, m.source COLLATE "C", m.target COLLATE "C"
$$;

-- id: a user_id, else an event_id, else kind:value, else an event_id of the journey.
CREATE FUNCTION oracle.sessions(id text, timeout interval DEFAULT '30 minutes',
    max_duration interval DEFAULT '24 hours', project text DEFAULT 'default', filter jsonb DEFAULT NULL)
RETURNS TABLE (session_no integer, started_at timestamptz, ended_at timestamptz, duration interval, events bigint,
               first_event text, last_event text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    of_user boolean := EXISTS (SELECT FROM oracle.events e WHERE e.user_id = sessions.id);
    of_journey text := COALESCE((SELECT e.journey FROM oracle.events e WHERE e.event_id = sessions.id),
                                (SELECT min(e.journey) FROM oracle.events e WHERE sessions.id = ANY (e.keys)));
    e record;
BEGIN
    FOR e IN
        SELECT x.at, x.event_type FROM oracle.events x
        WHERE CASE WHEN of_user THEN x.user_id = sessions.id ELSE x.journey = of_journey END
          AND (filter IS NULL OR x.properties @> filter)
        ORDER BY x.at, x.id
    LOOP
        IF session_no IS NULL OR e.at - ended_at > oracle.hours(timeout)
           OR e.at - started_at > oracle.hours(max_duration) THEN
            IF session_no IS NOT NULL THEN
                RETURN NEXT;
            END IF;
            session_no := COALESCE(session_no, 0) + 1;
            started_at := e.at;
            events := 0;
            first_event := e.event_type;
        END IF;
        ended_at := e.at;
        duration := ended_at - started_at;
        events := events + 1;
        last_event := e.event_type;
    END LOOP;
    IF session_no IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END
$$;
