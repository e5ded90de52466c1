-- $1 queue rows, $2 delay until the next attempt, $3 the error, $4 their project
UPDATE journey_stitch.pending
SET attempts = attempts + 1, next_attempt_at = clock_timestamp() + make_interval(secs => $2), last_error = $3
WHERE project_id = $4 AND id = ANY ($1)
