-- The numbers that AGE gave to the labels
SELECT journey_stitch.graph_label_id('Event'), journey_stitch.graph_label_id('Correlation'),
       journey_stitch.graph_label_id('Journey'), journey_stitch.graph_label_id('HAS_KEY'),
       journey_stitch.graph_label_id('PART_OF')
