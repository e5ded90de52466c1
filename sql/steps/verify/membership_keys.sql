-- Every key of projects $1: what the table says of it
SELECT k.project_id, k.kind, k.value, k.id, k.journey_id, k.hold, k.since FROM journey_stitch.keys k WHERE k.project_id = ANY ($1)
