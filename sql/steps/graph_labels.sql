-- The numbers that AGE gave to the labels, and by how much the sequences of edges' entry ids are taken on by a draw
SELECT journey_stitch.graph_label_id('Event'), journey_stitch.graph_label_id('Correlation'),
       journey_stitch.graph_label_id('Journey'), journey_stitch.graph_label_id('HAS_KEY'),
       journey_stitch.graph_label_id('PART_OF'),
       (SELECT s.seqincrement FROM pg_sequence s WHERE s.seqrelid = to_regclass('journey_graph."HAS_KEY_id_seq"')),
       (SELECT s.seqincrement FROM pg_sequence s WHERE s.seqrelid = to_regclass('journey_graph."PART_OF_id_seq"'))
