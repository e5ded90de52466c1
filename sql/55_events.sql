-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Events, in and out.

CREATE FUNCTION journey_stitch.ingest_events(events jsonb, project text DEFAULT 'default')
RETURNS TABLE (received bigint, inserted bigint, duplicates bigint, rejected bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ingest_events_wrapper';
COMMENT ON FUNCTION journey_stitch.ingest_events(jsonb, text) IS
    'Takes events: one object, an array, or {"events": [...]}. Answers how many were received, inserted, duplicates of earlier ones (by event_id), and rejected; a rejected event is in dead_letters with its reason, and never fails its neighbours. Not an object or array: error 22023. The events are stitched soon after the caller commits.';

CREATE FUNCTION journey_stitch.events_list(project text DEFAULT 'default', filters jsonb DEFAULT NULL,
                                           after text DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (event_id text, event_type text, event_name text, occurred_at timestamptz, received_at timestamptz,
               user_id text, session_id text, source text, properties jsonb, journey_id uuid)
LANGUAGE c STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'events_list';
COMMENT ON FUNCTION journey_stitch.events_list(text, jsonb, text, integer) IS
    'The events of a project, the latest arrival first, at most max_rows (1 to 10,000). filters is an object of event_type, event_name, user_id, session_id, source (equal to), since and until (occurred_at; ISO 8601, UTC without an offset; until is not included) and properties (contained in). after is the event_id of the last row of the page before: the pages of a list neither overlap nor leave anything out, whatever arrives meanwhile. journey_id is NULL while the event is pending.';

CREATE FUNCTION journey_stitch.get_event(id text, project text DEFAULT 'default')
RETURNS TABLE (event_id text, event_type text, event_name text, occurred_at timestamptz, received_at timestamptz,
               user_id text, session_id text, identifiers jsonb, source text, ip inet, user_agent text,
               properties jsonb, journey_id uuid)
LANGUAGE c STABLE PARALLEL SAFE ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'get_event';
COMMENT ON FUNCTION journey_stitch.get_event(text, text) IS
    'One event as it was accepted, and the journey that it is in (NULL while it is pending). No row if there is no event of that id.';

CREATE FUNCTION journey_stitch.ingest_status(project text DEFAULT 'default')
RETURNS TABLE (pending bigint, failed bigint, processed bigint)
LANGUAGE c STABLE PARALLEL SAFE ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ingest_status';
COMMENT ON FUNCTION journey_stitch.ingest_status(text) IS
    'How far a project''s events have come: pending (accepted, not stitched yet), failed (open dead letters) and processed (stitched).';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
