-- Random events, which follow from the seed alone but for the era "now", and the journeys that they make.
-- Needs analytics_oracle.sql.

-- Where a seed's events lie: four weeks from base on, at times of its zone. Two weeks later something happens there.
CREATE TABLE oracle.eras (n integer PRIMARY KEY, base date NOT NULL, tz text NOT NULL, era text NOT NULL);
INSERT INTO oracle.eras VALUES
    (0, '2026-03-20', 'UTC', 'nothing special'),
    (1, '2026-03-15', 'Europe/Berlin', 'an hour less'),
    (2, '2025-10-12', 'Europe/Berlin', 'an hour more'),
    (3, '2026-02-22', 'America/New_York', 'an hour less'),
    (4, '2025-10-19', 'America/New_York', 'an hour more'),
    (5, '2026-03-22', 'Australia/Lord_Howe', 'half an hour more'),
    (6, '2026-03-22', 'America/Santiago', 'at midnight it is eleven again'),
    (7, '2025-08-24', 'America/Santiago', 'no midnight'),
    (8, '2026-04-10', 'Africa/Cairo', 'no midnight'),
    (9, '2025-10-19', 'America/Havana', 'two midnights'),
    (10, '2006-10-15', 'America/St_Johns', 'a minute of the new day, an hour of the old one'),
    (11, '2011-12-16', 'Pacific/Apia', 'no such day'),
    (12, '2024-02-15', 'Asia/Kathmandu', 'a leap day'),
    (13, '1969-12-18', 'Asia/Kolkata', '1970'),
    (14, '0001-01-20', 'Europe/Berlin', 'the first days of all'),
    (15, '9999-12-04', 'America/New_York', 'the last days of all'),
    (16, current_date - 14, 'UTC', 'now'),
    (17, current_date - 14, 'Asia/Kathmandu', 'now');

CREATE TABLE oracle.seeds (seed integer PRIMARY KEY, project text NOT NULL, base date NOT NULL, tz text NOT NULL,
                           era text NOT NULL);

-- Keys that a person has said to be one's.
CREATE TABLE oracle.links (project text NOT NULL, keys text[] NOT NULL);

CREATE FUNCTION oracle.one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT choices[1 + floor(random() * cardinality(choices))::integer]
$$;

-- From 0 to below.
CREATE FUNCTION oracle.below(number integer) RETURNS integer LANGUAGE sql VOLATILE AS $$
    SELECT floor(random() * number)::integer
$$;

-- Many events at one time, at midnight, a quarter of an hour apart, round about what happens in the era, far away.
-- Times are even microseconds, so that no median is half of one.
CREATE FUNCTION oracle.random_time(s oracle.seeds) RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    chance double precision := random();
    midnight timestamptz := (s.base + oracle.below(28))::timestamp AT TIME ZONE s.tz;
    at timestamptz;
BEGIN
    IF s.era = 'now' AND oracle.below(4) = 0 THEN
        RETURN date_trunc('minute', now()) - make_interval(mins => oracle.below(300));
    END IF;
    at := CASE
        WHEN chance < 0.15 THEN midnight
        WHEN chance < 0.20 THEN midnight - interval '2 microseconds'
        WHEN chance < 0.35 THEN (s.base + 14)::timestamp AT TIME ZONE s.tz
                                + (oracle.below(24) - 12) * interval '15 minutes'
        WHEN chance < 0.60 THEN midnight + oracle.below(4) * interval '6 hours'
        WHEN chance < 0.80 THEN s.base::timestamp AT TIME ZONE 'UTC'
                                + make_interval(days => oracle.below(4) * 7, mins => 15 * oracle.below(20))
        WHEN chance < 0.93 THEN midnight + make_interval(secs => oracle.below(86400))
        ELSE midnight + make_interval(days => oracle.below(240) - 180)
        END;
    RETURN GREATEST('0001-01-01 00:00:00Z', LEAST(at, '9999-12-31 23:59:59Z'));
END
$$;

CREATE FUNCTION oracle.random_properties() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT COALESCE(jsonb_object_agg(p.name, p.value::jsonb), '{}')
    FROM (SELECT 'plan', oracle.one_of('"pro"', '"pro"', '"free"', '"free"', '"Pro"', 'null', '5', 'true',
                                       '{"a": 1}', '[1, "x"]', NULL, NULL)
          UNION ALL
          SELECT 'amount', oracle.one_of('5', '19.90', '0.1', '-3', '12345678901234567890.123456789', '"7.25"', '"1e2"',
                                         '"abc"', '""', '"NaN"', '"Infinity"', 'null', 'true', NULL, NULL)
          UNION ALL
          SELECT 'duration', oracle.one_of('30', '61.5', '"12"', '"x"', '"-Infinity"', NULL, NULL)
          UNION ALL
          SELECT 'ctx', oracle.one_of('{"tier": 1}', '{"tier": 1, "more": []}', '{"tier": "1"}', '{"tier": "gold"}',
                                      '{}', NULL)
         ) AS p (name, value)
    WHERE p.value IS NOT NULL
$$;

