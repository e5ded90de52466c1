-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

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

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
