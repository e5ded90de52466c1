-- Dead letters: mend the event or its cause, then retry_dead_letters().
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

SELECT * FROM journey_stitch.ingest_events('[
    {"id": "a", "type": "view", "user_id": "ann", "ts": "2024-05-01T10:00:00Z"},
    {"id": "b", "user_id": "ann", "ts": "2024-05-02T10:00:00Z"},
    {"id": "c", "type": "view", "user_id": "ann", "ts": "2nd of May"},
    {"id": "d", "type": "view", "user_id": ["ann"], "ts": "2024-05-03T10:00:00Z"},
    {"id": "e", "type": "view", "session_id": "0123456789012345678901234567890123456", "ts": "2024-05-04T10:00:00Z"}]');
SELECT event->>'id' AS event, reason, status, attempts FROM journey_stitch.dead_letters ORDER BY id;

-- Nothing was mended: all are refused again, and stay open.
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT event->>'id' AS event, reason, status, attempts, last_attempt_at > received_at AS tried_later
FROM journey_stitch.dead_letters ORDER BY id;

-- Two are mended, the second not well enough: it is refused for its next mistake.
UPDATE journey_stitch.dead_letters SET event = event || '{"type": "view"}' WHERE event->>'id' = 'b';
UPDATE journey_stitch.dead_letters SET event = event || '{"ts": "2024-05-02T12:00:00Z", "correlations": 5}' WHERE event->>'id' = 'c';
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT event->>'id' AS event, reason, status, attempts FROM journey_stitch.dead_letters ORDER BY id;
SELECT event_id, event_type FROM journey_stitch.events ORDER BY id;
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id, occurred_at FROM journey_stitch.get_journey('user_id:ann');

-- What is resolved is not tried again.
UPDATE journey_stitch.dead_letters SET event = event - 'correlations' WHERE event->>'id' = 'c';
UPDATE journey_stitch.dead_letters SET event = event || '{"user_id": "ann"}' WHERE event->>'id' = 'd';
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT event->>'id' AS event, status, attempts FROM journey_stitch.dead_letters ORDER BY id;

-- A limit that was raised lets in what it had kept out.
SELECT journey_stitch.clean();
SET journey_stitch.max_id_bytes = 36;
SELECT * FROM journey_stitch.ingest_events('[
    {"id": "e", "type": "view", "session_id": "0123456789012345678901234567890123456", "ts": "2024-05-04T10:00:00Z"},
    {"id": "f", "type": "view", "deep": [[[[1]]]], "ts": "2024-05-05T10:00:00Z"}]');
SELECT event->>'id' AS event, reason FROM journey_stitch.dead_letters ORDER BY id;
SELECT * FROM journey_stitch.retry_dead_letters();
RESET journey_stitch.max_id_bytes;
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT event->>'id' AS event, status, attempts FROM journey_stitch.dead_letters ORDER BY id;
SELECT * FROM journey_stitch.stitch_pending();
SELECT event_id FROM journey_stitch.get_journey('session_id:0123456789012345678901234567890123456');

-- Sent again correctly in the meantime: a duplicate then, and resolved.
SELECT * FROM journey_stitch.ingest_events('{"id": "g", "user_id": "bob"}');
SELECT * FROM journey_stitch.ingest_events('{"id": "g", "type": "view", "user_id": "bob"}');
UPDATE journey_stitch.dead_letters SET event = event || '{"type": "view"}' WHERE event->>'id' = 'g';
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT event->>'id' AS event, status, attempts FROM journey_stitch.dead_letters WHERE event->>'id' = 'g';
-- Two letters that turn out to be one event.
SELECT * FROM journey_stitch.ingest_events('[{"id": "h"}, {"id": "h"}]');
UPDATE journey_stitch.dead_letters SET event = event || '{"type": "view"}' WHERE status = 'open';
SELECT * FROM journey_stitch.retry_dead_letters();

-- One project's, so many at once, the oldest first.
SELECT journey_stitch.clean();
SELECT * FROM journey_stitch.ingest_events('[{"id": 1}, {"id": 2}, {"id": 3}]', 'shop');
SELECT * FROM journey_stitch.ingest_events('[{"id": 4}, {"id": 5}]');
UPDATE journey_stitch.dead_letters SET event = event || '{"type": "view"}';
SELECT * FROM journey_stitch.retry_dead_letters('shop', 2);
SELECT event->>'id' AS event, status FROM journey_stitch.dead_letters ORDER BY id;
SELECT * FROM journey_stitch.retry_dead_letters(max_rows => 1);
SELECT * FROM journey_stitch.retry_dead_letters('shop');
SELECT event->>'id' AS event, status FROM journey_stitch.dead_letters ORDER BY id;
SELECT * FROM journey_stitch.retry_dead_letters(NULL);
SELECT p.name, e.event_id FROM journey_stitch.events e JOIN journey_stitch.projects p ON p.id = e.project_id ORDER BY e.event_id;

-- Mended beyond recognition: what is no event stays open, it fails nothing.
SELECT * FROM journey_stitch.ingest_events('[1, 2]');
UPDATE journey_stitch.dead_letters SET event = '[]' WHERE event = '1';
UPDATE journey_stitch.dead_letters SET event = '{"type": "view", "id": "6"}' WHERE event = '2';
SELECT * FROM journey_stitch.retry_dead_letters();
SELECT event, reason, status FROM journey_stitch.dead_letters ORDER BY id DESC LIMIT 2;

-- Undone with its transaction.
BEGIN;
UPDATE journey_stitch.dead_letters SET event = '{"type": "view", "id": "7"}' WHERE event = '[]';
SELECT * FROM journey_stitch.retry_dead_letters();
ROLLBACK;
SELECT event, status FROM journey_stitch.dead_letters WHERE status = 'open';

-- Wrong arguments.
SELECT * FROM journey_stitch.retry_dead_letters(max_rows => 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retry_dead_letters(max_rows => -1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retry_dead_letters(max_rows => NULL);
\echo :LAST_ERROR_SQLSTATE

-- A row of the table has one of two stages and one of two states.
\set VERBOSITY terse
INSERT INTO journey_stitch.dead_letters (project_id, stage, reason, message, event) VALUES (1, 'other', 'r', 'm', '{}');
UPDATE journey_stitch.dead_letters SET status = 'gone';

SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
