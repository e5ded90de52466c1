-- $1 project, $2 is_in_force, then the columns of one rule.
INSERT INTO journey_stitch.identity_rules
    (project_id, is_in_force, kind, merges, max_values, priority, blocked_values, blocked_patterns, normalize)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
