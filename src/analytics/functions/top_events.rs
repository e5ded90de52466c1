//! `top_events`: the commonest event types.

use std::collections::HashMap;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::{Common, Range, count_argument};
use crate::analytics::functions::whole;
use crate::analytics::members::MemberSet;
use crate::analytics::reader::{Reader, Types};
use crate::error::Error;
use crate::jsonb::Jsonb;
use crate::rights;

#[pg_extern(name = "top_events", stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)] // the shape is what pgrx reads the declaration from
pub fn top_event_types(
    start_date: Option<Date>,
    end_date: Option<Date>,
    max_rows: default!(Option<i32>, 10),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    event_type: default!(Option<&str>, "NULL"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<'static, (name!(event_type, String), name!(events, i64), name!(users, i64))>,
    ErrorReport,
> {
    let range = Range::check(start_date, end_date)?;
    let max_rows = count_argument("max_rows", max_rows, i32::MAX, "a number of rows from 1 on")?;
    let common = Common::check(tz, identity, filter)?;
    let rows = rights::reading(project, |sql, project_id| {
        let span = range.span(sql, &common)?;
        let reader = Reader::open(sql, project_id, &common)?;
        match filter {
            None => from_rollups(&reader, span, event_type, max_rows),
            Some(_) => from_events(&reader, span, event_type, max_rows),
        }
    });
    Ok(TableIterator::new(rows?))
}

type Rows = Vec<(String, i64, i64)>;

fn from_rollups(
    reader: &Reader<'_>,
    span: (i64, i64),
    event_type: Option<&str>,
    max_rows: usize,
) -> Result<Rows, Error> {
    let mut counts: Vec<(String, i64)> = reader.counts(span)?.into_iter().collect();
    counts.retain(|(name, events)| *events > 0 && event_type.is_none_or(|wanted| wanted == name));
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(max_rows);
    let types: Vec<&str> = counts.iter().map(|(name, _)| name.as_str()).collect();
    let users: Vec<i64> = reader.members_of_types(span, &types)?.into_iter().map(whole).collect();
    Ok(counts.into_iter().zip(users).map(|((name, events), users)| (name, events, users)).collect())
}

fn from_events(
    reader: &Reader<'_>,
    span: (i64, i64),
    event_type: Option<&str>,
    max_rows: usize,
) -> Result<Rows, Error> {
    let of_type = event_type.map(|name| [name]);
    let mut types = Types::default();
    let mut found: HashMap<u32, (i64, MemberSet)> = HashMap::new();
    reader.each(span, of_type.as_ref().map(<[&str; 1]>::as_slice), None, &mut types, |event| {
        let (events, users) = found.entry(event.event_type).or_default();
        *events += 1;
        users.extend(event.member);
    })?;
    let mut rows: Rows = found
        .into_iter()
        .map(|(number, (events, users))| (types.name(number).to_owned(), events, whole(users.len())))
        .collect();
    rows.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    rows.truncate(max_rows);
    Ok(rows)
}
