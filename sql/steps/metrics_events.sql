-- The events of metric $2 of project $1 that its windows do not have, by the bounds $7 that they are between: of spans
-- $3 to $4 all; of spans $5 to $6, which its windows cover, those that are pending
WITH metric AS (
    SELECT * FROM journey_stitch.metric_definitions WHERE id = $2
), missing AS (
    SELECT e.*
    FROM unnest($3::timestamptz[], $4::timestamptz[]) AS s (starts, ends)
    JOIN journey_stitch.events e ON e.occurred_at >= s.starts AND e.occurred_at < s.ends AND e.project_id = $1
    UNION ALL
    SELECT e.*
    FROM journey_stitch.pending q
    CROSS JOIN unnest(q.event_ranges) AS r (ids)
    CROSS JOIN LATERAL (
        -- Kept apart, so that it is a descent of the index for each range, whatever the planner thinks of them.
        SELECT * FROM journey_stitch.events e WHERE e.id >= lower(r.ids) AND e.id < upper(r.ids) ORDER BY e.id OFFSET 0
    ) AS e
    WHERE q.project_id = $1
      AND EXISTS (SELECT FROM unnest($5::timestamptz[], $6::timestamptz[]) AS s (starts, ends)
                  WHERE e.occurred_at >= s.starts AND e.occurred_at < s.ends)
), person AS (
    SELECT n.user_id,
           -- Without stitched event they have no number yet: any will do that nobody has.
           COALESCE(u.id, 1152921504606846976 + row_number() OVER ()) AS number
    FROM (SELECT DISTINCT e.user_id FROM missing e WHERE e.user_id IS NOT NULL) AS n
    LEFT JOIN journey_stitch.users u ON u.project_id = $1 AND u.user_id = n.user_id
), event AS (
    SELECT e.project_id, ($7::timestamptz[])[width_bucket(e.occurred_at, $7::timestamptz[])] AS bucket, e.event_type,
           e.event_name, e.source, e.properties, p.number AS user_number
    FROM missing e LEFT JOIN person p ON p.user_id = e.user_id
), 
