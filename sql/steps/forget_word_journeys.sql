-- The journeys of project $1 that words about keys with kinds $2 and values $3 have to do with: those of both keys of a
-- word, and those of events that were refused one of them
WITH word AS (
    SELECT DISTINCT w.kind, w.value, w.other_kind, w.other_value
    FROM unnest($2::text[], $3::text[]) AS u (kind, value)
    JOIN journey_stitch.identity_words w
      ON w.project_id = $1 AND ((w.kind, w.value) = (u.kind, u.value) OR (w.other_kind, w.other_value) = (u.kind, u.value))
), named AS (
    SELECT k.id, k.journey_id
    FROM (SELECT kind, value FROM word UNION SELECT other_kind, other_value FROM word) AS n
    JOIN journey_stitch.keys k ON k.project_id = $1 AND k.kind = n.kind AND k.value = n.value
)
SELECT journey_id FROM named WHERE journey_id IS NOT NULL
UNION
SELECT journey_stitch.journey_of_entry(c.event_id)
FROM named JOIN journey_stitch.merge_conflicts c ON c.key_id = named.id
