-- Included by tests that make journeys by hand: what they send, and what must be so after every step.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- Compiling the queries of pg_temp.wrong() takes a hundred times as long as running them.
SET jit = off;

-- Journeys by short names, J1 being the first that the test met.
CREATE TEMP TABLE names (n integer, uuid uuid PRIMARY KEY);
CREATE FUNCTION pg_temp.name(journey uuid) RETURNS text LANGUAGE plpgsql STRICT AS $$
BEGIN
    INSERT INTO names SELECT COALESCE(max(n), 0) + 1, journey FROM names ON CONFLICT DO NOTHING;
    RETURN (SELECT 'J' || n FROM names WHERE uuid = journey);
END
$$;
CREATE FUNCTION pg_temp.id(name text) RETURNS text LANGUAGE sql AS $$ SELECT uuid::text FROM names WHERE 'J' || n = name $$;

-- 'e3b user_id:ann device:tv' is an event on the 3rd of May 2024, an hour for each letter after noon, with those keys.
CREATE FUNCTION pg_temp.event(line text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
               'id', w[1], 'type', 'view',
               'ts', timestamptz '2024-04-30 12:00Z' + make_interval(days => substring(w[1], '\d+')::integer,
                         hours => COALESCE(ascii(substring(w[1], '\d+([a-z])')) - 96, 0)),
               'correlations', COALESCE((SELECT jsonb_agg(k) FROM unnest(w[2:]) AS k WHERE k !~ '^(user|session)_id:'), '[]'))
           || COALESCE((SELECT jsonb_object_agg(split_part(k, ':', 1), split_part(k, ':', 2)) FROM unnest(w[2:]) AS k
                        WHERE k ~ '^(user|session)_id:'), '{}')
    FROM string_to_array(line, ' ') AS w
