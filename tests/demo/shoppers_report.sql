-- What came of the shoppers' events. Each answer comes from one call of the extension.
-- psql variables: first_day, last_day.

\echo
\echo '== Ingest totals (2,000 shoppers; some events sent twice, some late, some broken)'
SELECT received, inserted, duplicates, rejected FROM demo.totals WHERE load = 'shoppers';

\echo '== Rejected events, kept in journey_stitch.dead_letters'
SELECT d.reason, count(*) AS events, left(min(d.message), 60) AS "for example"
FROM journey_stitch.dead_letters d
JOIN journey_stitch.projects p ON p.id = d.project_id AND p.name = 'default'
GROUP BY d.reason ORDER BY d.reason;

-- The first shopper with a short story on all three devices that ends in a purchase, and with days between
-- phone, web and login: long enough for two journeys to have grown before the login joins them.
SELECT shopper, (array_agg(event_id ORDER BY occurred_at))[1] AS event_id
FROM demo.truth GROUP BY shopper
HAVING count(*) <= 12 AND count(DISTINCT device) = 3 AND bool_or(event_type = 'purchase')
   AND min(occurred_at) FILTER (WHERE device = 'web') > min(occurred_at) + interval '4 days'
   AND min(occurred_at) FILTER (WHERE event_type = 'login') > min(occurred_at) FILTER (WHERE device = 'web') + interval '4 days'
ORDER BY shopper LIMIT 1 \gset

\echo '== One merged journey: anonymous on the phone, logged in on the web, paid on the tablet'
\echo '   SELECT * FROM journey_stitch.get_journey(':'event_id'');'
SELECT to_char(occurred_at, 'DD Mon HH24:MI:SS') AS occurred_at, source, event_type, user_id,
       session_id, properties ->> 'amount' AS amount
FROM journey_stitch.get_journey(:'event_id');

\echo '== Why its parts were merged (journey_stitch.merges); an absorbed journey''s id still finds all of it'
SELECT m.rule, e.source AS "device", e.event_type AS "triggering event", absorbed.event_count AS "events absorbed",
       (SELECT count(*) FROM journey_stitch.get_journey(absorbed.uuid::text)) AS "found by the absorbed id"
FROM journey_stitch.merges m
JOIN journey_stitch.events e ON e.id = m.event_id
JOIN journey_stitch.journeys absorbed ON absorbed.id = m.absorbed_id
JOIN journey_stitch.journeys survivor ON survivor.id = absorbed.merged_into
WHERE survivor.uuid = journey_stitch.journey_of(:'event_id')
ORDER BY m.id;

\echo '== The same journey by Cypher'
LOAD 'age';
SET search_path = ag_catalog, public;
SELECT $cypher$SELECT * FROM cypher('journey_graph', $$
    MATCH (e:Event)-[:HAS_KEY]->()-[:PART_OF]->(j:Journey) WHERE e.id = '%s'
    WITH DISTINCT j
    MATCH (j)<-[:PART_OF]-()<-[:HAS_KEY]-(other:Event)
    WITH DISTINCT other
    RETURN other.ts, other.type, other.id ORDER BY other.ts
$$) AS (ts agtype, type agtype, id agtype)$cypher$ AS template \gset
SELECT format(:'template', :'event_id') AS query \gset
\echo :query
:query;
RESET search_path;

\echo '== Daily active users, the last 14 days: known users, and journeys (which count anonymous visitors too)'
\echo '   SELECT * FROM journey_stitch.dau(date ':'last_day'' - 13, ':'last_day'');'
SELECT to_char(u.day, 'Dy DD Mon') AS day, u.active_users AS users, j.active_users AS journeys
FROM journey_stitch.dau(date :'last_day' - 13, :'last_day') AS u
JOIN journey_stitch.dau(date :'last_day' - 13, :'last_day', identity => 'journey') AS j USING (day)
ORDER BY u.day;

-- The first Monday: weeks are then calendar weeks.
SELECT (date_trunc('week', date :'first_day' + 6))::date AS monday \gset
\echo '== Retention over three weeks of the users of the week from' :monday
\echo '   SELECT * FROM journey_stitch.retention(':'monday'', 3);'
SELECT * FROM journey_stitch.retention(:'monday', 3);

\echo '== Top events'
SELECT * FROM journey_stitch.top_events(:'first_day', :'last_day');

\echo '== What an operator asks first (journey_stitch.health())'
SELECT * FROM journey_stitch.health();
