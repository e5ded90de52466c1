//! Pictures of answers, as SVG documents.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::{Common, Range, date};
use crate::analytics::functions::active_users::daily;
use crate::analytics::functions::retention::matrix;
use crate::analytics::functions::whole;
use crate::analytics::svg;
use crate::error::Error;
use crate::jsonb::Jsonb;
use crate::rights;

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn dau_svg(
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<String, ErrorReport> {
    let range = Range::check(start_date, end_date)?;
    let common = Common::check(tz, identity, filter)?;
    let points = rights::reading(project, |sql, project_id| {
        let days = daily(sql, project_id, &common, range, 0, event_type)?;
        let points = days.iter().zip(range.start..).map(|(set, day)| Ok((iso(day)?, whole(set.len()))));
        points.collect::<Result<Vec<_>, Error>>()
    })?;
    Ok(svg::line_chart("Daily active users", &points))
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // as SQL has them
fn retention_svg(
    start_date: default!(
        Option<Date>,
        "(pg_catalog.date_trunc('week', CURRENT_DATE) OPERATOR(pg_catalog.-) interval '77 days')::pg_catalog.date"
    ),
    end_date: default!(Option<Date>, "current_date"),
    unit: default!(Option<&str>, "'week'"),
    cohort: default!(Option<&str>, "'active'"),
    start_event: default!(Option<&str>, "NULL"),
    return_event: default!(Option<&str>, "NULL"),
    criterion: default!(Option<&str>, "'on'"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<String, ErrorReport> {
    let range = Range::check(start_date, end_date)?;
    let common = Common::check(tz, identity, filter)?;
    let words = [unit, cohort, criterion];
    let cells = matrix(range, words, [start_event, return_event, event_type], project, &common)?;
    let cells = cells.into_iter().map(|cell| {
        Ok(svg::Cell {
            cohort: iso(cell.cohort_start)?,
            window_no: cell.window_no,
            cohort_size: cell.cohort_size,
            rate: cell.retention_rate.map(|rate| rate.to_string()),
        })
    });
    let cells = cells.collect::<Result<Vec<_>, Error>>()?;
    Ok(svg::retention_triangle("Retention", unit.unwrap_or("week"), &cells))
}

/// A date as ISO 8601 writes it.
fn iso(days: i32) -> Result<String, Error> {
    let date = date(days)?;
    Ok(format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()))
}
