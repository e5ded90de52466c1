-- Every set of the rollups
SELECT a.identity = 'u', a.project_id, a.event_type, a.starts_at, a.chunk, a.members FROM journey_stitch.activity a
