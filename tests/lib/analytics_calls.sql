-- Random calls of every function, and how their answers are compared with the oracle's. Needs analytics_data.sql.

-- How the answers of a function are compared: which columns (numbers whose scale says nothing, and intervals, in one
-- form), whether in the order that they come in, and the numbers of which one at least must not be 0 in an answer that
-- says something.
CREATE TABLE oracle.functions (
    function   text PRIMARY KEY,
    content    text NOT NULL,
    is_ordered boolean NOT NULL,
    columns    text NOT NULL
);
INSERT INTO oracle.functions VALUES
    ('dau', '$[*].active_users', true, 'day, active_users'),
    ('wau', '$[*].active_users', true, 'day, active_users'),
    ('mau', '$[*].active_users', true, 'day, active_users'),
    ('stickiness', '$[*].dau', true, 'day, dau, mau, stickiness'),
    ('retention', '$[1 to last].retained_users', true,
     'window_no, window_start, cohort_size, retained_users, retention_rate'),
    ('retention_matrix', '$[*] ? (@.window_no > 0).retained_users', true,
     'cohort_start, window_no, window_start, cohort_size, retained_users, retention_rate'),
    ('lifecycle', '$[*].new_users', true, 'day, new_users, returning_users, resurrecting_users, dormant_users'),
    ('top_events', '$[*].users', true, 'event_type, events, users'),
    ('top_events_by', '$[*].users', true, 'value, events, users'),
    ('dau_by', '$[*].active_users', false, 'day, value, active_users'),
    ('funnel', '$[1 to last].users', true,
     'step_no, step, users, conversion_from_start, conversion_from_previous,
      extract(epoch FROM median_time) AS median_time'),
    ('funnel_by', '$[*] ? (@.step_no > 1).users', false,
     'value, step_no, step, users, conversion_from_start, conversion_from_previous,
      extract(epoch FROM median_time) AS median_time'),
    ('paths', '$[*].journeys', true, 'step_no, source, target, journeys, average_seconds'),
    ('sessions', '$[*].events', true,
     'session_no, started_at, ended_at, extract(epoch FROM duration) AS duration, events, first_event, last_event'),
    ('user_stats', '$[*].total_events', false,
     'user_id, total_events, total_purchases, trim_scale(total_spent) AS total_spent, first_seen, last_active,
      last_purchase, round(avg_session_duration, 9) AS avg_session_duration'),
    ('metric', '$[*].count', false,
     'window_start, dimensions, count, trim_scale(sum) AS sum, trim_scale(min) AS min, trim_scale(max) AS max,
      round(average, 9) AS average, users');

CREATE TABLE oracle.calls (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seed        integer NOT NULL,
    stage       text    NOT NULL,
    function    text    NOT NULL,
    arguments   text    NOT NULL,
    -- The session's time zone, which must not matter.
    zone        text    NOT NULL,
    actual      text,
    expected    text,
    is_right    boolean GENERATED ALWAYS AS (COALESCE(actual = expected AND expected LIKE '[%', false)) STORED,
    -- Whether the right answer says something.
    has_content boolean
);
CREATE INDEX calls_stage ON oracle.calls (seed, stage);

-- An argument by name; left out with a chance, and where there is no value.
CREATE FUNCTION oracle.maybe(name text, value text, chance double precision DEFAULT 1) RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN random() < chance AND value IS NOT NULL THEN format('%I => %L', name, value) END
$$;

CREATE FUNCTION oracle.arguments(VARIADIC parts text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(p, ', ' ORDER BY n) FROM unnest(parts) WITH ORDINALITY AS u (p, n) WHERE p <> ''
$$;

CREATE FUNCTION oracle.random_tz(s oracle.seeds) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN oracle.below(5) < 2 THEN s.tz ELSE oracle.one_of(
        'UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe',
        'America/Santiago', 'Africa/Cairo') END
$$;

CREATE FUNCTION oracle.random_type() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT oracle.one_of('view', 'view', 'view', 'click', 'click', 'signup', 'purchase', 'login', 'it''s', 'Öl',
                         'none such')
$$;

-- Members with many of these.
CREATE FUNCTION oracle.random_step() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT oracle.one_of('view', 'view', 'view', 'click', 'purchase', oracle.random_type())
$$;

CREATE FUNCTION oracle.random_filter() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT oracle.one_of('{"plan": "pro"}', '{"plan": "free"}', '{"ctx": {"tier": 1}}', '{"plan": null}', '{}',
                         '{"amount": 5}', '{"plan": ["x"]}', '{"ctx": {}, "plan": "pro"}', '{"none": "such"}')
$$;

CREATE FUNCTION oracle.random_breakdown() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT oracle.one_of('event_type', 'event_name', 'source', 'user_agent', '$.plan', '$.plan', '$.ctx.tier',
                         '$.amount', '$.ctx', '$.plan[1]', '$.none')
$$;

-- Of one to four event types, as texts or objects; the same step may come twice.
CREATE FUNCTION oracle.random_steps() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    number integer := oracle.one_of('1', '2', '2', '3', '3', '4', '5')::integer;
BEGIN
    IF oracle.below(3) = 0 THEN
        RETURN format('steps => %L::text[]', ARRAY(SELECT oracle.random_step() FROM generate_series(1, number)));
    END IF;
    RETURN format('steps => %L::jsonb', (
        SELECT jsonb_agg(CASE oracle.below(4)
            WHEN 0 THEN jsonb_build_object('name', 'step ' || n, 'event_type', jsonb_build_array(
                            oracle.random_type(), oracle.random_type(), oracle.random_type()))
            WHEN 1 THEN jsonb_build_object('event_type', oracle.random_step(), 'filter', oracle.random_filter()::jsonb)
            ELSE to_jsonb(oracle.random_step()) END)
        FROM generate_series(1, number) AS n));
END
$$;

-- Arguments start_date and end_date within a seed's weeks, or months before.
CREATE FUNCTION oracle.random_days(s oracle.seeds, function text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    starts date := s.base + oracle.below(40) - 12 - CASE oracle.below(8) WHEN 0 THEN oracle.below(150) ELSE 0 END;
    ends date := starts + oracle.one_of('0', '1', '6', '13', '20', '34')::integer;
BEGIN
    -- Few get far in a funnel.
    IF function LIKE 'funnel%' THEN
        ends := GREATEST(ends, starts + 20);
    END IF;
    IF s.era = 'now' AND function NOT LIKE 'top_events%' AND oracle.below(4) = 0 THEN
        RETURN NULL;
    END IF;
    starts := GREATEST(starts, '0001-01-01');
    RETURN format('start_date => %L, end_date => %L', starts, GREATEST(starts, LEAST(ends, '9999-12-31')));
END
$$;

CREATE FUNCTION oracle.random_retention(s oracle.seeds, function text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    unit text := oracle.one_of('day', 'week', 'week', 'month');
    starts date := GREATEST(s.base + oracle.below(24) - 4, '0001-01-01');
    days integer := oracle.below(CASE unit WHEN 'day' THEN 9 WHEN 'week' THEN 40 ELSE 120 END);
    ends date := LEAST(starts + days, '9999-12-31');
    chance double precision := CASE WHEN s.era = 'now' AND unit <> 'day' THEN 0.8 ELSE 1 END;
BEGIN
    RETURN oracle.arguments(
        oracle.maybe('start_date', starts::text, chance),
        CASE function WHEN 'retention' THEN oracle.maybe('windows', (1 + oracle.below(6))::text, 0.8)
                      ELSE oracle.maybe('end_date', ends::text) END,
        oracle.maybe('unit', unit, CASE unit WHEN 'week' THEN 0.5 ELSE 1 END),
        oracle.maybe('cohort', oracle.one_of('active', 'new'), 0.7),
        oracle.maybe('start_event', oracle.random_type(), 0.25),
        oracle.maybe('return_event', oracle.random_type(), 0.25),
        oracle.maybe('criterion', oracle.one_of('on', 'on_or_after'), 0.7));
END
$$;

-- A user, or an event that is stitched, or, while journeys are not taken apart (their names are keys then), a key.
CREATE FUNCTION oracle.random_session(s oracle.seeds, identities text[]) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    id text := oracle.one_of('u0', 'u1', 'u2', ' u3', 'u4b', 'guest', 'nobody');
BEGIN
    IF 'journey' = ANY (identities) AND oracle.below(2) = 0 THEN
        SELECT CASE WHEN oracle.below(2) = 0 AND e.journey LIKE '%:%' THEN oracle.one_of(VARIADIC e.keys)
                    ELSE e.event_id END INTO id
        FROM oracle.events e
        WHERE NOT EXISTS (SELECT FROM journey_stitch.pending p WHERE p.event_ranges @> e.id)
        ORDER BY random() LIMIT 1;
    END IF;
    RETURN oracle.arguments(
        oracle.maybe('id', COALESCE(id, 'u1')),
        oracle.maybe('timeout', oracle.one_of('15 minutes', '6 hours', '5:59:59', '2 days', '1 microsecond'), 0.7),
        oracle.maybe('max_duration', oracle.one_of('1 hour', '30 minutes', '1 day', '12 hours', '9 days'), 0.7),
        oracle.maybe('project', s.project), oracle.maybe('filter', oracle.random_filter(), 0.2));
END
$$;

-- Windows about an event that the metric could count; they need not begin where the arguments do.
CREATE FUNCTION oracle.random_metric(s oracle.seeds) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    m oracle.metrics;
    granularity text := oracle.one_of('1 minute', '5 minutes', '1 hour', '1 hour', '1 day', '1 day');
    starts timestamptz;
    dimension text;
    like_event jsonb;
    length interval := oracle.one_of('5 minutes', '3 hours', '3 hours', '23:59:59', '0 seconds')::interval
                       * CASE granularity WHEN '1 day' THEN 20 WHEN '1 hour' THEN 4 ELSE 1 END;
BEGIN
    SELECT * INTO m FROM oracle.metrics x WHERE x.project = s.project ORDER BY random() LIMIT 1;
    SELECT e.at - CASE granularity WHEN '1 day' THEN interval '3 days' ELSE interval '1 hour' END INTO starts
    FROM oracle.events e WHERE m.event_type IS NULL OR e.event_type = m.event_type ORDER BY random() LIMIT 1;
    starts := starts + make_interval(secs => oracle.below(2) * oracle.below(7200));
    starts := GREATEST('0001-01-01 00:00Z', LEAST(starts, '9999-12-31 23:59:30Z'));
    -- One of the metric's own dimensions, with a value that some event has.
    dimension := oracle.one_of(VARIADIC m.dimensions);
    SELECT oracle.combination(ARRAY[dimension], to_jsonb(e)) INTO like_event
    FROM oracle.events e WHERE dimension IS NOT NULL ORDER BY random() LIMIT 1;
    RETURN oracle.arguments(
        oracle.maybe('name', m.name), oracle.maybe('granularity', granularity), oracle.maybe('start', starts::text),
        oracle.maybe('end', LEAST('10000-01-01 00:00Z', starts + length)::text), oracle.maybe('project', s.project),
        oracle.maybe('dimensions', oracle.one_of('{}', COALESCE(like_event, '{}')::text), 0.7),
        oracle.maybe('tz', NULLIF(oracle.random_tz(s), 'Pacific/Apia'), 0.7));
END
$$;

CREATE FUNCTION oracle.random_call(s oracle.seeds, function text, identities text[]) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    is_retention boolean := function LIKE 'retention%';
    is_funnel boolean := function LIKE 'funnel%';
    special text;
BEGIN
    CASE function
    WHEN 'sessions' THEN
        RETURN oracle.random_session(s, identities);
    WHEN 'metric' THEN
        RETURN oracle.random_metric(s);
    WHEN 'user_stats' THEN
        RETURN oracle.arguments(oracle.one_of('NULL', '''u1''', ''' u2''', '''u3b''', '''guest''', '''nobody'''),
                                oracle.maybe('project', s.project));
    WHEN 'paths' THEN
        special := oracle.arguments(oracle.maybe('start_event', oracle.random_type(), 0.5),
                                    oracle.maybe('max_steps', (1 + oracle.below(8))::text, 0.5),
                                    oracle.maybe('max_edges', (1 + oracle.below(12))::text, 0.5));
    WHEN 'wau', 'mau' THEN
        special := oracle.maybe('mode', oracle.one_of('trailing', 'calendar', 'calendar'), 0.8);
    WHEN 'top_events', 'top_events_by' THEN
        special := oracle.maybe('max_rows', (1 + oracle.below(6))::text, 0.6);
    WHEN 'dau_by', 'funnel_by' THEN
        special := oracle.maybe('max_values', (1 + oracle.below(5))::text, 0.5);
    ELSE
    END CASE;
    IF is_funnel THEN
        special := oracle.arguments(special,
            oracle.maybe('window', oracle.one_of('1 microsecond', '6 hours', '1 day', '2 days 12:00', '9 days',
                                                 '100 days'), 0.6),
            oracle.maybe('ordering', oracle.one_of('ordered', 'strict', 'unordered'), 0.8));
    END IF;
    RETURN oracle.arguments(
        CASE WHEN function LIKE '%\_by' THEN oracle.maybe('breakdown', oracle.random_breakdown()) END,
        CASE function WHEN 'funnel' THEN oracle.random_steps()
                      WHEN 'funnel_by' THEN 'steps => ' || 'to_jsonb(' || substr(oracle.random_steps(), 10) || ')' END,
        CASE WHEN is_retention THEN oracle.random_retention(s, function) ELSE oracle.random_days(s, function) END,
        special, oracle.maybe('project', s.project), oracle.maybe('tz', oracle.random_tz(s), 0.8),
        oracle.maybe('identity', oracle.one_of(VARIADIC identities), 0.8),
        CASE WHEN NOT is_funnel AND function <> 'paths'
             THEN oracle.maybe('event_type', oracle.random_type(), CASE WHEN is_retention THEN 0.2 ELSE 0.4 END) END,
        oracle.maybe('filter', oracle.random_filter(), CASE WHEN is_retention OR is_funnel THEN 0.15 ELSE 0.3 END));
END
$$;
