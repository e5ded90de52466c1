-- How a line of GH Archive becomes an event for ingest_events().
--
-- A mapping file defines demo.map(jsonb); each further demo.map_NAME(jsonb) loads the same lines, mapped in
-- another way, into a project NAME.

CREATE FUNCTION demo.map(line jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_build_object(
    'event_id', line ->> 'id',
    'event_type', line ->> 'type',
    'occurred_at', line ->> 'created_at',
    'user_id', line -> 'actor' ->> 'id',
    'source', 'github',
    'properties', line - '{id,type,created_at}'::text[]);

-- Actors who work on one repository come together.
CREATE FUNCTION demo.map_actor_and_repository(line jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN demo.map(line) || jsonb_build_object('correlations', jsonb_build_object('repository', line -> 'repo' ->> 'id'));
