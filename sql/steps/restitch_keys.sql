-- Every key of project $1: its journey, whether something but the rule of its kind keeps it from joining journeys, and
-- since when it joins none
SELECT k.id, k.kind, k.value, k.journey_id, k.hold IS NOT NULL, k.since
FROM journey_stitch.keys k
WHERE k.project_id = $1
