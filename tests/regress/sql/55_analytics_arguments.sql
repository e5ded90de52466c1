-- Wrong arguments of the analytics: each an error that names the argument and says what it takes (22023).
\set VERBOSITY default
\set SHOW_CONTEXT never
SET datestyle = 'ISO, YMD';

SELECT * FROM journey_stitch.dau('2024-05-02', '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(NULL, '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('-infinity', '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('2024-05-01', 'infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('0001-12-31 BC', '0001-01-02');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('9999-12-31', '10000-01-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau('2000-01-01', '2027-05-19');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(tz => 'Mars/Olympus');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(tz => '');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(tz => NULL);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
SELECT * FROM journey_stitch.dau(tz => repeat('x', 1000));
\set VERBOSITY default
SELECT * FROM journey_stitch.dau(identity => 'person');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(identity => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.dau(project => NULL);
\echo :LAST_ERROR_SQLSTATE

SELECT * FROM journey_stitch.retention('2024-05-01', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', -1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', 1429);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', 2147483647);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', tz => 'Mars/Olympus');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.retention('2024-05-01', identity => 'User');
\echo :LAST_ERROR_SQLSTATE

SELECT * FROM journey_stitch.top_events('2024-05-02', '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events(NULL, '2024-05-01');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', -5);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', tz => 'Mars/Olympus');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM journey_stitch.top_events('2024-05-01', '2024-05-01', identity => 'session');
\echo :LAST_ERROR_SQLSTATE

-- The last day of all: its windows may end where no event can be, in any zone.
SELECT * FROM journey_stitch.dau('9999-12-31', '9999-12-31', tz => 'America/New_York');
SELECT window_no, window_start FROM journey_stitch.retention('9999-12-31', 1, tz => 'America/New_York');
SELECT * FROM journey_stitch.dau('0001-01-01', '0001-01-01', tz => 'Asia/Kolkata');
