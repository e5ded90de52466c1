//! Journeys as they are read: which one an id names, and its events.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::answer::{Answer, Arguments, set_returning};
use crate::error::Error;
use crate::event::Json;
use crate::identity::Identifiers;
use crate::jsonb::Jsonb;
use crate::sql::Sql;
use crate::{graph, rights};

set_returning!(get_journey, pg_finfo_get_journey, journey_events);
fn journey_events(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with two arguments of type text.
    let (id, project) = unsafe { (arguments.get::<&str>(0), arguments.get::<&str>(1)) };
    rights::reading(project, |sql, project_id| match find(sql, project_id, id)? {
        Some(_) if !graph::exists() => Err(Error::NoGraph),
        Some(journey) => {
            answer.add(sql.prepared(include_str!("../sql/steps/journey_events.sql"), &[journey.into()])?)
        }
        None => Ok(()),
    })
}

/// The present journey that an event id, else a journey id, else a key kind:value, else a correlation names.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn find_journey(
    id: Option<&str>,
    project: default!(Option<&str>, "'default'"),
) -> Result<Option<i64>, ErrorReport> {
    Ok(rights::reading(project, |sql, project_id| find(sql, project_id, id))?)
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
        sql.prepared(include_str!("../sql/steps/journey_of.sql"), &args)?.one()
    })?;
    Ok(journey)
}

fn find(sql: &Sql, project_id: i32, id: Option<&str>) -> Result<Option<i64>, Error> {
    let args: [DatumWithOid; 2] = [project_id.into(), id.into()];
    sql.prepared(include_str!("../sql/steps/journey_find.sql"), &args)?.one()
}

/// The keys that an event's identifiers give: what is left when blocked values are taken out.
#[pg_extern(immutable, parallel_safe)]
fn event_keys(
    event_id: &str,
    user_id: Option<&str>,
    session_id: Option<&str>,
    identifiers: Option<Jsonb>,
) -> TableIterator<'static, (name!(kind, String), name!(value, String))> {
    let others = identifier_texts(identifiers);
    let others = others.iter().filter_map(|text| text.split_once(':'));
    let keys = Identifiers { event_id, user_id, session_id, others }.keys();
    let rows: Vec<_> = keys.into_iter().map(|(kind, value)| (kind.to_owned(), value.to_owned())).collect();
    TableIterator::new(rows)
}

/// The texts kind:value of the column events.identifiers. (A kind has no colon.)
pub fn identifier_texts(identifiers: Option<Jsonb>) -> Vec<String> {
    let array = identifiers.and_then(|array| array.root().container());
    let nodes = array.map(|array| array.element_nodes()).unwrap_or_default();
    let texts = nodes.iter().filter_map(|node| match node.json() {
        Json::String(text) => Some(text.into_owned()),
        _ => None,
    });
    texts.collect()
}
