//! The arguments that the functions of analytics have in common: checked, and dates turned into instants.

use std::ffi::CString;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use super::calendar::DAY_MICROS;
use super::rollups::Identity;
use super::units::Unit;
use crate::error::Error;
use crate::instant::to_unix_micros;
use crate::jsonb::Jsonb;
use crate::sql::Sql;

/// More windows than this are a mistake, and would take minutes.
pub const MOST_WINDOWS: i32 = 10_000;
/// 0001-01-01 and 9999-12-31: the years that events are accepted from.
const FIRST_DATE: i32 = -730_119;
const LAST_DATE: i32 = 2_921_939;
/// From 1970-01-01 to 2000-01-01.
pub const UNIX_TO_POSTGRES_DAYS: i64 = 10_957;
/// Before every event, and after every event and window, at midnight UTC.
pub const BEGINNING: i64 = (FIRST_DATE as i64 + UNIX_TO_POSTGRES_DAYS - 2) * DAY_MICROS;
pub const END: i64 = (LAST_DATE as i64 + UNIX_TO_POSTGRES_DAYS + 100_000) * DAY_MICROS;

/// What whom an answer is about has in common: how persons are told apart, and which events are looked at.
#[derive(Clone, Copy)]
pub struct Common<'a> {
    pub tz: &'a str,
    pub identity: Identity,
    /// Only events whose properties contain this object.
    pub filter: Option<Jsonb>,
}

impl<'a> Common<'a> {
    pub fn check(tz: Option<&'a str>, identity: Option<&str>, filter: Option<Jsonb>) -> Result<Self, Error> {
        Ok(Common {
            tz: tz_argument(tz)?,
            identity: identity_argument(identity)?,
            filter: filter_argument(filter)?,
        })
    }

    /// The instants at which dates begin in the time zone.
    pub fn starts(&self, sql: &Sql, dates: &[i32]) -> Result<Vec<i64>, Error> {
        if self.tz == "UTC" {
            let start = |date: &i32| (i64::from(*date) + UNIX_TO_POSTGRES_DAYS) * DAY_MICROS;
            return Ok(dates.iter().map(start).collect());
        }
        let dates = dates.iter().map(|&days| date(days)).collect::<Result<Vec<Date>, _>>()?;
        let args: [DatumWithOid; 2] = [dates.into(), self.tz.into()];
        let rows = sql.run(include_str!("../../sql/steps/day_starts.sql"), &args)?;
        rows.map(|row| row.get(1).map(to_unix_micros)).collect()
    }

    /// The instants at which consecutive units begin from a date on, and at which the last one ends.
    pub fn bounds(&self, sql: &Sql, start: i32, unit: Unit, units: i32) -> Result<Vec<i64>, Error> {
        self.starts(sql, &dates(start, unit, units + 1)?)
    }
}

/// The dates from which consecutive units begin.
pub fn dates(start: i32, unit: Unit, units: i32) -> Result<Vec<i32>, Error> {
    (0..units).map(|n| unit.after(start, n).ok_or(Error::Missing("date of a window"))).collect()
}

/// First and last date, both included, as days since 2000-01-01.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub start: i32,
    pub end: i32,
}

impl Range {
    pub fn check(start_date: Option<Date>, end_date: Option<Date>) -> Result<Self, Error> {
        let (start, end) = (date_argument("start_date", start_date)?, date_argument("end_date", end_date)?);
        let invalid = |problem: &str, takes| Error::InvalidArgument {
            argument: "end_date",
            problem: problem.to_owned(),
            takes,
        };
        match end - start + 1 {
            days if days < 1 => {
                Err(invalid("it is before start_date", "a date that is not before start_date"))
            }
            days if days > MOST_WINDOWS => {
                Err(invalid("it is too far from start_date", "a date less than 10000 days after start_date"))
            }
            _ => Ok(Range { start, end }),
        }
    }

    pub fn days(self) -> i32 {
        self.end - self.start + 1
    }

    /// The instants at which the range begins and ends.
    pub fn span(self, sql: &Sql, common: &Common<'_>) -> Result<(i64, i64), Error> {
        let starts = common.starts(sql, &[self.start, self.end + 1])?;
        Ok((starts[0], starts[1]))
    }
}

