//! Functions as they were declared before 0.4.0, with fewer arguments. What calls them are objects that wait for their
//! update, which get an error that says so, and declarations that an update has kept for views that rest on them.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::active_users::daily_active;
use super::retention::retention_of_cohort;
use super::top_events::top_event_types;

#[pg_extern(stable, parallel_safe, sql = false)]
fn dau(
    start_date: Option<Date>,
    end_date: Option<Date>,
    project: Option<&str>,
    tz: Option<&str>,
    identity: Option<&str>,
    event_type: Option<&str>,
) -> Result<TableIterator<'static, (name!(day, Date), name!(active_users, i64))>, ErrorReport> {
    daily_active(start_date, end_date, project, tz, identity, event_type, None)
}

#[pg_extern(stable, parallel_safe, sql = false)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn retention(
    start_date: Option<Date>,
    windows: Option<i32>,
    project: Option<&str>,
    tz: Option<&str>,
    identity: Option<&str>,
    event_type: Option<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(window_no, i32),
            name!(window_start, Date),
            name!(cohort_size, i64),
            name!(retained_users, i64),
            name!(retention_rate, Option<AnyNumeric>),
        ),
    >,
    ErrorReport,
> {
    let (unit, cohort, criterion) = (Some("week"), Some("active"), Some("on"));
    retention_of_cohort(
        start_date, windows, unit, cohort, None, None, criterion, project, tz, identity, event_type, None,
    )
}

#[pg_extern(stable, parallel_safe, sql = false)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn top_events(
    start_date: Option<Date>,
    end_date: Option<Date>,
    max_rows: Option<i32>,
    project: Option<&str>,
    tz: Option<&str>,
    identity: Option<&str>,
) -> Result<
    TableIterator<'static, (name!(event_type, String), name!(events, i64), name!(users, i64))>,
    ErrorReport,
> {
    top_event_types(start_date, end_date, max_rows, project, tz, identity, None, None)
}
