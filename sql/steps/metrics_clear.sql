-- Removes all windows of metrics $1 that begin on UTC days $2
DELETE FROM journey_stitch.metric_windows w
USING (SELECT m.id AS metric_id, g.granularity, c.id, d.day
       FROM unnest($1::integer[]) AS m (id)
       CROSS JOIN unnest(ARRAY['d', 'h', '5', 'm']::"char"[]) AS g (granularity)
       CROSS JOIN LATERAL (
           SELECT c.id FROM journey_stitch.metric_combinations c WHERE c.metric_id = m.id UNION ALL SELECT 0
       ) AS c
       CROSS JOIN unnest($2::timestamptz[]) AS d (day)) AS a
WHERE w.metric_id = a.metric_id AND w.granularity = a.granularity AND w.combination_id = a.id
  AND w.starts_at >= a.day AND w.starts_at < a.day + interval '24 hours'
