\echo
\echo '== Invariants recomputed from the events of all projects (journey_stitch.verify())'
SELECT * FROM journey_stitch.verify();
SELECT COALESCE(sum(violations), -1) AS violations, count(*) AS invariants FROM journey_stitch.verify() \gset
\echo :violations 'violations of' :invariants 'invariants'
