-- Combinations of metrics $1 that no window has any more
DELETE FROM journey_stitch.metric_combinations c
WHERE c.metric_id = ANY ($1)
  AND NOT EXISTS (SELECT FROM unnest(ARRAY['d', 'h', '5', 'm']::"char"[]) AS g (granularity)
                  CROSS JOIN LATERAL (SELECT FROM journey_stitch.metric_windows w
                                      WHERE w.metric_id = c.metric_id AND w.granularity = g.granularity
                                        AND w.combination_id = c.id LIMIT 1) AS w)
