-- Removes metric $1
WITH granularities AS (
    DELETE FROM journey_stitch.metric_granularities WHERE metric_id = $1
), windows AS (
    DELETE FROM journey_stitch.metric_windows WHERE metric_id = $1
), combinations AS (
    DELETE FROM journey_stitch.metric_combinations WHERE metric_id = $1
)
DELETE FROM journey_stitch.metric_definitions WHERE id = $1
