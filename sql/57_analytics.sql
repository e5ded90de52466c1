-- The statements of this file find PostgreSQL's functions and operators, whatever else a schema has.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Analytics, as far as it is declared by hand.

CREATE FUNCTION journey_stitch.user_stats(id text DEFAULT NULL, project text DEFAULT 'default')
RETURNS TABLE (user_id text, total_events bigint, total_purchases bigint, total_spent numeric, first_seen timestamptz,
               last_active timestamptz, last_purchase timestamptz, avg_session_duration numeric,
               engagement_score numeric, churn_risk numeric)
LANGUAGE c STABLE PARALLEL SAFE ROWS 1000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'user_stats';
COMMENT ON FUNCTION journey_stitch.user_stats(text, text) IS
    'Running totals of users, a row each: of the user with user_id id, or (NULL) of all. total_events; total_purchases, events of type purchase, and total_spent, the sum of their properties'' amount; first_seen, last_active, last_purchase; avg_session_duration, the mean of the properties'' duration over the events that have one, in the unit in which it is sent. Amounts and durations are numbers, or texts that are numbers. Both scores depend on now. engagement_score, 0 to 100, is 50 x 0.5^(s/14) + 30 x f/(f+1) + 20 x p/(p+1), where s is the days since last_active, f the events a day since first_seen (a day at least), p total_purchases. churn_risk, 0 to 1, is 1 - 0.5^(s/h), where h is 14 days or twice the mean time between two events, whichever is longer: it is a half after h days of silence. They are heuristics, fit for ranking users, not for forecasts. Pending events count.';

-- Steps as an array of event types, and as a literal, which PostgreSQL takes for text where several functions would do.
CREATE FUNCTION journey_stitch.funnel(
    steps text[], start_date date DEFAULT CURRENT_DATE - 29, end_date date DEFAULT CURRENT_DATE,
    "window" interval DEFAULT '14 days', ordering text DEFAULT 'ordered', project text DEFAULT 'default',
    tz text DEFAULT 'UTC', identity text DEFAULT 'user', filter jsonb DEFAULT NULL)
RETURNS TABLE (step_no integer, step text, users bigint, conversion_from_start numeric,
               conversion_from_previous numeric, median_time interval)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM journey_stitch.funnel(
        to_jsonb(steps), start_date, end_date, "window", ordering, project, tz, identity, filter);
$$;
COMMENT ON FUNCTION journey_stitch.funnel(text[], date, date, interval, text, text, text, text, jsonb) IS
    'funnel() with steps that are event types, in an array.';

CREATE FUNCTION journey_stitch.funnel(
    steps text, start_date date DEFAULT CURRENT_DATE - 29, end_date date DEFAULT CURRENT_DATE,
    "window" interval DEFAULT '14 days', ordering text DEFAULT 'ordered', project text DEFAULT 'default',
    tz text DEFAULT 'UTC', identity text DEFAULT 'user', filter jsonb DEFAULT NULL)
RETURNS TABLE (step_no integer, step text, users bigint, conversion_from_start numeric,
               conversion_from_previous numeric, median_time interval)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM journey_stitch.funnel(
        CASE WHEN pg_input_is_valid(steps, 'jsonb') THEN steps::jsonb
             WHEN pg_input_is_valid(steps, 'text[]') THEN to_jsonb(steps::text[]) ELSE to_jsonb(steps) END,
        start_date, end_date, "window", ordering, project, tz, identity, filter);
$$;
COMMENT ON FUNCTION journey_stitch.funnel(text, date, date, interval, text, text, text, text, jsonb) IS
    'funnel() with steps as the text of a JSON array, or of an array of event types: so that a plain literal will do.';

CREATE FUNCTION journey_stitch.funnel_by(
    breakdown text, steps text[], start_date date DEFAULT CURRENT_DATE - 29, end_date date DEFAULT CURRENT_DATE,
    "window" interval DEFAULT '14 days', ordering text DEFAULT 'ordered', max_values integer DEFAULT 10, project text DEFAULT 'default',
    tz text DEFAULT 'UTC', identity text DEFAULT 'user', filter jsonb DEFAULT NULL)
