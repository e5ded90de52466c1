//! Rules that wait are applied to a project's whole history: simulate_rules() says what that would change,
//! restitch() does it. All of it is read, and what they do not leave as it is gets computed anew.

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
        History::read(sql, project_id)?.each_region(|_, _| Ok(()))
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
        let sizes =
            history.each_region(|sql, region| region.apply(sql, &graph, &cause, &mut rollups).map(drop))?;
        sql::for_lookups(|| rollups.write(sql, project_id))?;
        count_kinds(sql, project_id, &history.rules)?;
        identity_rules::put_in_force(sql, project_id)?;
        Ok::<Sizes, Error>(sizes)
    })?;
    Ok(TableIterator::new(sizes))
}

/// So many events, of two kilobytes each, are in memory at once, unless journeys that have to do with each other have
/// more.
const EVENTS_OF_BATCH: u64 = 100_000;

/// A project's history, and what of it the wanted rules do not leave as it is.
struct History {
    project_id: i32,
    rules: Rules,
    found: Found,
}

impl History {
    fn read(sql: &Sql, project_id: i32) -> Result<Self, Error> {
        let rules = identity_rules::wanted(sql, project_id)?;
        let found = sql::reading_latest(|sql| unsettled::read(sql, project_id, &rules))?;
        Ok(History { project_id, rules, found })
    }

    /// Computes anew what does not stay, and hands each part of it to `work`. Answers what all of the history comes to.
    fn each_region(&self, mut work: impl FnMut(&Sql, &Region) -> Result<(), Error>) -> Result<Sizes, Error> {
        let mut batches = self.found.unsettled.batches(EVENTS_OF_BATCH);
        if batches.is_empty() {
            // It has all measures.
            batches.push(Vec::new());
        }
        let mut sizes = Sizes::new();
        for journeys in batches {
            let seeds = Seeds { journeys, ..Seeds::default() };
            // A connection a batch: what SPI allocates is freed with it.
            let of_batch = sql::writing(|sql| {
                sql::for_lookups(|| {
                    let region = Region::read(sql, self.project_id, &self.rules, seeds)?;
                    work(sql, &region)?;
                    Ok::<Sizes, Error>(region.sizes())
                })
            })?;
            if sizes.is_empty() {
                sizes = of_batch;
            } else {
                for (sum, (_, before, after)) in sizes.iter_mut().zip(of_batch) {
                    *sum = (sum.0, sum.1 + before, sum.2 + after);
                }
            }
        }
        for (measure, before, after) in &mut sizes {
            let in_all = match *measure {
                "journeys" => self.found.journeys,
                "keys" => self.found.keys_in_journeys,
                // Of all else there is nothing in what stays.
                _ => continue,
            };
            let staying = in_all - *before;
            (*before, *after) = (*before + staying, *after + staying);
        }
        Ok(sizes)
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
