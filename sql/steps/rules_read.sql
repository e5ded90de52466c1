-- $1 project. Its own rules, and those that are shipped.
SELECT r.project_id = 0, r.is_in_force, r.kind, r.merges, r.max_values, r.priority,
       r.blocked_values, r.blocked_patterns, r.normalize
FROM journey_stitch.identity_rules r
WHERE r.project_id IN (0, $1)
