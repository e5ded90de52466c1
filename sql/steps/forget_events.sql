-- Erases events $2 of project $1, those that are pending too
WITH gone AS (
    DELETE FROM journey_stitch.events e USING unnest($2::bigint[]) AS u (id) WHERE e.id = u.id
    RETURNING e.id, e.event_id
), ledger AS (
    DELETE FROM journey_stitch.event_ids l USING gone WHERE l.project_id = $1 AND l.event_id = gone.event_id
)
UPDATE journey_stitch.pending q
SET events = q.events - (SELECT count(*) FROM gone WHERE q.event_ranges @> gone.id)
WHERE q.project_id = $1 AND EXISTS (SELECT FROM gone WHERE q.event_ranges @> gone.id)