$$;
-- Ingests such events and stitches them.
CREATE FUNCTION pg_temp.send(project text, VARIADIC lines text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    done record;
BEGIN
    PERFORM journey_stitch.ingest_events((SELECT jsonb_agg(pg_temp.event(line)) FROM unnest(lines) AS line), project);
    SELECT * INTO done FROM journey_stitch.stitch_pending();
    RETURN format('%s events, %s journeys created, %s merged', done.events, done.journeys_created, done.journeys_merged);
END
$$;

-- A project's journeys in order of creation, then its keys that are in none. [u]: unmerged, [q]: quarantined.
CREATE FUNCTION pg_temp.journeys(in_project text) RETURNS TABLE (journey text, events text, keys text, refused text) LANGUAGE sql AS $$
    SELECT pg_temp.name(j.uuid),
           (SELECT string_agg(e.event_id, ' ' ORDER BY e.occurred_at, e.event_id COLLATE "C") FROM journey_stitch.events e
            WHERE e.project_id = j.project_id AND journey_stitch.journey_of_entry(e.id) = j.id),
           (SELECT string_agg(k.kind || ':' || k.value || COALESCE('[' || k.hold::text || ']', ''), ' ' ORDER BY k.kind COLLATE "C", k.value COLLATE "C")
            FROM journey_stitch.keys k WHERE k.journey_id = j.id),
           (SELECT string_agg(e.event_id || ' ' || k.kind || ':' || k.value || ' (' || c.rule || ')', ', '
                              ORDER BY e.occurred_at, e.event_id COLLATE "C", k.kind COLLATE "C", k.value COLLATE "C")
            FROM journey_stitch.merge_conflicts c
            JOIN journey_stitch.events e ON e.id = c.event_id JOIN journey_stitch.keys k ON k.id = c.key_id
            WHERE c.project_id = j.project_id AND journey_stitch.journey_of_entry(c.event_id) = j.id)
    FROM (SELECT j.* FROM journey_stitch.journeys j JOIN journey_stitch.projects p ON p.id = j.project_id
          WHERE p.name = in_project AND j.merged_into IS NULL ORDER BY j.id OFFSET 0) AS j
    UNION ALL
    SELECT NULL, NULL, string_agg(k.kind || ':' || k.value || COALESCE('[' || k.hold::text || ']', ''), ' ' ORDER BY k.kind COLLATE "C", k.value COLLATE "C"), NULL
    FROM journey_stitch.keys k JOIN journey_stitch.projects p ON p.id = k.project_id
    WHERE p.name = in_project AND k.journey_id IS NULL
    HAVING count(*) > 0
$$;
-- What ids of journeys lead to, present ones and others.
CREATE FUNCTION pg_temp.leads(VARIADIC ids text[]) RETURNS TABLE (id text, leads_to text, events text) LANGUAGE sql AS $$
    SELECT i.id, pg_temp.name(g.journey_id), string_agg(g.event_id, ' ' ORDER BY g.n)
    FROM unnest(ids) AS i (id)
    JOIN names n ON 'J' || n.n = i.id
    LEFT JOIN journey_stitch.journeys j ON j.uuid = n.uuid
    LEFT JOIN journey_stitch.projects p ON p.id = j.project_id
    LEFT JOIN LATERAL journey_stitch.get_journey(n.uuid::text, COALESCE(p.name, 'default')) WITH ORDINALITY
        AS g (journey_id, event_id, event_type, event_name, occurred_at, user_id, session_id, source, properties, n) ON true
    GROUP BY i.id, g.journey_id ORDER BY i.id
$$;

-- Whatever is wrong: by verify() and graph_check(); by get_journey(), asked for every key, event and id of a journey; by
-- dau() and top_events(), held against the events of May 2024.
CREATE FUNCTION pg_temp.wrong() RETURNS TABLE (what text, entries bigint) LANGUAGE sql AS $$
    SELECT invariant, violations FROM journey_stitch.verify() WHERE violations <> 0
    UNION ALL
    SELECT label || ' ' || problem, entries FROM journey_stitch.graph_check() WHERE entries <> 0
    UNION ALL
    SELECT 'get_journey ' || n.what, count(*)
    FROM (SELECT 'by key' AS what, k.project_id, k.kind || ':' || k.value AS id, k.journey_id FROM journey_stitch.keys k
          UNION ALL
          SELECT 'by event', e.project_id, e.event_id, journey_stitch.journey_of_entry(e.id) FROM journey_stitch.events e
          UNION ALL
          SELECT 'by journey', j.project_id, j.uuid::text, COALESCE(j.merged_into, j.id) FROM journey_stitch.journeys j) AS n
    JOIN journey_stitch.projects p ON p.id = n.project_id
    LEFT JOIN journey_stitch.journeys j ON j.id = n.journey_id
    WHERE (SELECT (count(*), min(g.journey_id::text), max(g.journey_id::text)) FROM journey_stitch.get_journey(n.id, p.name) AS g)
          IS DISTINCT FROM (COALESCE(j.event_count, 0), j.uuid::text, j.uuid::text)
    GROUP BY n.what
    UNION ALL
    SELECT 'dau ' || i.identity, count(*)
    FROM journey_stitch.projects p
    CROSS JOIN (VALUES ('user'), ('journey')) AS i (identity)
    CROSS JOIN LATERAL journey_stitch.dau('2024-04-25', '2024-06-05', project => p.name, identity => i.identity) AS d
    WHERE d.active_users <> (SELECT CASE i.identity WHEN 'user' THEN count(DISTINCT e.user_id)
                                                    ELSE count(DISTINCT journey_stitch.journey_of_entry(e.id)) END
                             FROM journey_stitch.events e
                             WHERE e.project_id = p.id AND (e.occurred_at AT TIME ZONE 'UTC')::date = d.day)
      -- Of pending events only dau() knows the journeys.
      AND (i.identity = 'user' OR NOT EXISTS (SELECT FROM journey_stitch.pending q WHERE q.project_id = p.id))
    GROUP BY i.identity
    UNION ALL
    SELECT 'top_events', count(*)
    FROM journey_stitch.projects p
    CROSS JOIN LATERAL (SELECT t.event_type, t.events, t.users
                        FROM journey_stitch.top_events('2024-04-25', '2024-06-05', 100, project => p.name) AS t) AS t
    FULL JOIN (SELECT e.project_id, e.event_type, count(*) AS events, count(DISTINCT e.user_id) AS users
               FROM journey_stitch.events e GROUP BY 1, 2) AS e ON e.project_id = p.id AND e.event_type = t.event_type
    WHERE (t.events, t.users) IS DISTINCT FROM (e.events, e.users)
    HAVING count(*) > 0
$$;
-- All that is stored, in one value. (A writer's lock raises projects.version.)
CREATE FUNCTION pg_temp.stored() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t text;
    rows text;
    hash text := '';
BEGIN
    FOR t IN SELECT c.oid::regclass::text FROM pg_class c
             WHERE c.relnamespace IN ('journey_stitch'::regnamespace, 'journey_graph'::regnamespace) AND c.relkind = 'r'
               AND c.relname <> 'projects' ORDER BY c.oid::regclass::text COLLATE "C" LOOP
        EXECUTE format('SELECT md5(string_agg(r::text, E''\n'' ORDER BY r::text COLLATE "C")) FROM %s AS r', t) INTO rows;
        hash := md5(hash || t || COALESCE(rows, ''));
    END LOOP;
    RETURN hash;
END
$$;
