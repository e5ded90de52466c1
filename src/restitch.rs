//! Rules that wait are applied to a project's whole history: simulate_rules() says what that would change,
//! restitch() does it.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::json;

use crate::analytics::rollups::Rollups;
use crate::error::Error;
use crate::graph::Graph;
use crate::sql::{self, Sql};
use crate::stitch::batch;
use crate::stitch::region::{Cause, Region, Seeds};
use crate::{identity_log, identity_rules, rights};

/// measure, before, after.
type Sizes = Vec<(&'static str, i64, i64)>;

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn simulate_rules(
    project: default!(Option<&str>, "'default'"),
) -> Result<
    TableIterator<'static, (name!(measure, &'static str), name!(before, i64), name!(after, i64))>,
    ErrorReport,
> {
    let sizes = rights::administering(c"simulate_rules()", project, |sql, project_id, _| {
        // Without the graph there is no history that rules could change.
        Graph::open(sql)?;
        Ok::<Sizes, Error>(history(sql, project_id)?.sizes())
    })?;
    Ok(TableIterator::new(sizes))
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn restitch(
    project: default!(Option<&str>, "'default'"),
) -> Result<
    TableIterator<'static, (name!(measure, &'static str), name!(before, i64), name!(after, i64))>,
    ErrorReport,
> {
    let sizes = rights::administering(c"restitch()", project, |sql, project_id, role| {
        let graph = Graph::open(sql)?;
        let region = history(sql, project_id)?;
        let log = identity_log::record(sql, project_id, "restitch", &json!({}), role)?;
        let mut rollups = Rollups::default();
        let cause = Cause { rule: "restitch", log: Some(log) };
        sql::for_lookups(|| {
            region.apply(sql, &graph, &cause, &mut rollups)?;
            rollups.write(sql, project_id)
        })?;
        identity_rules::put_in_force(sql, project_id)?;
        Ok::<Sizes, Error>(region.sizes())
    })?;
    Ok(TableIterator::new(sizes))
}

/// All of a project's journeys, as the wanted rules would have them.
fn history(sql: &Sql, project_id: i32) -> Result<Region, Error> {
    let rules = identity_rules::wanted(sql, project_id)?;
    let args: [DatumWithOid; 1] = [project_id.into()];
    let present = "SELECT id FROM journey_stitch.journeys WHERE project_id = $1 AND merged_into IS NULL";
    let journeys = batch::ids(sql.run(present, &args)?)?;
    let seeds = Seeds { journeys, ..Seeds::default() };
    sql::for_lookups(|| Region::read(sql, project_id, &rules, seeds))
}
