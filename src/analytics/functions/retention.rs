//! Who comes back: `retention` of one cohort, `retention_matrix` of a cohort a unit.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::{
    BEGINNING, Common, END, MOST_WINDOWS, Range, choice, count_argument, date, date_argument, dates,
    unit_argument,
};
use crate::analytics::functions::{percent, whole};
use crate::analytics::members::MemberSet;
use crate::analytics::reader::Reader;
use crate::analytics::units::Unit;
use crate::error::Error;
use crate::jsonb::Jsonb;
use crate::rights;
use crate::sql::Sql;

/// A year of days, ten of months: beyond it the triangle is a mistake.
const MOST_COHORTS: usize = 400;

/// Who is in a cohort.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cohort {
    /// Everyone with a start event in its window.
    Active,
    /// Those of them whose first one ever that was.
    New,
}

/// When a member counts as retained in a window.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Criterion {
    On,
    OnOrAfter,
}

/// What retention is of.
struct Definition<'a> {
    unit: Unit,
    cohort: Cohort,
    criterion: Criterion,
    start_event: Option<&'a str>,
    return_event: Option<&'a str>,
}

impl<'a> Definition<'a> {
    fn check(
        [unit, cohort, criterion]: [Option<&str>; 3],
        [start_event, return_event, event_type]: [Option<&'a str>; 3],
    ) -> Result<Self, Error> {
        let cohorts = [("active", Cohort::Active), ("new", Cohort::New)];
        let criteria = [("on", Criterion::On), ("on_or_after", Criterion::OnOrAfter)];
        Ok(Definition {
            unit: unit_argument(unit)?,
            cohort: choice("cohort", cohort, &cohorts, "'active' or 'new' (whose first event ever it was)")?,
            criterion: choice("criterion", criterion, &criteria, "'on' or 'on_or_after'")?,
            start_event: start_event.or(event_type),
            return_event: return_event.or(event_type),
        })
    }
}

/// Cohorts by number, and who was retained in which window.
struct Retention {
    cohorts: Vec<MemberSet>,
    returned: Vec<MemberSet>,
}

impl Retention {
    /// Reads consecutive units, of which the first few have cohorts.
    fn read(reader: &Reader<'_>, bounds: &[i64], cohorts: usize, of: &Definition<'_>) -> Result<Self, Error> {
        let same =
            of.start_event == of.return_event && of.cohort == Cohort::Active && of.criterion == Criterion::On;
        let returned = match of.criterion {
            Criterion::On => reader.sets(bounds, of.return_event)?,
            Criterion::OnOrAfter => {
                let mut bounds = bounds.to_vec();
                bounds.push(END);
                let mut sets = reader.sets(&bounds, of.return_event)?;
                let mut later = sets.pop().unwrap_or_default();
                for set in sets.iter_mut().rev() {
                    set.union_with(&later);
                    later.clone_from(set);
                }
                sets
            }
        };
        let cohorts = match of.cohort {
            Cohort::Active if same => returned[..cohorts].to_vec(),
            Cohort::Active => reader.sets(&bounds[..=cohorts], of.start_event)?,
            Cohort::New => {
                let mut from_beginning = vec![BEGINNING];
                from_beginning.extend(&bounds[..=cohorts]);
                let mut sets = reader.sets(&from_beginning, of.start_event)?;
                let mut ever = sets.remove(0);
                for set in &mut sets {
                    set.subtract(&ever);
                    ever.union_with(set);
                }
                sets
            }
        };
        Ok(Retention { cohorts, returned })
    }

