-- Journeys of stitched events in spans that no rollup has; parameters as in activity_events_user.sql
SELECT DISTINCT s.n, k.journey_id
FROM unnest($2::integer[], $3::text[], $4::timestamptz[], $5::timestamptz[]) AS s (n, event_type, starts, ends)
JOIN journey_stitch.events e
  ON e.occurred_at >= s.starts AND e.occurred_at < s.ends AND e.project_id = $1
 AND (e.event_type = s.event_type OR s.event_type = '')
JOIN journey_graph."HAS_KEY" h
  ON h.start_id OPERATOR(ag_catalog.=) ag_catalog._graphid(journey_stitch.graph_label_id('Event'), e.id)
JOIN journey_stitch.keys k ON k.id = journey_stitch.graph_entry_id(h.end_id)
