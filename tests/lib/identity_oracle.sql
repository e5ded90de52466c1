-- What identity_oracle.py compares, at one moment, a JSON object a line. Run by it: psql -At -v dir=DIRECTORY -f …
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = pg_catalog, pg_temp;

\o :dir/projects
SELECT row_to_json(r) FROM (SELECT id, name FROM journey_stitch.projects) AS r;
\o :dir/events
SELECT row_to_json(r) FROM (
    SELECT id, project_id, event_id, (extract(epoch FROM occurred_at) * 1000000)::bigint AS at,
           user_id, session_id, identifiers
    FROM journey_stitch.stitched_events) AS r;
\o :dir/keys
SELECT row_to_json(r) FROM (SELECT id, project_id, kind, value, journey_id, hold FROM journey_stitch.keys) AS r;
\o :dir/journeys
SELECT row_to_json(r) FROM (
    SELECT id, project_id, event_count, key_count FROM journey_stitch.journeys WHERE merged_into IS NULL) AS r;
\o :dir/merge_conflicts
SELECT row_to_json(r) FROM (
    SELECT project_id, event_id, key_id, rule, (extract(epoch FROM occurred_at) * 1000000)::bigint AS at
    FROM journey_stitch.merge_conflicts) AS r;
\o :dir/rules
SELECT row_to_json(r) FROM journey_stitch.identity_rules AS r;
\o :dir/words
SELECT row_to_json(r) FROM journey_stitch.identity_words AS r;

-- Before anything was stitched there is no graph.
SELECT to_regclass('journey_graph."PART_OF"') IS NOT NULL AS has_graph \gset
\o :dir/has_key
\if :has_graph
SELECT json_build_object('event', journey_stitch.graph_entry_id(start_id),
                         'key', journey_stitch.graph_entry_id(end_id))
FROM journey_graph."HAS_KEY";
\endif
\o :dir/part_of
\if :has_graph
SELECT json_build_object('key', journey_stitch.graph_entry_id(start_id),
                         'journey', journey_stitch.graph_entry_id(end_id))
FROM journey_graph."PART_OF";
\endif
\o
COMMIT;
