-- Journeys of stitched events in spans that no rollup has; parameters as in activity_events_user.sql
SELECT DISTINCT s.n, k.journey_id
FROM unnest($3::integer[], $4::timestamptz[], $5::timestamptz[]) AS s (n, starts, ends)
JOIN journey_stitch.events e
  ON e.occurred_at >= s.starts AND e.occurred_at < s.ends AND e.project_id = $1
 AND (e.event_type = $2 OR $2 IS NULL)
JOIN journey_graph."HAS_KEY" h ON h.start_id OPERATOR(ag_catalog.=) ag_catalog._graphid(journey_stitch.graph_label_id('Event'), e.id)
JOIN journey_stitch.keys k ON k.id = journey_stitch.graph_entry_id(h.end_id)
