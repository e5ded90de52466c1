-- Labels of the graph that AGE does not know, or whose tables are not as it makes them, though there are journeys
SELECT count(*)
FROM unnest(ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF']) AS l (name)
WHERE EXISTS (SELECT FROM journey_stitch.journeys)
  AND NOT EXISTS (SELECT FROM journey_stitch.whole_graph_labels() AS w (name) WHERE w.name = l.name)
