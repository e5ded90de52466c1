-- Every run of the timeline
SELECT t.project_id, t.event_type, t.starts_at, t.first_id, t.last_id, t.run FROM journey_stitch.timeline t
