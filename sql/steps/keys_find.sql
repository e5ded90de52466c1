-- $1 project, $2 kinds, $3 values. One index descent a key, whatever the planner thinks of the tables' sizes.
SELECT u.n::integer, k.id, k.journey_id, k.hold, k.since,
       CASE WHEN k.journey_id IS NULL THEN
           (SELECT max(c.occurred_at) FROM journey_stitch.merge_conflicts c WHERE c.key_id = k.id) END
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u (kind, value, n)
CROSS JOIN LATERAL (
    SELECT k.id, k.journey_id, k.hold, k.since
    FROM journey_stitch.keys k
    WHERE k.project_id = $1 AND k.kind = u.kind AND k.value = u.value
    LIMIT 1
) AS k
