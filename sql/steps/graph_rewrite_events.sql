-- Vertices of events $2 as the stitcher makes them; $1 the label Event
UPDATE journey_graph."Event" v
SET properties = ag_catalog.agtype_build_map(
        'id', e.event_id, 'type', e.event_type,
        'ts', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
FROM unnest($2::bigint[]) AS u (id)
CROSS JOIN LATERAL (SELECT * FROM journey_stitch.events e WHERE e.id = u.id LIMIT 1) AS e
WHERE v.id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.id)
