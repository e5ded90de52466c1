-- Every form of timestamp, and those that are none.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- Ingests each element of an array as the timestamp of an event, and shows what became of it.
CREATE FUNCTION pg_temp.read_as(timestamps jsonb) RETURNS TABLE (sent text, read_as text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM journey_stitch.clean();
    PERFORM journey_stitch.ingest_events(jsonb_agg(
        jsonb_build_object('event_id', t.n::text, 'event_type', 't', 'occurred_at', t.value) ORDER BY t.n))
    FROM jsonb_array_elements(timestamps) WITH ORDINALITY AS t (value, n);
    RETURN QUERY
    SELECT left(t.value::text, 40), COALESCE(e.occurred_at::text, d.reason)
    FROM jsonb_array_elements(timestamps) WITH ORDINALITY AS t (value, n)
    LEFT JOIN journey_stitch.events e ON e.event_id = t.n::text
    LEFT JOIN journey_stitch.dead_letters d ON d.event->>'event_id' = t.n::text
    ORDER BY t.n;
END
$$;

-- ISO 8601: extended, basic, with and without parts, offsets of every kind.
SELECT * FROM pg_temp.read_as('[
    "2024-05-01T10:20:30Z", "2024-05-01T10:20:30z", "2024-05-01t10:20:30Z", "2024-05-01 10:20:30Z", "2024-05-01T10:20:30",
    "2024-05-01T10:20Z", "2024-05-01T10Z", "2024-05-01",
    "2024-05-01T10:20:30.5Z", "2024-05-01T10:20:30.123Z", "2024-05-01T10:20:30.123456Z", "2024-05-01T10:20:30,25Z",
    "2024-05-01T10:20:30.1234567899Z", "2024-05-01T10:20:59.9999999999Z",
    "2024-05-01T10:20:30+02:00", "2024-05-01T10:20:30-0730", "2024-05-01T10:20:30+05", "2024-05-01T00:00:00+14:00",
    "20240501T102030Z", "20240501T1020Z", "20240501",
    "2024-122", "2024-W18-3", "2024-05-01T24:00:00Z", "2016-12-31T23:59:60Z",
    " 2024-05-01T10:20:30Z "]');

-- Epochs, as numbers and as texts: seconds below 1e11, else milliseconds; fractions keep their microseconds.
SELECT * FROM pg_temp.read_as('[
    0, 1714558830, 1714558830.25, 1714558830.123456, 1714558830123, 1714558830123.456, 1.714558830e9,
    99999999999, 100000000000, -1, -86400.5, -100000000000,
    "1714558830", "1714558830123", "-1", "1714558830.5"]');

-- The edges of what is accepted: the years 1 to 9999. Leap days.
SELECT * FROM pg_temp.read_as('[
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0000-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00",
    "+010000-01-01T00:00:00Z", "-000001-01-01T00:00:00Z", 253402300799999, 253402300800000, 1e20, 1e400,
    "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2000-02-29T00:00:00Z",
    "1969-12-31T23:59:59.999999Z", "1969-12-31T00:00:00Z", "1904-06-16T08:00:00Z"]');

-- What PostgreSQL alone would take, or nobody.
SELECT * FROM pg_temp.read_as('[
    "infinity", "-infinity", "Infinity", "NaN", "now", "today", "epoch", "yesterday", "May 1, 2024", "01/05/2024",
    "2024-05-01 10:20:30 Europe/Berlin", "2024-05-01T10:20:30 CET", "2024-5-1", "2024-13-01", "2024-04-31", "2024-05-01T25:00:00Z",
    "2024-05-01T10:61:00Z", "2024-05-01T10:20:61Z", "2024-05-01T10:20:30+25:00", "", " ", "tomorrow", "1,714,558,830",
    true, {}, []]');
SELECT DISTINCT message FROM journey_stitch.dead_letters;

-- Without one, an event happened when it arrived; null is without one.
SELECT journey_stitch.clean();
SELECT * FROM journey_stitch.ingest_events('[{"event_type": "t"}, {"event_type": "t", "timestamp": null}]');
SELECT occurred_at = received_at AS when_it_arrived, now() - received_at < interval '1 minute' AS just_now
FROM journey_stitch.events;

-- The session's time zone and date style mean nothing: what has no offset is UTC.
SELECT journey_stitch.clean();
SET timezone = 'America/New_York';
SET datestyle = 'SQL, DMY';
SELECT * FROM journey_stitch.ingest_events('[
    {"event_type": "t", "timestamp": "2024-05-01T10:20:30"}, {"event_type": "t", "timestamp": "2024-05-01"}]');
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT occurred_at FROM journey_stitch.events ORDER BY id;

SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
