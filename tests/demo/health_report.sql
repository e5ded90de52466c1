-- What an operator asks.

\echo '== Invariants recomputed from the events (journey_stitch.verify())'
SELECT * FROM journey_stitch.verify();
SELECT COALESCE(sum(violations), -1) AS violations, count(*) AS invariants FROM journey_stitch.verify() \gset
\echo :violations 'violations of' :invariants 'invariants'
\echo
\echo '== journey_stitch.health()'
SELECT * FROM journey_stitch.health();
