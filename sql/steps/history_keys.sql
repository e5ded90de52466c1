-- Every key of project $1, its journey, and whether it is or was kept from joining journeys
SELECT k.id, k.kind, k.value, k.journey_id, k.hold IS NOT NULL OR k.since IS NOT NULL
FROM journey_stitch.keys k
WHERE k.project_id = $1
