-- Stitching alone: what is pending, in one call.
SELECT clock_timestamp() AS started \gset
SELECT events FROM journey_stitch.stitch_pending() \gset
SELECT round(:events / extract(epoch FROM clock_timestamp() - :'started')) AS rate \gset
SELECT "events/s" AS ingest_rate FROM demo.totals WHERE load = 'speed' \gset
\echo 'each alone, without the worker:  ingest' :ingest_rate 'events/s, stitching' :rate 'events/s'
