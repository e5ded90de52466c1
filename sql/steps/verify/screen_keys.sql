-- Every key; at last whether it says which journey it was first in
SELECT k.id, k.project_id, k.kind, k.value, k.journey_id, k.hold IS NOT NULL, k.since, k.first_journey_id IS NOT NULL
FROM journey_stitch.keys k