-- An event of one of six people, who have devices, cookies and sessions. With strangers, some events have keys of two.
-- ' u1' is another user than 'u1', and the same key; 'guest' is a user, and no key.
CREATE FUNCTION oracle.random_event(s oracle.seeds, event_id text, strangers boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    person text := oracle.below(6)::text;
    other text := CASE WHEN strangers AND oracle.below(12) = 0 THEN oracle.below(6)::text ELSE person END;
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'event_id', event_id,
        'event_type', oracle.one_of('view', 'view', 'view', 'view', 'click', 'click', 'signup', 'purchase',
                                    'purchase', 'login', 'it''s', 'Öl'),
        'event_name', oracle.one_of('Seen', 'seen', '', NULL, NULL),
        'occurred_at', to_char(oracle.random_time(s) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'user_id', CASE oracle.below(20) WHEN 0 THEN 'guest' WHEN 1 THEN ' u' || person
                        WHEN 2 THEN NULL WHEN 3 THEN NULL WHEN 4 THEN NULL WHEN 5 THEN NULL WHEN 6 THEN NULL
                        WHEN 7 THEN NULL WHEN 8 THEN NULL ELSE 'u' || person || oracle.one_of('', '', '', 'b') END,
        'session_id', CASE WHEN oracle.below(4) = 0 THEN format('s%s.%s', person, oracle.below(4)) END,
        'device_id', CASE WHEN oracle.below(6) = 0 THEN 'd' || other END,
        'anonymous_id', CASE WHEN oracle.below(2) = 0 THEN format('a%s.%s', other, oracle.below(3)) END,
        'correlations', CASE WHEN oracle.below(12) = 0 THEN jsonb_build_object('email', person || '@example.org') END,
        'source', oracle.one_of('web', 'web', 'ios', 'Web', NULL),
        'user_agent', oracle.one_of('browser', 'app', NULL)))
        || jsonb_build_object('properties', oracle.random_properties());
END
$$;

CREATE FUNCTION oracle.send(s oracle.seeds, part text, number integer, strangers boolean) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    events jsonb := (SELECT jsonb_agg(oracle.random_event(s, part || n, strangers))
                     FROM generate_series(1, number) AS n);
    answer record;
BEGIN
    SELECT * INTO STRICT answer FROM journey_stitch.ingest_events(events, s.project);
    IF answer.inserted <> number THEN
        RAISE EXCEPTION 'of % events % were accepted', number, answer.inserted;
    END IF;
END
$$;

-- Reads the raw events of a project. Without journeys: oracle.find_journeys() or oracle.take_journeys() adds them.
CREATE FUNCTION oracle.read_events(project text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE oracle.events;
    INSERT INTO oracle.events
    SELECT e.id, e.occurred_at, e.event_id, e.event_type, e.event_name, e.user_id, e.source, e.user_agent, e.properties,
           array_remove(ARRAY['user_id:' || NULLIF(trim(e.user_id), 'guest'), 'session_id:' || e.session_id], NULL)
           || ARRAY(SELECT jsonb_array_elements_text(e.identifiers))
    FROM journey_stitch.events e
    WHERE e.project_id = (SELECT p.id FROM journey_stitch.projects p WHERE p.name = read_events.project);
    ANALYZE oracle.events;
END
$$;

-- Journeys are the connected components of events and keys: every key takes the smallest label in reach, until nothing
-- changes any more. An event without keys is one by itself.
CREATE FUNCTION oracle.find_journeys(project text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMPORARY TABLE ties ON COMMIT DROP AS
    SELECT t.tie, k.key
    FROM (SELECT e.id::text AS tie, e.keys FROM oracle.events e
          UNION ALL
          SELECT 'link ' || row_number() OVER (), l.keys
          FROM oracle.links l WHERE l.project = find_journeys.project) AS t
    CROSS JOIN unnest(t.keys) AS k (key);
    CREATE TEMPORARY TABLE labels ON COMMIT DROP AS SELECT DISTINCT key, key AS label FROM ties;
    ANALYZE ties, labels;
    LOOP
        -- Where a key's label has a lower one itself, that is taken at once.
        UPDATE labels l SET label = m.label FROM labels m WHERE m.key = l.label AND m.label < l.label;
        UPDATE labels l SET label = s.label
        FROM (SELECT t.key, min(m.label) AS label
              FROM ties t
              JOIN (SELECT t.tie, min(l.label) AS label
                    FROM ties t JOIN labels l USING (key) GROUP BY t.tie) AS m USING (tie)
              GROUP BY t.key) AS s
        WHERE s.key = l.key AND s.label < l.label;
        EXIT WHEN NOT FOUND;
    END LOOP;
    UPDATE oracle.events SET journey = 'event ' || id WHERE keys = '{}';
    UPDATE oracle.events e SET journey = l.label FROM labels l WHERE l.key = e.keys[1];
    DROP TABLE ties, labels;
END
$$;

-- Once journeys are taken apart, other tests prove which events belong together: the extension's word counts.
CREATE FUNCTION oracle.take_journeys(project text) RETURNS void LANGUAGE sql AS $$
    UPDATE oracle.events e SET journey = journey_stitch.journey_of(e.event_id, project)
$$;

