-- Every journey, in the order of their ids; at last whether it counts keys of limited kinds, and whether the order of its
-- events has mattered
SELECT j.id, j.project_id, j.merged_into, j.founder_id, j.event_count, j.key_count, j.first_seen, j.last_seen,
       j.kind_counts IS NOT NULL, j.tense_until IS NOT NULL
FROM journey_stitch.journeys j
ORDER BY j.id
