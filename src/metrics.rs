//! Windowed metrics: counts, sums and distinct users of chosen events, by minutes, 5 minutes, hours and days, for
//! each combination of the values of chosen dimensions.
//!
//! ```text
//! create_metric() ─▶ define (checks the paths) ─┐
//! stitch, a batch ──────────────────────────────┼▶ events ─▶ grouped ─▶ windows (metric_windows)
//! forget ─▶ recompute ──────────────────────────┘
//! metric() ◀─ read: the windows that are kept, else the events, and what is still pending
//! ```
//!
//! What an event is to a metric is said in one place, metrics_grouped.sql. The statements differ in where the events
//! come from, which is the first part of each, and in what becomes of the points, which is the last.

pub mod cover;
pub mod define;
pub mod users;

mod read;
mod sets;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::analytics::calendar::day_floor;
use crate::error::Error;
use crate::instant::from_unix_micros;
use crate::sql::{self, Sql};

/// Windows of a granularity of a metric that a batch removes at most, when they need not be kept any longer.
const MOST_REMOVED: i64 = 1_000;

macro_rules! groups_of {
    ($events:literal, $($rest:literal),+) => {
        concat!(
            include_str!(concat!("../sql/steps/metrics_", $events, ".sql")),
            include_str!("../sql/steps/metrics_grouped.sql"),
            $(include_str!(concat!("../sql/steps/", $rest, ".sql"))),+
        )
    };
}

const ADD: &str = groups_of!("of_batch", "metrics_rolled", "metrics_write");
const BACKFILL: &str = groups_of!("of_stitched", "metrics_rolled", "metrics_write");
const RECOMPUTE: &str = groups_of!("of_days", "metrics_rolled", "metrics_write");
const READ: &str = groups_of!("events", "metrics_read");

/// A statement that answers how many windows differ from the stitched events.
pub const VERIFY: &str = groups_of!("of_all", "metrics_rolled", "verify/metrics");

/// Counts the events of queue rows, which are being stitched; and lets go of windows that need not be kept any
/// longer. `users`: the id of each event, and the number of its user. The caller holds the project's lock.
pub fn add(
    sql: &Sql,
    project_id: i32,
    queue_rows: &[i64],
    users: impl Iterator<Item = (i64, Option<i64>)>,
) -> Result<(), Error> {
    let any = sql.prepared(include_str!("../sql/steps/metrics_any.sql"), &[project_id.into()])?;
    if any.one()? != Some(true) {
        return Ok(());
    }
    // The events are found by key, whatever these settings are; what is made of them is joined.
    sql::for_joins(|| {
        trim(sql, project_id)?;
        let mut users: Vec<(i64, i64)> = users.map(|(event, user)| (event, user.unwrap_or(0))).collect();
        users.sort_unstable();
        let (events, users): (Vec<i64>, Vec<i64>) = users.into_iter().unzip();
        let args: [DatumWithOid; 4] =
            [project_id.into(), queue_rows.to_vec().into(), events.into(), users.into()];
        sql.prepared(ADD, &args).map(drop)
    })
}

fn trim(sql: &Sql, project_id: i32) -> Result<(), Error> {
    let args: [DatumWithOid; 2] = [project_id.into(), MOST_REMOVED.into()];
    let rows = sql.prepared(include_str!("../sql/steps/metrics_trim.sql"), &args)?;
    let metrics = rows.map(|row| row.get(1)).collect::<Result<Vec<i32>, Error>>()?;
    if metrics.is_empty() { Ok(()) } else { remove_unused(sql, metrics) }
}

fn remove_unused(sql: &Sql, metrics: Vec<i32>) -> Result<(), Error> {
    sql.run(include_str!("../sql/steps/metrics_unused.sql"), &[metrics.into()]).map(drop)
}

/// Computes the windows anew that events were in, after the events were erased or rewritten: their types and
/// times, in microseconds since the Unix epoch. The users of all stitched events have their numbers; the caller
/// holds the project's lock.
pub fn recompute(sql: &Sql, project_id: i32, events: &[(&str, i64)]) -> Result<(), Error> {
    let mut types: Vec<&str> = events.iter().map(|(event_type, _)| *event_type).collect();
    types.sort_unstable();
    types.dedup();
    let args: [DatumWithOid; 2] = [project_id.into(), types.into()];
    let rows = sql.run(include_str!("../sql/steps/metrics_affected.sql"), &args)?;
    let metrics = rows.map(|row| row.get(1)).collect::<Result<Vec<i32>, Error>>()?;
    if metrics.is_empty() {
        return Ok(());
    }
    let mut days: Vec<i64> = events.iter().map(|(_, at)| day_floor(*at)).collect();
    days.sort_unstable();
    days.dedup();
    let days =
        days.into_iter().map(from_unix_micros).collect::<Result<Vec<TimestampWithTimeZone>, Error>>()?;
    let args: [DatumWithOid; 2] = [metrics.clone().into(), days.clone().into()];
    sql.run(include_str!("../sql/steps/metrics_clear.sql"), &args)?;
    let args: [DatumWithOid; 3] = [project_id.into(), metrics.clone().into(), days.into()];
    sql.run(RECOMPUTE, &args)?;
    remove_unused(sql, metrics)
}

/// Fills a new metric from the stitched events. Answers how many windows it has, and how many events they count.
fn backfill(sql: &Sql, project_id: i32, metric_id: i32) -> Result<(i64, i64), Error> {
    let args: [DatumWithOid; 2] = [project_id.into(), metric_id.into()];
    let mut rows = sql.run(BACKFILL, &args)?;
    let row = rows.next().ok_or(Error::Missing("row of a backfill"))?;
    Ok((row.get(1)?, row.get(2)?))
}
