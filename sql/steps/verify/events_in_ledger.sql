-- Events that the ledger lacks or has under another id, and ledger entries without event
SELECT (SELECT count(*) FROM journey_stitch.events e
        WHERE NOT EXISTS (SELECT FROM journey_stitch.event_ids l
                          WHERE l.project_id = e.project_id AND l.event_id = e.event_id AND l.id = e.id))
     + (SELECT count(*) FROM journey_stitch.event_ids l
        WHERE NOT EXISTS (SELECT FROM journey_stitch.events e WHERE e.id = l.id AND e.event_id = l.event_id))
