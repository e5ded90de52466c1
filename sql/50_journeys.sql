-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Reading journeys.

CREATE FUNCTION journey_stitch.journey_of_entry(entry bigint) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The graph comes with the first stitching; before, every event is pending.
    IF entry IS NULL OR NOT journey_stitch.has_graph() THEN
        RETURN NULL;
    END IF;
    -- All keys of an event are in one journey, so any will do.
    RETURN (SELECT k.journey_id
            FROM journey_graph."HAS_KEY" h
            JOIN journey_stitch.keys k ON k.id = journey_stitch.graph_entry_id(h.end_id)
            WHERE h.start_id OPERATOR(ag_catalog.=) journey_stitch.vertex_id('Event', entry)
            LIMIT 1);
END
$$;
COMMENT ON FUNCTION journey_stitch.journey_of_entry(bigint) IS 'The journey (journeys.id) of an event (events.id); NULL while it is pending.';

CREATE FUNCTION journey_stitch.get_journey(id text, project text DEFAULT 'default', as_of timestamptz DEFAULT NULL)
RETURNS TABLE (journey_id uuid, event_id text, event_type text, event_name text, occurred_at timestamptz,
               user_id text, session_id text, source text, properties jsonb)
LANGUAGE c STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'get_journey';
COMMENT ON FUNCTION journey_stitch.get_journey(text, text, timestamptz) IS
    'The events of one journey in order of time, then of arrival. id is an event id, else a journey id (one that was absorbed leads to its survivor), else a key kind:value. No rows if nothing has that id, or while the event is pending. as_of: the journey as it was at that time, by the events received and the merges and splits made until then.';

CREATE VIEW journey_stitch.stitched_events WITH (security_invoker = true) AS
SELECT e.*
FROM journey_stitch.events e
WHERE NOT EXISTS (SELECT FROM journey_stitch.pending q WHERE q.event_ranges @> e.id);
COMMENT ON VIEW journey_stitch.stitched_events IS 'The events that are in their journeys: all but those that still wait in pending.';

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

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
