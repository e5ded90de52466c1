-- Journeys as they were: get_journey(…, as_of), journey_history(), journey_stats() and identity_health(). What is
-- answered for a time is compared with what was so when it was that time. First splits and refusals are made by
-- hand, so that each is just what it is meant to be; then by the functions themselves.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Before there is anything.
SELECT * FROM journey_stitch.get_journey('anything', as_of => now());
SELECT * FROM journey_stitch.journey_history('anything');
SELECT * FROM journey_stitch.journey_stats('anything');
SELECT * FROM journey_stitch.identity_health();
SELECT journey_stitch.journey_at(1, now()) AS of_no_key, journey_stitch.journey_at(NULL, now()) AS of_null;

-- What was so at each time: which journey each key and event was in, and to which each journey's id led.
CREATE TEMP TABLE was (at timestamptz, project integer, key_id bigint, event bigint, journey bigint, in_journey bigint);

-- Whatever was made since the last call was made at that time; and this is what is so now.
CREATE FUNCTION pg_temp.it_is(t timestamptz, by_hand boolean DEFAULT true) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE journey_stitch.events SET received_at = t WHERE received_at > '2025-01-01';
    UPDATE journey_stitch.journeys SET created_at = t WHERE created_at > '2025-01-01';
    UPDATE journey_stitch.merges SET merged_at = t WHERE merged_at > '2025-01-01';
    UPDATE journey_stitch.key_moves SET moved_at = t WHERE moved_at > '2025-01-01';
    UPDATE journey_stitch.identity_log SET made_at = t WHERE made_at > '2025-01-01';
    UPDATE journey_stitch.identity_words SET made_at = t WHERE made_at > '2025-01-01';
    IF by_hand THEN
        PERFORM journey_stitch.rebuild_graph();
        UPDATE journey_stitch.journeys j
        SET key_count = (SELECT count(*) FROM journey_stitch.keys k WHERE k.journey_id = j.id),
            event_count = (SELECT count(*) FROM journey_stitch.events e WHERE journey_stitch.journey_of_entry(e.id) = j.id)
        WHERE j.merged_into IS NULL;
    END IF;
    DELETE FROM was WHERE at = t;
    INSERT INTO was SELECT t, k.project_id, k.id, NULL, NULL, k.journey_id FROM journey_stitch.keys k;
    INSERT INTO was SELECT t, e.project_id, NULL, e.id, NULL, journey_stitch.journey_of_entry(e.id) FROM journey_stitch.events e;
    INSERT INTO was SELECT t, j.project_id, NULL, NULL, j.id, COALESCE(j.merged_into, j.id) FROM journey_stitch.journeys j;
END
$$;

CREATE FUNCTION pg_temp.stitch(events jsonb, project text DEFAULT 'default') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM journey_stitch.ingest_events(events, project);
    PERFORM journey_stitch.stitch_pending();
END
$$;

