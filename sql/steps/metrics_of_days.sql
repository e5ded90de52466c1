-- The stitched events of the UTC days $3, for metrics $2 of project $1
WITH event AS (
    SELECT e.project_id, date_bin('1 minute', e.occurred_at, '2000-01-01 00:00:00+00') AS bucket,
           e.event_type, e.event_name, e.source, e.properties, u.id AS user_number
    FROM unnest($3::timestamptz[]) AS d (day)
    JOIN journey_stitch.stitched_events e
      ON e.occurred_at >= d.day AND e.occurred_at < d.day + interval '24 hours' AND e.project_id = $1
    LEFT JOIN journey_stitch.users u ON u.project_id = e.project_id AND u.user_id = e.user_id
), metric AS (
    SELECT * FROM journey_stitch.metric_definitions WHERE id = ANY ($2)
), 
