//! `simulate`: what stitching events would do. They are stored and stitched as ever, in a subtransaction that is
//! then undone: so it is exact, whatever the rules are and however late the events come.

use std::collections::{HashMap, HashSet};

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::Error;
use crate::ingest::{self, Accepted, Bounds};
use crate::jsonb::{Jsonb, Node};
use crate::queue::Claim;
use crate::sql::{self, Sql};
use crate::{rights, stitch, subtransaction};

/// event_id, journey_id, merges, refused.
type Fate = (Option<String>, Option<pgrx::Uuid>, Vec<pgrx::Uuid>, Vec<String>);

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn simulate(
    events: Option<Jsonb>,
    project: default!(Option<&str>, "'default'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(event_id, Option<String>),
            name!(journey_id, Option<pgrx::Uuid>),
            name!(merges, Vec<pgrx::Uuid>),
            name!(refused, Vec<String>),
        ),
    >,
    ErrorReport,
> {
    let root = events.ok_or(Error::NullArgument { argument: "events" })?.root();
    let nodes = ingest::event_nodes(root)?;
    let fates = rights::administering(c"simulate()", project, |sql, project_id, _| {
        subtransaction::undone(|| foresee(sql, project_id, &nodes))
    })?;
    Ok(TableIterator::new(fates))
}

fn foresee(sql: &Sql, project_id: i32, nodes: &[Node]) -> Result<Vec<Fate>, Error> {
    let bounds = Bounds::current();
    let mut fates: Vec<Fate> = Vec::with_capacity(nodes.len());
    let mut accepted: Vec<Accepted<'_>> = Vec::new();
    let mut seen = HashSet::new();
    for node in nodes {
        match bounds.accept(node) {
            Ok(event) => {
                let id = event.event_id.clone().into_owned();
                // Of several with one event_id the first counts.
                let is_again = !seen.insert(id.clone());
                fates.push((Some(id), None, Vec::new(), is_again.then(duplicate).into_iter().collect()));
                accepted.push(event);
            }
            Err(rejection) => {
                let why = format!("rejected: {} ({})", rejection.reason.code(), rejection.message);
                fates.push((None, None, Vec::new(), vec![why]));
            }
        }
    }
    let before: Option<i64> = sql.run("SELECT max(id) FROM journey_stitch.journeys", &[])?.one()?;
    let stored = ingest::store(sql, project_id, accepted, Vec::new())?;
    if stored.events > 0 {
        let claim = Claim { rows: stored.queue_rows, events: stored.events, attempts: 0 };
        sql::for_lookups(|| stitch::stitch_now(sql, project_id, &claim))?;
    }
    let found = outcomes(sql, project_id, &fates, before.unwrap_or(0))?;
    for fate in fates.iter_mut().filter(|fate| fate.3.is_empty()) {
        let Some(id) = &fate.0 else { continue };
        match found.get(id) {
            Some((journey, merges, refused)) => {
                (fate.1, fate.2, fate.3) = (*journey, merges.clone(), refused.clone());
            }
            None => fate.3.push(duplicate()),
        }
    }
    Ok(fates)
}

fn duplicate() -> String {
    "duplicate: an event with this event_id is there".to_owned()
}

type Found = HashMap<String, (Option<pgrx::Uuid>, Vec<pgrx::Uuid>, Vec<String>)>;

/// What became of the events that were stored just now; journeys after `before` are new.
fn outcomes(sql: &Sql, project_id: i32, fates: &[Fate], before: i64) -> Result<Found, Error> {
    let ids: Vec<&str> = fates.iter().filter_map(|fate| fate.0.as_deref()).collect();
    let args: [DatumWithOid; 3] = [project_id.into(), ids.into(), before.into()];
    let rows = sql.run(include_str!("../sql/steps/simulate_outcomes.sql"), &args)?;
    let outcome = |row: sql::Row<'_>| {
        let merges: Vec<pgrx::Uuid> = row.get(3)?;
        Ok((row.get(1)?, (row.nullable(2)?, merges, row.get(4)?)))
    };
    rows.map(outcome).collect()
}
