-- The events of queue rows $2, for all metrics of project $1. Their ids, ascending, are $3, their users' numbers $4
-- (0: none)
WITH event AS (
    SELECT e.project_id, date_bin('1 minute', e.occurred_at, '2000-01-01 00:00:00+00') AS bucket,
           e.event_type, e.event_name, e.source, e.properties,
           NULLIF(($4::bigint[])[width_bucket(e.id, $3::bigint[])], 0) AS user_number
    FROM journey_stitch.pending q
    CROSS JOIN unnest(q.event_ranges) AS r (ids)
    CROSS JOIN LATERAL (
        -- Kept apart, so that it is a descent of the index for each range, whatever the planner thinks of them.
        SELECT * FROM journey_stitch.events e WHERE e.id >= lower(r.ids) AND e.id < upper(r.ids) ORDER BY e.id OFFSET 0
    ) AS e
    WHERE q.project_id = $1 AND q.id = ANY ($2)
), metric AS (
    SELECT * FROM journey_stitch.metric_definitions WHERE project_id = $1
), 