    /// The size of a cohort, how many of it were retained in a later window, and the rate.
    fn cell(&self, cohort: usize, window: usize) -> Result<(i64, i64, Option<AnyNumeric>), Error> {
        let members = &self.cohorts[cohort];
        let retained = match window {
            0 => members.len(),
            window => members.intersection_len(&self.returned[cohort + window]),
        };
        Ok((whole(members.len()), whole(retained), percent(retained, members.len())?))
    }
}

#[pg_extern(name = "retention", stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)] // the shape is what pgrx reads the declaration from
pub fn retention_of_cohort(
    start_date: default!(
        Option<Date>,
        "(pg_catalog.date_trunc('week', CURRENT_DATE) OPERATOR(pg_catalog.-) interval '21 days')::pg_catalog.date"
    ),
    windows: default!(Option<i32>, 3),
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
    let most = MOST_WINDOWS / 7;
    let windows = count_argument("windows", windows, most, "a number of windows from 1 to 1428")?;
    let of = Definition::check([unit, cohort, criterion], [start_event, return_event, event_type])?;
    let common = Common::check(tz, identity, filter)?;
    let starts = dates(start, of.unit, windows as i32 + 2)?;
    let rows = rights::reading(project, |sql, project_id| {
        let bounds = common.starts(sql, &starts)?;
        let retention = Retention::read(&Reader::open(sql, project_id, &common)?, &bounds, 1, &of)?;
        let rows = (0..=windows).map(|n| {
            let (size, retained, rate) = retention.cell(0, n)?;
            Ok((n as i32, date(starts[n])?, size, retained, rate))
        });
        rows.collect::<Result<Vec<_>, Error>>()
    });
    Ok(TableIterator::new(rows?))
}

/// A cell of the triangle, as `retention_matrix` shows it.
pub struct Cell {
    pub cohort_start: i32,
    pub window_no: i32,
    pub window_start: i32,
    pub cohort_size: i64,
    pub retained_users: i64,
    pub retention_rate: Option<AnyNumeric>,
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)] // the shape is what pgrx reads the declaration from
fn retention_matrix(
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
) -> Result<
    TableIterator<
        'static,
        (
            name!(cohort_start, Date),
            name!(window_no, i32),
            name!(window_start, Date),
            name!(cohort_size, i64),
            name!(retained_users, i64),
            name!(retention_rate, Option<AnyNumeric>),
        ),
    >,
    ErrorReport,
> {
    let range = Range::check(start_date, end_date)?;
    let common = Common::check(tz, identity, filter)?;
    let words = [unit, cohort, criterion];
    let cells = matrix(range, words, [start_event, return_event, event_type], project, &common)?;
    let rows = cells.into_iter().map(|cell| {
        Ok((
            date(cell.cohort_start)?,
            cell.window_no,
            date(cell.window_start)?,
            cell.cohort_size,
            cell.retained_users,
            cell.retention_rate,
        ))
    });
    Ok(TableIterator::new(rows.collect::<Result<Vec<_>, Error>>()?))
}

/// The cells of the triangle, cohort by cohort.
pub fn matrix(
    range: Range,
    words: [Option<&str>; 3],
    events: [Option<&str>; 3],
    project: Option<&str>,
    common: &Common<'_>,
) -> Result<Vec<Cell>, Error> {
    let of = Definition::check(words, events)?;
    let cohorts =
        (0..).map_while(|n| of.unit.after(range.start, n)).take_while(|start| *start <= range.end).count();
    if cohorts > MOST_COHORTS {
        return Err(Error::InvalidArgument {
            argument: "end_date",
            problem: format!("there would be {cohorts} cohorts"),
            takes: "a date less than 400 units after start_date",
        });
    }
    let starts = dates(range.start, of.unit, cohorts as i32 + 1)?;
    rights::reading(project, |sql: &Sql, project_id| {
        let bounds = common.starts(sql, &starts)?;
        let retention = Retention::read(&Reader::open(sql, project_id, common)?, &bounds, cohorts, &of)?;
        let mut cells = Vec::with_capacity(cohorts * (cohorts + 1) / 2);
        for cohort in 0..cohorts {
            for window in 0..cohorts - cohort {
                let (cohort_size, retained_users, retention_rate) = retention.cell(cohort, window)?;
                cells.push(Cell {
                    cohort_start: starts[cohort],
                    window_no: window as i32,
                    window_start: starts[cohort + window],
                    cohort_size,
                    retained_users,
                    retention_rate,
                });
            }
        }
        Ok(cells)
    })
}
