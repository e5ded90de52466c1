-- Every refusal
SELECT c.event_id, c.key_id, c.rule FROM journey_stitch.merge_conflicts c
