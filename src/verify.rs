//! `verify()`: recomputes from the events alone what the other tables, the rollups and the graph must
//! hold, and counts where they differ. Reads only, so that it can run anywhere and at any time; events
//! that are still pending are left out on both sides.

use std::collections::{HashMap, HashSet};

use petgraph::unionfind::UnionFind;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::Error;
use crate::graph;
use crate::rights;
use crate::sql::{self, Sql};

/// Statements that answer one number each: how often the invariant is violated.
const TABLES: &[(&str, &str)] = &[
    ("projects", include_str!("../sql/steps/verify/projects.sql")),
    ("events_in_ledger", include_str!("../sql/steps/verify/events_in_ledger.sql")),
    ("queue_counts", include_str!("../sql/steps/verify/queue_counts.sql")),
    ("users", include_str!("../sql/steps/verify/users.sql")),
    ("keys", include_str!("../sql/steps/verify/keys.sql")),
    ("key_journeys", include_str!("../sql/steps/verify/key_journeys.sql")),
    ("journey_counts", include_str!("../sql/steps/verify/journey_counts.sql")),
    ("aliases", include_str!("../sql/steps/verify/aliases.sql")),
    ("event_counts", include_str!("../sql/steps/verify/event_counts.sql")),
    ("activity_users", include_str!("../sql/steps/verify/activity_users.sql")),
    ("activity_journeys", include_str!("../sql/steps/verify/activity_journeys.sql")),
    ("graph_labels", include_str!("../sql/steps/verify/graph_labels.sql")),
];
const GRAPH: &[(&str, &str)] = &[
    ("graph_events", include_str!("../sql/steps/verify/graph_events.sql")),
    ("graph_keys", include_str!("../sql/steps/verify/graph_keys.sql")),
    ("graph_journeys", include_str!("../sql/steps/verify/graph_journeys.sql")),
    ("graph_has_key", include_str!("../sql/steps/verify/graph_has_key.sql")),
    ("graph_part_of", include_str!("../sql/steps/verify/graph_part_of.sql")),
];
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn verify() -> Result<TableIterator<'static, (name!(invariant, String), name!(violations, i64))>, ErrorReport>
{
    let rows = rights::as_owner(|| sql::reading(invariants))?;
    Ok(TableIterator::new(rows))
}

fn invariants(sql: &Sql) -> Result<Vec<(String, i64)>, Error> {
    let mut rows = Vec::new();
    for (invariant, statement) in TABLES {
        rows.push(((*invariant).to_owned(), number(sql, statement)?));
    }
    let (torn, fused) = components(sql)?;
    rows.push(("journeys_torn".to_owned(), torn));
    rows.push(("journeys_fused".to_owned(), fused));
    for (invariant, statement) in GRAPH {
        // Without a graph there must be nothing that would be in it.
        let statement = if graph::exists() { statement } else { "SELECT count(*) FROM journey_stitch.keys" };
        rows.push(((*invariant).to_owned(), number(sql, statement)?));
    }
    Ok(rows)
}

fn number(sql: &Sql, statement: &str) -> Result<i64, Error> {
    sql.run(statement, &[])?.one::<i64>()?.ok_or(Error::Missing("count"))
}

/// Connected components that are in more than one journey, and journeys that hold more than one
/// component, by a union-find over the keys of all stitched events.
fn components(sql: &Sql) -> Result<(i64, i64), Error> {
    let mut sets = UnionFind::<u32>::new_empty();
    let mut number_of_key: HashMap<i64, u32> = HashMap::new();
    let mut journey_of_number: Vec<i64> = Vec::new();
    let mut first_of_event: HashMap<i64, u32> = HashMap::new();
    sql.each(include_str!("../sql/steps/verify/components.sql"), |row| {
        let (event, key, journey) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let number = *number_of_key.entry(key).or_insert_with(|| {
            journey_of_number.push(journey);
            sets.new_set()
        });
        let first = *first_of_event.entry(event).or_insert(number);
        sets.union(first, number);
        Ok(())
    })?;
    let mut journeys_of_set: HashMap<u32, HashSet<i64>> = HashMap::new();
    let mut sets_of_journey: HashMap<i64, HashSet<u32>> = HashMap::new();
    for (number, journey) in (0..).zip(journey_of_number) {
        let set = sets.find_mut(number);
        journeys_of_set.entry(set).or_default().insert(journey);
        sets_of_journey.entry(journey).or_default().insert(set);
    }
    let torn = journeys_of_set.values().filter(|journeys| journeys.len() > 1).count();
    let fused = sets_of_journey.values().filter(|sets| sets.len() > 1).count();
    Ok((torn as i64, fused as i64))
}
