-- Every refusal of project $1: the event and the key
SELECT c.event_id, c.key_id FROM journey_stitch.merge_conflicts c WHERE c.project_id = $1
