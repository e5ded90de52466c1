-- Days that are longer or shorter than others, begin at an odd time, or are not there at all.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET jit = off;  -- the oracle's queries look costly, and are not

-- An event a quarter of an hour, each of a user of its own: a day has 96, or 92, or 100 of them.
CREATE FUNCTION pg_temp.every_quarter(first timestamptz, last timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    sent bigint;
BEGIN
    PERFORM journey_stitch.clean();
    TRUNCATE oracle.events;
    INSERT INTO oracle.events (n, event_id, event_type, occurred_at, user_id, keys)
    SELECT row_number() OVER (), 'e' || to_char(t, 'YYYYMMDDHH24MI'), 'tick', t, 'u' || to_char(t, 'YYYYMMDDHH24MI'), ARRAY['user_id:u' || to_char(t, 'YYYYMMDDHH24MI')]
    FROM generate_series(first, last, interval '15 minutes') AS t;
    PERFORM oracle.find_components();
    sent := (SELECT oracle.send(1, 100000));
    PERFORM journey_stitch.stitch_pending(sent / 2);
    RETURN sent;
END
$$;

-- New York: 10 March 2024 has 23 hours, 3 November has 25.
SELECT pg_temp.every_quarter('2024-03-08 00:00Z', '2024-03-13 00:00Z');
SELECT * FROM journey_stitch.dau('2024-03-09', '2024-03-11', tz => 'America/New_York');
SELECT * FROM oracle.compare('2024-03-09', '2024-03-11', 'America/New_York');
SELECT pg_temp.every_quarter('2024-11-01 00:00Z', '2024-11-07 00:00Z');
SELECT * FROM journey_stitch.dau('2024-11-02', '2024-11-04', tz => 'America/New_York');
SELECT * FROM oracle.compare('2024-11-02', '2024-11-04', 'America/New_York');
-- Lord Howe Island changes by half an hour: 6 October has 23.5 hours.
SELECT pg_temp.every_quarter('2024-10-04 00:00Z', '2024-10-09 00:00Z');
SELECT * FROM journey_stitch.dau('2024-10-05', '2024-10-07', tz => 'Australia/Lord_Howe');
SELECT * FROM oracle.compare('2024-10-05', '2024-10-07', 'Australia/Lord_Howe');

-- São Paulo, 4 November 2018, had no midnight: its clocks went from 23:59 to 1:00.
SELECT pg_temp.every_quarter('2018-11-02 00:00Z', '2018-11-07 00:00Z');
SELECT * FROM journey_stitch.dau('2018-11-03', '2018-11-05', tz => 'America/Sao_Paulo');
SELECT * FROM oracle.compare('2018-11-03', '2018-11-05', 'America/Sao_Paulo');
-- And 17 February had an hour before midnight twice.
SELECT pg_temp.every_quarter('2018-02-16 00:00Z', '2018-02-20 00:00Z');
SELECT * FROM journey_stitch.dau('2018-02-17', '2018-02-18', tz => 'America/Sao_Paulo');
SELECT * FROM oracle.compare('2018-02-17', '2018-02-18', 'America/Sao_Paulo');
-- Havana, 3 November 2024, had the hour after midnight twice: its clocks went from 1:00 back to 0:00. That
-- day has 25 hours, and the one before 24.
SELECT pg_temp.every_quarter('2024-11-01 00:00Z', '2024-11-07 00:00Z');
SELECT * FROM journey_stitch.dau('2024-11-02', '2024-11-04', tz => 'America/Havana');
SELECT * FROM oracle.compare('2024-11-02', '2024-11-04', 'America/Havana');
SELECT window_no, cohort_size FROM journey_stitch.retention('2024-11-03', 1, tz => 'America/Havana') WHERE window_no = 0;
SELECT * FROM journey_stitch.top_events('2024-11-03', '2024-11-03', tz => 'America/Havana');

-- Samoa had no 30 December 2011.
SELECT pg_temp.every_quarter('2011-12-28 00:00Z', '2012-01-02 00:00Z');
SELECT * FROM journey_stitch.dau('2011-12-29', '2011-12-31', tz => 'Pacific/Apia');
SELECT * FROM oracle.compare('2011-12-29', '2011-12-31', 'Pacific/Apia');

-- Times that no rollup knows: Kathmandu (+5:45), Monrovia until 1972 (-0:44:30), Amsterdam until 1937 (+0:19:32).
SELECT pg_temp.every_quarter('2024-05-01 00:00Z', '2024-05-05 00:00Z');
SELECT * FROM journey_stitch.dau('2024-05-02', '2024-05-03', tz => 'Asia/Kathmandu');
SELECT * FROM oracle.compare('2024-05-02', '2024-05-03', 'Asia/Kathmandu');
SELECT pg_temp.every_quarter('1971-12-30 00:00Z', '1972-01-10 00:00Z');
SELECT * FROM journey_stitch.dau('1971-12-31', '1972-01-08', tz => 'Africa/Monrovia');
SELECT * FROM oracle.compare('1971-12-31', '1972-01-08', 'Africa/Monrovia');
SELECT pg_temp.every_quarter('1937-06-29 00:00Z', '1937-07-03 00:00Z');
SELECT * FROM oracle.compare('1937-06-30', '1937-07-02', 'Europe/Amsterdam');
SELECT pg_temp.every_quarter('1850-01-01 00:00Z', '1850-01-04 00:00Z');
SELECT * FROM oracle.compare('1850-01-02', '1850-01-03', 'America/New_York');

-- Names of zones in any case, and POSIX ones, are fine.
SELECT * FROM oracle.compare('1850-01-02', '1850-01-03', 'utc');
SELECT * FROM oracle.compare('1850-01-02', '1850-01-03', 'america/new_york');
SELECT * FROM oracle.compare('1850-01-02', '1850-01-03', 'Etc/GMT+5');
SELECT * FROM oracle.compare('1850-01-02', '1850-01-03', 'XYZ4');

SELECT * FROM journey_stitch.stitch_pending();
SELECT * FROM journey_stitch.verify() WHERE violations <> 0;
SELECT journey_stitch.clean();
TRUNCATE oracle.events, oracle.components;
