-- Reading journeys.

CREATE FUNCTION journey_stitch.project_id(project text) RETURNS integer
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found integer;
BEGIN
    SELECT p.id INTO found FROM journey_stitch.projects p WHERE p.name = project;
    IF found IS NULL THEN
        RAISE EXCEPTION 'project "%" does not exist', project
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'A project is made by its first call of ingest_events(events, project).';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION journey_stitch.project_id(text) IS 'The number of a project; an error (22023) if there is none of that name.';

CREATE FUNCTION journey_stitch.journey_of_entry(entry bigint) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The graph comes with the first stitching; before, every event is pending.
    IF entry IS NULL OR to_regclass('journey_graph."HAS_KEY"') IS NULL THEN
        RETURN NULL;
    END IF;
    -- All keys of an event are in one journey, so any will do.
    RETURN (SELECT k.journey_id
            FROM journey_graph."HAS_KEY" h
            JOIN journey_stitch.keys k ON k.id = journey_stitch.graph_entry_id(h.end_id)
            WHERE h.start_id OPERATOR(ag_catalog.=) ag_catalog._graphid(journey_stitch.graph_label_id('Event'), entry)
            LIMIT 1);
END
$$;
COMMENT ON FUNCTION journey_stitch.journey_of_entry(bigint) IS 'The journey (journeys.id) of an event (events.id); NULL while it is pending.';

CREATE FUNCTION journey_stitch.find_journey(id text, project text DEFAULT 'default') RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    in_project CONSTANT integer := journey_stitch.project_id(find_journey.project);
    entry bigint;
    found bigint;
BEGIN
    SELECT l.id INTO entry
    FROM journey_stitch.event_ids l
    WHERE l.project_id = in_project AND l.event_id = find_journey.id;
    IF entry IS NOT NULL THEN
        RETURN journey_stitch.journey_of_entry(entry);
    END IF;

    IF pg_input_is_valid(find_journey.id, 'uuid') THEN
        SELECT COALESCE(j.merged_into, j.id) INTO found
        FROM journey_stitch.journeys j
        WHERE j.uuid = find_journey.id::uuid AND j.project_id = in_project;
    END IF;
    IF found IS NULL THEN
        SELECT k.journey_id INTO found
        FROM journey_stitch.keys k
        WHERE k.project_id = in_project AND k.kind = split_part(find_journey.id, ':', 1)
          AND k.value = substr(find_journey.id, strpos(find_journey.id, ':') + 1)
          AND strpos(find_journey.id, ':') > 0;
    END IF;
    IF found IS NULL THEN
        SELECT k.journey_id INTO found
        FROM journey_stitch.keys k
        WHERE k.project_id = in_project AND k.kind = 'correlation' AND k.value = find_journey.id;
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION journey_stitch.find_journey(text, text) IS
    'The present journey (journeys.id) that an event id, else a journey id (also that of an absorbed journey), else a key kind:value, else a correlation names; NULL if nothing does.';

CREATE FUNCTION journey_stitch.get_journey(id text, project text DEFAULT 'default')
RETURNS TABLE (journey_id uuid, event_id text, event_type text, event_name text, occurred_at timestamptz,
               user_id text, session_id text, source text, properties jsonb)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    journey CONSTANT bigint := journey_stitch.find_journey(get_journey.id, get_journey.project);
    in_graph ag_catalog.graphid;
BEGIN
    IF journey IS NULL THEN
        RETURN;
    END IF;
    in_graph := ag_catalog._graphid(journey_stitch.graph_label_id('Journey'), journey);
    RETURN QUERY
    SELECT j.uuid, e.event_id, e.event_type, e.event_name, e.occurred_at, e.user_id, e.session_id, e.source, e.properties
    -- Each step is kept apart by OFFSET 0 or LIMIT, so that the path is walked by index whatever the
    -- planner knows of the tables' sizes.
    FROM (SELECT DISTINCT h.start_id
          FROM (SELECT p.start_id FROM journey_graph."PART_OF" p
                WHERE p.end_id OPERATOR(ag_catalog.=) in_graph OFFSET 0) AS p
          CROSS JOIN LATERAL (SELECT h.start_id FROM journey_graph."HAS_KEY" h
                              WHERE h.end_id OPERATOR(ag_catalog.=) p.start_id OFFSET 0) AS h) AS member
    CROSS JOIN LATERAL (SELECT e.* FROM journey_stitch.events e
                        WHERE e.id = journey_stitch.graph_entry_id(member.start_id) LIMIT 1) AS e
    CROSS JOIN (SELECT uuid FROM journey_stitch.journeys WHERE id = journey) AS j
    ORDER BY e.occurred_at, e.id;
END
$$;
COMMENT ON FUNCTION journey_stitch.get_journey(text, text) IS
    'The events of one journey in order of time, then of arrival. id is an event id, else a journey id (one that was absorbed leads to its survivor), else a key kind:value. No rows if nothing has that id, or while the event is pending.';

CREATE FUNCTION journey_stitch.journey_of(event_id text, project text DEFAULT 'default') RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN (SELECT j.uuid
            FROM journey_stitch.event_ids l
            JOIN journey_stitch.journeys j ON j.id = journey_stitch.journey_of_entry(l.id)
            WHERE l.project_id = journey_stitch.project_id(journey_of.project) AND l.event_id = journey_of.event_id);
END
$$;
COMMENT ON FUNCTION journey_stitch.journey_of(text, text) IS
    'The id of the journey that an event is in; NULL while the event is pending, and if there is no such event.';

CREATE VIEW journey_stitch.stitched_events AS
SELECT e.*
FROM journey_stitch.events e
WHERE NOT EXISTS (SELECT FROM journey_stitch.pending q WHERE q.event_ranges @> e.id);
COMMENT ON VIEW journey_stitch.stitched_events IS 'The events that are in their journeys: all but those that still wait in pending.';
