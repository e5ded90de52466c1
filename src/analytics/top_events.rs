//! `top_events`: the commonest event types.

use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::active::{self, Question};
use super::calendar::{Span, cover};
use super::rollups::grain_code;
use super::tail::Tail;
use super::{date_argument, day_count, identity_argument, project_argument, windows};
use crate::error::Error;
use crate::instant::from_unix_micros;
use crate::sql::{self, Sql};

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
    let rows = sql::reading(|sql| -> Result<_, Error> {
        let project_id = project_argument(sql, project)?;
        // One window for the whole span: a user of several days counts once.
        let window = windows(sql, start, 1, days, tz)?;
        let tail = Tail::read(sql, project_id, identity)?;
        let mut counts: Vec<(String, i64)> = counts(sql, project_id, window[0], &tail)?.into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(max_rows);
        let mut rows = Vec::with_capacity(counts.len());
        for (event_type, events) in counts {
            let question = Question { project_id, identity, event_type: Some(&event_type) };
            let users = active::members_with(sql, &question, &window, &tail)?[0].len() as i64;
            rows.push((event_type, events, users));
        }
        Ok(rows)
    })?;
    Ok(TableIterator::new(rows))
}

/// Events of each type in [from, until).
fn counts(
    sql: &Sql,
    project_id: i32,
    (from, until): (i64, i64),
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
