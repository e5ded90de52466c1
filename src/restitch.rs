//! Rules that wait are applied to a project's whole history: simulate_rules() says what that would change,
//! restitch() does it. All of it is read, and what they do not leave as it is is computed anew.

mod unsettled;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::json;

use self::unsettled::Found;
use crate::analytics::rollups::Rollups;
use crate::error::Error;
use crate::graph::Graph;
use crate::identity::rules::Rules;
use crate::sql::{self, Sql};
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
        Ok::<Sizes, Error>(History::read(sql, project_id)?.sizes())
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
        let history = History::read(sql, project_id)?;
        let log = identity_log::record(sql, project_id, "restitch", &json!({}), role)?;
        let mut rollups = Rollups::default();
        let cause = Cause { rule: "restitch", log: Some(log) };
        sql::for_lookups(|| {
            history.region.apply(sql, &graph, &cause, &mut rollups)?;
            rollups.write(sql, project_id)
        })?;
        count_kinds(sql, project_id, &history.rules)?;
        identity_rules::put_in_force(sql, project_id)?;
        Ok::<Sizes, Error>(history.sizes())
    })?;
    Ok(TableIterator::new(sizes))
}

/// A project's history, as the wanted rules would have it.
struct History {
    rules: Rules,
    found: Found,
    /// What they do not leave as it is.
    region: Region,
}

impl History {
    fn read(sql: &Sql, project_id: i32) -> Result<Self, Error> {
        let rules = identity_rules::wanted(sql, project_id)?;
        let mut found = sql::reading_latest(|sql| unsettled::read(sql, project_id, &rules))?;
        let seeds = Seeds { journeys: std::mem::take(&mut found.unsettled), ..Seeds::default() };
        let region = sql::for_lookups(|| Region::read(sql, project_id, &rules, seeds))?;
        Ok(History { rules, found, region })
    }

    fn sizes(&self) -> Sizes {
        self.region.sizes(self.found.journeys, self.found.keys_in_journeys)
    }
}

/// Has every journey count its keys of limited kinds, if any are: also those that stay what they are.
fn count_kinds(sql: &Sql, project_id: i32, rules: &Rules) -> Result<(), Error> {
    let mut limited = Vec::new();
    if rules.limits_kinds() {
        let kinds = "SELECT DISTINCT k.kind FROM journey_stitch.keys k WHERE k.project_id = $1";
        for row in sql.run(kinds, &[project_id.into()])? {
            limited.push(row.get::<String>(1)?);
        }
        limited.retain(|kind| rules.rule(kind).max_values != u32::MAX);
    }
    let args: [DatumWithOid; 2] = [project_id.into(), rules.limits_kinds().then_some(limited).into()];
    sql.run(include_str!("../sql/steps/restitch_kinds.sql"), &args).map(drop)
}
