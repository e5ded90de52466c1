-- Queue rows whose number of events is not that of the events in their ranges
SELECT count(*)
FROM journey_stitch.pending q
CROSS JOIN LATERAL (SELECT count(*) AS events
                    FROM unnest(q.event_ranges) AS r (ids)
                    JOIN journey_stitch.events e ON e.id >= lower(r.ids) AND e.id < upper(r.ids)
                    WHERE e.project_id = q.project_id) AS actual
WHERE q.events <> actual.events
