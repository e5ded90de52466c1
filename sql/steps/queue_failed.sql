-- Records that a batch failed: $1 project, $2 SQLSTATE, $3 message, $4 events, $5 attempt, $6 what becomes of it,
-- $7 whether it was put back.
-- The last 10,000 errors are kept.
WITH counted AS (
    INSERT INTO journey_stitch.project_stats AS s (project_id, retries) VALUES ($1, $7::integer)
    ON CONFLICT (project_id) DO UPDATE SET retries = s.retries + EXCLUDED.retries
), recorded AS (
    INSERT INTO journey_stitch.job_errors (project_id, sqlstate, message, events, attempt, consequence)
    VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING id
)
DELETE FROM journey_stitch.job_errors e USING recorded WHERE e.id <= recorded.id - 10000
