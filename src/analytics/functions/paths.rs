//! `paths`: what members do one after the other.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::{Common, Range, count_argument};
use crate::analytics::functions::whole;
use crate::analytics::paths::{DROP_OFF, Paths};
use crate::analytics::reader::{Reader, Types};
use crate::error::Error;
use crate::jsonb::Jsonb;
use crate::rights;

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)] // the shape is what pgrx reads the declaration from
fn paths(
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    start_event: default!(Option<&str>, "NULL"),
    max_steps: default!(Option<i32>, 5),
    max_edges: default!(Option<i32>, 50),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(step_no, i32),
            name!(source, String),
            name!(target, String),
            name!(journeys, i64),
            name!(average_seconds, Option<AnyNumeric>),
        ),
    >,
    ErrorReport,
> {
    let range = Range::check(start_date, end_date)?;
    let max_steps = count_argument("max_steps", max_steps, 100, "a number of steps from 1 to 100")?;
    let max_edges = count_argument("max_edges", max_edges, 10_000, "a number of edges from 1 to 10000")?;
    let common = Common::check(tz, identity, filter)?;
    let rows = rights::reading(project, |sql, project_id| {
        let span = range.span(sql, &common)?;
        let reader = Reader::open(sql, project_id, &common)?;
        let mut types = Types::default();
        let start = start_event.map(|name| types.number(name));
        let mut events: Vec<(i64, i64, i64, u32)> = Vec::new();
        reader.each(span, None, None, &mut types, |event| {
            if let Some(member) = event.member {
                events.push((member, event.at, event.id, event.event_type));
            }
        })?;
        events.sort_unstable();
        let mut paths = Paths::new(max_steps);
        let mut path = Vec::new();
        for of_member in events.chunk_by(|a, b| a.0 == b.0) {
            pgrx::check_for_interrupts!();
            let begins = |event: &(i64, i64, i64, u32)| start.is_none_or(|start| event.3 == start);
            if let Some(first) = of_member.iter().position(begins) {
                path.clear();
                path.extend(of_member[first..].iter().take(max_steps + 1).map(|event| (event.1, event.3)));
                paths.add(&path);
            }
        }
        let edges = paths.into_edges(max_edges, |number| types.name(number));
        let rows = edges.into_iter().map(|edge| {
            let seconds = match edge.target {
                Some(_) => Some(seconds(edge.total_micros, edge.members)?),
                None => None,
            };
            let target = edge.target.map_or(DROP_OFF, |target| types.name(target)).to_owned();
            Ok((
                edge.step_no as i32,
                types.name(edge.source).to_owned(),
                target,
                whole(edge.members),
                seconds,
            ))
        });
        rows.collect::<Result<Vec<_>, Error>>()
    });
    Ok(TableIterator::new(rows?))
}

/// The mean in seconds with three decimals, halves rounded up.
fn seconds(total_micros: i128, count: u64) -> Result<AnyNumeric, Error> {
    let divisor = i128::from(count.max(1)) * 1000;
    let millis = (total_micros * 2 + divisor).div_euclid(2 * divisor);
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    AnyNumeric::try_from(text.as_str()).map_err(|_| Error::Missing("numeric for an average"))
}
