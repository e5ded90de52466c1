//! `top_events`: the commonest event types.

use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::active::{self, Window};
use super::calendar::{Span, cover};
use super::rollups::grain_code;
use super::tail::Tail;
use super::{date_argument, day_count, identity_argument, windows};
use crate::error::Error;
use crate::instant::from_unix_micros;
use crate::rights;
use crate::sql::Sql;

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn top_events(
    start_date: Option<Date>,
    end_date: Option<Date>,
    max_rows: default!(Option<i32>, 10),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
) -> Result<
    TableIterator<'static, (name!(event_type, String), name!(events, i64), name!(users, i64))>,
    ErrorReport,
> {
    let start = date_argument("start_date", start_date)?;
    let days = day_count(start, date_argument("end_date", end_date)?)?;
    let max_rows =
        max_rows.and_then(|max| usize::try_from(max).ok()).filter(|&max| max > 0).ok_or_else(|| {
            Error::InvalidArgument {
                argument: "max_rows",
                problem: max_rows.map_or("it is NULL".to_owned(), |max| format!("it is {max}")),
                takes: "a number of rows from 1 on",
            }
        })?;
    let identity = identity_argument(identity)?;
    let rows = rights::reading(project, |sql, project_id| {
        // One window for the whole span: a user of several days counts once.
        let span = windows(sql, start, 1, days, tz, None)?[0];
        let tail = Tail::read(sql, project_id, identity)?;
        let counts = counts(sql, project_id, span, &tail)?;
        let mut top: Vec<(&String, &i64)> = counts.iter().collect();
        top.sort_unstable_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        top.truncate(max_rows);
        let of_types: Vec<Window<'_>> =
            top.iter().map(|(event_type, _)| Window { event_type: Some(event_type), ..span }).collect();
        let users = active::members(sql, project_id, identity, &of_types, &tail)?;
        let rows: Vec<(String, i64, i64)> = top
            .into_iter()
            .zip(users)
            .map(|((event_type, events), users)| (event_type.clone(), *events, users.len() as i64))
            .collect();
        Ok(rows)
    })?;
    Ok(TableIterator::new(rows))
}

/// Events of each type in [from, until).
fn counts(
    sql: &Sql,
    project_id: i32,
    Window { from, until, .. }: Window<'_>,
    tail: &Tail,
) -> Result<HashMap<String, i64>, Error> {
    let mut rollups: (Vec<&str>, Vec<TimestampWithTimeZone>, Vec<TimestampWithTimeZone>) = Default::default();
    let mut events: (Vec<TimestampWithTimeZone>, Vec<TimestampWithTimeZone>) = Default::default();
    for span in cover(from, until) {
        match span {
            Span::Rollup { grain, from, until } => {
                rollups.0.push(grain_code(grain));
                rollups.1.push(from_unix_micros(from)?);
                rollups.2.push(from_unix_micros(until)?);
            }
            Span::Events { from, until } => {
                events.0.push(from_unix_micros(from)?);
                events.1.push(from_unix_micros(until)?);
            }
        }
    }
    let mut counts: HashMap<String, i64> = HashMap::new();
    let args: [DatumWithOid; 4] = [project_id.into(), rollups.0.into(), rollups.1.into(), rollups.2.into()];
    for row in sql.run(include_str!("../../sql/steps/event_counts_read.sql"), &args)? {
        let event_type = row.get(1)?;
        counts.insert(event_type, row.get(2)?);
    }
    if !events.0.is_empty() {
        let args: [DatumWithOid; 3] = [project_id.into(), events.0.into(), events.1.into()];
        for row in sql.run(include_str!("../../sql/steps/event_counts_events.sql"), &args)? {
            let id = row.get::<i64>(1)?;
            if !tail.has_event(id) {
                *counts.entry(row.get(2)?).or_default() += 1;
            }
        }
    }
    for activity in tail.activity.iter().filter(|activity| (from..until).contains(&activity.at)) {
        *counts.entry(activity.event_type.clone()).or_default() += 1;
    }
    Ok(counts)
}
