-- Keys that stitched events give and the table lacks, and keys that no stitched event gives
WITH expected AS (
    SELECT DISTINCT e.project_id, k.kind, k.value
    FROM journey_stitch.stitched_events e
    CROSS JOIN LATERAL journey_stitch.event_keys(e.project_id, e.event_id, e.user_id, e.session_id, e.identifiers) AS k
)
SELECT count(*) FROM expected FULL JOIN journey_stitch.keys k USING (project_id, kind, value)
WHERE expected.kind IS NULL OR k.id IS NULL
