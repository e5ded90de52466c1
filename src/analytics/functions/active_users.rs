//! How many are active: `dau`, `wau`, `mau`, `stickiness`, `lifecycle`.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::{BEGINNING, Common, Range, choice, date};
use crate::analytics::functions::{ratio, whole};
use crate::analytics::members::{MemberSet, trailing_counts};
use crate::analytics::reader::Reader;
use crate::analytics::units::Unit;
use crate::error::Error;
use crate::jsonb::Jsonb;
use crate::rights;
use crate::sql::Sql;

/// The trailing days of `wau` and `mau`.
const WEEK: i32 = 7;
const MONTH: i32 = 30;

type Days = Result<TableIterator<'static, (name!(day, Date), name!(active_users, i64))>, ErrorReport>;

#[pg_extern(name = "dau", stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
pub fn daily_active(
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<TableIterator<'static, (name!(day, Date), name!(active_users, i64))>, ErrorReport> {
    let range = Range::check(start_date, end_date)?;
    let common = Common::check(tz, identity, filter)?;
    let rows = rights::reading(project, |sql, project_id| -> Result<Vec<(Date, i64)>, Error> {
        let days = daily(sql, project_id, &common, range, 0, event_type)?;
        days.iter().zip(range.start..).map(|(set, day)| Ok((date(day)?, whole(set.len())))).collect()
    });
    Ok(TableIterator::new(rows?))
}

/// What a week's or a month's number is of.
#[derive(Clone, Copy)]
enum Mode {
    Trailing,
    Calendar,
}

fn mode_argument(mode: Option<&str>) -> Result<Mode, Error> {
    let modes = [("trailing", Mode::Trailing), ("calendar", Mode::Calendar)];
    choice(
        "mode",
        mode,
        &modes,
        "'trailing' (days that end with each day) or 'calendar' (weeks from Monday, months)",
    )
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // as SQL has them
fn wau(
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    mode: default!(Option<&str>, "'trailing'"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<TableIterator<'static, (name!(day, Date), name!(active_users, i64))>, ErrorReport> {
    let (range, common) = (Range::check(start_date, end_date)?, Common::check(tz, identity, filter)?);
    periodic(range, mode_argument(mode)?, Unit::Week, WEEK, project, &common, event_type)
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // as SQL has them
fn mau(
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    mode: default!(Option<&str>, "'trailing'"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<TableIterator<'static, (name!(day, Date), name!(active_users, i64))>, ErrorReport> {
    let (range, common) = (Range::check(start_date, end_date)?, Common::check(tz, identity, filter)?);
    periodic(range, mode_argument(mode)?, Unit::Month, MONTH, project, &common, event_type)
}

fn periodic(
    range: Range,
    mode: Mode,
    unit: Unit,
    trailing: i32,
    project: Option<&str>,
    common: &Common<'_>,
    event_type: Option<&str>,
) -> Days {
    let rows = rights::reading(project, |sql, project_id| -> Result<Vec<(Date, i64)>, Error> {
        match mode {
            Mode::Trailing => {
                let days = daily(sql, project_id, common, range, trailing - 1, event_type)?;
                let counts = trailing_counts(&days, trailing as usize);
                counts
                    .into_iter()
                    .zip(range.start..)
                    .map(|(count, day)| Ok((date(day)?, whole(count))))
                    .collect()
            }
            Mode::Calendar => {
                let first = unit.floor(range.start).ok_or(Error::Missing("first day of a unit"))?;
                let starts =
                    (0..).map_while(|n| unit.after(first, n)).take_while(|start| *start <= range.end);
                let bounds = common.bounds(sql, first, unit, starts.clone().count() as i32)?;
                let sets = Reader::open(sql, project_id, common)?.sets(&bounds, event_type)?;
                sets.iter().zip(starts).map(|(set, start)| Ok((date(start)?, whole(set.len())))).collect()
            }
        }
    });
    Ok(TableIterator::new(rows?))
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn stickiness(
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (name!(day, Date), name!(dau, i64), name!(mau, i64), name!(stickiness, Option<AnyNumeric>)),
    >,
    ErrorReport,
> {
    let (range, common) = (Range::check(start_date, end_date)?, Common::check(tz, identity, filter)?);
    let rows = rights::reading(project, |sql, project_id| {
        let days = daily(sql, project_id, &common, range, MONTH - 1, event_type)?;
        let months = trailing_counts(&days, MONTH as usize);
        let last_of_months = days.iter().skip(MONTH as usize - 1);
        let rows = last_of_months.zip(months).zip(range.start..).map(|((day, month), n)| {
            Ok((date(n)?, whole(day.len()), whole(month), ratio(day.len(), month, 4)?))
        });
        rows.collect::<Result<Vec<_>, Error>>()
    });
    Ok(TableIterator::new(rows?))
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn lifecycle(
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(day, Date),
            name!(new_users, i64),
            name!(returning_users, i64),
            name!(resurrecting_users, i64),
            name!(dormant_users, i64),
        ),
    >,
    ErrorReport,
> {
    let (range, common) = (Range::check(start_date, end_date)?, Common::check(tz, identity, filter)?);
    let rows = rights::reading(project, |sql, project_id| {
        let mut bounds = vec![BEGINNING];
        bounds.extend(common.bounds(sql, range.start - 1, Unit::Day, range.days() + 1)?);
        let mut sets = Reader::open(sql, project_id, &common)?.sets(&bounds, event_type)?.into_iter();
        // Everybody who was active before the day in question, and who was on the day before it.
        let mut ever = sets.next().unwrap_or_default();
        let mut before = sets.next().unwrap_or_default();
        ever.union_with(&before);
        let rows = sets.zip(range.start..).map(|(today, n)| {
            let (returning, known) = (today.intersection_len(&before), today.intersection_len(&ever));
            let row = (
                date(n)?,
                whole(today.len() - known),
                whole(returning),
                whole(known - returning),
                whole(before.len() - returning),
            );
            ever.union_with(&today);
            before = today;
            Ok(row)
        });
        rows.collect::<Result<Vec<_>, Error>>()
    });
    Ok(TableIterator::new(rows?))
}

/// The members of each day of a range, and of some days before it.
pub fn daily(
    sql: &Sql,
    project_id: i32,
    common: &Common<'_>,
    range: Range,
    days_before: i32,
    event_type: Option<&str>,
) -> Result<Vec<MemberSet>, Error> {
    let bounds = common.bounds(sql, range.start - days_before, Unit::Day, range.days() + days_before)?;
    Reader::open(sql, project_id, common)?.sets(&bounds, event_type)
}
