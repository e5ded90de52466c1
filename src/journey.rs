//! Journeys as they are read: which one an id names, and its events.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::answer::{Answer, Arguments, set_returning};
use crate::error::Error;
use crate::identity::Identifiers;
use crate::jsonb::Jsonb;
use crate::sql::Sql;
use crate::{catalog, graph, identity_rules, rights};

set_returning!(get_journey, pg_finfo_get_journey, journey_events);
fn journey_events(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with two arguments of type text, and a timestamptz.
    let (id, project, as_of) =
        unsafe { (arguments.get(0), arguments.get(1), arguments.get::<TimestampWithTimeZone>(2)) };
    rights::reading(project, |sql, project_id| match find(sql, project_id, id, as_of)? {
        Some(_) if !graph::exists() => Err(Error::NoGraph),
        Some(journey) => answer.add(match as_of {
            None => sql.planned_once(include_str!("../sql/steps/journey_events.sql"), &[journey.into()])?,
            Some(at) => {
                let args: [DatumWithOid; 2] = [journey.into(), at.into()];
                sql.prepared(include_str!("../sql/steps/journey_events_as_of.sql"), &args)?
            }
        }),
        None => Ok(()),
    })
}

set_returning!(journey_history, pg_finfo_journey_history, history);
fn history(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    about(arguments, answer, |project_id, journey| {
        (include_str!("../sql/steps/journey_history.sql"), vec![project_id.into(), journey.into()])
    })
}

set_returning!(journey_stats, pg_finfo_journey_stats, stats);
fn stats(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    about(arguments, answer, |_, journey| {
        (include_str!("../sql/steps/journey_stats.sql"), vec![journey.into()])
    })
}

set_returning!(identity_health, pg_finfo_identity_health, health);
fn health(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with one argument of type text.
    rights::reading(unsafe { arguments.get(0) }, |sql, project_id| {
        answer.add(sql.prepared(include_str!("../sql/steps/identity_health.sql"), &[project_id.into()])?)
    })
}

/// Answers with what a statement finds about the present journey that the arguments name.
fn about(
    arguments: &Arguments,
    answer: &Answer,
    statement: impl FnOnce(i32, i64) -> (&'static str, Vec<DatumWithOid<'static>>),
) -> Result<(), Error> {
    // SAFETY: declared with two arguments of type text.
    let (id, project) = unsafe { (arguments.get(0), arguments.get(1)) };
    rights::reading(project, |sql, project_id| match find(sql, project_id, id, None)? {
        Some(_) if !graph::exists() => Err(Error::NoGraph),
        Some(journey) => {
            let (statement, args) = statement(project_id, journey);
            answer.add(sql.planned_once(statement, &args)?)
        }
        None => Ok(()),
    })
}

/// A picture of a journey, as text in a language that draws graphs.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn journey_graph(
    id: Option<&str>,
    format: default!(Option<&str>, "'mermaid'"),
    project: default!(Option<&str>, "'default'"),
) -> Result<Option<String>, ErrorReport> {
    let drawing = rights::reading(project, |sql, project_id| {
        let journey = find(sql, project_id, id, None)?;
        if journey.is_some() && !graph::exists() {
            return Err(Error::NoGraph);
        }
        let args: [DatumWithOid; 2] = [journey.into(), format.into()];
        sql.prepared("SELECT journey_stitch.journey_drawing($1, $2)", &args)?.one()
    })?;
    Ok(drawing)
}

/// The present journey that an event id, else a journey id, else a key kind:value, else a correlation names.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn find_journey(
    id: Option<&str>,
    project: default!(Option<&str>, "'default'"),
) -> Result<Option<i64>, ErrorReport> {
    Ok(rights::reading(project, |sql, project_id| find(sql, project_id, id, None))?)
}

/// The uuid of the journey that an event is in.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn journey_of(
    event_id: Option<&str>,
    project: default!(Option<&str>, "'default'"),
) -> Result<Option<pgrx::Uuid>, ErrorReport> {
    let journey = rights::reading(project, |sql, project_id| {
        let args: [DatumWithOid; 2] = [project_id.into(), event_id.into()];
        sql.planned_once(include_str!("../sql/steps/journey_of.sql"), &args)?.one()
    })?;
    Ok(journey)
}

/// The journey that a text names, now or as it was at a time.
pub fn find(
    sql: &Sql,
    project_id: i32,
    id: Option<&str>,
    as_of: Option<TimestampWithTimeZone>,
) -> Result<Option<i64>, Error> {
    let rules = identity_rules::cached_in_force(project_id)?;
    let key = id.and_then(|id| id.split_once(':'));
    let value = key.and_then(|(kind, value)| rules.key(kind, value));
    let correlation = id.and_then(|id| rules.key("correlation", id));
    let mut args: Vec<DatumWithOid> = vec![
        project_id.into(),
        id.into(),
        key.map(|(kind, _)| kind).into(),
        value.as_deref().into(),
        correlation.as_deref().into(),
    ];
    match as_of {
        None => sql.planned_once(include_str!("../sql/steps/journey_find.sql"), &args)?.one(),
        Some(at) => {
            args.push(at.into());
            sql.prepared(include_str!("../sql/steps/journey_find_as_of.sql"), &args)?.one()
        }
    }
}

/// The keys that an event's identifiers give by the project's rules in force: normalized, without what is blocked.
#[pg_extern(name = "event_keys", stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn keys_of_event(
    project_id: i32,
    event_id: &str,
    user_id: Option<&str>,
    session_id: Option<&str>,
    identifiers: Option<Jsonb>,
) -> Result<TableIterator<'static, (name!(kind, String), name!(value, String))>, ErrorReport> {
    let rules = identity_rules::cached_in_force(project_id)?;
    let others = identifier_texts(identifiers);
    let others = others.iter().filter_map(|text| text.split_once(':'));
    let keys = Identifiers { event_id, user_id, session_id, others }.keys(&rules);
    let rows: Vec<_> = keys.into_iter().map(|(kind, value)| (kind.to_owned(), value.into_owned())).collect();
    Ok(TableIterator::new(rows))
}

/// The function as it was before 0.3.0, without a project: what calls it are objects that wait for their update.
#[pg_extern(immutable, parallel_safe, sql = false)]
fn event_keys(
    _event_id: &str,
    _user_id: Option<&str>,
    _session_id: Option<&str>,
    _identifiers: Option<Jsonb>,
) -> Result<TableIterator<'static, (name!(kind, String), name!(value, String))>, ErrorReport> {
    catalog::owner()?;
    Ok(TableIterator::new(std::iter::empty()))
}

/// The texts kind:value of the column events.identifiers. (A kind has no colon.)
pub fn identifier_texts(identifiers: Option<Jsonb>) -> Vec<String> {
    each_identifier_text(identifiers).map(str::to_owned).collect()
}

/// The same, taken apart: kinds and values, which belong to the jsonb.
pub fn each_identifier<'a>(identifiers: Option<Jsonb>) -> impl Iterator<Item = (&'a str, &'a str)> {
    each_identifier_text(identifiers).filter_map(|text| text.split_once(':'))
}

fn each_identifier_text<'a>(identifiers: Option<Jsonb>) -> impl Iterator<Item = &'a str> {
    let array = identifiers.and_then(|array| array.root().container());
    let nodes = array.map(|array| array.element_nodes()).unwrap_or_default();
    nodes.into_iter().filter_map(|node| node.text())
}