-- Takes keys out of their journey, into a new one, or (into_none) none; an id goes where its founding event goes.
CREATE FUNCTION pg_temp.split(taken bigint[], why text, log bigint, into_none boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    old bigint := (SELECT k.journey_id FROM journey_stitch.keys k WHERE k.id = taken[1]);
    new bigint := CASE WHEN NOT into_none THEN nextval('journey_stitch.journey_entry_id') END;
BEGIN
    INSERT INTO journey_stitch.journeys (id, project_id, key_count, event_count, first_seen, last_seen)
    SELECT new, j.project_id, cardinality(taken), 1, j.first_seen, j.last_seen
    FROM journey_stitch.journeys j WHERE j.id = old AND NOT into_none;
    UPDATE journey_stitch.keys SET journey_id = new WHERE id = ANY (taken);
    INSERT INTO journey_stitch.key_moves (project_id, key_id, from_journey_id, to_journey_id, rule, log_id)
    SELECT k.project_id, k.id, old, new, why, log FROM journey_stitch.keys k WHERE k.id = ANY (taken) ORDER BY k.id;
    PERFORM journey_stitch.rebuild_graph();
    UPDATE journey_stitch.journeys SET founder_id =
        (SELECT e.id FROM journey_stitch.events e WHERE journey_stitch.journey_of_entry(e.id) = new ORDER BY e.occurred_at, e.id LIMIT 1)
    WHERE id = new;
    UPDATE journey_stitch.journeys SET merged_into = journey_stitch.journey_of_entry(founder_id) WHERE merged_into = old;
END
$$;

-- Of all times, how many answers were asked for, and which were not what was so.
CREATE FUNCTION pg_temp.compare(project text) RETURNS TABLE (enough boolean, wrong text, example text) LANGUAGE sql AS $$
    WITH p AS (SELECT id FROM journey_stitch.projects WHERE name = project),
    named AS (
        SELECT w.at, w.in_journey, k.kind || ':' || k.value AS name FROM was w JOIN p ON p.id = w.project JOIN journey_stitch.keys k ON k.id = w.key_id
        UNION ALL
        SELECT w.at, w.in_journey, e.event_id FROM was w JOIN p ON p.id = w.project JOIN journey_stitch.events e ON e.id = w.event
        UNION ALL
        SELECT w.at, w.in_journey, j.uuid::text FROM was w JOIN p ON p.id = w.project JOIN journey_stitch.journeys j ON j.id = w.journey
        UNION ALL
        -- What was not there yet.
        SELECT w.at, NULL, n.name
        FROM (SELECT DISTINCT at FROM was) AS w
        CROSS JOIN (SELECT k.kind || ':' || k.value, k.id, NULL::bigint, NULL::bigint FROM journey_stitch.keys k JOIN p ON p.id = k.project_id
                    UNION ALL SELECT e.event_id, NULL, e.id, NULL FROM journey_stitch.events e JOIN p ON p.id = e.project_id
                    UNION ALL SELECT j.uuid::text, NULL, NULL, j.id FROM journey_stitch.journeys j JOIN p ON p.id = j.project_id)
            AS n (name, key_id, event, journey)
        WHERE NOT EXISTS (SELECT FROM was o WHERE o.at = w.at AND (o.key_id, o.event, o.journey) IS NOT DISTINCT FROM (n.key_id, n.event, n.journey))
    ), expected AS (
        SELECT w.at, w.in_journey, string_agg(e.event_id, ' ' ORDER BY e.occurred_at, e.id) AS events
        FROM was w JOIN journey_stitch.events e ON e.id = w.event GROUP BY w.at, w.in_journey
    ), answer AS (
        SELECT n.at, n.name, j.uuid || ' ' || x.events AS expected,
               -- Also a moment later, when nothing more had happened.
               (SELECT g.journey_id || ' ' || string_agg(g.event_id, ' ' ORDER BY g.n)
                FROM journey_stitch.get_journey(n.name, project, n.at + interval '1 minute') WITH ORDINALITY
                    AS g (journey_id, event_id, event_type, event_name, occurred_at, user_id, session_id, source, properties, n)
                GROUP BY g.journey_id) AS found
        FROM named n LEFT JOIN expected x ON x.at = n.at AND x.in_journey = n.in_journey LEFT JOIN journey_stitch.journeys j ON j.id = n.in_journey
    ), key AS (
        SELECT w.at, w.key_id, w.in_journey AS expected, journey_stitch.journey_at(w.key_id, w.at) AS found FROM was w JOIN p ON p.id = w.project
        WHERE w.key_id IS NOT NULL
    )
    SELECT count(*) > 150, 'journeys: ' || count(*) FILTER (WHERE expected IS DISTINCT FROM found),
           min(format('%s %s: %s, not %s', at, name, found, expected)) FILTER (WHERE expected IS DISTINCT FROM found) FROM answer
    UNION ALL
    SELECT count(*) > 30, 'keys: ' || count(*) FILTER (WHERE expected IS DISTINCT FROM found),
           min(format('%s %s: %s, not %s', at, key_id, found, expected)) FILTER (WHERE expected IS DISTINCT FROM found) FROM key
$$;

-- A journey's name: its founding event.
CREATE FUNCTION pg_temp.name(journey uuid) RETURNS text LANGUAGE sql AS $$
    SELECT 'of ' || e.event_id FROM journey_stitch.journeys j JOIN journey_stitch.events e ON e.id = j.founder_id WHERE j.uuid = journey
$$;
CREATE FUNCTION pg_temp.key(v text) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM journey_stitch.keys WHERE value = v $$;

-- Four journeys; two of them merge, then the result with the first.
SELECT pg_temp.stitch('[{"id": "e1", "type": "view", "ts": "2024-01-01T00:01:00Z", "user_id": "ann", "source": "web"},
                        {"id": "e2", "type": "view", "ts": "2024-01-01T00:02:00Z", "anonymous_id": "cookie", "source": "web"},
                        {"id": "e3", "type": "view", "ts": "2024-01-01T00:03:00Z", "device_id": "phone"},
                        {"id": "e4", "type": "view", "ts": "2024-01-01T00:04:00Z", "user_id": "bob"}]');
SELECT pg_temp.it_is('2024-01-01');
SELECT pg_temp.stitch('{"id": "e5", "type": "log in", "ts": "2024-01-02", "anonymous_id": "cookie", "device_id": "phone"}');
SELECT pg_temp.it_is('2024-01-02');
SELECT pg_temp.stitch('{"id": "e6", "type": "log in", "ts": "2024-01-03", "anonymous_id": "cookie", "user_id": "ann", "source": "app"}');
SELECT pg_temp.it_is('2024-01-03');
-- The phone is taken out: its part is a new journey, and the old id of e3 leads there. e5 is not tied by it any more.
INSERT INTO journey_stitch.identity_log (project_id, action, arguments, made_by) VALUES (1, 'unmerge', '{}', 'eve');
INSERT INTO journey_stitch.merge_conflicts
SELECT e.id, pg_temp.key('phone'), 1, 'unmerge', e.occurred_at FROM journey_stitch.events e WHERE e.event_id = 'e5';
SELECT pg_temp.split(ARRAY[pg_temp.key('phone')], 'unmerge', (SELECT max(id) FROM journey_stitch.identity_log));
SELECT pg_temp.it_is('2024-01-04');
-- The new journey grows, and goes to bob.
SELECT pg_temp.stitch('{"id": "e7", "type": "view", "ts": "2024-01-05", "device_id": "phone", "session_id": "s7"}');
SELECT pg_temp.stitch('{"id": "e8", "type": "buy", "ts": "2024-01-05", "session_id": "s7", "user_id": "bob"}');
SELECT pg_temp.it_is('2024-01-05');
-- An event of ann's whose tablet is refused to her: it is bob's.
SELECT pg_temp.stitch('[{"id": "e9", "type": "view", "ts": "2024-01-06", "device_id": "tablet", "user_id": "bob"}]');
SELECT pg_temp.stitch('[{"id": "e10", "type": "view", "ts": "2024-01-06", "user_id": "ann"}]');
UPDATE journey_stitch.events SET identifiers = '["device_id:tablet"]' WHERE event_id = 'e10';
INSERT INTO journey_stitch.merge_conflicts
SELECT e.id, pg_temp.key('tablet'), 1, 'max_values of user_id', e.occurred_at FROM journey_stitch.events e WHERE e.event_id = 'e10';
SELECT pg_temp.it_is('2024-01-06');
-- Seven keys leave bob in one go; then two of them have no journey; and in the end all but these are one.
SELECT pg_temp.stitch('[{"id": "e11", "type": "view", "ts": "2024-01-07", "user_id": "bob", "correlations": ["k:1", "k:2"]},
                        {"id": "e12", "type": "view", "ts": "2024-01-07", "correlations": ["k:1", "k:2", "k:3", "k:4", "k:5", "k:6", "k:7"]}]');
SELECT pg_temp.it_is('2024-01-07');
INSERT INTO journey_stitch.merge_conflicts
SELECT e.id, k.id, 1, 'never_link', e.occurred_at FROM journey_stitch.events e, journey_stitch.keys k
WHERE e.event_id = 'e11' AND k.kind = 'k' AND k.value IN ('1', '2');
INSERT INTO journey_stitch.identity_log (project_id, action, arguments, made_by) VALUES (1, 'never_link', '{}', 'eve');
SELECT pg_temp.split((SELECT array_agg(id ORDER BY id) FROM journey_stitch.keys WHERE kind = 'k'), 'never_link',
                     (SELECT max(id) FROM journey_stitch.identity_log));
SELECT pg_temp.it_is('2024-01-08');
INSERT INTO journey_stitch.merge_conflicts
SELECT e.id, k.id, 1, 'unmerge', e.occurred_at FROM journey_stitch.events e, journey_stitch.keys k
WHERE e.event_id = 'e12' AND k.kind = 'k' AND k.value IN ('6', '7');
SELECT pg_temp.split((SELECT array_agg(id ORDER BY id) FROM journey_stitch.keys WHERE kind = 'k' AND value IN ('6', '7')),
                     'late events', NULL, into_none => true);
SELECT pg_temp.it_is('2024-01-09');
-- A merge by a person's word: the tablet ties e10 after all.
DELETE FROM journey_stitch.merge_conflicts WHERE rule = 'max_values of user_id';
SELECT pg_temp.stitch('{"id": "e13", "type": "view", "ts": "2024-01-10", "user_id": "ann", "correlations": ["user_id:bob"]}');
UPDATE journey_stitch.merges SET rule = 'link', event_id = NULL, key_id = NULL WHERE merged_at > '2025-01-01';
INSERT INTO journey_stitch.identity_log (project_id, action, arguments, made_by) VALUES (1, 'unmerge', '{}', 'eve'), (1, 'link', '{}', 'zoe');
SELECT pg_temp.it_is('2024-01-10');

-- As it was, however it is named.
SELECT * FROM pg_temp.compare('default');
SELECT to_char(t, 'DD') AS day, pg_temp.name(g.journey_id) AS journey, string_agg(g.event_id, ' ' ORDER BY g.n) AS events
FROM generate_series('2023-12-31'::timestamptz, '2024-01-10', '1 day') AS t
CROSS JOIN LATERAL journey_stitch.get_journey('e3', 'default', t) WITH ORDINALITY
    AS g (journey_id, event_id, event_type, event_name, occurred_at, user_id, session_id, source, properties, n)
GROUP BY t, g.journey_id ORDER BY t;
-- All columns as without a time, and the ends of time.
SELECT (SELECT count(*) FROM journey_stitch.get_journey('e1')) AS events,
       (SELECT count(*) FROM (SELECT * FROM journey_stitch.get_journey('e1', as_of => 'infinity')
                              EXCEPT SELECT * FROM journey_stitch.get_journey('e1')) AS d) AS surplus,
       (SELECT count(*) FROM (SELECT * FROM journey_stitch.get_journey('e1')
                              EXCEPT SELECT * FROM journey_stitch.get_journey('e1', as_of => now())) AS d) AS missing,
       (SELECT count(*) FROM journey_stitch.get_journey('e1', as_of => '-infinity')) AS before_all,
       (SELECT count(*) FROM journey_stitch.get_journey('e1', as_of => NULL)) AS without_time;
-- What names nothing, at any time.
SELECT count(*) FROM unnest(ARRAY['no such', '', ':', 'user_id:no such', gen_random_uuid()::text, NULL]) AS id
CROSS JOIN LATERAL journey_stitch.get_journey(id, as_of => 'infinity');
-- A pending event has no journey, yet.
BEGIN;
SELECT inserted FROM journey_stitch.ingest_events('{"id": "e14", "type": "view", "user_id": "cid"}');
SELECT count(*) FROM journey_stitch.get_journey('e14', as_of => 'infinity');
SELECT count(*) FROM journey_stitch.get_journey('user_id:cid', as_of => 'infinity');
ROLLBACK;

-- Keys, merges and moves agree on where everything is.
SELECT violations FROM journey_stitch.verify() WHERE invariant = 'key_history';
BEGIN;
UPDATE journey_stitch.keys SET first_journey_id = (SELECT journey_id FROM journey_stitch.keys WHERE kind = 'k' AND value = '1')
WHERE value = 'tablet';
DELETE FROM journey_stitch.key_moves WHERE key_id = pg_temp.key('phone');
UPDATE journey_stitch.key_moves SET to_journey_id = from_journey_id WHERE to_journey_id IS NULL;
SELECT violations FROM journey_stitch.verify() WHERE invariant = 'key_history';
ROLLBACK;
BEGIN;
DELETE FROM journey_stitch.merges WHERE rule = 'link';
SELECT violations FROM journey_stitch.verify() WHERE invariant = 'key_history';
ROLLBACK;

-- What happened to each.
SELECT h.at::date, h.change, pg_temp.name(h.other_journey_id) AS other, h.event_id, h.key, h.rule, h.made_by FROM journey_stitch.journey_history('e1') AS h;
SELECT h.at::date, h.change, pg_temp.name(h.other_journey_id) AS other, h.event_id, h.key, h.rule, h.made_by FROM journey_stitch.journey_history('k:1') AS h;
SELECT count(*) FROM journey_stitch.journey_history('k:7');
-- The id of an alias has the same.
SELECT count(*) AS differences
FROM journey_stitch.journeys a
CROSS JOIN LATERAL (SELECT * FROM journey_stitch.journey_history(a.uuid::text)
                    EXCEPT SELECT * FROM journey_stitch.journey_history('e1')) AS h
WHERE a.merged_into = journey_stitch.find_journey('e1');

-- What each has.
SELECT * FROM journey_stitch.journey_stats('e1');
SELECT * FROM journey_stitch.journey_stats('k:1');
SELECT count(*) FROM journey_stitch.journey_stats('k:7');

-- How the keys do. Two are quarantined; a rule waits.
UPDATE journey_stitch.keys SET hold = 'q' WHERE value IN ('6', 'phone');
INSERT INTO journey_stitch.merge_conflicts
SELECT e.id, pg_temp.key('phone'), 1, 'quarantined', e.occurred_at FROM journey_stitch.events e
WHERE e.event_id IN ('e5', 'e6');
INSERT INTO journey_stitch.merge_conflicts SELECT -n, pg_temp.key('bob'), 1, 'merges = false', '2023-01-01'::timestamptz - n * interval '1 day' FROM generate_series(1, 40) AS n;
INSERT INTO journey_stitch.identity_rules (project_id, kind, is_in_force, max_values) VALUES (1, 'email', false, 1), (1, 'email', true, 2);
SELECT h.topic, COALESCE(pg_temp.name(u.uuid), h.item) AS item, h.measure, h.value
FROM journey_stitch.identity_health() WITH ORDINALITY AS h (topic, item, measure, value, n)
LEFT JOIN journey_stitch.journeys u ON u.uuid::text = h.item
WHERE h.topic <> 'refusals' OR h.value > 1 OR h.item > '2024' ORDER BY h.n;
SELECT count(DISTINCT item) AS days, min(item), max(item) FROM journey_stitch.identity_health() WHERE topic = 'refusals';
DELETE FROM journey_stitch.identity_rules WHERE project_id = 1;

-- Whatever happens: 50 steps by chance through the functions themselves, with a limit, words and late events.
SELECT inserted FROM journey_stitch.ingest_events('[]', 'many');
SELECT kind, max_values, is_in_force FROM journey_stitch.set_identity_rule('session_id', max_values => 3, project => 'many');
SELECT setseed(0.3);
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.any_key() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN random() < 0.5 THEN 'user_id:u' ELSE 'session_id:s' END || floor(random() * 8)
$$;
DO $$
DECLARE
    chance float;
    one text;
    other text;
BEGIN
    FOR n IN 1 .. 50 LOOP
        chance := random();
        one := pg_temp.any_key();
        LOOP
            other := pg_temp.any_key();
            EXIT WHEN other <> one;
        END LOOP;
        IF n < 12 OR chance < 0.6 THEN
            PERFORM pg_temp.stitch(jsonb_build_object(
                'id', 'm' || n, 'type', 'view', 'ts', CASE WHEN random() < 0.3 THEN floor(random() * n) ELSE n END,
                'correlations', CASE WHEN random() < 0.4 THEN jsonb_build_array(one) ELSE jsonb_build_array(one, other) END), 'many');
        ELSIF chance < 0.7 THEN
            PERFORM journey_stitch.link(one, other, 'many');
        ELSIF chance < 0.77 THEN
            PERFORM journey_stitch.never_link(one, other, 'many');
        ELSIF chance < 0.94 THEN
            PERFORM journey_stitch.unmerge(one, project => 'many', dry_run => false);
        ELSE
            PERFORM journey_stitch.set_identity_rule('session_id', max_values => 2 + n % 3, project => 'many');
            PERFORM journey_stitch.restitch('many');
        END IF;
        PERFORM pg_temp.it_is('2024-02-01'::timestamptz + n * interval '1 hour', by_hand => false);
    END LOOP;
END
$$;
RESET client_min_messages;
SELECT count(*) > 3 AS merges, (SELECT count(*) FROM journey_stitch.key_moves WHERE project_id <> 1) > 5 AS moves,
       (SELECT count(*) FROM journey_stitch.merge_conflicts WHERE project_id <> 1) > 5 AS refused
FROM journey_stitch.merges WHERE project_id <> 1;
SELECT * FROM pg_temp.compare('many');
SELECT violations FROM journey_stitch.verify() WHERE invariant = 'key_history';

-- Both keys of an event are unmerged, one after the other: between the two it was tied by the second, now by the first.
SELECT pg_temp.stitch('[{"id": "t1", "type": "view", "ts": 1, "user_id": "p"}, {"id": "t2", "type": "view", "ts": 2, "session_id": "q"},
                        {"id": "t3", "type": "view", "ts": 3, "user_id": "p", "session_id": "q"}]', 'twice');
SELECT pg_temp.it_is('2024-02-20', by_hand => false);
SELECT events, keys FROM journey_stitch.unmerge('user_id:p', project => 'twice', dry_run => false);
SELECT pg_temp.it_is('2024-02-21', by_hand => false);
SELECT events, keys FROM journey_stitch.unmerge('session_id:q', project => 'twice', dry_run => false);
SELECT pg_temp.it_is('2024-02-22', by_hand => false);
SELECT wrong, example FROM pg_temp.compare('twice');

-- A journey that was absorbed, came back, and was absorbed again.
SELECT pg_temp.stitch('[{"id": "b1", "type": "view", "ts": 1, "user_id": "a"}, {"id": "b2", "type": "view", "ts": 2, "user_id": "b"},
                        {"id": "b3", "type": "view", "ts": 3, "user_id": "c"}]', 'back');
SELECT pg_temp.it_is('2024-03-01');
SELECT pg_temp.stitch('{"id": "b4", "type": "view", "ts": 4, "user_id": "a", "correlations": ["user_id:b"]}', 'back');
SELECT pg_temp.it_is('2024-03-02');
SELECT merged_into AS old, id AS back FROM journey_stitch.journeys WHERE merged_into IS NOT NULL ORDER BY id DESC LIMIT 1 \gset
INSERT INTO journey_stitch.merge_conflicts
SELECT e.id, pg_temp.key('b'), e.project_id, 'unmerge', e.occurred_at FROM journey_stitch.events e WHERE e.event_id = 'b4';
UPDATE journey_stitch.journeys SET merged_into = NULL WHERE id = :back;
UPDATE journey_stitch.keys SET journey_id = :back WHERE value = 'b';
INSERT INTO journey_stitch.key_moves (project_id, key_id, from_journey_id, to_journey_id, rule)
SELECT k.project_id, k.id, :old, :back, 'unmerge' FROM journey_stitch.keys k WHERE k.value = 'b';
SELECT pg_temp.it_is('2024-03-03');
SELECT violations FROM journey_stitch.verify() WHERE invariant = 'key_history';
SELECT pg_temp.stitch('{"id": "b5", "type": "view", "ts": 5, "user_id": "c", "correlations": ["user_id:a"]}', 'back');
SELECT pg_temp.it_is('2024-03-04');
SELECT pg_temp.stitch('{"id": "b6", "type": "view", "ts": 6, "user_id": "c", "correlations": ["user_id:b"]}', 'back');
SELECT pg_temp.it_is('2024-03-05');
SELECT wrong, example FROM pg_temp.compare('back');
SELECT violations FROM journey_stitch.verify() WHERE invariant = 'key_history';
SELECT journey_stitch.clean();
