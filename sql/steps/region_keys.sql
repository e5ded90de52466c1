-- Keys $3, and the keys of journeys $2; $1 the label Journey
SELECT k.id, k.kind, k.value, k.journey_id, k.first_journey_id, k.hold, k.since
FROM (SELECT u.id FROM unnest($3::bigint[]) AS u (id)
      UNION
      SELECT journey_stitch.graph_entry_id(p.start_id)
      FROM unnest($2::bigint[]) AS u (journey)
      CROSS JOIN LATERAL (SELECT p.start_id FROM journey_graph."PART_OF" p
                          WHERE p.end_id OPERATOR(ag_catalog.=) ag_catalog._graphid($1, u.journey) OFFSET 0) AS p) AS u
CROSS JOIN LATERAL (SELECT * FROM journey_stitch.keys k WHERE k.id = u.id LIMIT 1) AS k
ORDER BY k.id