/// A date as days since PostgreSQL's epoch, 2000-01-01.
pub fn date_argument(argument: &'static str, date: Option<Date>) -> Result<i32, Error> {
    let invalid = |problem: &str| Error::InvalidArgument {
        argument,
        problem: problem.to_owned(),
        takes: "a date between 0001-01-01 and 9999-12-31",
    };
    let days = date.ok_or_else(|| invalid("it is NULL"))?.to_pg_epoch_days();
    if (FIRST_DATE..=LAST_DATE).contains(&days) { Ok(days) } else { Err(invalid("it is out of range")) }
}

pub fn date(days: i32) -> Result<Date, Error> {
    Date::try_from(pg_sys::DateADT::from(days)).map_err(|_| Error::Missing("date of a window"))
}

/// A text that is one of a few words.
pub fn choice<T: Copy>(
    argument: &'static str,
    given: Option<&str>,
    choices: &[(&str, T)],
    takes: &'static str,
) -> Result<T, Error> {
    let found = choices.iter().find(|(name, _)| given == Some(name)).map(|(_, choice)| *choice);
    found.ok_or_else(|| Error::InvalidArgument {
        argument,
        problem: given.map_or("it is NULL".to_owned(), |name| format!("there is no {argument} \"{name}\"")),
        takes,
    })
}

/// A number of something, from 1 to a limit.
pub fn count_argument(
    argument: &'static str,
    given: Option<i32>,
    most: i32,
    takes: &'static str,
) -> Result<usize, Error> {
    given.filter(|count| (1..=most).contains(count)).and_then(|count| usize::try_from(count).ok()).ok_or_else(
        || Error::InvalidArgument {
            argument,
            problem: given.map_or("it is NULL".to_owned(), |count| format!("it is {count}")),
            takes,
        },
    )
}

pub fn unit_argument(unit: Option<&str>) -> Result<Unit, Error> {
    let units = [("day", Unit::Day), ("week", Unit::Week), ("month", Unit::Month)];
    choice("unit", unit, &units, "'day', 'week' or 'month'")
}

/// A length of time in microseconds: days of 24 hours, no months.
pub fn duration_argument(argument: &'static str, given: Option<Interval>) -> Result<i64, Error> {
    let invalid = |problem: &str| Error::InvalidArgument {
        argument,
        problem: problem.to_owned(),
        takes: "an interval of days, hours, minutes or seconds that is more than 0, without months, such as '14 days'",
    };
    let interval = given.ok_or_else(|| invalid("it is NULL"))?;
    // As PostgreSQL marks it: all fields at their limits.
    if matches!(interval.months(), i32::MIN | i32::MAX) {
        return Err(invalid("it is infinite"));
    }
    if interval.months() != 0 {
        return Err(invalid("months are not all of one length"));
    }
    let micros = i64::from(interval.days())
        .checked_mul(DAY_MICROS)
        .and_then(|days| days.checked_add(interval.micros()));
    match micros {
        Some(micros) if micros > 0 => Ok(micros),
        Some(_) => Err(invalid("it is not more than 0")),
        None => Err(invalid("it is out of range")),
    }
}

fn identity_argument(identity: Option<&str>) -> Result<Identity, Error> {
    let identities = [("user", Identity::User), ("journey", Identity::Journey)];
    choice(
        "identity",
        identity,
        &identities,
        "'user' (distinct user_id) or 'journey' (distinct present journeys)",
    )
}

fn tz_argument(tz: Option<&str>) -> Result<&str, Error> {
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
    Ok(tz)
}

/// NULL, or a JSON object.
pub fn filter_argument(filter: Option<Jsonb>) -> Result<Option<Jsonb>, Error> {
    match filter {
        Some(filter) if !filter.root().container().is_some_and(|root| root.is_object()) => {
            Err(Error::InvalidArgument {
                argument: "filter",
                problem: "it is not a JSON object".to_owned(),
                takes: "an object that events' properties are to contain, such as '{\"plan\": \"pro\"}'",
            })
        }
        // What every object contains.
        Some(filter) if filter.root().container().is_some_and(|root| root.member_nodes().is_empty()) => {
            Ok(None)
        }
        filter => Ok(filter),
    }
}