RETURNS TABLE (value text, step_no integer, step text, users bigint, conversion_from_start numeric,
               conversion_from_previous numeric, median_time interval)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM journey_stitch.funnel_by(
        breakdown, to_jsonb(steps), start_date, end_date, "window", ordering, max_values, project, tz, identity, filter);
$$;
COMMENT ON FUNCTION journey_stitch.funnel_by(text, text[], date, date, interval, text, integer, text, text, text, jsonb) IS
    'funnel_by() with steps that are event types, in an array.';

CREATE FUNCTION journey_stitch.funnel_by(
    breakdown text, steps text, start_date date DEFAULT CURRENT_DATE - 29, end_date date DEFAULT CURRENT_DATE,
    "window" interval DEFAULT '14 days', ordering text DEFAULT 'ordered', max_values integer DEFAULT 10, project text DEFAULT 'default',
    tz text DEFAULT 'UTC', identity text DEFAULT 'user', filter jsonb DEFAULT NULL)
RETURNS TABLE (value text, step_no integer, step text, users bigint, conversion_from_start numeric,
               conversion_from_previous numeric, median_time interval)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM journey_stitch.funnel_by(
        breakdown, CASE WHEN pg_input_is_valid(steps, 'jsonb') THEN steps::jsonb
             WHEN pg_input_is_valid(steps, 'text[]') THEN to_jsonb(steps::text[]) ELSE to_jsonb(steps) END,
        start_date, end_date, "window", ordering, max_values, project, tz, identity, filter);
$$;
COMMENT ON FUNCTION journey_stitch.funnel_by(text, text, date, date, interval, text, integer, text, text, text, jsonb) IS
    'funnel_by() with steps as the text of a JSON array, or of an array of event types: so that a plain literal will do.';

-- What numbers mean.

COMMENT ON FUNCTION journey_stitch.dau(date, date, text, text, text, text, jsonb) IS
    'Daily active users: for each day from start_date to end_date, both included, the distinct user_id (identity ''user'') or the distinct present journeys (identity ''journey'') with an event that day, of event_type if given, whose properties contain filter if given. Days are calendar days of time zone tz; days without activity appear as 0. Exact at once: pending events count, and numbers of past days move when journeys merge or split.';
COMMENT ON FUNCTION journey_stitch.wau(date, date, text, text, text, text, text, jsonb) IS
    'Weekly active users. mode ''trailing'': for each day from start_date to end_date those active in the seven days that end with it, inclusive. mode ''calendar'': a row for each week, Monday to Sunday, that has a day in the range; day is its Monday, and the whole week counts. The rest as in dau().';
COMMENT ON FUNCTION journey_stitch.mau(date, date, text, text, text, text, text, jsonb) IS
    'Monthly active users. mode ''trailing'': for each day from start_date to end_date those active in the thirty days that end with it, inclusive. mode ''calendar'': a row for each calendar month that has a day in the range; day is its first, and the whole month counts. The rest as in dau().';
COMMENT ON FUNCTION journey_stitch.stickiness(date, date, text, text, text, text, jsonb) IS
    'How much of a month''s users a day sees: dau / mau of the same day, mau over the trailing thirty days, as a share from 0 to 1 with four decimals; NULL where mau is 0. The rest as in dau().';
COMMENT ON FUNCTION journey_stitch.lifecycle(date, date, text, text, text, text, jsonb) IS
    'Where each day''s users come from and go to. new_users: active that day and never before. returning_users: active that day and the day before. resurrecting_users: active that day, not the day before, but earlier. dormant_users: active the day before and not that day. The first three add up to dau(). The rest as in dau().';
COMMENT ON FUNCTION journey_stitch.retention(date, integer, text, text, text, text, text, text, text, text, text, jsonb) IS
    'Retention of one cohort, in windows of a unit (''day'', ''week'', ''month'') anchored at start_date: window n begins n units after it. The cohort, window 0: everyone with a start_event in it (cohort ''active''), or those of them whose first such event ever it was (cohort ''new''). Row n from 1 to windows: how many of the cohort had a return_event in window n (criterion ''on''), or then or at any later time (''on_or_after''). retention_rate is retained_users in percent of cohort_size, one decimal, NULL for an empty cohort; row 0 is the cohort itself. start_event and return_event are event_type unless given. tz, identity and filter as in dau(). Exact at once: pending events count, and numbers of past days move when journeys merge or split.';
