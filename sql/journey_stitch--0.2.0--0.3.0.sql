-- journey_stitch 0.2.0 to 0.3.0. Written by hand; tests/upgrade.sh compares what it leaves behind with what CREATE
-- EXTENSION makes. In the order of sql/*.sql, with the bodies of functions to the letter as they are there.
--
-- It is one transaction. No table is rewritten; every row of journeys is updated, and keys, events and the graph's edges
-- are read, for the founding events.

-- The script's own statements find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- First what every call reads first, as in clean(): whoever is under way ends before, and whoever comes begins after.
LOCK TABLE journey_stitch.projects IN ACCESS EXCLUSIVE MODE;
-- Then what else is altered. Whoever has one of them, and has called nothing, is waited for here and nowhere else.
LOCK TABLE journey_stitch.journeys, journey_stitch.keys, journey_stitch.merges IN ACCESS EXCLUSIVE MODE;

-- 10_tables.sql

ALTER TABLE journey_stitch.journeys
    ADD COLUMN founder_id bigint,
    ADD COLUMN tense_until timestamptz,
    ADD COLUMN kind_counts jsonb;
COMMENT ON COLUMN journey_stitch.journeys.merged_into IS
    'The present journey that the founding event is in now, never an alias itself; NULL for a present journey. The counts of an alias stay as they were at its merge.';
COMMENT ON COLUMN journey_stitch.journeys.founder_id IS
    'events.id of the founding event, the earliest of those that the journey was made for. Where journeys are taken apart, the part with it keeps the id. NULL if it was erased.';
COMMENT ON COLUMN journey_stitch.journeys.tense_until IS
    'The time of the last event at which a merge with this journey was refused, be it one of its own or not; NULL: none ever was. Up to then the order of events matters, and one that comes late has the journey computed anew.';
COMMENT ON COLUMN journey_stitch.journeys.kind_counts IS
    'How many keys of each kind the journey has. NULL while no identity rule of the project limits a kind.';

ALTER TABLE journey_stitch.keys
    ALTER COLUMN journey_id DROP NOT NULL,
    ALTER COLUMN first_journey_id DROP NOT NULL,
    ADD COLUMN hold "char" CHECK (hold IN ('q', 'u')),
    ADD COLUMN since timestamptz;
CREATE INDEX keys_held ON journey_stitch.keys (project_id) WHERE hold IS NOT NULL;
COMMENT ON TABLE journey_stitch.keys IS 'Identifiers that stitch: each belongs to at most one journey. The Correlation vertices of the graph.';
COMMENT ON COLUMN journey_stitch.keys.journey_id IS
    'The present journey, never an alias; NULL if no event is tied by it (merge_conflicts), and no key that it is linked to is in one.';
COMMENT ON COLUMN journey_stitch.keys.first_journey_id IS 'The journey that the key was first in; key_moves and merges lead from it to the present one.';
COMMENT ON COLUMN journey_stitch.keys.hold IS
    'Why this value no longer joins journeys. q: quarantined, because a journey would have had more than max_journey_keys keys. u: taken out by unmerge().';
COMMENT ON COLUMN journey_stitch.keys.since IS
    'Of a key that joins no journeys, by rule or by hold q: the time of the event from which on this is so.';

ALTER TABLE journey_stitch.merges
    ALTER COLUMN event_id DROP NOT NULL,
    ALTER COLUMN key_id DROP NOT NULL;
COMMENT ON COLUMN journey_stitch.merges.event_id IS 'events.id of the event whose keys first tied the two together; NULL for a merge that no single event made.';
COMMENT ON COLUMN journey_stitch.merges.rule IS
    'Why: "shared <kind>", the kind of that key; or "link", "retract", "restitch", "late events" and the like, where journeys were computed anew.';

-- 15_identity.sql

-- What decides which keys may join journeys: rules for kinds of keys, a person's word about single keys, and the
-- trail that both leave.

CREATE TABLE journey_stitch.identity_rules (
    project_id       integer NOT NULL,
    kind             text    NOT NULL,
    is_in_force      boolean NOT NULL,
    merges           boolean,
    max_values       integer CHECK (max_values >= 0),
    priority         integer CHECK (priority BETWEEN 1 AND 1000),
    blocked_values   text[],
    blocked_patterns text[],
    normalize        text[]  CHECK (normalize <@ ARRAY['trim', 'lower']),
    PRIMARY KEY (project_id, kind, is_in_force)
);
COMMENT ON TABLE journey_stitch.identity_rules IS
    'How keys of each kind join journeys. A column that is NULL says nothing: then the project''s rule for kind "*" decides, then the shipped rule (project 0) for the kind, then the shipped one for "*". Set by set_identity_rule() and its kin.';
COMMENT ON COLUMN journey_stitch.identity_rules.project_id IS 'The project; 0: the rules that are shipped, which every project starts with.';
COMMENT ON COLUMN journey_stitch.identity_rules.kind IS
    'The kind of key; "*": every kind; "" (with max_values only): all keys of a journey together, max_journey_keys.';
COMMENT ON COLUMN journey_stitch.identity_rules.is_in_force IS
    'Whether it is so, or will be after restitch(). Rules change for the whole history at once, because membership is to depend on events and rules alone.';
COMMENT ON COLUMN journey_stitch.identity_rules.merges IS 'Whether such keys join journeys. If not, a key attaches events that have no other to the journey that it was first seen in.';
COMMENT ON COLUMN journey_stitch.identity_rules.max_values IS 'The most keys of the kind that a journey may have; 0: any number.';
COMMENT ON COLUMN journey_stitch.identity_rules.priority IS 'Who yields when a limit is hit: of an event''s keys the one with the highest number.';
COMMENT ON COLUMN journey_stitch.identity_rules.blocked_values IS 'Values that are no keys, in their normalized form. Values that mean nothing (null, 0, …) never are.';
COMMENT ON COLUMN journey_stitch.identity_rules.blocked_patterns IS 'Regular expressions of values that are no keys; each is matched anywhere in the normalized value.';
COMMENT ON COLUMN journey_stitch.identity_rules.normalize IS 'What is done to a value before it is a key: trim (white space at both ends), lower (case). The event keeps the value as sent.';

INSERT INTO journey_stitch.identity_rules
    (project_id, kind, is_in_force, merges, max_values, priority, blocked_values, blocked_patterns, normalize)
VALUES (0, '*', true, true, 0, 100, '{}', '{}', '{trim}'),
       (0, 'user_id', true, NULL, NULL, 1, NULL, NULL, NULL),
       (0, 'email', true, NULL, NULL, 2, NULL, NULL, '{trim,lower}'),
       (0, '', true, NULL, 10000, NULL, NULL, NULL, NULL);

CREATE TABLE journey_stitch.identity_log (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id integer     NOT NULL,
    action     text        NOT NULL,
    arguments  jsonb       NOT NULL,
    made_by    name        NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE journey_stitch.identity_log IS
    'Who did what to journeys and rules, and when: link, never_link, unmerge, retract, forget, restitch, set_identity_rule and so on. What was forgotten is not named.';

CREATE TABLE journey_stitch.identity_words (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  integer     NOT NULL,
    word        text        NOT NULL CHECK (word IN ('link', 'never_link', 'unmerge')),
    kind        text        NOT NULL,
    value       text        NOT NULL,
    other_kind  text        CHECK ((other_kind IS NULL) = (word = 'unmerge')),
    other_value text        CHECK ((other_value IS NULL) = (word = 'unmerge')),
    made_by     name        NOT NULL,
    made_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX identity_words_key ON journey_stitch.identity_words
    (project_id, kind, value, other_kind, other_value) NULLS NOT DISTINCT;
CREATE INDEX identity_words_other ON journey_stitch.identity_words (project_id, other_kind, other_value);
COMMENT ON TABLE journey_stitch.identity_words IS
    'A person''s word, above every rule. link: both keys are one person''s. never_link: they never are. unmerge: this key ties nothing together. Of two keys the lesser (kind, value) comes first.';

CREATE TABLE journey_stitch.merge_conflicts (
    event_id    bigint      NOT NULL,
    key_id      bigint      NOT NULL,
    project_id  integer     NOT NULL,
    rule        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, key_id)
);
CREATE INDEX merge_conflicts_key ON journey_stitch.merge_conflicts (key_id);
COMMENT ON TABLE journey_stitch.merge_conflicts IS
    'Keys that an event has and is not tied by, because that would have joined what must not be joined. An event''s keys are either edges HAS_KEY of the graph or rows here.';
COMMENT ON COLUMN journey_stitch.merge_conflicts.event_id IS 'events.id.';
COMMENT ON COLUMN journey_stitch.merge_conflicts.rule IS
    'Why: "max_values of <kind>", "max_journey_keys" (since then this key, or that of the event which led to the larger part, is quarantined), "quarantined", "merges = false", "never_link" or "unmerge".';
COMMENT ON COLUMN journey_stitch.merge_conflicts.occurred_at IS 'The event''s time.';

CREATE TABLE journey_stitch.key_moves (
    id              bigint      NOT NULL PRIMARY KEY DEFAULT nextval('journey_stitch.merges_id_seq'),
    project_id      integer     NOT NULL,
    key_id          bigint      NOT NULL,
    from_journey_id bigint,
    to_journey_id   bigint,
    rule            text        NOT NULL,
    log_id          bigint,
    moved_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX key_moves_key ON journey_stitch.key_moves (key_id, id);
CREATE INDEX key_moves_from ON journey_stitch.key_moves (from_journey_id);
CREATE INDEX key_moves_to ON journey_stitch.key_moves (to_journey_id);
COMMENT ON TABLE journey_stitch.key_moves IS
    'Keys that went from one journey to another by themselves, when journeys were taken apart. Keys that went with all of their journey are in merges.';
COMMENT ON COLUMN journey_stitch.key_moves.id IS 'From the sequence of merges.id, so that both together are in the order in which they happened.';
COMMENT ON COLUMN journey_stitch.key_moves.from_journey_id IS 'journeys.id; NULL: the key was in none.';
COMMENT ON COLUMN journey_stitch.key_moves.to_journey_id IS 'journeys.id; NULL: the key is in none since.';
COMMENT ON COLUMN journey_stitch.key_moves.rule IS 'Why: "unmerge", "never_link", "link", "retract", "forget", "restitch", "late events".';
COMMENT ON COLUMN journey_stitch.key_moves.log_id IS 'identity_log.id of what a person did; NULL for late events.';

-- Until now keys were as they were sent, and a journey had any number of them: where there is a history, that stays
-- so until somebody decides otherwise, because journeys are to depend on events and rules alone. The shipped rule of
-- user_id says nothing of normalizing, so that the project's rule "*" decides there too; that of email does.
INSERT INTO journey_stitch.identity_rules (project_id, kind, is_in_force, max_values, "normalize")
SELECT p.id, r.kind, true, r.max_values, r."normalize"
FROM journey_stitch.projects p
CROSS JOIN (VALUES ('*', NULL::integer, '{}'::text[]), ('email', NULL, '{}'), ('', 0, NULL))
    AS r (kind, max_values, "normalize")
WHERE EXISTS (SELECT FROM journey_stitch.journeys j WHERE j.project_id = p.id);
DO $$
DECLARE
    kept CONSTANT bigint := (SELECT count(DISTINCT r.project_id) FROM journey_stitch.identity_rules r WHERE r.project_id <> 0);
BEGIN
    IF kept > 0 THEN
        -- While an extension's script runs, PostgreSQL shows no NOTICE.
        RAISE INFO '% project(s) with a history keep the keys of journey_stitch 0.2.0: as they were sent, any number of them in a journey', kept
            USING HINT = 'use_identity_profile(''default'', project) and restitch(project) bring the rules of new projects: keys are trimmed, emails lowered, and a journey has at most 10000 keys.';
    END IF;
END
$$;

-- 30_storage.sql

CREATE OR REPLACE FUNCTION journey_stitch.clean() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SECURITY DEFINER: only journey_stitch_admin may execute it, who has no right to change the tables otherwise.
    -- First, what every call reads first: whoever is under way ends before, and whoever comes begins after.
    LOCK TABLE journey_stitch.projects IN ACCESS EXCLUSIVE MODE;
    -- Ids go on from where they are: what a client still remembers must never name something new.
    TRUNCATE journey_stitch.events, journey_stitch.event_ids, journey_stitch.pending, journey_stitch.dead_letters,
             journey_stitch.keys, journey_stitch.journeys, journey_stitch.merges, journey_stitch.users,
             journey_stitch.activity, journey_stitch.event_counts, journey_stitch.project_stats,
             journey_stitch.rejection_stats, journey_stitch.job_errors, journey_stitch.project_grants,
             journey_stitch.merge_conflicts, journey_stitch.key_moves, journey_stitch.identity_words,
             journey_stitch.identity_log;
    DELETE FROM journey_stitch.identity_rules WHERE project_id <> 0;
    IF to_regclass('journey_graph."Event"') IS NOT NULL THEN
        -- Whose they are is asked of tables that nobody can exchange any more.
        LOCK TABLE journey_graph."Event", journey_graph."Correlation", journey_graph."Journey",
                   journey_graph."HAS_KEY", journey_graph."PART_OF" IN ACCESS EXCLUSIVE MODE;
        PERFORM journey_stitch.refuse_foreign_graph();
        TRUNCATE journey_graph."Event", journey_graph."Correlation", journey_graph."Journey",
                 journey_graph."HAS_KEY", journey_graph."PART_OF";
    END IF;
    DELETE FROM journey_stitch.projects WHERE name <> 'default';
END
$$;

-- 45_rebuild.sql

CREATE OR REPLACE FUNCTION journey_stitch.rebuild_graph() RETURNS TABLE (label text, entries bigint)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET default_tablespace = ''
SET default_table_access_method = heap
SET client_min_messages = warning
-- Joins of whole tables, whose statistics may be older than their rows.
SET enable_nestloop = off
SET jit = off
AS $$
DECLARE
    is_whole boolean;
    old_index regclass;
    event_label integer;
    correlation_label integer;
    journey_label integer;
    has_key_label integer;
    part_of_label integer;
BEGIN
    -- SECURITY DEFINER: journey_stitch_admin may execute it, and what it makes is to be the owner's.
    -- Stitchers update their project's row first of all, so they wait here until this transaction ends. Ingest
    -- goes on, dead letters included, whose foreign key locks a row (ROW SHARE); only a new project waits.
    LOCK TABLE journey_stitch.projects IN SHARE ROW EXCLUSIVE MODE;
    -- And nobody else makes the graph meanwhile: see ensure_graph().
    LOCK TABLE journey_stitch.journeys IN SHARE UPDATE EXCLUSIVE MODE;
    PERFORM journey_stitch.refuse_foreign_graph();
    -- As every stitched batch does: a REPEATABLE READ caller with a snapshot from before gets a serialization
    -- failure. Rows locked now are those of workers that wait for the table, and these have no old snapshot.
    UPDATE journey_stitch.projects SET version = version + 1
    WHERE id IN (SELECT id FROM journey_stitch.projects FOR NO KEY UPDATE SKIP LOCKED);

    PERFORM journey_stitch.note_progress('rebuild_graph', 'emptying', 0, 7);
    -- In a restored dump AGE's number of the graph is that of another schema, which later versions of AGE mind.
    SELECT count(*) = 5 INTO is_whole
    FROM journey_stitch.whole_graph_labels()
    WHERE EXISTS (SELECT FROM ag_catalog.ag_graph g WHERE g.name = 'journey_graph' AND g.graphid = g.namespace::oid);

    IF is_whole THEN
        -- Not TRUNCATE: whoever reads the graph goes on and sees what was there until this commits, and a
        -- running pg_dump is not waited for. All labels, a user's own too, whose edges might lead to nothing.
        LOCK TABLE journey_graph._ag_label_vertex, journey_graph._ag_label_edge IN SHARE ROW EXCLUSIVE MODE;
        DELETE FROM journey_graph._ag_label_edge;
        DELETE FROM journey_graph._ag_label_vertex;
        -- No vertex of Cypher's is left, and the next one must not get an id of ours.
        PERFORM setval(s.name, greatest(140737488355328, nextval(s.name)))
        FROM (VALUES ('journey_graph."Event_id_seq"'::regclass), ('journey_graph."Correlation_id_seq"'),
                     ('journey_graph."Journey_id_seq"')) AS s (name);
    ELSE
        -- With journeys in the tables it is ours, and so are tables that AGE does not know, as a dump of only the
        -- schema makes them. Otherwise ensure_graph() says what it is, and harms nothing.
        IF EXISTS (SELECT FROM journey_stitch.journeys)
           OR to_regclass('journey_graph."PART_OF"') IS NOT NULL
              AND NOT EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = 'journey_graph') THEN
            PERFORM journey_stitch.drop_graph();
        END IF;
        PERFORM journey_stitch.ensure_graph();
        -- Indexes are quicker made at the end. One that belongs to a constraint stays.
        FOR old_index IN
            SELECT i.indexrelid
            FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
            WHERE c.relnamespace = to_regnamespace('journey_graph')
              AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
        LOOP
            EXECUTE format('DROP INDEX %s', old_index);
        END LOOP;
    END IF;

    event_label := journey_stitch.graph_label_id('Event');
    correlation_label := journey_stitch.graph_label_id('Correlation');
    journey_label := journey_stitch.graph_label_id('Journey');
    has_key_label := journey_stitch.graph_label_id('HAS_KEY');
    part_of_label := journey_stitch.graph_label_id('PART_OF');

    -- In the form that the stitcher gives them (sql/steps/graph_*.sql). Events that are pending are left to it;
    -- which ones these are is asked in the same statement, because events come in meanwhile.
    PERFORM journey_stitch.note_progress('rebuild_graph', 'Event', 1, 7);
    INSERT INTO journey_graph."Event" (id, properties)
    SELECT ag_catalog._graphid(event_label, e.id),
           ag_catalog.agtype_build_map(
               'id', e.event_id, 'type', e.event_type,
               'ts', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    FROM journey_stitch.events e
    WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q);
    label := 'Event';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'Correlation', 2, 7);
    INSERT INTO journey_graph."Correlation" (id, properties)
    SELECT ag_catalog._graphid(correlation_label, k.id), ag_catalog.agtype_build_map('kind', k.kind, 'value', k.value)
    FROM journey_stitch.keys k;
    label := 'Correlation';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'Journey', 3, 7);
    INSERT INTO journey_graph."Journey" (id, properties)
    SELECT ag_catalog._graphid(journey_label, j.id),
           ag_catalog.agtype_build_map(
               'id', j.uuid::text,
               'created_at', to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    FROM journey_stitch.journeys j
    WHERE j.merged_into IS NULL;
    label := 'Journey';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'HAS_KEY', 4, 7);
    INSERT INTO journey_graph."HAS_KEY" (id, start_id, end_id, properties)
    SELECT ag_catalog._graphid(has_key_label, nextval('journey_graph."HAS_KEY_id_seq"')),
           ag_catalog._graphid(event_label, g.id), ag_catalog._graphid(correlation_label, k.id), '{}'::ag_catalog.agtype
    -- Kept apart, so that keys are joined by the whole of what identifies them, whatever the planner knows of them.
    FROM (SELECT e.id, e.project_id, g.kind, g.value
          FROM journey_stitch.events e
          CROSS JOIN LATERAL journey_stitch.event_keys(e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS g
          WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q)
          OFFSET 0) AS g
    JOIN journey_stitch.keys k ON k.project_id = g.project_id AND k.kind = g.kind AND k.value = g.value
    WHERE NOT EXISTS (SELECT FROM journey_stitch.merge_conflicts c WHERE c.event_id = g.id AND c.key_id = k.id);
    label := 'HAS_KEY';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'PART_OF', 5, 7);
    INSERT INTO journey_graph."PART_OF" (id, start_id, end_id, properties)
    SELECT ag_catalog._graphid(part_of_label, nextval('journey_graph."PART_OF_id_seq"')),
           ag_catalog._graphid(correlation_label, k.id), ag_catalog._graphid(journey_label, k.journey_id), '{}'::ag_catalog.agtype
    FROM journey_stitch.keys k
    WHERE k.journey_id IS NOT NULL;
    label := 'PART_OF';
    GET DIAGNOSTICS entries = ROW_COUNT;
    RETURN NEXT;

    PERFORM journey_stitch.note_progress('rebuild_graph', 'indexes', 6, 7);
    PERFORM journey_stitch.ensure_graph();
END
$$;

-- 46_graph_check.sql

-- What somebody has done to the graph by hand, through Cypher or SQL: found here, mended by rebuild_graph().

CREATE FUNCTION journey_stitch.whole_graph_labels() RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT wanted.name
    FROM (VALUES ('Event', '_ag_label_vertex'), ('Correlation', '_ag_label_vertex'), ('Journey', '_ag_label_vertex'),
                 ('HAS_KEY', '_ag_label_edge'), ('PART_OF', '_ag_label_edge')) AS wanted (name, parent)
    JOIN ag_catalog.ag_graph g ON g.name = 'journey_graph'
    JOIN ag_catalog.ag_label l ON l.graph = g.graphid AND l.name = wanted.name
    JOIN ag_catalog.ag_label parent ON parent.graph = g.graphid AND parent.name = wanted.parent
    JOIN pg_inherits i ON i.inhrelid = l.relation AND i.inhparent = parent.relation
    JOIN pg_class c ON c.oid = l.relation AND c.oid = to_regclass(format('journey_graph.%I', l.name))
    JOIN pg_class s ON s.oid = to_regclass(format('journey_graph.%I', l.name || '_id_seq')) AND s.relkind = 'S'
    WHERE CASE wanted.parent
              WHEN '_ag_label_vertex' THEN 'id graphid, properties agtype'
              ELSE 'id graphid, start_id graphid, end_id graphid, properties agtype'
          END = (SELECT string_agg(format('%s %s', a.attname,
                                          CASE a.atttypid WHEN 'ag_catalog.graphid'::regtype THEN 'graphid'
                                                          WHEN 'ag_catalog.agtype'::regtype THEN 'agtype' END),
                                   ', ' ORDER BY a.attnum)
                 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
$$;
COMMENT ON FUNCTION journey_stitch.whole_graph_labels() IS
    'Those of the five labels of journey_graph that AGE knows, with table, columns and sequence as it makes them.';

CREATE FUNCTION journey_stitch.graph_check() RETURNS TABLE (label text, problem text, entries bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 32
SET search_path = pg_catalog, pg_temp
-- Joins of whole tables, whose statistics may be older than their rows.
SET enable_nestloop = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    labels CONSTANT text[] := ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF'];
    whole CONSTANT text[] := ARRAY(SELECT journey_stitch.whole_graph_labels());
    -- Without a graph there is none to check, until there are journeys.
    is_wanted CONSTANT boolean := EXISTS (SELECT FROM journey_stitch.journeys)
        OR to_regnamespace('journey_graph') IS NOT NULL
        OR EXISTS (SELECT FROM ag_catalog.ag_graph WHERE name = 'journey_graph');
    -- What is expected, in the form that the stitcher gives it (sql/steps/graph_*.sql); $1 is the label's number.
    vertices CONSTANT jsonb := jsonb_build_object(
        'Event', $q$
            SELECT ag_catalog._graphid($1, e.id) AS id,
                   ag_catalog.agtype_build_map(
                       'id', e.event_id, 'type', e.event_type,
                       'ts', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS properties
            FROM journey_stitch.events e
            WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q) $q$,
        'Correlation', $q$
            SELECT ag_catalog._graphid($1, k.id) AS id,
                   ag_catalog.agtype_build_map('kind', k.kind, 'value', k.value) AS properties
            FROM journey_stitch.keys k $q$,
        'Journey', $q$
            SELECT ag_catalog._graphid($1, j.id) AS id,
                   ag_catalog.agtype_build_map(
                       'id', j.uuid::text,
                       'created_at', to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                       AS properties
            FROM journey_stitch.journeys j
            WHERE j.merged_into IS NULL $q$);
    edges CONSTANT jsonb := jsonb_build_object(
        'HAS_KEY', $q$
            SELECT g.id AS a, k.id AS b
            -- Kept apart by OFFSET 0: joined to an event's keys one event at a time, all keys of its project are read
            -- for each.
            FROM (SELECT e.id, e.project_id, g.kind, g.value
                  FROM journey_stitch.events e
                  CROSS JOIN LATERAL journey_stitch.event_keys(
                      e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS g
                  WHERE NOT e.id <@ (SELECT COALESCE(range_agg(q.event_ranges), '{}') FROM journey_stitch.pending q)
                  OFFSET 0) AS g
            JOIN journey_stitch.keys k ON k.project_id = g.project_id AND k.kind = g.kind AND k.value = g.value
            WHERE NOT EXISTS (SELECT FROM journey_stitch.merge_conflicts c
                              WHERE c.event_id = g.id AND c.key_id = k.id) $q$,
        'PART_OF', $q$
            SELECT k.id AS a, k.journey_id AS b FROM journey_stitch.keys k WHERE k.journey_id IS NOT NULL $q$);
    ends CONSTANT jsonb := '{"HAS_KEY": ["Event", "Correlation"], "PART_OF": ["Correlation", "Journey"]}';
    name text;
    vertex_ids text[];
    counts bigint[];
BEGIN
    -- SECURITY DEFINER: journey_stitch_admin may execute it, to whom neither the graph nor all tables are granted.
    PERFORM journey_stitch.refuse_foreign_graph();

    FOREACH name IN ARRAY labels LOOP
        IF name <> ALL (whole) THEN
            RETURN QUERY SELECT name, 'no table', is_wanted::integer::bigint;
            CONTINUE;
        END IF;
        IF vertices ? name THEN
            EXECUTE format($q$
                SELECT ARRAY[
                    count(*) FILTER (WHERE v.id IS NULL), count(*) FILTER (WHERE e.id IS NULL),
                    count(e.id) FILTER (WHERE v.id IS NOT NULL) - count(DISTINCT e.id) FILTER (WHERE v.id IS NOT NULL),
                    count(*) FILTER (WHERE NOT v.properties OPERATOR(ag_catalog.=) e.properties)]
                FROM (%1$s) AS e
                FULL JOIN journey_graph.%2$I AS v ON v.id OPERATOR(ag_catalog.=) e.id $q$, vertices ->> name, name)
            INTO counts USING journey_stitch.graph_label_id(name);
        ELSE
            -- Ends are compared by entry ids, as far as they are of the right label: a label that AGE does not know
            -- any more has no number.
            EXECUTE format($q$
                SELECT ARRAY[
                    count(*) FILTER (WHERE x.n IS NULL), COALESCE(sum(x.n) FILTER (WHERE e.is_there IS NULL), 0),
                    COALESCE(sum(x.n - 1) FILTER (WHERE e.is_there), 0)]
                FROM (SELECT *, true AS is_there FROM (%1$s) AS e) AS e
                FULL JOIN (SELECT CASE WHEN ag_catalog._extract_label_id(start_id) <> $1 THEN NULL
                                       ELSE journey_stitch.graph_entry_id(start_id) END AS a,
                                  CASE WHEN ag_catalog._extract_label_id(end_id) <> $2 THEN NULL
                                       ELSE journey_stitch.graph_entry_id(end_id) END AS b,
                                  count(*) AS n
                           FROM journey_graph.%2$I GROUP BY 1, 2) AS x USING (a, b) $q$, edges ->> name, name)
            INTO counts
            USING journey_stitch.graph_label_id(ends -> name ->> 0), journey_stitch.graph_label_id(ends -> name ->> 1);
            -- Of a label whose table is gone there is no vertex.
            SELECT array_agg(CASE WHEN v.name = ANY (whole)
                                  THEN format('SELECT DISTINCT id FROM journey_graph.%I', v.name)
                                  ELSE 'SELECT NULL::ag_catalog.graphid AS id WHERE false' END ORDER BY v.n)
            INTO vertex_ids FROM jsonb_array_elements_text(ends -> name) WITH ORDINALITY AS v (name, n);
            -- Cypher walks an edge once, and knows it by its id: none may have another's.
            EXECUTE format($q$
                SELECT $2 || ARRAY[
                    count(*) FILTER (WHERE NOT x.properties OPERATOR(ag_catalog.=) '{}'::ag_catalog.agtype
                                        OR ag_catalog._extract_label_id(x.id) <> $1)
                    + count(*) - count(DISTINCT journey_stitch.graph_entry_id(x.id)),
                    count(*) FILTER (WHERE a.id IS NULL OR b.id IS NULL)]
                FROM journey_graph.%1$I AS x
                LEFT JOIN (%2$s) AS a ON a.id OPERATOR(ag_catalog.=) x.start_id
                LEFT JOIN (%3$s) AS b ON b.id OPERATOR(ag_catalog.=) x.end_id $q$, name, vertex_ids[1], vertex_ids[2])
            INTO counts USING journey_stitch.graph_label_id(name), counts;
        END IF;
        RETURN QUERY
            SELECT name, 'no table', 0::bigint
            UNION ALL
            SELECT name, p.problem, p.entries
            FROM ROWS FROM (unnest(ARRAY['missing', 'surplus', 'double', 'altered', 'dangling']), unnest(counts))
                AS p (problem, entries)
            WHERE p.entries IS NOT NULL
            UNION ALL
            -- As ensure_graph() makes them.
            SELECT name, 'no index', count(*)
            FROM (VALUES ('Event', 'id', true, 'journey_stitch_event_id'),
                         ('Correlation', 'id', true, 'journey_stitch_correlation_value'),
                         ('Journey', 'id', true, 'journey_stitch_journey_id'),
                         ('HAS_KEY', 'start_id', false, NULL), ('HAS_KEY', 'end_id', false, NULL),
                         ('PART_OF', 'start_id', true, NULL), ('PART_OF', 'end_id', false, NULL))
                 AS w (label, col, is_unique, of_property)
            CROSS JOIN LATERAL (VALUES
                (EXISTS (SELECT FROM pg_index i
                         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                         WHERE i.indrelid = format('journey_graph.%I', w.label)::regclass AND a.attname = w.col
                           AND i.indisunique >= w.is_unique)),
                (w.of_property IS NULL OR to_regclass(format('journey_graph.%I', w.of_property)) IS NOT NULL))
                AS h (is_there)
            WHERE w.label = name AND NOT h.is_there;
    END LOOP;

    -- All that MATCH finds: tables that inherit from AGE's two, and what is in these themselves.
    FOR name IN
        SELECT c.relname
        FROM pg_class c
        WHERE c.relnamespace = to_regnamespace('journey_graph') AND c.relkind = 'r' AND c.relname <> ALL (labels)
          AND (c.relname IN ('_ag_label_vertex', '_ag_label_edge')
               OR EXISTS (SELECT FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
                          WHERE i.inhrelid = c.oid AND p.relnamespace = c.relnamespace
                            AND p.relname IN ('_ag_label_vertex', '_ag_label_edge')))
        ORDER BY c.relname COLLATE "C"
    LOOP
        RETURN QUERY EXECUTE format($q$
            SELECT %1$L, 'unknown label', count(*) FROM ONLY journey_graph.%1$I HAVING count(*) > 0 $q$, name);
    END LOOP;
END
$$;
COMMENT ON FUNCTION journey_stitch.graph_check() IS
    'Compares the graph journey_graph with the tables, and counts for each label what is wrong: "no table" (1: AGE does not know the label, or its table, columns or sequence are not as AGE makes them; nothing else is said of it then), "missing", "surplus", "double", "altered" (properties, or the id of an edge, are not what they must be), "dangling" (edges with an end that is no vertex), "no index"; and entries of other labels ("unknown label"; "_ag_label_vertex": vertices without a label). All 0: well. rebuild_graph() mends all of it.';

-- Functions that the library declares.

-- Its first argument is new, without which it has no meaning: what users have made of the old one cannot go on.
DROP FUNCTION journey_stitch.event_keys(text, text, text, jsonb);
CREATE FUNCTION journey_stitch.event_keys(project_id integer, event_id text, user_id text, session_id text,
                                          identifiers jsonb) RETURNS TABLE (kind text, value text)
LANGUAGE c STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'keys_of_event_wrapper';

CREATE FUNCTION journey_stitch.drop_identity_rule(kind text, project text DEFAULT 'default') RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_identity_rule_wrapper';

CREATE FUNCTION journey_stitch.forget(id text, mode text DEFAULT 'erase', project text DEFAULT 'default',
                                      dry_run boolean DEFAULT true) RETURNS TABLE (object text, entries bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'forget_wrapper';

CREATE FUNCTION journey_stitch.journey_graph(id text, format text DEFAULT 'mermaid', project text DEFAULT 'default')
RETURNS text
LANGUAGE c STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'journey_graph_wrapper';

CREATE FUNCTION journey_stitch.link(a text, b text, project text DEFAULT 'default', dry_run boolean DEFAULT false)
RETURNS TABLE (journey_id uuid, becomes uuid, events bigint, keys bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'link_wrapper';

CREATE FUNCTION journey_stitch.never_link(a text, b text, project text DEFAULT 'default', dry_run boolean DEFAULT false)
RETURNS TABLE (journey_id uuid, becomes uuid, events bigint, keys bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'never_link_wrapper';

CREATE FUNCTION journey_stitch.restitch(project text DEFAULT 'default')
RETURNS TABLE (measure text, before bigint, after bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'restitch_wrapper';

CREATE FUNCTION journey_stitch.retract(a text, b text DEFAULT NULL, project text DEFAULT 'default',
                                       dry_run boolean DEFAULT false)
RETURNS TABLE (journey_id uuid, becomes uuid, events bigint, keys bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'retract_wrapper';

CREATE FUNCTION journey_stitch.set_identity_rule(kind text, merges boolean DEFAULT NULL,
                                                 max_values integer DEFAULT NULL, priority integer DEFAULT NULL,
                                                 blocked_values text[] DEFAULT NULL,
                                                 blocked_patterns text[] DEFAULT NULL, "normalize" text[] DEFAULT NULL,
                                                 project text DEFAULT 'default')
RETURNS TABLE (kind text, merges boolean, max_values integer, priority integer, blocked_values text[],
               blocked_patterns text[], "normalize" text[], is_in_force boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'set_identity_rule_wrapper';

CREATE FUNCTION journey_stitch.set_max_journey_keys(max_keys integer, project text DEFAULT 'default') RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'set_max_journey_keys_wrapper';

CREATE FUNCTION journey_stitch.simulate(events jsonb, project text DEFAULT 'default')
RETURNS TABLE (event_id text, journey_id uuid, merges uuid[], refused text[])
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'simulate_wrapper';

CREATE FUNCTION journey_stitch.simulate_rules(project text DEFAULT 'default')
RETURNS TABLE (measure text, before bigint, after bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'simulate_rules_wrapper';

CREATE FUNCTION journey_stitch.unmerge(key text, other text DEFAULT NULL, project text DEFAULT 'default',
                                       dry_run boolean DEFAULT true)
RETURNS TABLE (journey_id uuid, becomes uuid, events bigint, keys bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'unmerge_wrapper';

CREATE FUNCTION journey_stitch.use_identity_profile(profile text, project text DEFAULT 'default')
RETURNS TABLE (kind text, merges boolean, max_values integer, priority integer, blocked_values text[],
               blocked_patterns text[], "normalize" text[], is_in_force boolean)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'use_identity_profile_wrapper';

-- 50_journeys.sql

-- get_journey() has an argument more, with a default. It is replaced, never dropped, so that what users have made of it
-- and granted on it stays: calls that are stored in views get the default when they are planned. CREATE OR REPLACE
-- does not change arguments; so one with the new ones is made, and its declaration taken over.
CREATE FUNCTION journey_stitch.get_journey_as_of(id text, project text DEFAULT 'default', as_of timestamptz DEFAULT NULL)
RETURNS TABLE (journey_id uuid, event_id text, event_type text, event_name text, occurred_at timestamptz,
               user_id text, session_id text, source text, properties jsonb)
LANGUAGE c STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'get_journey';
UPDATE pg_proc p
SET pronargs = n.pronargs, pronargdefaults = n.pronargdefaults, proargtypes = n.proargtypes,
    proallargtypes = n.proallargtypes, proargmodes = n.proargmodes, proargnames = n.proargnames,
    proargdefaults = n.proargdefaults
FROM pg_proc n
WHERE p.oid = 'journey_stitch.get_journey(text, text)'::regprocedure
  AND n.oid = 'journey_stitch.get_journey_as_of(text, text, timestamptz)'::regprocedure;
DROP FUNCTION journey_stitch.get_journey_as_of(text, text, timestamptz);
COMMENT ON FUNCTION journey_stitch.get_journey(text, text, timestamptz) IS
    'The events of one journey in order of time, then of arrival. id is an event id, else a journey id (one that was absorbed leads to its survivor), else a key kind:value. No rows if nothing has that id, or while the event is pending. as_of: the journey as it was at that time, by the events received and the merges and splits made until then.';

CREATE VIEW journey_stitch.stitched_keys WITH (security_invoker = true) AS
SELECT e.project_id, e.event_id, k.id AS key_id, k.journey_id, e.occurred_at, e.event_type,
       EXISTS (SELECT FROM journey_stitch.merge_conflicts c WHERE c.event_id = e.event_id AND c.key_id = k.id) AS is_refused
-- Kept apart, so that keys are joined by the whole of what identifies them, whatever the planner knows of them.
FROM (SELECT e.id AS event_id, e.project_id, e.occurred_at, e.event_type, g.kind, g.value
      FROM journey_stitch.stitched_events e
      CROSS JOIN LATERAL journey_stitch.event_keys(e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS g
      OFFSET 0) AS e
JOIN journey_stitch.keys k ON k.project_id = e.project_id AND k.kind = e.kind AND k.value = e.value;
COMMENT ON VIEW journey_stitch.stitched_keys IS
    'The keys of each stitched event, computed from the event by the rules in force; is_refused: the key does not tie the event (merge_conflicts).';

-- 52_history.sql

-- Journeys as they were. The trail is merges (journeys that went as a whole) and key_moves (keys that went by
-- themselves); their ids come from one sequence and order both. A time only says how far to follow it: everything of
-- one transaction has the same time, and one that waited for its turn has an earlier time than the one it waited for.

CREATE FUNCTION journey_stitch.survivor_at(journey bigint, since bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    present bigint := survivor_at.journey;
    last_merge bigint := survivor_at.since;
    merge record;
BEGIN
    LOOP
        -- Kept apart by OFFSET 0, so that it is found by absorbed_id and not by walking all merges in order of id.
        SELECT m.id, m.survivor_id INTO merge
        FROM (SELECT * FROM journey_stitch.merges m WHERE m.absorbed_id = present OFFSET 0) AS m
        WHERE m.id > last_merge AND m.merged_at <= survivor_at.at
        ORDER BY m.id
        LIMIT 1;
        IF NOT FOUND THEN
            RETURN present;
        END IF;
        present := merge.survivor_id;
        last_merge := merge.id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION journey_stitch.survivor_at(bigint, bigint, timestamptz) IS
    'The journey (journeys.id) that a journey had become at a time, by the merges after number since of merges and key_moves.';

CREATE FUNCTION journey_stitch.journey_at(key_id bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place record;
BEGIN
    SELECT v.id, v.to_journey_id AS journey INTO place
    FROM (SELECT * FROM journey_stitch.key_moves v WHERE v.key_id = journey_at.key_id OFFSET 0) AS v
    WHERE v.moved_at <= journey_at.at
    ORDER BY v.id DESC
    LIMIT 1;
    IF NOT FOUND THEN
        SELECT 0::bigint AS id, k.first_journey_id AS journey INTO place
        FROM journey_stitch.keys k
        WHERE k.id = journey_at.key_id;
    END IF;
    RETURN journey_stitch.survivor_at(place.journey, place.id, journey_at.at);
END
$$;
COMMENT ON FUNCTION journey_stitch.journey_at(bigint, timestamptz) IS
    'The journey (journeys.id) that a key (keys.id) was in at a time: where its last move until then took it, else its first journey, and from there on what absorbed that until then. NULL if there is no such key, or it was in none. A time before the key was first seen gives its first journey.';

CREATE FUNCTION journey_stitch.journey_of_entry_at(entry bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    event record;
BEGIN
    SELECT e.project_id, e.occurred_at INTO event
    FROM journey_stitch.events e
    WHERE e.id = journey_of_entry_at.entry AND e.received_at <= journey_of_entry_at.at;
    -- The graph comes with the first stitching; before, every event is pending.
    IF NOT FOUND OR NOT journey_stitch.has_graph() THEN
        RETURN NULL;
    END IF;
    -- An event belongs to its first key, in the order in which keys are taken; which of its keys tied it then is not
    -- recorded, and what are keys of one journey now may have been of several: so all of its keys are asked, those that
    -- are refused now, too. A key that was unmerged by then comes last.
    RETURN (
        SELECT k.journey
        FROM (SELECT k.kind, k.value,
                     CASE WHEN EXISTS (SELECT FROM journey_stitch.identity_words w
                                       WHERE w.project_id = event.project_id AND w.word = 'unmerge'
                                         AND w.kind = k.kind AND w.value = k.value
                                         AND w.made_at <= journey_of_entry_at.at) THEN 2
                          WHEN k.hold IS DISTINCT FROM 'u' AND k.since <= event.occurred_at THEN 1 ELSE 0 END AS class,
                     (SELECT r.priority
                      FROM journey_stitch.identity_rules r
                      WHERE r.project_id IN (0, event.project_id) AND r.kind IN (k.kind, '*') AND r.is_in_force
                        AND r.priority IS NOT NULL
                      ORDER BY r.kind = '*', r.project_id = 0
                      LIMIT 1) AS priority,
                     journey_stitch.journey_at(k.id, journey_of_entry_at.at) AS journey
              FROM (SELECT journey_stitch.graph_entry_id(h.end_id) AS key_id
                    FROM journey_graph."HAS_KEY" h
                    WHERE h.start_id OPERATOR(ag_catalog.=)
                          ag_catalog._graphid(journey_stitch.graph_label_id('Event'), journey_of_entry_at.entry)
                    UNION ALL
                    SELECT c.key_id FROM journey_stitch.merge_conflicts c WHERE c.event_id = journey_of_entry_at.entry
                    OFFSET 0) AS h
              CROSS JOIN LATERAL (SELECT * FROM journey_stitch.keys k WHERE k.id = h.key_id LIMIT 1) AS k) AS k
        WHERE k.journey IS NOT NULL
        ORDER BY k.class, k.priority, k.kind COLLATE "C", k.value COLLATE "C"
        LIMIT 1);
END
$$;
COMMENT ON FUNCTION journey_stitch.journey_of_entry_at(bigint, timestamptz) IS
    'The journey (journeys.id) that an event (events.id) belonged to at a time: that of its first key, as the rules and words of now that were made by then order keys. NULL if it was received later, or is pending.';

CREATE FUNCTION journey_stitch.journey_of_key_at(key_id bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT journey_stitch.has_graph() THEN
        RETURN NULL;
    END IF;
    -- Of the events that have the key, tied by it or not, one at a time until one is old enough.
    IF NOT EXISTS (SELECT
                   FROM (SELECT journey_stitch.graph_entry_id(h.start_id) AS event_id
                         FROM journey_graph."HAS_KEY" h
                         WHERE h.end_id OPERATOR(ag_catalog.=)
                               ag_catalog._graphid(journey_stitch.graph_label_id('Correlation'),
                                                   journey_of_key_at.key_id)
                         UNION ALL
                         SELECT c.event_id FROM journey_stitch.merge_conflicts c
                         WHERE c.key_id = journey_of_key_at.key_id
                         OFFSET 0) AS h
                   CROSS JOIN LATERAL (SELECT e.received_at FROM journey_stitch.events e
                                       WHERE e.id = h.event_id LIMIT 1) AS e
                   WHERE e.received_at <= journey_of_key_at.at) THEN
        RETURN NULL;
    END IF;
    RETURN journey_stitch.journey_at(journey_of_key_at.key_id, journey_of_key_at.at);
END
$$;
COMMENT ON FUNCTION journey_stitch.journey_of_key_at(bigint, timestamptz) IS
    'As journey_at(), and NULL too if no event that has the key was received by then.';

CREATE FUNCTION journey_stitch.alias_at(journey bigint, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM journey_stitch.merges m
                   WHERE m.absorbed_id = alias_at.journey AND m.merged_at <= alias_at.at) THEN
        RETURN alias_at.journey;
    END IF;
    -- An id goes where its founding event goes; where that was erased, with the journey that absorbed it.
    RETURN COALESCE(
        (SELECT journey_stitch.journey_of_entry_at(j.founder_id, alias_at.at)
         FROM journey_stitch.journeys j
         WHERE j.id = alias_at.journey),
        journey_stitch.survivor_at(alias_at.journey, 0, alias_at.at));
END
$$;
COMMENT ON FUNCTION journey_stitch.alias_at(bigint, timestamptz) IS
    'The journey (journeys.id) that a journey''s id led to at a time: itself, unless it had been absorbed by then.';

CREATE FUNCTION journey_stitch.journeys_refused(key_id bigint) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT journey_stitch.has_graph() THEN
        RETURN 0;
    END IF;
    -- All keys that tie an event are in one journey, so any will do.
    RETURN (SELECT count(DISTINCT k.journey_id)
            FROM (SELECT c.event_id FROM journey_stitch.merge_conflicts c
                  WHERE c.key_id = journeys_refused.key_id OFFSET 0) AS c
            CROSS JOIN LATERAL (
                SELECT journey_stitch.graph_entry_id(h.end_id) AS key_id
                FROM journey_graph."HAS_KEY" h
                WHERE h.start_id OPERATOR(ag_catalog.=)
                      ag_catalog._graphid(journey_stitch.graph_label_id('Event'), c.event_id)
                LIMIT 1) AS h
            CROSS JOIN LATERAL (SELECT k.journey_id FROM journey_stitch.keys k WHERE k.id = h.key_id LIMIT 1) AS k);
END
$$;
COMMENT ON FUNCTION journey_stitch.journeys_refused(bigint) IS
    'In how many present journeys there are events that have this key and are not tied by it.';

-- 54_journey_graph.sql

-- One journey drawn, in languages that other programs render. What events have sent is in none of them more than text.

CREATE FUNCTION journey_stitch.drawing_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- On one line, without what XML does not allow and what turns the direction of writing.
    SELECT CASE WHEN t.line = '' THEN '…' WHEN char_length(t.line) > 40 THEN left(t.line, 39) || '…' ELSE t.line END
    FROM (SELECT btrim(regexp_replace(
        value, '[\u0001-\u0020\u007f-\u00a0\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]+', ' ', 'g')) AS line) AS t
$$;
COMMENT ON FUNCTION journey_stitch.drawing_text(text) IS 'A value as one line of a label: at most 40 characters, the last of them … if it is shortened.';

CREATE FUNCTION journey_stitch.mermaid_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Mermaid looks for syntax, comments, directives, icons, formulas and, since version 11, Markdown in quoted text,
    -- too, so everything but letters and digits becomes an entity, except where it certainly means nothing. ﬂ and ¶
    -- are what it marks entities with inside.
    SELECT CASE WHEN value ~ '^[A-Za-z0-9 ,/=]*$' THEN value ELSE (
        SELECT string_agg(
            CASE WHEN c = '"' THEN '#quot;'
                 WHEN c ~ '[A-Za-z0-9 ,/=]' OR ascii(c) > 127 AND c NOT IN ('ﬂ', '¶') THEN c
                 WHEN c IN ('-', '_') AND c_before ~ '[A-Za-z0-9]' AND c_after ~ '[A-Za-z0-9]' THEN c
                 ELSE '#' || ascii(c) || ';' END, '' ORDER BY n)
        FROM (SELECT c, n, lag(c) OVER (ORDER BY n) AS c_before, lead(c) OVER (ORDER BY n) AS c_after
              FROM unnest(string_to_array(value, NULL)) WITH ORDINALITY AS u (c, n)) AS chars) END
$$;
COMMENT ON FUNCTION journey_stitch.mermaid_text(text) IS 'A text for a quoted label of Mermaid, which draws it as it is.';

CREATE FUNCTION journey_stitch.dot_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- In labels Graphviz reads HTML's entities as well.
    SELECT replace(replace(replace(value, '\', '\\'), '"', '\"'), '&', '&amp;')
$$;
COMMENT ON FUNCTION journey_stitch.dot_text(text) IS 'A text for a quoted label of DOT, which draws it as it is.';

CREATE FUNCTION journey_stitch.drawing_parts(journey bigint, most integer)
RETURNS TABLE (n bigint, source text, target text, type text, lines text[], note text, details jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH present AS MATERIALIZED (
        SELECT * FROM journey_stitch.journeys WHERE id = drawing_parts.journey
    ), event AS MATERIALIZED (
        -- The first and the last ones. Walked by index, as get_journey() does (sql/steps/journey_events.sql).
        SELECT 'e' || o.place AS node, o.*
        FROM (SELECT e.*, row_number() OVER (ORDER BY e.occurred_at, e.id) AS place, count(*) OVER () AS places
              FROM (SELECT DISTINCT h.start_id
                    FROM (SELECT p.start_id
                          FROM journey_graph."PART_OF" p
                          WHERE p.end_id OPERATOR(ag_catalog.=)
                                ag_catalog._graphid(journey_stitch.graph_label_id('Journey'), drawing_parts.journey)
                          OFFSET 0) AS p
                    CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                                        WHERE h.end_id OPERATOR(ag_catalog.=) p.start_id OFFSET 0) AS h) AS m
              CROSS JOIN LATERAL (SELECT e.id, m.start_id, e.event_id, e.event_type, e.occurred_at
                                  FROM journey_stitch.events e
                                  WHERE e.id = journey_stitch.graph_entry_id(m.start_id) LIMIT 1) AS e) AS o
        WHERE o.place <= most - most / 2 OR o.place > o.places - most / 2
    ), tie AS MATERIALIZED (
        SELECT e.node AS event, e.place, journey_stitch.graph_entry_id(h.end_id) AS key_id, NULL::text AS rule
        FROM event e
        CROSS JOIN LATERAL (SELECT h.end_id FROM journey_graph."HAS_KEY" h
                            WHERE h.start_id OPERATOR(ag_catalog.=) e.start_id OFFSET 0) AS h
        UNION ALL
        SELECT e.node, e.place, c.key_id, c.rule
        FROM event e
        CROSS JOIN LATERAL (SELECT c.key_id, c.rule FROM journey_stitch.merge_conflicts c
                            WHERE c.event_id = e.id OFFSET 0) AS c
    ), key AS MATERIALIZED (
        SELECT CASE WHEN o.is_refused THEN 'r' ELSE 'k' END || o.place AS node, o.*
        FROM (SELECT k.*, k.journey_id IS DISTINCT FROM drawing_parts.journey AS is_refused,
                     CASE k.hold WHEN 'q' THEN 'quarantined' WHEN 'u' THEN 'unmerged' END AS held,
                     row_number() OVER (PARTITION BY k.journey_id IS DISTINCT FROM drawing_parts.journey
                                        ORDER BY t.first_place, k.kind COLLATE "C", k.value COLLATE "C") AS place
              FROM (SELECT key_id, min(place) AS first_place FROM tie GROUP BY key_id) AS t
              CROSS JOIN LATERAL (SELECT * FROM journey_stitch.keys k WHERE k.id = t.key_id LIMIT 1) AS k) AS o
    ), absorbed AS MATERIALIZED (
        SELECT 'a' || o.place AS node, o.*
        FROM (SELECT j.id, j.uuid, m.survivor_id, m.event_id, m.key_id, m.rule, m.merged_at,
                     row_number() OVER (ORDER BY m.id DESC NULLS LAST, j.id) AS place, count(*) OVER () AS places
              FROM journey_stitch.journeys j
              LEFT JOIN LATERAL (SELECT * FROM journey_stitch.merges m WHERE m.absorbed_id = j.id
                                 ORDER BY m.id DESC LIMIT 1) AS m ON true
              WHERE j.merged_into = drawing_parts.journey) AS o
        WHERE o.place <= most
    ), part AS (
        SELECT 1 AS layer, 1 AS place, 'j1' AS source, NULL AS target, 'journey' AS type,
               ARRAY['Journey', p.uuid::text] AS lines,
               format('%s event%s, %s key%s', p.event_count, CASE WHEN p.event_count <> 1 THEN 's' END,
                      p.key_count, CASE WHEN p.key_count <> 1 THEN 's' END) AS note,
               jsonb_build_object('journey_id', p.uuid, 'events', p.event_count, 'keys', p.key_count,
                                  'first_seen', p.first_seen, 'last_seen', p.last_seen, 'created_at', p.created_at)
                   AS details
        FROM present p
        UNION ALL
        SELECT 2, a.place, a.node, NULL, 'absorbed_journey', ARRAY['Absorbed journey', a.uuid::text], NULL,
               jsonb_build_object('journey_id', a.uuid)
        FROM absorbed a
        UNION ALL
        SELECT 3, k.place, k.node, NULL,
               CASE WHEN k.is_refused THEN 'refused_key' WHEN k.held IS NOT NULL THEN 'held_key' ELSE 'key' END,
               ARRAY[k.kind, k.value], k.held,
               jsonb_build_object('kind', k.kind, 'value', k.value, 'hold', k.held, 'journey_id',
                                  (SELECT j.uuid FROM journey_stitch.journeys j WHERE j.id = k.journey_id))
        FROM key k WHERE k.place <= most
        UNION ALL
        SELECT 4, e.place, e.node, NULL, 'event', ARRAY[e.event_type],
               to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
               jsonb_build_object('event_id', e.event_id, 'event_type', e.event_type, 'occurred_at', e.occurred_at)
        FROM event e
        UNION ALL
        SELECT 5, l.place, 'm' || l.place, NULL, 'left_out', '{}',
               concat(to_char(l.entries, 'FM999,999,999,990'), ' more ', l.what, CASE WHEN l.entries <> 1 THEN 's' END),
               jsonb_build_object('what', l.what, 'entries', l.entries)
        FROM (SELECT 1 AS place, 'event' AS what, (SELECT max(places) - count(*) FROM event) AS entries
              UNION ALL
              SELECT 2, 'key', (SELECT p.key_count - (SELECT count(*) FROM key WHERE NOT is_refused AND place <= most)
                                 FROM present p)
              UNION ALL
              SELECT 3, 'refused key', (SELECT count(*) FROM key WHERE is_refused AND place > most)
              UNION ALL
              SELECT 4, 'absorbed journey', (SELECT max(places) - count(*) FROM absorbed)) AS l
        WHERE l.entries > 0
        UNION ALL
        SELECT 6, t.place, t.event, k.node, CASE WHEN t.rule IS NULL THEN 'HAS_KEY' ELSE 'REFUSED' END,
               ARRAY[t.rule], NULL,
               jsonb_build_object('rule', t.rule)
        FROM tie t JOIN key k ON k.id = t.key_id WHERE k.place <= most
        UNION ALL
        SELECT 7, k.place, k.node, 'j1', 'PART_OF', '{}', NULL, '{}'
        FROM key k WHERE NOT k.is_refused AND k.place <= most
        UNION ALL
        SELECT 8, a.place, a.node, COALESCE(s.node, 'j1'), 'MERGED_INTO',
               ARRAY[a.rule, 'event ' || e.event_id, k.kind || ' ' || k.value], NULL,
               jsonb_build_object('rule', a.rule, 'event_id', e.event_id, 'key', k.kind || ':' || k.value,
                                  'merged_at', a.merged_at)
        FROM absorbed a
        LEFT JOIN absorbed s ON s.id = a.survivor_id
        LEFT JOIN LATERAL (SELECT e.event_id FROM journey_stitch.events e WHERE e.id = a.event_id LIMIT 1) AS e ON true
        LEFT JOIN LATERAL (SELECT k.kind, k.value FROM journey_stitch.keys k WHERE k.id = a.key_id LIMIT 1) AS k ON true
    )
    SELECT row_number() OVER (ORDER BY p.layer, p.place, char_length(p.target), p.target COLLATE "C"),
           p.source, p.target, p.type,
           ARRAY(SELECT journey_stitch.drawing_text(l.line) FROM unnest(p.lines) WITH ORDINALITY AS l (line, n)
                 WHERE l.line IS NOT NULL ORDER BY l.n),
           p.note, jsonb_strip_nulls(p.details)
    FROM part p
    UNION ALL
    -- What is left out belongs to the journey, too.
    SELECT 1000000 + p.place, p.source, 'j1', 'LEFT_OUT', '{}', NULL, '{}' FROM part p WHERE p.layer = 5
    ORDER BY 1;
END
$$;
COMMENT ON FUNCTION journey_stitch.drawing_parts(bigint, integer) IS
    'What a drawing of journey (journeys.id) consists of, nodes first (target is NULL), then edges: the journey (j1), journeys that it absorbed (a1 …, the latest first), its keys (k1 …), keys that its events were refused to be tied by (r1 …), its events (e1 …, in order of time) and what is left out of them (m1 …), because there are more than the given number. lines are from the data, each on one line and shortened; note is ours.';

CREATE FUNCTION journey_stitch.journey_drawing(journey bigint, format text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
-- The times in JSON.
SET timezone = 'UTC'
AS $$
DECLARE
    most integer := 500;
    drawing text;
    edges bigint;
BEGIN
    IF format IS NULL OR format NOT IN ('mermaid', 'dot', 'json') THEN
        RAISE EXCEPTION 'invalid format: there is no format "%"', format
            USING ERRCODE = 'invalid_parameter_value', HINT = 'format takes ''mermaid'', ''dot'' or ''json''.';
    END IF;
    IF NOT EXISTS (SELECT FROM journey_stitch.journeys j WHERE j.id = journey) THEN
        RETURN NULL;
    END IF;
    -- Nor somebody else's tables of these names.
    IF NOT journey_stitch.has_graph() THEN
        RAISE EXCEPTION 'the graph journey_graph is gone, or parts of it are'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'SELECT * FROM journey_stitch.rebuild_graph() makes it from the tables.';
    END IF;

    IF format = 'json' THEN
        SELECT concat(E'{"nodes": [\n', string_agg(o.line, E',\n' ORDER BY o.n) FILTER (WHERE NOT o.is_edge),
                      E'\n], "edges": [\n', string_agg(o.line, E',\n' ORDER BY o.n) FILTER (WHERE o.is_edge), E'\n]}')
        INTO drawing
        FROM (SELECT p.n, p.target IS NOT NULL AS is_edge,
                     (CASE WHEN p.target IS NULL THEN jsonb_build_object('id', p.source)
                           ELSE jsonb_build_object('from', p.source, 'to', p.target) END
                      || jsonb_strip_nulls(jsonb_build_object('type', p.type, 'label', NULLIF(l.label, '')))
                      || p.details)::text AS line
              FROM journey_stitch.drawing_parts(journey, most) AS p
              CROSS JOIN LATERAL (SELECT array_to_string(p.lines || p.note, E'\n') AS label) AS l) AS o;
        RETURN drawing;
    END IF;

    IF format = 'dot' THEN
        -- Colors that can be read on light and on dark paper.
        SELECT concat(
            E'digraph journey {\n',
            E'  graph [rankdir=LR, bgcolor=transparent, ranksep=1.2, nodesep=0.15];\n',
            E'  node [shape=box, style="rounded,filled", fontname="Helvetica,Arial,sans-serif", fontsize=11];\n',
            E'  edge [fontname="Helvetica,Arial,sans-serif", fontsize=10, color="#767676", fontcolor="#767676"];\n',
            string_agg(
                CASE WHEN p.target IS NULL THEN format('  %s [label="%s", %s];', p.source, l.label,
                    CASE p.type
                        WHEN 'journey' THEN 'fillcolor="#cfe2ff", color="#2f5fa8", fontcolor="#10233f", penwidth=2'
                        WHEN 'absorbed_journey' THEN 'fillcolor="#e4e4e4", color="#6e6e6e", fontcolor="#222222"'
                        WHEN 'key' THEN 'fillcolor="#d8f0d2", color="#3d7a33", fontcolor="#12290e"'
                        WHEN 'held_key' THEN 'fillcolor="#ffe3b3", color="#a86a00", fontcolor="#3b2600"'
                        WHEN 'refused_key' THEN
                            'fillcolor="#ffdada", color="#b03030", fontcolor="#3d0c0c", style="rounded,filled,dashed"'
                        WHEN 'event' THEN 'fillcolor="#fff6cc", color="#8a7a1f", fontcolor="#2e2800", style=filled'
                        ELSE 'fillcolor="#f2f2f2", color="#767676", fontcolor="#222222", style="filled,dashed"' END)
                ELSE format('  %s -> %s%s;', p.source, p.target,
                    CASE p.type
                        WHEN 'REFUSED' THEN format(' [label="%s", style=dashed, color="#b03030"]', l.label)
                        WHEN 'MERGED_INTO' THEN format(' [label="%s", style=bold]', l.label)
                        WHEN 'LEFT_OUT' THEN ' [style=dotted, arrowhead=none]' END) END,
                E'\n' ORDER BY p.n),
            E'\n}\n')
        INTO drawing
        FROM journey_stitch.drawing_parts(journey, most) AS p
        CROSS JOIN LATERAL (SELECT string_agg(journey_stitch.dot_text(u.line), '\n' ORDER BY u.n) AS label
                            FROM unnest(p.lines || p.note) WITH ORDINALITY AS u (line, n)) AS l;
        RETURN drawing;
    END IF;

    -- Where nobody has set it otherwise, Mermaid renders no more than 50,000 characters (UTF-16's) and 500 edges.
    LOOP
        SELECT concat(
            E'flowchart LR\n',
            string_agg(
                CASE WHEN p.target IS NULL THEN format(
                    CASE WHEN p.type IN ('journey', 'absorbed_journey') THEN '  %s(["%s"]):::%s'
                         WHEN p.type IN ('event', 'left_out') THEN '  %s["%s"]:::%s'
                         ELSE '  %s("%s"):::%s' END, p.source, l.label, p.type)
                ELSE format(
                    CASE p.type WHEN 'REFUSED' THEN '  %s -.->|"%3$s"| %2$s'
                                WHEN 'MERGED_INTO' THEN '  %s ==>|"%3$s"| %2$s'
                                WHEN 'LEFT_OUT' THEN '  %s -.- %s'
                                ELSE '  %s --> %s' END, p.source, p.target, l.label) END,
                E'\n' ORDER BY p.n),
            E'\n  classDef journey fill:#cfe2ff,stroke:#2f5fa8,color:#10233f,stroke-width:2px',
            E'\n  classDef absorbed_journey fill:#e4e4e4,stroke:#6e6e6e,color:#222222',
            E'\n  classDef key fill:#d8f0d2,stroke:#3d7a33,color:#12290e',
            E'\n  classDef held_key fill:#ffe3b3,stroke:#a86a00,color:#3b2600',
            E'\n  classDef refused_key fill:#ffdada,stroke:#b03030,color:#3d0c0c,stroke-dasharray:4 3',
            E'\n  classDef event fill:#fff6cc,stroke:#8a7a1f,color:#2e2800',
            E'\n  classDef left_out fill:#f2f2f2,stroke:#767676,color:#222222,stroke-dasharray:4 3\n'),
            count(p.target)
        INTO drawing, edges
        FROM journey_stitch.drawing_parts(journey, most) AS p
        CROSS JOIN LATERAL (
            SELECT concat_ws('<br/>', string_agg(journey_stitch.mermaid_text(u.line), '<br/>' ORDER BY u.n), p.note)
                       AS label
            FROM unnest(p.lines) WITH ORDINALITY AS u (line, n)) AS l;
        -- What is beyond \uffff is two of UTF-16's.
        EXIT WHEN most = 1
               OR edges <= 500
              AND char_length(drawing || regexp_replace(drawing, '[\u0001-\uffff]+', '', 'g')) <= 50000;
        most := most / 2;
    END LOOP;
    RETURN drawing;
END
$$;
COMMENT ON FUNCTION journey_stitch.journey_drawing(bigint, text) IS
    'A journey (journeys.id), its events, keys, refused keys and absorbed journeys as a graph in the language that format names (mermaid, dot, json). Of more than 500 events, keys or absorbed journeys (for mermaid, of more than it renders unasked) some are left out, of events those in the middle, and a node says how many. NULL if there is no such journey.';

-- 56_identity.sql

-- How journeys came to be what they are. (What a person says, and the rules, are declared by the library.)

CREATE FUNCTION journey_stitch.journey_history(id text, project text DEFAULT 'default')
RETURNS TABLE (at timestamptz, change text, other_journey_id uuid, event_id text, key text, rule text, made_by name)
LANGUAGE c STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'journey_history';
COMMENT ON FUNCTION journey_stitch.journey_history(text, text) IS
    'What happened to the journey that id names (as in get_journey) and to those that it absorbed, the oldest first. change: created (event_id: its founding event); absorbed another one, or was absorbed (one of its aliases by it), because of event_id and key; split off or split from (keys that went to, or came from, the other journey). rule says why; made_by who, where it was a person.';

CREATE FUNCTION journey_stitch.journey_stats(id text, project text DEFAULT 'default')
RETURNS TABLE (measure text, item text, entries bigint, first_seen timestamptz, last_seen timestamptz)
LANGUAGE c STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'journey_stats';
COMMENT ON FUNCTION journey_stitch.journey_stats(text, text) IS
    'What the journey that id names (as in get_journey) consists of: its events, its keys by kind, its events by source and by event_type, and how often its events were refused a key, by kind; each with the times of the first and the last of those events.';

CREATE FUNCTION journey_stitch.identity_health(project text DEFAULT 'default')
RETURNS TABLE (topic text, item text, measure text, value numeric)
LANGUAGE c STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'identity_health';
COMMENT ON FUNCTION journey_stitch.identity_health(text) IS
    'How well a project''s keys tell people apart. kind: distinct values per journey (median, p99, max). largest journey: the ten with the most keys. quarantined key: in how many journeys and events it was refused. refusals: of each day (UTC, by the events'' time) and rule, the last 30 days with any. rules: how many wait for restitch(). A kind whose max is far above its p99 wants a limit, or a value of it wants to be blocked.';

-- 65_health.sql

CREATE OR REPLACE FUNCTION journey_stitch.health() RETURNS TABLE ("check" text, status text, detail text)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- SECURITY DEFINER: pg_monitor may execute it, who has no right to read the tables.
    RETURN QUERY
    SELECT 'version',
           CASE WHEN x.extversion = journey_stitch.library_version() THEN 'OK' ELSE 'FAIL' END,
           CASE WHEN x.extversion = journey_stitch.library_version() THEN format('library and objects are %s', x.extversion)
                ELSE format('the library is %s, the objects are %s: ALTER EXTENSION journey_stitch UPDATE, or restart the server if it runs an older library',
                            journey_stitch.library_version(), x.extversion) END
    FROM pg_extension x
    WHERE x.extname = 'journey_stitch';

    RETURN QUERY
    SELECT 'workers',
           CASE WHEN pg_is_in_recovery() THEN 'OK'
                WHEN journey_stitch.launcher_pid() IS NULL OR NOT current_setting('journey_stitch.enabled')::boolean
                     OR (SELECT NOT s.is_ready FROM journey_stitch.state s) AND EXISTS (SELECT FROM journey_stitch.pending) THEN 'WARN'
                ELSE 'OK' END,
           CASE WHEN pg_is_in_recovery() THEN 'this is a standby: the primary stitches'
                WHEN NOT journey_stitch.is_preloaded() THEN
                    'workers are off: add journey_stitch to shared_preload_libraries and restart, or call stitch_pending() regularly'
                WHEN journey_stitch.launcher_pid() IS NULL THEN
                    'workers are off: the launcher is not running; the server''s log says why'
                WHEN NOT current_setting('journey_stitch.enabled')::boolean THEN
                    'workers are off in this database: journey_stitch.enabled = off; call stitch_pending() regularly'
                WHEN (SELECT NOT s.is_ready FROM journey_stitch.state s) AND EXISTS (SELECT FROM journey_stitch.pending) THEN
                    'workers wait, as after a restored dump: SELECT journey_stitch.setup()'
                ELSE format('launcher runs with process id %s', journey_stitch.launcher_pid()) END;

    RETURN QUERY
    SELECT 'graph',
           CASE WHEN g.labels = 5 OR g.labels = 0 AND NOT g.has_journeys THEN 'OK' ELSE 'FAIL' END,
           CASE WHEN g.labels = 5 THEN 'journey_graph exists'
                WHEN g.labels = 0 AND NOT g.has_journeys THEN 'journey_graph is made by setup() or by the first stitching'
                ELSE format('journey_graph has %s of its 5 labels: SELECT * FROM journey_stitch.rebuild_graph()', g.labels) END
    FROM (SELECT count(*) FILTER (WHERE journey_stitch.graph_label_id(l.name) IS NOT NULL
                                  AND to_regclass(format('journey_graph.%I', l.name)) IS NOT NULL) AS labels,
                 EXISTS (SELECT FROM journey_stitch.journeys) AS has_journeys
          FROM unnest(ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF']) AS l (name)) AS g;

    RETURN QUERY
    SELECT 'queue',
           CASE WHEN min(q.created_at) < now() - interval '1 minute' THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'no event waits to be stitched'
                ELSE format('%s events wait to be stitched, the oldest for %s s%s', sum(q.events),
                            floor(extract(epoch FROM now() - min(q.created_at))),
                            CASE WHEN min(q.created_at) < now() - interval '1 minute' THEN
                                 ': see stat_worker and stat_progress; stitch_pending() stitches now' END) END
    FROM journey_stitch.pending q
    WHERE q.events > 0;

    RETURN QUERY
    SELECT 'failing batches',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none'
                ELSE format('%s events failed and will be tried again; last error: %s; see journey_stitch.job_errors',
                            sum(q.events), (array_agg(q.last_error ORDER BY q.next_attempt_at DESC))[1]) END
    FROM journey_stitch.pending q
    WHERE q.attempts > 0;

    -- A worker that ends by an error says so in the server's log; here is that it does.
    RETURN QUERY
    SELECT 'failing workers',
           CASE WHEN max(w.failures) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN max(w.failures) > 0 THEN
                    format('the last %s workers of this database ended by an error, which the server''s log has', max(w.failures))
                ELSE 'none' END
    FROM journey_stitch.worker_slots() AS w
    WHERE w.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());

    RETURN QUERY
    SELECT 'event ids',
           CASE WHEN s.last_value > 0.9 * 140737488355327 THEN 'FAIL' WHEN s.last_value > 0.5 * 140737488355327 THEN 'WARN' ELSE 'OK' END,
           format('%s of 140737488355327 are used%s', s.last_value,
                  CASE WHEN s.last_value > 0.5 * 140737488355327 THEN ': plan to move to a new database' END)
    FROM journey_stitch.event_entry_id AS s;

    RETURN QUERY
    SELECT 'quarantined keys',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none'
                ELSE format('%s are quarantined, because a journey would have had more than max_journey_keys keys: see identity_health(); block such values by set_identity_rule(), or raise the limit by set_max_journey_keys()', count(*)) END
    FROM journey_stitch.keys k
    WHERE k.hold = 'q';

    RETURN QUERY
    SELECT 'identity rules',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none waits'
                ELSE format('rules of %s projects wait: see simulate_rules(), then call restitch()', count(DISTINCT r.project_id)) END
    FROM journey_stitch.identity_rules r
    WHERE NOT r.is_in_force;

    RETURN QUERY
    SELECT 'dead letters',
           CASE WHEN count(*) > 0 THEN 'WARN' ELSE 'OK' END,
           CASE WHEN count(*) = 0 THEN 'none is open'
                ELSE format('%s open: see journey_stitch.dead_letters, mend them, then call retry_dead_letters()', count(*)) END
    FROM journey_stitch.dead_letters d
    WHERE d.status = 'open';
END
$$;

-- 70_rights.sql

ALTER TABLE journey_stitch.merge_conflicts ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.key_moves ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.identity_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.identity_words ENABLE ROW LEVEL SECURITY;
ALTER TABLE journey_stitch.identity_log ENABLE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION journey_stitch.ensure_policies() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT v.name, v.relation, v.command, v.condition
        -- The subqueries are run once a statement, not once a row.
        FROM (SELECT 'granted' AS name, t.relation, 'SELECT' AS command,
                     'project_id = ANY ((SELECT journey_stitch.granted_projects())::integer[])' AS condition
              FROM unnest(ARRAY['events', 'event_ids', 'pending', 'dead_letters', 'journeys', 'keys', 'merges',
                                'merge_conflicts', 'key_moves', 'identity_words', 'identity_log', 'users', 'activity',
                                'event_counts']) AS t (relation)
              UNION ALL
              VALUES ('granted', 'identity_rules', 'SELECT',
                      'project_id = 0 OR project_id = ANY ((SELECT journey_stitch.granted_projects())::integer[])'),
                     ('granted', 'projects', 'SELECT',
                      'id = ANY ((SELECT journey_stitch.granted_projects() || journey_stitch.granted_projects(''write''))::integer[])'),
                     ('granted', 'project_grants', 'SELECT',
                      'project_id = ANY ((SELECT journey_stitch.granted_projects())::integer[]) AND (pg_has_role(grantee, ''USAGE'') OR pg_has_role(''journey_stitch_admin'', ''USAGE''))'),
                     ('mended', 'dead_letters', 'UPDATE',
                      'project_id = ANY ((SELECT journey_stitch.granted_projects(''write''))::integer[])')) AS v
        WHERE NOT EXISTS (SELECT FROM pg_policy p
                          WHERE p.polname = v.name AND p.polrelid = format('journey_stitch.%I', v.relation)::regclass)
    LOOP
        EXECUTE format('CREATE POLICY %I ON journey_stitch.%I FOR %s USING (%s)',
                       wanted.name, wanted.relation, wanted.command, wanted.condition);
    END LOOP;
END
$$;

-- Everything is to be the extension's owner's, as whom the functions work: what is new, whoever updates, and what other
-- superusers have made by its functions.
DO $$
DECLARE
    strange record;
BEGIN
    FOR strange IN
        SELECT o.kind, o.name, x.extowner::regrole AS owner
        FROM pg_extension x
        CROSS JOIN LATERAL (
            SELECT 'FUNCTION' AS kind, p.oid::regprocedure::text AS name, p.proowner AS owner
            FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
            WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
            UNION ALL
            SELECT 'TABLE', c.oid::regclass::text, c.relowner
            FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
            WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
              AND c.relkind IN ('r', 'p', 'v')
            UNION ALL
            SELECT 'TABLE', c.oid::regclass::text, c.relowner
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'journey_stitch.events'::regclass
            UNION ALL
            -- A label's sequence is its table's.
            SELECT 'TABLE', c.oid::regclass::text, c.relowner
            FROM pg_class c
            WHERE c.relnamespace = to_regnamespace('journey_graph')
              AND c.relname IN ('_ag_label_vertex', '_ag_label_edge', '_label_id_seq',
                                'Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF')
            UNION ALL
            SELECT 'SCHEMA', n.oid::regnamespace::text, n.nspowner
            FROM pg_namespace n
            WHERE n.nspname = 'journey_graph') AS o
        WHERE x.extname = 'journey_stitch' AND o.owner <> x.extowner
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO %s', strange.kind, strange.name, strange.owner);
    END LOOP;
END
$$;

-- PUBLIC has nothing of what is new, and nobody what ALTER DEFAULT PRIVILEGES may have granted. What users have granted
-- on the rest is theirs.
DO $$
DECLARE
    functions CONSTANT regprocedure[] := ARRAY[
        'journey_stitch.whole_graph_labels()', 'journey_stitch.graph_check()',
        'journey_stitch.event_keys(integer, text, text, text, jsonb)',
        'journey_stitch.drop_identity_rule(text, text)', 'journey_stitch.forget(text, text, text, boolean)',
        'journey_stitch.journey_graph(text, text, text)', 'journey_stitch.link(text, text, text, boolean)',
        'journey_stitch.never_link(text, text, text, boolean)', 'journey_stitch.restitch(text)',
        'journey_stitch.retract(text, text, text, boolean)',
        'journey_stitch.set_identity_rule(text, boolean, integer, integer, text[], text[], text[], text)',
        'journey_stitch.set_max_journey_keys(integer, text)', 'journey_stitch.simulate(jsonb, text)',
        'journey_stitch.simulate_rules(text)', 'journey_stitch.unmerge(text, text, text, boolean)',
        'journey_stitch.use_identity_profile(text, text)',
        'journey_stitch.survivor_at(bigint, bigint, timestamptz)', 'journey_stitch.journey_at(bigint, timestamptz)',
        'journey_stitch.journey_of_entry_at(bigint, timestamptz)',
        'journey_stitch.journey_of_key_at(bigint, timestamptz)', 'journey_stitch.alias_at(bigint, timestamptz)',
        'journey_stitch.journeys_refused(bigint)', 'journey_stitch.drawing_text(text)',
        'journey_stitch.mermaid_text(text)', 'journey_stitch.dot_text(text)',
        'journey_stitch.drawing_parts(bigint, integer)', 'journey_stitch.journey_drawing(bigint, text)',
        'journey_stitch.journey_history(text, text)', 'journey_stitch.journey_stats(text, text)',
        'journey_stitch.identity_health(text)'];
    relations CONSTANT regclass[] := ARRAY[
        'journey_stitch.identity_rules', 'journey_stitch.identity_log', 'journey_stitch.identity_words',
        'journey_stitch.merge_conflicts', 'journey_stitch.key_moves', 'journey_stitch.stitched_keys',
        'journey_stitch.identity_log_id_seq', 'journey_stitch.identity_words_id_seq'];
    function regprocedure;
    relation regclass;
    granted text;
BEGIN
    FOREACH function IN ARRAY functions LOOP
        FOR granted IN
            SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
            FROM pg_proc p CROSS JOIN LATERAL aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS a
            WHERE p.oid = function AND a.grantee <> p.proowner
        LOOP
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', function, granted);
        END LOOP;
    END LOOP;
    FOREACH relation IN ARRAY relations LOOP
        PERFORM journey_stitch.keep_private(relation);
    END LOOP;
    -- Those that setup() or grant_project() would make, where they have made the others.
    IF EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = 'journey_stitch.events'::regclass) THEN
        PERFORM journey_stitch.ensure_policies();
    END IF;
END
$$;

GRANT EXECUTE ON FUNCTION
    journey_stitch.journey_history(text, text), journey_stitch.journey_stats(text, text),
    journey_stitch.journey_graph(text, text, text), journey_stitch.identity_health(text)
    TO journey_stitch_reader;
GRANT SELECT ON
    journey_stitch.merge_conflicts, journey_stitch.key_moves, journey_stitch.identity_rules, journey_stitch.identity_words
    TO journey_stitch_reader;
GRANT EXECUTE ON FUNCTION
    journey_stitch.graph_check(), journey_stitch.forget(text, text, text, boolean),
    journey_stitch.link(text, text, text, boolean), journey_stitch.never_link(text, text, text, boolean),
    journey_stitch.unmerge(text, text, text, boolean), journey_stitch.retract(text, text, text, boolean),
    journey_stitch.set_identity_rule(text, boolean, integer, integer, text[], text[], text[], text),
    journey_stitch.drop_identity_rule(text, text), journey_stitch.use_identity_profile(text, text),
    journey_stitch.set_max_journey_keys(integer, text), journey_stitch.simulate(jsonb, text),
    journey_stitch.simulate_rules(text), journey_stitch.restitch(text)
    TO journey_stitch_admin;
GRANT SELECT ON journey_stitch.identity_log TO journey_stitch_admin;

-- 80_comments.sql

COMMENT ON FUNCTION journey_stitch.event_keys(integer, text, text, text, jsonb) IS
    'The keys that an event''s event_id, user_id, session_id and identifiers give by the rules in force of a project (projects.id): normalized, without blocked values; an event with none gets the key event_id of its own.';
COMMENT ON FUNCTION journey_stitch.journey_graph(text, text, text) IS
    'The journey that id names (as in get_journey) drawn as a graph of its events, keys, refused keys and absorbed journeys, in the language that format names: ''mermaid'', ''dot'' (Graphviz) or ''json'' (nodes and edges). Of more than 500 events those in the middle are left out, and a node says how many. NULL if nothing has that id.';
COMMENT ON FUNCTION journey_stitch.set_identity_rule(text, boolean, integer, integer, text[], text[], text[], text) IS
    'Sets the rule of a kind of keys in a project; kind ''*'' is every kind that has none. merges: whether such keys join journeys. max_values: the most of them in a journey, 0 any number. priority: who yields when a limit is hit, the highest number first. blocked_values, blocked_patterns: values that are no keys, as they are after normalizing, and regular expressions (those of the Rust crate regex) searched in them. normalize: what is done to a value before, of ''trim'' and ''lower''. NULL: says nothing, so that the rule of ''*'' or the shipped one holds. Replaces the kind''s rule as a whole; answers it. In force at once in a project without stitched events, else after restitch().';
COMMENT ON FUNCTION journey_stitch.drop_identity_rule(text, text) IS
    'Takes a project''s rule for a kind away, so that the rule of ''*'' or the shipped one holds. In force as set_identity_rule() says.';
COMMENT ON FUNCTION journey_stitch.use_identity_profile(text, text) IS
    'Replaces all of a project''s rules by a profile. ''default'': the shipped rules, any number of keys of any kind. ''people'': at most one user_id a journey (priority 1), five emails (priority 2) and five of every other kind. Answers the rules. In force as set_identity_rule() says.';
COMMENT ON FUNCTION journey_stitch.set_max_journey_keys(integer, text) IS
    'Sets max_journey_keys of a project: the most keys a journey may have; NULL: as shipped, 10000. A key that would lead to more is quarantined: it joins no journeys from that event on. In force as set_identity_rule() says.';
COMMENT ON FUNCTION journey_stitch.simulate_rules(text) IS
    'What restitch() would change, without changing anything: a row a measure, as it is and as it would be.';
COMMENT ON FUNCTION journey_stitch.restitch(text) IS
    'Puts a project''s waiting rules in force, and computes all of its journeys anew from the events by them, in one transaction. A journey''s id stays with its founding event. Answers, a row a measure, what was and what is. Stitching of the project waits meanwhile; ingesting and reading go on.';
COMMENT ON FUNCTION journey_stitch.link(text, text, text, boolean) IS
    'A person''s word, above every rule: two keys (kind:value) are one person''s, whatever the events say; also keys that come later. Answers what goes from which journey to which. dry_run: only shows it (becomes is NULL for a journey that would be new). What never_link() said of them, directly or by other links, is an error (55000). retract() takes it back.';
COMMENT ON FUNCTION journey_stitch.never_link(text, text, text, boolean) IS
    'A person''s word, above every rule: two keys (kind:value) are never one person''s. What holds them together is refused from the first event on that would do so, its least important key first. Answers as link() does.';
COMMENT ON FUNCTION journey_stitch.unmerge(text, text, text, boolean) IS
    'Takes a key (kind:value) out of what ties events together, for good: its journey is computed anew from its events without it, the part without the founding event gets a new id, and events that have no other key are a journey of the key''s own. With other: takes back the link() of the two keys. Answers what goes from which journey to which; dry_run, the default, only shows it. Nothing to do: no rows, and a notice. retract(key) takes it back.';
COMMENT ON FUNCTION journey_stitch.retract(text, text, text, boolean) IS
    'Takes back what link() or never_link() said of two keys, or what unmerge() said of one, and computes their journeys anew. Answers as link() does. Nothing said: error 22023.';
COMMENT ON FUNCTION journey_stitch.simulate(jsonb, text) IS
    'What stitching events (as ingest_events() takes them) would do now: a row an event, with the journey it would be in (NULL: a new one), the journeys that would be absorbed because of it, and which of its keys would be refused, why. Nothing is stored: it is done, looked at, and undone. Other events that are pending are not looked at.';
COMMENT ON FUNCTION journey_stitch.forget(text, text, text, boolean) IS
    'Forgets events: those with a key (id is kind:value), of a user_id, or all of a journey (id is its uuid). mode ''erase'': the events go from events, ledger, dead letters, graph, journeys and rollups, in one transaction, so that every count is as if they had never come. mode ''anonymize'': their identifiers are replaced by random ones, and address, user agent and properties are emptied, so that counts and journeys stay. Answers how many rows of what; dry_run, the default, only says so.';

SELECT pg_catalog.pg_extension_config_dump('journey_stitch.merge_conflicts', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.key_moves', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_rules', $$WHERE project_id <> 0$$);
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_words', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_words_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_log', '');
SELECT pg_catalog.pg_extension_config_dump('journey_stitch.identity_log_id_seq', '');

-- What the planner cannot know of the library's functions.
ALTER FUNCTION journey_stitch.event_keys(integer, text, text, text, jsonb) ROWS 3;

-- The founding event of every journey that there is: the earliest of those whose keys were all first in it. (An event
-- with keys of several journeys found them there, so each event is the founding one of one journey at most.) Those
-- that were received before the journey was made come first: others were added to it, however early they occurred.
-- The joins are of whole tables, whose statistics may be older than their rows.
SET LOCAL enable_nestloop = off;
DO $$
BEGIN
    IF journey_stitch.has_graph() THEN
        WITH event_journey AS (
            SELECT journey_stitch.graph_entry_id(h.start_id) AS event_id, min(k.first_journey_id) AS journey_id
            FROM journey_graph."HAS_KEY" h
            JOIN journey_stitch.keys k ON k.id = journey_stitch.graph_entry_id(h.end_id)
            GROUP BY 1
            HAVING min(k.first_journey_id) = max(k.first_journey_id)
        ), founder AS (
            SELECT DISTINCT ON (j.id) j.id AS journey_id, e.id
            FROM event_journey m
            JOIN journey_stitch.events e ON e.id = m.event_id
            JOIN journey_stitch.journeys j ON j.id = m.journey_id
            ORDER BY j.id, e.received_at > j.created_at, e.occurred_at, e.event_id COLLATE "C"
        )
        UPDATE journey_stitch.journeys j SET founder_id = f.id FROM founder f WHERE j.id = f.journey_id;
    END IF;
    -- Without a graph, as after a dump was restored, the events say it. What the graph has lost they say too.
    IF EXISTS (SELECT FROM journey_stitch.journeys j WHERE j.founder_id IS NULL) THEN
        WITH event_journey AS (
            SELECT s.event_id, min(k.first_journey_id) AS journey_id
            FROM journey_stitch.stitched_keys s
            JOIN journey_stitch.keys k ON k.id = s.key_id
            GROUP BY s.event_id
            HAVING min(k.first_journey_id) = max(k.first_journey_id)
        ), founder AS (
            SELECT DISTINCT ON (j.id) j.id AS journey_id, e.id
            FROM event_journey m
            JOIN journey_stitch.events e ON e.id = m.event_id
            JOIN journey_stitch.journeys j ON j.id = m.journey_id AND j.founder_id IS NULL
            ORDER BY j.id, e.received_at > j.created_at, e.occurred_at, e.event_id COLLATE "C"
        )
        UPDATE journey_stitch.journeys j SET founder_id = f.id FROM founder f WHERE j.id = f.journey_id;
    END IF;
END
$$;
RESET enable_nestloop;

-- A GRANT in an extension's script has PostgreSQL note all privileges of the object as the extension's own, users'
-- grants among them: pg_dump would leave these out, and a restored database would lack them. Ours are to stay noted,
-- users' are not, nor the dependencies on their roles that go with it.
DO $$
DECLARE
    ours CONSTANT oid[] := ARRAY(SELECT x.extowner FROM pg_extension x WHERE x.extname = 'journey_stitch'
                                 UNION ALL
                                 SELECT r.oid FROM pg_roles r
                                 WHERE r.rolname IN ('journey_stitch_reader', 'journey_stitch_writer',
                                                     'journey_stitch_admin', 'pg_monitor'));
    noted record;
BEGIN
    FOR noted IN
        SELECT i.classoid, i.objoid, i.objsubid,
               ARRAY(SELECT a.item FROM unnest(i.initprivs) AS a (item)
                     WHERE EXISTS (SELECT FROM aclexplode(ARRAY[a.item]) AS e WHERE e.grantee = ANY (ours))) AS privileges
        FROM pg_extension x
        CROSS JOIN LATERAL (
            SELECT d.classid, d.objid FROM pg_depend d
            WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
            UNION ALL VALUES ('pg_namespace'::regclass::oid, x.extnamespace)) AS o
        JOIN pg_init_privs i ON i.classoid = o.classid AND i.objoid = o.objid
        WHERE x.extname = 'journey_stitch'
    LOOP
        IF cardinality(noted.privileges) > 0 THEN
            UPDATE pg_init_privs i SET initprivs = noted.privileges
            WHERE i.classoid = noted.classoid AND i.objoid = noted.objoid AND i.objsubid = noted.objsubid;
        ELSE
            DELETE FROM pg_init_privs i
            WHERE i.classoid = noted.classoid AND i.objoid = noted.objoid AND i.objsubid = noted.objsubid;
        END IF;
        DELETE FROM pg_shdepend s
        WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND s.classid = noted.classoid AND s.objid = noted.objoid AND s.objsubid = noted.objsubid
          AND s.refclassid = 'pg_authid'::regclass AND s.deptype = 'i' AND s.refobjid <> ALL (ours);
    END LOOP;
END
$$;

-- Nobody is to wait for the launcher's next look.
SELECT journey_stitch.wake_worker();
