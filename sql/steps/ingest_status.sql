-- How far the events of project $1 have come
SELECT (SELECT COALESCE(sum(q.events), 0)::bigint FROM journey_stitch.pending q WHERE q.project_id = $1),
       (SELECT count(*) FROM journey_stitch.dead_letters d WHERE d.project_id = $1 AND d.status = 'open'),
       (SELECT COALESCE(sum(c.events), 0)::bigint FROM journey_stitch.event_counts c WHERE c.project_id = $1)
