-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

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
                          journey_stitch.vertex_id('Event', journey_of_entry_at.entry)
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
                               journey_stitch.vertex_id('Correlation', journey_of_key_at.key_id)
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
                      journey_stitch.vertex_id('Event', c.event_id)
                LIMIT 1) AS h
            CROSS JOIN LATERAL (SELECT k.journey_id FROM journey_stitch.keys k WHERE k.id = h.key_id LIMIT 1) AS k);
END
$$;
COMMENT ON FUNCTION journey_stitch.journeys_refused(bigint) IS
    'In how many present journeys there are events that have this key and are not tied by it.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
