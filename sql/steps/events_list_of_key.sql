-- As events_list.sql, of the events that have key $7, tied by it or not, and of those that are pending: what a filter on a user or
-- a session can find, without reading all events.
SELECT e.event_id, e.event_type, e.event_name, e.occurred_at, e.received_at, e.user_id, e.session_id, e.source,
       e.properties, j.uuid
FROM (
    SELECT e.*
    FROM (
        SELECT journey_stitch.graph_entry_id(h.start_id) AS id
        FROM journey_graph."HAS_KEY" h
        WHERE h.end_id OPERATOR(ag_catalog.=)
              journey_stitch.vertex_id('Correlation', $7)
        UNION
        SELECT c.event_id FROM journey_stitch.merge_conflicts c WHERE c.key_id = $7
        UNION
        SELECT t.id
        FROM journey_stitch.pending q
        CROSS JOIN unnest(q.event_ranges) AS r (ids)
        CROSS JOIN LATERAL (SELECT t.id FROM journey_stitch.events t
                            WHERE t.id >= lower(r.ids) AND t.id < upper(r.ids) OFFSET 0) AS t
        WHERE q.project_id = $1
        OFFSET 0
    ) AS candidate
    CROSS JOIN LATERAL (SELECT * FROM journey_stitch.events e WHERE e.id = candidate.id LIMIT 1) AS e
    WHERE e.project_id = $1
      AND ($3 IS NULL OR e.id < $3)
      AND ($2 ->> 'event_type' IS NULL OR e.event_type = $2 ->> 'event_type')
      AND ($2 ->> 'event_name' IS NULL OR e.event_name = $2 ->> 'event_name')
      AND ($2 ->> 'user_id' IS NULL OR e.user_id = $2 ->> 'user_id')
      AND ($2 ->> 'session_id' IS NULL OR e.session_id = $2 ->> 'session_id')
      AND ($2 ->> 'source' IS NULL OR e.source = $2 ->> 'source')
      AND ($5 IS NULL OR e.occurred_at >= $5)
      AND ($6 IS NULL OR e.occurred_at < $6)
      AND ($2 -> 'properties' IS NULL OR e.properties @> ($2 -> 'properties'))
    ORDER BY e.id DESC
    LIMIT $4
) AS e
LEFT JOIN journey_stitch.journeys j ON j.id = journey_stitch.journey_of_entry(e.id)
ORDER BY e.id DESC
