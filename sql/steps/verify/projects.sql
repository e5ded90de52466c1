-- Projects that rows name and that are not there
SELECT count(*)
FROM (SELECT project_id FROM journey_stitch.events
      UNION SELECT project_id FROM journey_stitch.event_ids
      UNION SELECT project_id FROM journey_stitch.pending
      UNION SELECT project_id FROM journey_stitch.dead_letters
      UNION SELECT project_id FROM journey_stitch.journeys
      UNION SELECT project_id FROM journey_stitch.keys
      UNION SELECT project_id FROM journey_stitch.users
      UNION SELECT project_id FROM journey_stitch.activity
      UNION SELECT project_id FROM journey_stitch.event_counts
      UNION SELECT project_id FROM journey_stitch.timeline
      UNION SELECT project_id FROM journey_stitch.metric_definitions
      UNION SELECT project_id FROM journey_stitch.project_grants
      UNION SELECT project_id FROM journey_stitch.merge_conflicts
      UNION SELECT project_id FROM journey_stitch.key_moves
      UNION SELECT project_id FROM journey_stitch.identity_words
      UNION SELECT project_id FROM journey_stitch.identity_rules WHERE project_id <> 0) AS named
WHERE NOT EXISTS (SELECT FROM journey_stitch.projects p WHERE p.id = named.project_id)
