-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Aggregates over any table: how far events get in a funnel, and whether and how often they match a pattern. They
-- are those of ClickHouse; src/analytics/aggregates.rs says how they work, window_funnel.rs and sequence.rs by which rules.

CREATE FUNCTION journey_stitch.timed_events_combine(internal, internal) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'timed_events_combine';
COMMENT ON FUNCTION journey_stitch.timed_events_combine(internal, internal) IS
    'Combines what window_funnel(), sequence_match() and sequence_count() have seen in two processes.';
CREATE FUNCTION journey_stitch.timed_events_serialize(internal) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'timed_events_serialize';
COMMENT ON FUNCTION journey_stitch.timed_events_serialize(internal) IS
    'What window_funnel(), sequence_match() and sequence_count() have seen, for another process.';
CREATE FUNCTION journey_stitch.timed_events_deserialize(bytea, internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'timed_events_deserialize';
COMMENT ON FUNCTION journey_stitch.timed_events_deserialize(bytea, internal) IS
    'What window_funnel(), sequence_match() and sequence_count() have seen, from another process.';
CREATE FUNCTION journey_stitch.window_funnel_result(internal) RETURNS integer
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'window_funnel_result';
COMMENT ON FUNCTION journey_stitch.window_funnel_result(internal) IS 'The result of window_funnel().';
CREATE FUNCTION journey_stitch.sequence_match_result(internal) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'sequence_match_result';
COMMENT ON FUNCTION journey_stitch.sequence_match_result(internal) IS 'The result of sequence_match().';
CREATE FUNCTION journey_stitch.sequence_count_result(internal) RETURNS bigint
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'sequence_count_result';
COMMENT ON FUNCTION journey_stitch.sequence_count_result(internal) IS 'The result of sequence_count().';

-- For each type of times: what adds a row, and the aggregates. A timestamp is no timestamptz here, and a date none,
-- because then their distances would depend on the session's time zone.
DO $$
DECLARE
    kind record;
    variant record;
    parallel text := 'SFUNC = journey_stitch.%s, STYPE = internal, SSPACE = 1024, FINALFUNC = journey_stitch.%s_result,
        COMBINEFUNC = journey_stitch.timed_events_combine, SERIALFUNC = journey_stitch.timed_events_serialize,
        DESERIALFUNC = journey_stitch.timed_events_deserialize, PARALLEL = SAFE';
    funnel text := 'How many steps of a funnel the rows get through, one after the other in order of time: the first step is an event that meets the first condition, each next one an event that meets the next condition, at the same time or later, and no later than the window after the first step; of all ways the longest. As windowFunnel() of ClickHouse. ';
    pattern text := ' The pattern is of (?1) for an event that meets condition 1 (… (?32)), . for any event, .* for any number of events, and (?t<=N), with >=, >, <=, < or ==, for any number of events up to one so far in time from the event before. N is in seconds; with times that are numbers it is in their unit. Events are only those that meet a condition. As in ClickHouse, but never given up as too difficult. ';
    ties text := 'NULL conditions are false, and rows with a NULL time are not seen. ';
BEGIN
    FOR kind IN SELECT * FROM (VALUES ('timestamptz', 'interval', ''), ('timestamp', 'interval', ''),
                                      ('date', 'interval', '_date'), ('bigint', 'bigint', '_number'))
                               AS k (time_type, window_type, suffix) LOOP
        FOR variant IN SELECT * FROM (VALUES ('', '', 'Without rows it is 0.'),
                                             ('text, ', 'mode text, ', 'The mode is of strict_deduplication (an event that meets the condition of a step that was taken, other than the first, ends everything), strict_order (after the first step, so does an event that meets no condition, or whose step is not due), allow_reentry (with strict_order: an event whose step is not due is passed over), strict_increase (each step is later than the one before) and strict_once (no event takes two steps), separated by commas or spaces. strict_increase looks at all ways; ClickHouse forgets some.'))
                                      AS v (mode_type, mode, comment) LOOP
            EXECUTE format('CREATE FUNCTION journey_stitch.window_funnel_add(internal, %1$s, %2$s%3$s, boolean[]) RETURNS internal
                            LANGUAGE c IMMUTABLE PARALLEL SAFE AS ''MODULE_PATHNAME'', ''window_funnel_add%4$s''',
                           kind.window_type, variant.mode_type, kind.time_type, kind.suffix);
            EXECUTE format('COMMENT ON FUNCTION journey_stitch.window_funnel_add(internal, %s, %s%s, boolean[]) IS %L',
                           kind.window_type, variant.mode_type, kind.time_type, 'Adds a row to a window_funnel().');
            EXECUTE format('CREATE AGGREGATE journey_stitch.window_funnel("window" %s, %s"timestamp" %s, VARIADIC conditions boolean[]) (%s)',
                           kind.window_type, variant.mode, kind.time_type,
                           format(parallel, 'window_funnel_add', 'window_funnel'));
            EXECUTE format('COMMENT ON AGGREGATE journey_stitch.window_funnel(%s, %s%s, VARIADIC boolean[]) IS %L',
                           kind.window_type, variant.mode_type, kind.time_type,
                           funnel || 'Events of one time count in the order of the conditions, so that the answer depends on the data only, and one event may take several steps. ' || ties || variant.comment);
        END LOOP;
        EXECUTE format('CREATE FUNCTION journey_stitch.sequence_add(internal, text, %s, boolean[]) RETURNS internal
                        LANGUAGE c IMMUTABLE PARALLEL SAFE AS ''MODULE_PATHNAME'', ''sequence_add%s''',
                       kind.time_type, kind.suffix);
        EXECUTE format('COMMENT ON FUNCTION journey_stitch.sequence_add(internal, text, %s, boolean[]) IS %L',
                       kind.time_type, 'Adds a row to a sequence_match() or sequence_count().');
        FOR variant IN SELECT * FROM (VALUES
                ('sequence_match', 'Whether the rows, in order of time, match a pattern.', 'Without events it is false.'),
                ('sequence_count', 'How often the rows, in order of time, match a pattern: one match begins where the one before has ended, and the match that ends first counts.', 'Without events it is 0.'))
                AS v (name, does, comment) LOOP
            EXECUTE format('CREATE AGGREGATE journey_stitch.%s(pattern text, "timestamp" %s, VARIADIC conditions boolean[]) (%s)',
                           variant.name, kind.time_type, format(parallel, 'sequence_add', variant.name));
            EXECUTE format('COMMENT ON AGGREGATE journey_stitch.%s(text, %s, VARIADIC boolean[]) IS %L',
                           variant.name, kind.time_type,
                           variant.does || pattern || 'Events of one time are in order of their conditions, read as bits from the last to the first, so that the answer depends on the data only. ' || ties || variant.comment);
        END LOOP;
    END LOOP;
END
$$;

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
