-- A seed's life, stage by stage, and the calls that are compared at each. Needs analytics_calls.sql.

-- Words of a person, and what became of them: some cannot be said of what the seed has.
CREATE TABLE oracle.words (seed integer NOT NULL, statement text NOT NULL, outcome text NOT NULL);

CREATE TABLE oracle.stages (seed integer NOT NULL, stage text NOT NULL, events bigint NOT NULL, pending bigint NOT NULL,
                            journeys bigint NOT NULL);

-- One answer as text: of schema journey_stitch or oracle.
CREATE FUNCTION oracle.answer(schema text, c oracle.calls) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    f oracle.functions := (SELECT x FROM oracle.functions x WHERE x.function = c.function);
    answer jsonb;
BEGIN
    PERFORM set_config('timezone', c.zone, true);
    EXECUTE format('SELECT COALESCE(jsonb_agg(to_jsonb(r)%s), ''[]'') FROM (SELECT %s FROM %I.%I(%s)) AS r',
                   CASE WHEN NOT f.is_ordered THEN ' ORDER BY r::text COLLATE "C"' END, f.columns, schema, c.function,
                   c.arguments)
    INTO STRICT answer;
    PERFORM set_config('timezone', 'UTC', true);
    RETURN answer::text;
EXCEPTION WHEN OTHERS THEN
    PERFORM set_config('timezone', 'UTC', true);
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- A call, answered by the extension. What it does not have is not asked.
CREATE FUNCTION oracle.ask_one(s oracle.seeds, stage text, function text, arguments text, zone text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    call oracle.calls;
BEGIN
    IF EXISTS (SELECT FROM pg_proc p
               WHERE p.pronamespace = 'journey_stitch'::regnamespace AND p.proname = function) THEN
        call.function := function;
        call.arguments := arguments;
        call.zone := zone;
        INSERT INTO oracle.calls (seed, stage, function, arguments, zone, actual)
        VALUES (s.seed, stage, function, arguments, zone, oracle.answer('journey_stitch', call));
    END IF;
END
$$;

-- Random calls of all functions.
CREATE FUNCTION oracle.ask(s oracle.seeds, stage text, identities text[] DEFAULT '{user,journey}') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT f.function
        FROM oracle.functions f
        CROSS JOIN generate_series(1, CASE WHEN f.function IN ('funnel', 'metric') THEN 3 ELSE 2 END)
        ORDER BY f.function
    LOOP
        PERFORM oracle.ask_one(s, stage, name, oracle.random_call(s, name, identities),
                               oracle.one_of('UTC', 'UTC', 'Asia/Tokyo', 'America/Los_Angeles', 'Europe/Berlin'));
    END LOOP;
END
$$;

-- The oracle's answers to what was asked, by the events and journeys that it knows now.
CREATE FUNCTION oracle.judge(s oracle.seeds, stage text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE oracle.calls c
    SET expected = a.expected,
        has_content = CASE WHEN a.expected LIKE '[%' THEN jsonb_path_exists(a.expected::jsonb, a.content) END
    FROM (SELECT x.id, oracle.answer('oracle', x) AS expected, (f.content || ' ? (@ > 0)')::jsonpath AS content
          FROM oracle.calls x JOIN oracle.functions f USING (function)
          WHERE x.seed = s.seed AND x.stage = judge.stage AND x.expected IS NULL OFFSET 0) AS a
    WHERE c.id = a.id;
    INSERT INTO oracle.stages
    SELECT s.seed, stage, count(*), (SELECT count(*) FROM journey_stitch.pending), count(DISTINCT e.journey)
    FROM oracle.events e;
END
$$;

-- While journeys are only joined, never taken apart.
CREATE FUNCTION oracle.compare(s oracle.seeds, stage text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM oracle.read_events(s.project);
    PERFORM oracle.find_journeys(s.project);
    PERFORM oracle.ask(s, stage);
    PERFORM oracle.judge(s, stage);
END
$$;

-- When all is stitched, and journeys may have been taken apart.
CREATE FUNCTION oracle.compare_stitched(s oracle.seeds, stage text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM oracle.read_events(s.project);
    PERFORM oracle.take_journeys(s.project);
    PERFORM oracle.ask(s, stage);
    PERFORM oracle.judge(s, stage);
END
$$;

-- Says a word; whether it could be said.
CREATE FUNCTION oracle.say(s oracle.seeds, statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    INSERT INTO oracle.words VALUES (s.seed, statement, 'done');
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    INSERT INTO oracle.words VALUES (s.seed, statement, SQLSTATE || ' ' || SQLERRM);
    RETURN false;
END
$$;

CREATE FUNCTION oracle.make_metric(m oracle.metrics) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regproc('journey_stitch.create_metric') IS NOT NULL THEN
        EXECUTE format('SELECT FROM journey_stitch.create_metric(name => %L, event_type => %L, value => %L,
                                    dimensions => %L, project => %L, filter => %L%s)',
                       m.name, m.event_type, m.value, m.dimensions, m.project, m.filter, m.keep);
    END IF;
END
$$;

CREATE FUNCTION oracle.add_metric(s oracle.seeds, name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m oracle.metrics;
    long text := ', keep_minutes => ''900 years'', keep_5_minutes => ''900 years'', keep_hours => ''900 years'',
                    keep_days => ''900 years''';
BEGIN
    m.project := s.project;
    m.name := name;
    m.event_type := oracle.one_of(NULL, NULL, 'purchase', 'view');
    m.value := oracle.one_of(NULL, '$.amount', '$.amount', '$.duration', '$.ctx.tier');
    m.dimensions := ARRAY(SELECT d FROM unnest('{event_type,event_name,source,$.plan,$.ctx.tier,$.none}'::text[]) AS d
                          WHERE oracle.below(4) = 0);
    m.filter := CASE WHEN oracle.below(4) = 0 THEN oracle.random_filter() END;
    -- Long enough for all eras but the first.
    m.keep := oracle.one_of('', long, long,
        ', keep_minutes => ''1 hour'', keep_5_minutes => ''2 hours'', keep_hours => ''1 day'',
           keep_days => ''10 days''');
    INSERT INTO oracle.metrics SELECT m.*;
    PERFORM oracle.make_metric(m);
END
$$;

CREATE FUNCTION oracle.drop_metric(s oracle.seeds, name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regproc('journey_stitch.drop_metric') IS NOT NULL THEN
        DELETE FROM oracle.metrics m WHERE m.project = s.project AND m.name = drop_metric.name;
        EXECUTE format('SELECT journey_stitch.drop_metric(%L, %L)', name, s.project);
    END IF;
END
$$;

-- A key that two events or more have.
CREATE FUNCTION oracle.common_key(pattern text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT k.key FROM oracle.events e CROSS JOIN unnest(e.keys) AS k (key)
    WHERE k.key ~ pattern GROUP BY k.key HAVING count(*) > 1 ORDER BY random() LIMIT 1
$$;

-- Two keys of different journeys become one person's.
CREATE FUNCTION oracle.link_two(s oracle.seeds) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    a text := oracle.common_key('^(user_id|email):');
    b text;
BEGIN
    SELECT e.keys[1] INTO b FROM oracle.events e
    WHERE e.keys <> '{}' AND e.journey <> (SELECT min(o.journey) FROM oracle.events o WHERE a = ANY (o.keys))
    ORDER BY random() LIMIT 1;
    IF b IS NOT NULL AND oracle.say(s, format('SELECT FROM journey_stitch.link(%L, %L, %L)', a, b, s.project)) THEN
        INSERT INTO oracle.links VALUES (s.project, ARRAY[a, b]);
    END IF;
END
$$;

-- Which word takes the journeys of a seed apart: each comes in every era.
CREATE FUNCTION oracle.parting(seed integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT ('{unmerge,retract,never_link}'::text[])[1 + seed / (SELECT count(*) FROM oracle.eras) % 3]
$$;

CREATE FUNCTION oracle.take_apart(s oracle.seeds) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    a text := oracle.common_key('^user_id:');
    b text;
    linked text[] := (SELECT l.keys FROM oracle.links l WHERE l.project = s.project);
BEGIN
    CASE oracle.parting(s.seed)
    WHEN 'unmerge' THEN
        PERFORM oracle.say(s, format('SELECT FROM journey_stitch.unmerge(%L, project => %L, dry_run => false)',
                                     k, s.project))
        FROM unnest(ARRAY[oracle.common_key('^(anonymous_id|device_id|email):'),
                          oracle.common_key('^(user_id|session_id):')]) AS k;
    WHEN 'retract' THEN
        IF linked IS NOT NULL THEN
            PERFORM oracle.say(s, format('SELECT FROM journey_stitch.retract(%L, %L, %L)',
                                         linked[1], linked[2], s.project));
        END IF;
    WHEN 'never_link' THEN
        SELECT k.key INTO b FROM oracle.events e CROSS JOIN unnest(e.keys) AS k (key)
        WHERE k.key LIKE 'user\_id:%' AND k.key <> a
          AND e.journey = (SELECT min(o.journey) FROM oracle.events o WHERE a = ANY (o.keys))
        ORDER BY random() LIMIT 1;
        IF b IS NOT NULL THEN
            PERFORM oracle.say(s, format('SELECT FROM journey_stitch.never_link(%L, %L, %L)', a, b, s.project));
        END IF;
    END CASE;
END
$$;

CREATE FUNCTION oracle.forget(s oracle.seeds, mode text, pattern text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM oracle.say(s, format('SELECT FROM journey_stitch.forget(%L, %L, %L, false)',
                                 oracle.common_key(pattern), mode, s.project));
END
$$;

-- The journeys of pending events are known when they are stitched; what was asked before must not differ. Where
-- never_link() is in force, the journeys of late events may, as the README says.
CREATE FUNCTION oracle.compare_later(s oracle.seeds, stage text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    ASSERT EXISTS (SELECT FROM journey_stitch.pending), 'nothing is pending';
    PERFORM oracle.read_events(s.project);
    PERFORM oracle.ask(s, stage, CASE oracle.parting(s.seed) WHEN 'never_link' THEN '{user}'::text[]
                                 ELSE '{user,journey}' END);
    PERFORM journey_stitch.stitch_pending();
    PERFORM oracle.read_events(s.project);
    PERFORM oracle.take_journeys(s.project);
    PERFORM oracle.judge(s, stage);
END
$$;

CREATE PROCEDURE oracle.live(seed integer) LANGUAGE plpgsql AS $$
DECLARE
    s oracle.seeds;
    earlier oracle.seeds;
BEGIN
    PERFORM setseed(hashint4(live.seed) / 2147483648.0);
    INSERT INTO oracle.seeds
    SELECT live.seed, 'seed_' || live.seed, e.base, e.tz, e.era
    FROM oracle.eras e WHERE e.n = live.seed % (SELECT count(*) FROM oracle.eras)
    RETURNING * INTO s;
    PERFORM oracle.send(s, part, 40, false) FROM unnest('{a,b,c}'::text[]) AS part;
    PERFORM oracle.add_metric(s, 'before');
    COMMIT;
    PERFORM oracle.compare(s, 'all pending');
    PERFORM journey_stitch.stitch_pending(50);
    COMMIT;
    PERFORM oracle.compare(s, 'part stitched');
    PERFORM journey_stitch.stitch_pending();
    COMMIT;
    PERFORM oracle.add_metric(s, 'midway');
    COMMIT;
    PERFORM oracle.compare(s, 'stitched');
    PERFORM oracle.send(s, 'd', 50, true);
    COMMIT;
    PERFORM oracle.compare(s, 'journeys join, pending');
    PERFORM journey_stitch.stitch_pending();
    COMMIT;
    PERFORM oracle.compare(s, 'journeys join');
    PERFORM oracle.link_two(s);
    COMMIT;
    PERFORM oracle.compare(s, 'linked');

    earlier := s;
    earlier.base := GREATEST(s.base - 45, '0001-01-02');
    PERFORM oracle.send(earlier, 'e', 30, true);
    COMMIT;
    PERFORM oracle.compare(earlier, 'late, pending');
    PERFORM journey_stitch.stitch_pending();
    PERFORM oracle.add_metric(s, 'after');
    COMMIT;
    PERFORM oracle.compare(earlier, 'late');

    PERFORM oracle.take_apart(s);
    COMMIT;
    PERFORM oracle.compare_stitched(s, 'taken apart');
    PERFORM oracle.drop_metric(s, 'before');
    PERFORM oracle.forget(s, 'erase', '^(user_id|anonymous_id):');
    COMMIT;
    PERFORM oracle.compare_stitched(s, 'erased');
    PERFORM oracle.forget(s, 'anonymize', '^(user_id|session_id|device_id):');
    COMMIT;
    PERFORM oracle.compare_stitched(s, 'anonymized');
    PERFORM oracle.send(s, 'f', 40, true);
    COMMIT;
    PERFORM oracle.compare_later(s, 'again pending');
    COMMIT;
    PERFORM oracle.compare_stitched(s, 'again stitched');
END
$$;

-- Whether the comparison can fail: the oracle is told something else than what there is.
CREATE FUNCTION oracle.damage(s oracle.seeds, damage text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    of_two text[];
BEGIN
    PERFORM oracle.read_events(s.project);
    PERFORM oracle.take_journeys(s.project);
    PERFORM oracle.ask(s, damage);
    CASE damage
    WHEN 'events missing' THEN
        DELETE FROM oracle.events WHERE id IN (SELECT e.id FROM oracle.events e ORDER BY random() LIMIT 20);
    WHEN 'a day late' THEN
        UPDATE oracle.events SET at = at - interval '1 day'
        WHERE id IN (SELECT e.id FROM oracle.events e ORDER BY random() LIMIT 20);
    WHEN 'two journeys in one' THEN
        of_two := ARRAY(SELECT e.journey FROM oracle.events e GROUP BY 1 ORDER BY count(*) DESC, min(e.id) LIMIT 2);
        UPDATE oracle.events SET journey = of_two[1] WHERE journey = of_two[2];
    END CASE;
    PERFORM oracle.judge(s, damage);
END
$$;

-- Those that a damage has not been noticed by. Users and metrics know nothing of journeys.
CREATE FUNCTION oracle.blind_functions() RETURNS TABLE (damage text, function text) LANGUAGE sql STABLE AS $$
    SELECT d.damage, f.function
    FROM unnest('{events missing,a day late,two journeys in one}'::text[]) AS d (damage)
    CROSS JOIN oracle.functions f
    WHERE (d.damage <> 'two journeys in one' OR f.function NOT IN ('user_stats', 'metric'))
      AND NOT EXISTS (SELECT FROM oracle.calls c
                      WHERE c.stage = d.damage AND c.function = f.function AND c.actual <> c.expected)
$$;

-- Until each function has noticed each damage, or 30 times.
CREATE PROCEDURE oracle.damage_all() LANGUAGE plpgsql AS $$
DECLARE
    s oracle.seeds;
    damage text;
    rounds integer := 0;
BEGIN
    PERFORM setseed(0);
    WHILE rounds < 30 AND EXISTS (SELECT FROM oracle.blind_functions()) LOOP
        rounds := rounds + 1;
        SELECT x.* INTO STRICT s
        FROM oracle.seeds x WHERE x.era NOT IN ('now', 'the first days of all') ORDER BY random() LIMIT 1;
        FOR damage IN SELECT DISTINCT b.damage FROM oracle.blind_functions() AS b ORDER BY 1 LOOP
            PERFORM oracle.damage(s, damage);
            COMMIT;
        END LOOP;
    END LOOP;
END
$$;
