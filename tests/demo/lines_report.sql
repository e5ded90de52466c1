-- What came of a file's lines.

\echo
\echo '== Lines of the file'
SELECT count(*) AS lines,
       count(*) FILTER (WHERE pg_input_is_valid(line, 'jsonb')) AS mapped,
       count(*) FILTER (WHERE btrim(line) = '') AS empty,
       count(*) FILTER (WHERE btrim(line) <> '' AND NOT pg_input_is_valid(line, 'jsonb')) AS "not JSON"
FROM demo.lines;
SELECT n AS line, left(line, 60) AS "not JSON, the first ten"
FROM demo.lines
WHERE btrim(line) <> '' AND NOT pg_input_is_valid(line, 'jsonb')
ORDER BY n LIMIT 10;

\echo '== Loads, in calls of 1,000'
SELECT * FROM demo.totals;

\echo '== Rejected events, kept in journey_stitch.dead_letters'
SELECT p.name AS project, d.reason, count(*) AS events, left(min(d.message), 60) AS "for example"
FROM journey_stitch.dead_letters d
JOIN journey_stitch.projects p ON p.id = d.project_id
GROUP BY p.name, d.reason ORDER BY p.name, d.reason;

\echo '== Journeys'
SELECT p.name AS project, count(*) AS journeys, sum(j.event_count) AS events, max(j.event_count) AS largest
FROM journey_stitch.journeys j
JOIN journey_stitch.projects p ON p.id = j.project_id
WHERE j.merged_into IS NULL
GROUP BY p.id ORDER BY p.id;

SELECT (max(occurred_at) AT TIME ZONE 'UTC')::date AS last_day,
       GREATEST((min(occurred_at) AT TIME ZONE 'UTC')::date, (max(occurred_at) AT TIME ZONE 'UTC')::date - 13) AS first_day
FROM journey_stitch.events \gset

\echo '== Daily active users: known users, and journeys'
SELECT u.day, u.active_users AS users, j.active_users AS journeys
FROM journey_stitch.dau(:'first_day', :'last_day') AS u
JOIN journey_stitch.dau(:'first_day', :'last_day', identity => 'journey') AS j USING (day)
ORDER BY u.day;

\echo '== Top events'
SELECT * FROM journey_stitch.top_events(:'first_day', :'last_day', 20);

\echo '== What an operator asks first (journey_stitch.health())'
SELECT * FROM journey_stitch.health();
