-- What differs between the answers of one project, @project@, whose events are all stitched, and plain SQL over the
-- tables: no rows if nothing does. The journey of an event is read from the graph, as the tie of any of its keys.
WITH project AS (
    SELECT id FROM journey_stitch.projects WHERE name = '@project@'
), event AS MATERIALIZED (
    SELECT e.id, e.event_id, e.event_type, e.user_id, e.occurred_at, tie.journey, tie.journeys
    FROM journey_stitch.events e
    LEFT JOIN (SELECT h.start_id::text::bigint & 281474976710655 AS id,
                      min(k.journey_id) AS journey, count(DISTINCT k.journey_id) AS journeys
               FROM journey_graph."HAS_KEY" h
               JOIN journey_stitch.keys k ON k.id = h.end_id::text::bigint & 281474976710655
               GROUP BY 1) AS tie ON tie.id = e.id
    WHERE e.project_id = (SELECT id FROM project)
), day AS (
    SELECT tz.name AS tz, (event.occurred_at AT TIME ZONE tz.name)::date AS day, count(DISTINCT event.user_id) AS users,
           count(DISTINCT event.journey) AS journeys
    FROM event, (VALUES ('UTC'), ('Asia/Kolkata'), ('Asia/Kathmandu')) AS tz (name)
    GROUP BY 1, 2
), answer AS (
    SELECT tz.name AS tz, u.day, u.active_users AS users, j.active_users AS journeys
    FROM (VALUES ('UTC'), ('Asia/Kolkata'), ('Asia/Kathmandu')) AS tz (name),
         journey_stitch.dau('2026-02-27', '2026-03-07', '@project@', tz.name) AS u,
         journey_stitch.dau('2026-02-27', '2026-03-07', '@project@', tz.name, identity => 'journey') AS j
    WHERE j.day = u.day
), type AS (
    SELECT event_type, count(*) AS events, count(DISTINCT user_id) AS users, count(DISTINCT journey) AS journeys
    FROM event GROUP BY 1
)
SELECT 'not in one journey' AS what, event_id AS item, journeys::text AS plain, '1' AS answered
FROM event WHERE journeys IS DISTINCT FROM 1
UNION ALL
SELECT 'dau', concat_ws(' ', COALESCE(day.day, answer.day), COALESCE(day.tz, answer.tz)),
       format('%s users, %s journeys', COALESCE(day.users, 0), COALESCE(day.journeys, 0)),
       format('%s users, %s journeys', answer.users, answer.journeys)
FROM day FULL JOIN answer ON answer.day = day.day AND answer.tz = day.tz
WHERE (COALESCE(day.users, 0), COALESCE(day.journeys, 0)) IS DISTINCT FROM (answer.users, answer.journeys)
UNION ALL
SELECT 'top_events', COALESCE(type.event_type, u.event_type),
       format('%s events, %s users, %s journeys', type.events, type.users, type.journeys),
       format('%s events, %s users, %s journeys', u.events, u.users, u.journeys)
FROM type
FULL JOIN (SELECT u.event_type, u.events, u.users, j.users AS journeys
           FROM journey_stitch.top_events('2026-02-27', '2026-03-07', 100, '@project@') AS u
           JOIN journey_stitch.top_events('2026-02-27', '2026-03-07', 100, '@project@', identity => 'journey') AS j
               ON j.event_type = u.event_type) AS u ON u.event_type = type.event_type
WHERE (type.events, type.users, type.journeys) IS DISTINCT FROM (u.events, u.users, u.journeys)
UNION ALL
SELECT 'journeys', '', (SELECT count(DISTINCT journey) FROM event)::text,
       (SELECT count(*) FROM journey_stitch.journeys j
        WHERE j.project_id = (SELECT id FROM project) AND j.merged_into IS NULL)::text
WHERE (SELECT count(DISTINCT journey) FROM event) <>
      (SELECT count(*) FROM journey_stitch.journeys j
       WHERE j.project_id = (SELECT id FROM project) AND j.merged_into IS NULL)
UNION ALL
-- Whole journeys, of a sample of events.
SELECT 'get_journey', asked.event_id, plain.events, answered.events
FROM (SELECT event_id, journey FROM event ORDER BY md5(event_id) LIMIT 100) AS asked
CROSS JOIN LATERAL (SELECT string_agg(e.event_id, ' ' ORDER BY e.occurred_at, e.id) AS events
                    FROM event e WHERE e.journey = asked.journey) AS plain
CROSS JOIN LATERAL (SELECT string_agg(g.event_id, ' ' ORDER BY g.nr) AS events
                    FROM journey_stitch.get_journey(asked.event_id, '@project@')
                         WITH ORDINALITY AS g (journey_id, event_id, event_type, event_name, occurred_at, user_id,
                                               session_id, source, properties, nr)) AS answered
WHERE plain.events IS DISTINCT FROM answered.events