COMMENT ON FUNCTION journey_stitch.retention_matrix(date, date, text, text, text, text, text, text, text, text, text, jsonb) IS
    'The retention triangle: a cohort for each unit from start_date on that begins on or before end_date, each with its windows up to the last cohort''s. Every row is what retention() says of that cohort, but that the windows stay anchored at start_date: months from the 31st on begin on 31 August, 30 September, 31 October.';
COMMENT ON FUNCTION journey_stitch.top_events(date, date, integer, text, text, text, text, jsonb) IS
    'The commonest event types from start_date to end_date, both included: events of the type and distinct users (or journeys, by identity), most events first, ties by event_type. tz, identity, event_type and filter as in dau().';
COMMENT ON FUNCTION journey_stitch.dau_by(text, date, date, integer, text, text, text, text, jsonb) IS
    'dau() by the value of a breakdown: event_type, event_name, source, user_agent, or a JSON path into properties such as ''$.plan'' (its first match; a JSON string without its quotes). A row for each day and each of the max_values values with the most users over the whole range, zeros too; NULL is the value of events without one. A user with events of several values counts for each. Read from the events of the range.';
COMMENT ON FUNCTION journey_stitch.top_events_by(text, date, date, integer, text, text, text, text, jsonb) IS
    'Events and distinct users by the value of a breakdown, as dau_by() takes it: the max_rows values with the most events from start_date to end_date, ties by value.';
COMMENT ON FUNCTION journey_stitch.funnel(jsonb, date, date, interval, text, text, text, text, jsonb) IS
    'How many get through a row of 1 to 32 steps. steps: an array of event types, or of objects with event_type (a text, or an array of which any will do), name and filter. ordering ''ordered'': a user''s window opens at the first event of step 1 from start_date to end_date, later ones do not reset it, and closes "window" later, inclusive; then counts the earliest event of step 2 after it, of step 3 after that, and so on, also after end_date. ''strict'': each step must be the very next of all events that pass filter. ''unordered'': the window opens at the first event of any step, and row n counts users with n different steps done. One event never serves two steps; events at the same time are in order of arrival. A row a step: users, conversion in percent from the first and from the previous step, median_time since the previous step. tz, identity and filter as in dau(). Exact at once: pending events count, and numbers of past days move when journeys merge or split.';
COMMENT ON FUNCTION journey_stitch.funnel_by(text, jsonb, date, date, interval, text, integer, text, text, text, jsonb) IS
    'funnel() by the value of a breakdown, as dau_by() takes it: a user belongs to the value of the event that opened the window. The max_values values with the most users.';
COMMENT ON FUNCTION journey_stitch.paths(date, date, text, integer, integer, text, text, text, jsonb) IS
    'What users do one after the other. Each has one path: the events from start_date to end_date, from the first start_event on (NULL: from the first event), max_steps edges at most. The row of step n, source and target says how many took that as their n-th edge (journeys), and the mean time that it took. A path that ends before has a last edge to ''(drop-off)''. The max_edges edges with the most users. tz, identity and filter as in dau().';
COMMENT ON FUNCTION journey_stitch.sessions(text, interval, interval, text, jsonb) IS
    'The sessions of one user or journey, from the events alone: a gap longer than timeout, or an event more than max_duration after the session''s first, begins a new one; midnight does not. id: a user_id (the events that were sent with it), else whatever get_journey() takes (the events of that journey). Only events whose properties contain filter, if given. Pending events count.';
COMMENT ON FUNCTION journey_stitch.dau_svg(date, date, text, text, text, text, jsonb) IS
    'dau() as a line chart, an SVG document.';
COMMENT ON FUNCTION journey_stitch.retention_svg(date, date, text, text, text, text, text, text, text, text, text, jsonb) IS
    'retention_matrix() as a triangle, an SVG document.';

-- As it was: what the library declares goes to this schema.
SET LOCAL search_path = journey_stitch, pg_temp;
