//! `sessions`: one member's events, cut where there was nothing for a while.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::{duration_argument, filter_argument};
use crate::analytics::rollups::Identity;
use crate::analytics::sessions as cut;
use crate::analytics::tail::Tail;
use crate::error::Error;
use crate::instant::{from_unix_micros, to_unix_micros};
use crate::jsonb::Jsonb;
use crate::sql::{self, Sql};
use crate::stitch::batch;
use crate::{graph, identity_rules, journey, rights, users};

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn sessions(
    id: Option<&str>,
    timeout: default!(Option<Interval>, "'30 minutes'"),
    max_duration: default!(Option<Interval>, "'24 hours'"),
    project: default!(Option<&str>, "'default'"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(session_no, i32),
            name!(started_at, TimestampWithTimeZone),
            name!(ended_at, TimestampWithTimeZone),
            name!(duration, Interval),
            name!(events, i64),
            name!(first_event, String),
            name!(last_event, String),
        ),
    >,
    ErrorReport,
> {
    let id = id.ok_or(Error::NullArgument { argument: "id" })?;
    let timeout = duration_argument("timeout", timeout)?;
    let max_duration = duration_argument("max_duration", max_duration)?;
    let filter = filter_argument(filter)?;
    let rows = rights::reading(project, |sql, project_id| {
        let (times, types) = events(sql, project_id, id, filter)?;
        let rows = (1..).zip(cut::sessions(&times, timeout, max_duration)).map(|(session_no, of_session)| {
            let (first, last) = (of_session.start, of_session.end - 1);
            let duration = Interval::new(0, 0, times[last] - times[first]);
            Ok((
                session_no,
                from_unix_micros(times[first])?,
                from_unix_micros(times[last])?,
                duration.map_err(|_| Error::Missing("interval of a session"))?,
                of_session.len() as i64,
                types[first].clone(),
                types[last].clone(),
            ))
        });
        rows.collect::<Result<Vec<_>, Error>>()
    });
    Ok(TableIterator::new(rows?))
}

/// The times and types of a member's events, in order of time, then of arrival.
fn events(
    sql: &Sql,
    project_id: i32,
    id: &str,
    filter: Option<Jsonb>,
) -> Result<(Vec<i64>, Vec<String>), Error> {
    let mut ids = member_events(sql, project_id, id)?;
    ids.sort_unstable();
    ids.dedup();
    let args: [DatumWithOid; 2] = [ids.into(), filter.into()];
    let rows = sql.planned_once(include_str!("../../../sql/steps/session_events.sql"), &args)?;
    rows.map(|row| Ok((to_unix_micros(row.get(1)?), row.get(2)?))).collect()
}

/// The ids of the events, pending ones among them, that were sent with a user_id, if there is such a user; else
/// those of the journey that the text names.
fn member_events(sql: &Sql, project_id: i32, id: &str) -> Result<Vec<i64>, Error> {
    let is_user = users::find(sql, project_id, std::iter::once(id))?.values().any(Option::is_some);
    let of_tail: Vec<i64> = users::pending(sql, project_id, id)?;
    if is_user || !of_tail.is_empty() {
        let rules = identity_rules::cached_in_force(project_id)?;
        let key = rules.key("user_id", id);
        let args: [DatumWithOid; 3] = [project_id.into(), id.into(), key.as_deref().into()];
        let mut ids = match (is_user, graph::exists()) {
            (true, true) => {
                let statement = include_str!("../../../sql/steps/user_events.sql");
                batch::ids(sql::for_lookups(|| sql.prepared(statement, &args))?)?
            }
            _ => Vec::new(),
        };
        ids.extend(of_tail);
        return Ok(ids);
    }
    let Some(journey) = journey::find(sql, project_id, Some(id), None)? else { return Ok(Vec::new()) };
    if !graph::exists() {
        return Err(Error::NoGraph);
    }
    let tail = Tail::read(sql, project_id, Identity::Journey)?;
    let journeys = tail.joined(journey);
    let present = tail.survivor(journey);
    let mut ids = batch::ids(
        sql.planned_once(include_str!("../../../sql/steps/journeys_events.sql"), &[journeys.into()])?,
    )?;
    ids.extend(
        tail.activity.iter().filter(|activity| activity.member == Some(present)).map(|activity| activity.id),
    );
    Ok(ids)
}
