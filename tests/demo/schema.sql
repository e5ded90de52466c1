-- What the demo keeps beside the extension: the calls to make, how long each took, and how to wait.

CREATE SCHEMA demo;

-- The payload of each call as a client sends it: text, a JSON array of up to 1,000 events.
CREATE TABLE demo.batches (
    source  text    NOT NULL,
    batch   integer NOT NULL,
    events  integer NOT NULL,
    payload text    NOT NULL,
    PRIMARY KEY (source, batch)
);

CREATE TABLE demo.calls (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    load       text        NOT NULL,
    project    text        NOT NULL,
    called     timestamptz NOT NULL,
    started    timestamptz NOT NULL,
    finished   timestamptz NOT NULL,
    received   bigint      NOT NULL,
    inserted   bigint      NOT NULL,
    duplicates bigint      NOT NULL,
    rejected   bigint      NOT NULL
);

-- One call of ingest_events(), timed; answers how many events have been sent in this load.
CREATE FUNCTION demo.send(source text, batch integer, project text, load text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    payload text := (SELECT b.payload FROM demo.batches b WHERE b.source = $1 AND b.batch = $2);
    started timestamptz := clock_timestamp();
    answer record;
BEGIN
    SELECT * INTO STRICT answer FROM journey_stitch.ingest_events(payload::jsonb, project);
    INSERT INTO demo.calls (load, project, called, started, finished, received, inserted, duplicates, rejected)
    VALUES (load, project, statement_timestamp(), started, clock_timestamp(),
            answer.received, answer.inserted, answer.duplicates, answer.rejected);
    RETURN (SELECT sum(c.received) FROM demo.calls c WHERE c.load = $4);
END
$$;

-- Waits until nothing is pending, however it gets stitched; answers when that was.
CREATE FUNCTION demo.wait_until_stitched(seconds double precision) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    give_up timestamptz := clock_timestamp() + make_interval(secs => seconds);
BEGIN
    WHILE EXISTS (SELECT FROM journey_stitch.pending) LOOP
        IF clock_timestamp() > give_up THEN
            RAISE EXCEPTION 'events are still pending after % seconds', seconds;
        END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN clock_timestamp();
END
$$;

-- A call lasts from the parsing of its payload until the client's next call arrives, so its commit counts.
CREATE VIEW demo.totals AS
SELECT load, project, sum(received) AS received, sum(inserted) AS inserted, sum(duplicates) AS duplicates,
       sum(rejected) AS rejected, round(sum(received) / extract(epoch FROM sum(until - started))) AS "events/s"
FROM (SELECT *, COALESCE(lead(called) OVER (PARTITION BY load ORDER BY id), finished) AS until FROM demo.calls) AS c
GROUP BY load, project
ORDER BY min(id);
