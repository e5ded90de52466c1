//! Analytics: each function checks its arguments, turns dates into windows of time, and asks
//! [`active`] who was active in them. Answers are exact for all that has committed.

pub mod active;
pub mod calendar;
pub mod members;
pub mod rollups;
pub mod tail;
pub mod top_events;

use std::ffi::CString;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use self::active::Window;
use self::rollups::Identity;
use self::tail::Tail;
use crate::error::Error;
use crate::instant::to_unix_micros;
use crate::rights;
use crate::sql::Sql;

/// More windows than this are a mistake, and would take minutes.
const MOST_WINDOWS: i32 = 10_000;
const WEEK_DAYS: i32 = 7;

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn dau(
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
) -> Result<TableIterator<'static, (name!(day, Date), name!(active_users, i64))>, ErrorReport> {
    let start = date_argument("start_date", start_date)?;
    let end = date_argument("end_date", end_date)?;
    let days = day_count(start, end)?;
    let identity = identity_argument(identity)?;
    let rows = rights::reading(project, |sql, project_id| -> Result<Vec<(Date, i64)>, Error> {
        let windows = windows(sql, start, days, 1, tz, event_type)?;
        let tail = Tail::read(sql, project_id, identity)?;
        let sets = active::members(sql, project_id, identity, &windows, &tail)?;
        (0..).zip(&sets).map(|(n, set)| Ok((date(start + n)?, set.len() as i64))).collect()
    })?;
    Ok(TableIterator::new(rows))
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn retention(
    start_date: default!(
        Option<Date>,
        "(pg_catalog.date_trunc('week', CURRENT_DATE) OPERATOR(pg_catalog.-) interval '21 days')::pg_catalog.date"
    ),
    windows: default!(Option<i32>, 3),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
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
    let start = date_argument("start_date", start_date)?;
    let count = windows.filter(|count| (1..=MOST_WINDOWS / WEEK_DAYS).contains(count)).ok_or_else(|| {
        Error::InvalidArgument {
            argument: "windows",
            problem: windows.map_or("it is NULL".to_owned(), |count| format!("it is {count}")),
            takes: "a number of weeks from 1 to 1428",
        }
    })?;
    let identity = identity_argument(identity)?;
    let sets = rights::reading(project, |sql, project_id| {
        let windows = self::windows(sql, start, count + 1, WEEK_DAYS, tz, event_type)?;
        let tail = Tail::read(sql, project_id, identity)?;
        active::members(sql, project_id, identity, &windows, &tail)
    })?;
    let cohort = &sets[0];
    let rows = (0..)
        .zip(&sets)
        .map(|(n, set)| {
            let retained = cohort.intersection_len(set);
            let start = date(start + n * WEEK_DAYS)?;
            Ok((n, start, cohort.len() as i64, retained as i64, percent(retained, cohort.len())?))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(TableIterator::new(rows))
}

/// A share in percent with one decimal, halves rounded up; `None` of nothing.
fn percent(part: u64, whole: u64) -> Result<Option<AnyNumeric>, Error> {
    if whole == 0 {
        return Ok(None);
    }
    let tenths = (u128::from(part) * 2000 + u128::from(whole)) / (2 * u128::from(whole));
    let text = format!("{}.{}", tenths / 10, tenths % 10);
    AnyNumeric::try_from(text.as_str()).map(Some).map_err(|_| Error::Missing("numeric for a percentage"))
}

/// A date as days since PostgreSQL's epoch, 2000-01-01.
fn date_argument(argument: &'static str, date: Option<Date>) -> Result<i32, Error> {
    let invalid = |problem: &str| Error::InvalidArgument {
        argument,
        problem: problem.to_owned(),
        takes: "a date between 0001-01-01 and 9999-12-31",
    };
    let date = date.ok_or_else(|| invalid("it is NULL"))?;
    let days = date.to_pg_epoch_days();
    // 0001-01-01 and 9999-12-31: the years that events are accepted from.
    if (-730_119..=2_921_939).contains(&days) { Ok(days) } else { Err(invalid("it is out of range")) }
}

/// How many days there are from start to end, both included.
fn day_count(start: i32, end: i32) -> Result<i32, Error> {
    let invalid = |problem: &str, takes| Error::InvalidArgument {
        argument: "end_date",
        problem: problem.to_owned(),
        takes,
    };
    match end - start + 1 {
        days if days < 1 => Err(invalid("it is before start_date", "a date that is not before start_date")),
        days if days > MOST_WINDOWS => {
            Err(invalid("it is too far from start_date", "a date less than 10000 days after start_date"))
        }
        days => Ok(days),
    }
}

fn date(days: i32) -> Result<Date, Error> {
    Date::try_from(pg_sys::DateADT::from(days)).map_err(|_| Error::Missing("date of a window"))
}

fn identity_argument(identity: Option<&str>) -> Result<Identity, Error> {
    match identity {
        Some("user") => Ok(Identity::User),
        Some("journey") => Ok(Identity::Journey),
        other => Err(Error::InvalidArgument {
            argument: "identity",
            problem: other.map_or("it is NULL".to_owned(), |name| format!("there is no identity \"{name}\"")),
            takes: "'user' (distinct user_id) or 'journey' (distinct present journeys)",
        }),
    }
}

/// Windows of `days` days each from a date on in a time zone, for events of one type or of any.
fn windows<'a>(
    sql: &Sql,
    start: i32,
    count: i32,
    days: i32,
    tz: Option<&str>,
    event_type: Option<&'a str>,
) -> Result<Vec<Window<'a>>, Error> {
    let invalid = |problem: String| Error::InvalidArgument {
        argument: "tz",
        problem,
        takes: "the name of a time zone, such as 'UTC' or 'Europe/Berlin' (see pg_timezone_names)",
    };
    let tz = tz.ok_or_else(|| invalid("it is NULL".to_owned()))?;
    let name = CString::new(tz).map_err(|_| invalid("it holds a NUL".to_owned()))?;
    // SAFETY: pg_tzset takes a C string and answers NULL for what is no zone.
    if unsafe { pg_sys::pg_tzset(name.as_ptr()) }.is_null() {
        return Err(invalid(format!("there is no time zone \"{tz}\"")));
    }
    let args: [DatumWithOid; 4] =
        [date(start)?.into(), date(start + count * days)?.into(), days.into(), tz.into()];
    let starts = sql
        .run(include_str!("../sql/steps/day_starts.sql"), &args)?
        .map(|row| row.get(1).map(to_unix_micros))
        .collect::<Result<Vec<i64>, Error>>()?;
    Ok(starts.windows(2).map(|pair| Window { from: pair[0], until: pair[1], event_type }).collect())
}
