-- Journeys missing from the rollups' sets, or in them without having been active
WITH member AS (
    SELECT DISTINCT project_id, event_type, occurred_at, journey_id FROM journey_stitch.stitched_keys WHERE NOT is_refused
), expected AS (
    SELECT DISTINCT e.project_id, t.event_type, date_trunc('day', e.occurred_at, 'UTC') AS starts_at, e.journey_id AS member
    FROM member e
    CROSS JOIN LATERAL (VALUES (''), (e.event_type)) AS t (event_type)
), actual AS (
    SELECT a.project_id, a.event_type, a.starts_at, m.member
    FROM journey_stitch.activity a CROSS JOIN LATERAL journey_stitch.members_ids(a.chunk, a.members) AS m (member)
    WHERE a.identity = 'j'
)
SELECT (SELECT count(*) FROM (TABLE expected EXCEPT TABLE actual) AS missing)
     + (SELECT count(*) FROM (TABLE actual EXCEPT TABLE expected) AS surplus)
