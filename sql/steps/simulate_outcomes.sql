-- What became of events $2 of project $1 that this transaction has stored: the journey (NULL: one after $3, so a new one),
-- journeys that were there before and were absorbed because of the event (or of late events that are in the same journey
-- now), and the keys that it was refused.
SELECT e.event_id,
       CASE WHEN j.id <= $3 THEN j.uuid END,
       COALESCE((SELECT array_agg(a.uuid ORDER BY a.id)
                 FROM journey_stitch.merges m JOIN journey_stitch.journeys a ON a.id = m.absorbed_id
                 WHERE m.project_id = $1 AND m.xmin = e.xmin AND a.id <= $3
                   AND (m.event_id = e.id OR m.event_id IS NULL AND m.survivor_id = j.id)), '{}'),
       COALESCE((SELECT array_agg(format('%s:%s (%s)', k.kind, k.value, c.rule) ORDER BY k.kind, k.value)
                 FROM journey_stitch.merge_conflicts c JOIN journey_stitch.keys k ON k.id = c.key_id
                 WHERE c.event_id = e.id), '{}')
FROM (SELECT DISTINCT u.event_id FROM unnest($2::text[]) AS u (event_id)) AS u
JOIN journey_stitch.event_ids l ON l.project_id = $1 AND l.event_id = u.event_id
JOIN (SELECT e.*, e.xmin FROM journey_stitch.events e) AS e ON e.id = l.id
LEFT JOIN journey_stitch.journeys j ON j.id = journey_stitch.journey_of_entry(e.id)
WHERE pg_current_xact_id_if_assigned() IS NOT NULL AND e.received_at = now() AND e.xmin = l.xmin
