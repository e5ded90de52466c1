-- $1 queue rows, $2 delay until the next attempt, $3 the error
UPDATE journey_stitch.pending
SET attempts = attempts + 1, next_attempt_at = clock_timestamp() + make_interval(secs => $2), last_error = $3
WHERE id = ANY ($1)
