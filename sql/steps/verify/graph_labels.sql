-- Labels of the graph that AGE does not know, or whose tables are gone, though there are journeys
SELECT count(*)
FROM unnest(ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF']) AS l (name)
WHERE EXISTS (SELECT FROM journey_stitch.journeys)
  AND (journey_stitch.graph_label_id(l.name) IS NULL OR to_regclass(format('journey_graph.%I', l.name)) IS NULL)
