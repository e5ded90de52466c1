//! Numbers by the value of a column or property: `dau_by`, `top_events_by`. No rollup has properties, so these
//! look at the events of the range.

use std::cmp::Ordering;
use std::collections::HashMap;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::{Common, Range, count_argument, date};
use crate::analytics::expression::Expression;
use crate::analytics::functions::whole;
use crate::analytics::members::MemberSet;
use crate::analytics::reader::{Reader, Types, Values};
use crate::analytics::units::Unit;
use crate::error::Error;
use crate::jsonb::Jsonb;
use crate::rights;

/// More values than this nobody looks at.
const MOST_VALUES: i32 = 10_000;

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)] // the shape is what pgrx reads the declaration from
fn dau_by(
    breakdown: Option<&str>,
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    max_values: default!(Option<i32>, 25),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<'static, (name!(day, Date), name!(value, Option<String>), name!(active_users, i64))>,
    ErrorReport,
> {
    let range = Range::check(start_date, end_date)?;
    let max_values =
        count_argument("max_values", max_values, MOST_VALUES, "a number of values from 1 to 10000")?;
    let common = Common::check(tz, identity, filter)?;
    let rows = rights::reading(project, |sql, project_id| {
        let breakdown = Expression::check(sql, "breakdown", breakdown)?;
        let bounds = common.bounds(sql, range.start, Unit::Day, range.days())?;
        let reader = Reader::open(sql, project_id, &common)?;
        let of_type = event_type.map(|name| [name]);
        let of_type = of_type.as_ref().map(<[&str; 1]>::as_slice);
        let span = (bounds[0], bounds[bounds.len() - 1]);
        let mut found: HashMap<u32, HashMap<usize, MemberSet>> = HashMap::new();
        let values = reader.each(span, of_type, Some(&breakdown), &mut Types::default(), |event| {
            if let Some(member) = event.member {
                let day = bounds.partition_point(|bound| *bound <= event.at) - 1;
                found.entry(event.value).or_default().entry(day).or_default().insert(member);
            }
        })?;
        let all = |days: &HashMap<usize, MemberSet>| {
            days.values().fold(MemberSet::new(), |mut all, set| {
                all.union_with(set);
                all
            })
        };
        let sizes = found.iter().map(|(value, days)| (*value, all(days).len())).collect();
        let top = top(sizes, &values, max_values);
        let mut rows = Vec::with_capacity(top.len() * bounds.len());
        for day in 0..bounds.len() - 1 {
            for value in &top {
                let users = found[value].get(&day).map_or(0, MemberSet::len);
                rows.push((
                    date(range.start + day as i32)?,
                    values.names[*value as usize].clone(),
                    whole(users),
                ));
            }
        }
        Ok::<_, Error>(rows)
    });
    Ok(TableIterator::new(rows?))
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)] // the shape is what pgrx reads the declaration from
fn top_events_by(
    breakdown: Option<&str>,
    start_date: Option<Date>,
    end_date: Option<Date>,
    max_rows: default!(Option<i32>, 10),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<'static, (name!(value, Option<String>), name!(events, i64), name!(users, i64))>,
    ErrorReport,
> {
    let range = Range::check(start_date, end_date)?;
    let max_rows = count_argument("max_rows", max_rows, MOST_VALUES, "a number of rows from 1 to 10000")?;
    let common = Common::check(tz, identity, filter)?;
    let rows = rights::reading(project, |sql, project_id| {
        let breakdown = Expression::check(sql, "breakdown", breakdown)?;
        let span = range.span(sql, &common)?;
        let reader = Reader::open(sql, project_id, &common)?;
        let of_type = event_type.map(|name| [name]);
        let of_type = of_type.as_ref().map(<[&str; 1]>::as_slice);
        let mut found: HashMap<u32, (u64, MemberSet)> = HashMap::new();
        let values = reader.each(span, of_type, Some(&breakdown), &mut Types::default(), |event| {
            let (events, users) = found.entry(event.value).or_default();
            *events += 1;
            users.extend(event.member);
        })?;
        let sizes = found.iter().map(|(value, (events, _))| (*value, *events)).collect();
        let rows = top(sizes, &values, max_rows).into_iter().map(|value| {
            let (events, users) = &found[&value];
            (values.names[value as usize].clone(), whole(*events), whole(users.len()))
        });
        Ok::<_, Error>(rows.collect::<Vec<_>>())
    });
    Ok(TableIterator::new(rows?))
}

/// The values with the greatest sizes, ties by value, that of events without one last.
pub fn top(mut sizes: Vec<(u32, u64)>, values: &Values, max: usize) -> Vec<u32> {
    let name = |value: u32| &values.names[value as usize];
    sizes.sort_unstable_by(|a, b| {
        let by_name = || match (name(a.0), name(b.0)) {
            (None, None) => Ordering::Equal,
            (None, _) => Ordering::Greater,
            (_, None) => Ordering::Less,
            (a, b) => a.cmp(b),
        };
        b.1.cmp(&a.1).then_with(by_name)
    });
    sizes.truncate(max);
    sizes.into_iter().map(|(value, _)| value).collect()
}
