-- Every hundredth shopper: does the journey of the first event hold the shopper's events, all and no other?
WITH looked_at AS (
    SELECT shopper, array_agg(event_id ORDER BY event_id COLLATE "C") AS expected,
           (array_agg(event_id ORDER BY occurred_at))[1] AS first_event
    FROM demo.truth
    WHERE shopper % 100 = 0
    GROUP BY shopper
), found AS (
    SELECT l.*, (SELECT array_agg(g.event_id ORDER BY g.event_id COLLATE "C")
                 FROM journey_stitch.get_journey(l.first_event) AS g) AS actual
    FROM looked_at l
)
SELECT count(*) FILTER (WHERE actual = expected) AS right, count(*) AS looked_at FROM found \gset
SELECT count(*) AS journeys FROM journey_stitch.journeys j
JOIN journey_stitch.projects p ON p.id = j.project_id AND p.name = 'default'
WHERE j.merged_into IS NULL \gset
SELECT count(DISTINCT shopper) AS shoppers FROM demo.truth \gset
\echo :right/:looked_at 'journeys are right;' :journeys 'journeys for' :shoppers 'shoppers'
