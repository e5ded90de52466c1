-- Calls about GH Archive's hour, the project actor_and_repository. Needs analytics_life.sql.

-- DAYS and ZONE stand for arguments: all days about it, and a zone half an hour behind UTC, which makes two days of it.
CREATE TABLE oracle.hour_calls (
    n         integer GENERATED ALWAYS AS IDENTITY,
    function  text NOT NULL,
    arguments text NOT NULL
);
INSERT INTO oracle.hour_calls (function, arguments) VALUES
    ('dau', $$DAYS$$),
    ('dau', $$DAYS, ZONE$$),
    ('dau', $$DAYS, tz => 'America/New_York', event_type => 'PushEvent'$$),
    ('dau', $$DAYS, ZONE, filter => '{"payload": {"ref_type": "branch"}}'$$),
    ('wau', $$DAYS$$),
    ('wau', $$DAYS, ZONE, mode => 'calendar'$$),
    ('mau', $$DAYS, ZONE, mode => 'calendar'$$),
    ('stickiness', $$DAYS, ZONE$$),
    ('stickiness', $$DAYS, ZONE, event_type => 'IssueCommentEvent'$$),
    ('retention', $$start_date => '2014-12-31', windows => 3, unit => 'day', ZONE$$),
    ('retention', $$start_date => '2014-12-31', windows => 3, unit => 'day', ZONE, start_event => 'CreateEvent',
                    return_event => 'PushEvent', criterion => 'on_or_after', cohort => 'new'$$),
    ('retention', $$start_date => '2014-12-31', windows => 2, unit => 'month', event_type => 'WatchEvent'$$),
    ('retention_matrix', $$DAYS, ZONE, unit => 'day'$$),
    ('retention_matrix', $$DAYS, ZONE, unit => 'day', cohort => 'new', criterion => 'on_or_after',
                           event_type => 'PushEvent'$$),
    ('lifecycle', $$DAYS, ZONE$$),
    ('lifecycle', $$DAYS, ZONE, event_type => 'PushEvent'$$),
    ('top_events', $$DAYS, max_rows => 20$$),
    ('top_events', $$start_date => '2014-12-31', end_date => '2014-12-31', ZONE, max_rows => 5$$),
    ('top_events', $$DAYS, filter => '{"payload": {"action": "opened"}}'$$),
    ('top_events_by', $$breakdown => '$.repo.name', DAYS, max_rows => 30$$),
    ('top_events_by', $$breakdown => '$.payload.action', DAYS, event_type => 'IssuesEvent'$$),
    ('dau_by', $$breakdown => 'event_type', DAYS, ZONE$$),
    ('dau_by', $$breakdown => '$.payload.ref_type', DAYS, ZONE$$),
    ('dau_by', $$breakdown => '$.repo.name', DAYS, ZONE, max_values => 7$$),
    ('funnel', $$steps => '{CreateEvent,PushEvent,PushEvent}'::text[], DAYS$$),
    ('funnel', $$steps => '{CreateEvent,PushEvent,PushEvent}'::text[], DAYS, ordering => 'strict',
                 "window" => '10 minutes'$$),
    ('funnel', $$steps => '["WatchEvent", "ForkEvent",
                            {"event_type": ["PushEvent", "WatchEvent"], "name": "either"}]'::jsonb,
                 DAYS, ordering => 'unordered'$$),
    ('funnel', $$steps => '[{"event_type": "IssuesEvent", "filter": {"payload": {"action": "opened"}}},
                            "IssueCommentEvent"]'::jsonb, DAYS, "window" => '5 minutes'$$),
    ('funnel_by', $$breakdown => '$.payload.ref_type', steps => '["CreateEvent", "PushEvent"]'::jsonb, DAYS$$),
    ('paths', $$DAYS$$),
    ('paths', $$DAYS, start_event => 'CreateEvent', max_steps => 3, max_edges => 20$$),
    ('paths', $$start_date => '2015-01-01', end_date => '2015-01-01', ZONE,
                filter => '{"payload": {"ref": "refs/heads/master"}}'$$);
INSERT INTO oracle.hour_calls (function, arguments)
SELECT h.function, concat_ws(', ', h.arguments, $$identity => 'journey'$$) FROM oracle.hour_calls h ORDER BY h.n;
INSERT INTO oracle.hour_calls (function, arguments)
SELECT 'metric', concat_ws(', ', format($$name => %L, granularity => %L$$, name, granularity),
                           $$start => '2014-12-31 22:00Z', "end" => '2015-01-01 12:00Z', ZONE$$, dimensions)
FROM (VALUES ('commits', NULL), ('commits', $$dimensions => '{}'$$),
             ('events', NULL), ('events', $$dimensions => '{}'$$),
             ('events', $$dimensions => '{"payload.action": "opened"}'$$)) AS m (name, dimensions),
     (VALUES ('1 minute'), ('5 minutes'), ('1 hour'), ('1 day')) AS g (granularity);

-- The calls that need the events: the three busiest users, and when all is stitched some journeys.
CREATE FUNCTION oracle.hour_members() RETURNS TABLE (function text, arguments text) LANGUAGE sql AS $$
    SELECT c.function, format(c.arguments, b.user_id)
    FROM (SELECT e.user_id FROM oracle.events e GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 3) AS b,
         (VALUES ('sessions', 'id => %L'), ('sessions', 'id => %L, timeout => ''1 minute'''),
                 ('user_stats', '%L')) AS c (function, arguments)
    UNION ALL
    SELECT 'sessions', format('id => %L, timeout => ''2 minutes'', max_duration => ''10 minutes''', e.event_id)
    FROM oracle.events e WHERE NOT EXISTS (SELECT FROM journey_stitch.pending) AND e.event_id LIKE '%777'
    UNION ALL
    SELECT 'user_stats', ''
$$;

CREATE FUNCTION oracle.hour_metrics() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO oracle.metrics VALUES
        ('actor_and_repository', 'commits', 'PushEvent', '$.payload.size', '{}', NULL, ''),
        ('actor_and_repository', 'events', NULL, NULL, '{event_type,$.payload.action}', NULL, '');
    PERFORM oracle.make_metric(m) FROM oracle.metrics m;
END
$$;

CREATE FUNCTION oracle.hour_compare(stage text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s oracle.seeds;
    c record;
BEGIN
    s.seed := 0;
    PERFORM oracle.read_events('actor_and_repository');
    PERFORM oracle.find_journeys('actor_and_repository');
    FOR c IN SELECT h.function, h.arguments FROM oracle.hour_calls h
             UNION ALL SELECT m.function, m.arguments FROM oracle.hour_members() AS m LOOP
        PERFORM oracle.ask_one(s, stage, c.function, oracle.arguments(
            replace(replace(c.arguments, 'DAYS', $d$start_date => '2014-12-30', end_date => '2015-01-02'$d$),
                    'ZONE', $z$tz => '<-0030>0:30'$z$),
            $p$project => 'actor_and_repository'$p$), 'UTC');
    END LOOP;
    PERFORM oracle.judge(s, stage);
END
$$;
