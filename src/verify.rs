//! `verify()`: recomputes from the events alone what the other tables, the rollups and the graph must
//! hold, and counts where they differ. Reads only, so that it can run anywhere and at any time; events
//! that are still pending are left out on both sides.

mod membership;
mod screen;

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
    ("user_totals", include_str!("../sql/steps/verify/user_totals.sql")),
    ("keys", include_str!("../sql/steps/verify/keys.sql")),
    ("key_journeys", include_str!("../sql/steps/verify/key_journeys.sql")),
    ("key_history", include_str!("../sql/steps/verify/key_history.sql")),
    ("journey_counts", include_str!("../sql/steps/verify/journey_counts.sql")),
    ("aliases", include_str!("../sql/steps/verify/aliases.sql")),
    ("event_counts", include_str!("../sql/steps/verify/event_counts.sql")),
    ("activity_users", include_str!("../sql/steps/verify/activity_users.sql")),
    ("activity_journeys", include_str!("../sql/steps/verify/activity_journeys.sql")),
    ("metrics", crate::metrics::VERIFY),
    ("timeline", include_str!("../sql/steps/verify/timeline.sql")),
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
    let labels = "SELECT count(journey_stitch.graph_label_id(l.name))
                  FROM unnest(ARRAY['Event', 'Correlation', 'Journey', 'HAS_KEY', 'PART_OF']) AS l (name)";
    let is_known = graph::exists() && number(sql, labels)? == 5;
    let doubts = screen::look(sql, is_known)?;
    let count = |invariant: &str, statement| {
        let is_right = screen::SCREENED.contains(&invariant) && !doubts.invariants.contains(invariant);
        let violations = if is_right { 0 } else { number(sql, statement)? };
        Ok::<_, Error>((invariant.to_owned(), violations))
    };
    let mut rows = TABLES
        .iter()
        .map(|(invariant, statement)| count(invariant, statement))
        .collect::<Result<Vec<_>, _>>()?;
    let membership = membership::compare(sql, &doubts.projects)?;
    rows.extend(membership.into_iter().map(|(invariant, violations)| (invariant.to_owned(), violations)));
    for (invariant, statement) in GRAPH {
        // Without a graph that AGE knows there must be nothing that would be in it.
        let statement = if is_known { statement } else { "SELECT count(*) FROM journey_stitch.keys" };
        rows.push(count(invariant, statement)?);
    }
    Ok(rows)
}

fn number(sql: &Sql, statement: &str) -> Result<i64, Error> {
    sql.run(statement, &[])?.one::<i64>()?.ok_or(Error::Missing("count"))
}
