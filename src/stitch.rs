//! One batch, step by step. Everything happens in one subtransaction, so that a batch is stitched as a
//! whole (tables, graph, rollups and queue) or not at all; the caller holds the project's lock.
//!
//! ```text
//! claim queue rows ─▶ read ─▶ plan (find keys, union-find) ─▶ merge ─▶ journeys ─▶ keys ─▶ graph
//!                                                               ─▶ users ─▶ rollups ─▶ queue (delete the rows)
//! ```

pub mod batch;
pub mod components;
pub mod contest;
pub mod region;
pub mod resolve;
pub mod scan;
mod steps;
pub mod words;
mod write;

use std::time::{Duration, Instant};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use self::region::{Region, Seeds};
use self::steps::Steps;
use self::write::Writer;
use crate::analytics::rollups::Rollups;
use crate::analytics::timeline::Entry;
use crate::error::Error;
use crate::graph::Graph;
use crate::queue::{self, Claim, Done};
use crate::sql::{self, Sql};
use crate::subtransaction::{self, Failure};
use crate::{config, identity_rules, metrics, project, rights, users};

/// How one step of a project ended.
pub enum Step {
    /// Nothing is due.
    Idle,
    Stitched {
        done: Done,
        /// What its time went to.
        summary: String,
    },
    /// The batch failed and is undone; what becomes of it is in the queue, and in words here.
    Failed { failure: Failure, events: i64, consequence: String },
}

/// Whose transaction a batch is stitched in.
pub enum Transaction {
    /// The worker's, which holds this batch and nothing else.
    Own,
    /// The transaction of whoever called `stitch_pending()`.
    Callers,
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn stitch_pending(
    max_events: default!(Option<i64>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(events, i64),
            name!(journeys_created, i64),
            name!(journeys_merged, i64),
            name!(remaining, i64),
        ),
    >,
    ErrorReport,
> {
    if max_events.is_some_and(|max| max < 1) {
        return Err(Error::InvalidArgument {
            argument: "max_events",
            problem: "it is below 1".to_owned(),
            takes: "a number of events, or NULL for all",
        }
        .into());
    }
    rights::refuse_read_only(c"stitch_pending()");
    let row = rights::as_owner(|| {
        // Whoever calls this knows that the tables are whole.
        let ready = "UPDATE journey_stitch.state SET is_ready = true WHERE NOT is_ready";
        sql::writing(|sql| sql.prepared(ready, &[]).map(drop))?;
        let totals = stitch_all(max_events.unwrap_or(i64::MAX))?;
        let remaining = sql::writing(|sql| queue::remaining(sql, None))?;
        Ok((totals.events, totals.journeys_created, totals.journeys_merged, remaining))
    })?;
    Ok(TableIterator::once(row))
}

/// Stitches what is due in all projects, waiting for those that another stitcher has.
fn stitch_all(max_events: i64) -> Result<Done, Error> {
    let mut totals = Done::default();
    let due = sql::writing(project::due)?;
    if !due.is_empty() {
        // Before any project is locked: who makes the graph keeps others waiting.
        sql::writing(Graph::open)?;
    }
    for project_id in due {
        if !sql::writing(|sql| project::try_lock(sql, project_id))? {
            let start = Instant::now();
            sql::writing(|sql| project::lock(sql, project_id))?;
            log_if_slow(start.elapsed(), || {
                format!("waited for project {project_id}, which another stitcher had")
            });
        }
        while totals.events < max_events {
            match step(project_id, max_events - totals.events, Transaction::Callers)? {
                Step::Idle => break,
                Step::Stitched { done, summary } => {
                    log_if_slow(done.took, || batch_line(project_id, &done, &summary));
                    totals.events += done.events;
                    totals.journeys_created += done.journeys_created;
                    totals.journeys_merged += done.journeys_merged;
                }
                Step::Failed { failure, events, consequence } => {
                    ereport!(
                        WARNING,
                        PgSqlErrorCode::ERRCODE_WARNING,
                        format!("stitching {events} events failed: {}", failure.message),
                        format!("SQLSTATE {}; {consequence}", failure.sqlstate)
                    );
                }
            }
        }
    }
    Ok(totals)
}

/// Logs what took at least `journey_stitch.log_min_duration`.
pub fn log_if_slow(took: Duration, what: impl FnOnce() -> String) {
    if config::log_min_duration().is_some_and(|min| took >= min) {
        log!("journey_stitch: {} ({} ms)", what(), took.as_millis());
    }
}

/// A batch, in words for the log.
pub fn batch_line(project_id: i32, done: &Done, summary: &str) -> String {
    format!("stitched {} events of project {project_id}: in ms {summary}", done.events)
}

/// Stitches one batch of a project that is locked.
pub fn step(project_id: i32, max_events: i64, transaction: Transaction) -> Result<Step, Error> {
    // A connection a batch: what SPI allocates is freed with it.
    let size = max_events.min(config::batch_size());
    let claim = sql::for_lookups(|| sql::writing(|sql| queue::claim(sql, project_id, size)))?;
    let Some(claim) = claim else { return Ok(Step::Idle) };
    let mut steps = Steps::begin(project_id, claim.events);
    let stitched = subtransaction::run(|| {
        sql::for_lookups(|| {
            sql::writing(|sql| {
                let done = stitch(sql, project_id, &claim, &mut steps)?;
                if matches!(transaction, Transaction::Own) {
                    // What would fail at commit would take the worker with it instead of this batch.
                    sql.run("SET CONSTRAINTS ALL IMMEDIATE", &[])?;
                }
                Ok::<_, Error>(done)
            })
        })
    });
    match stitched {
        Ok(done) => {
            let done = Done { took: steps.elapsed(), ..done };
            Ok(Step::Stitched { done, summary: steps.summary() })
        }
        Err(failure) if failure.is_cancel() => Err(Error::Cancelled(failure.message)),
        Err(failure) => {
            let consequence = sql::writing(|sql| queue::fail(sql, project_id, &claim, &failure))?;
            Ok(Step::Failed { failure, events: claim.events, consequence })
        }
    }
}

/// Stitches events of queue rows that are the caller's own, and leaves the rows.
pub fn stitch_now(sql: &Sql, project_id: i32, claim: &Claim) -> Result<Done, Error> {
    stitch_events(sql, project_id, claim, &mut Steps::begin(project_id, claim.events))
}

fn stitch(sql: &Sql, project_id: i32, claim: &Claim, steps: &mut Steps) -> Result<Done, Error> {
    let mut done = Done::default();
    if claim.events > 0 {
        done = stitch_events(sql, project_id, claim, steps)?;
    }
    steps.enter("queue");
    done.took = steps.elapsed();
    queue::finish(sql, project_id, claim, &done)?;
    Ok(done)
}

fn stitch_events(sql: &Sql, project_id: i32, claim: &Claim, steps: &mut Steps) -> Result<Done, Error> {
    steps.enter("read");
    let rules = identity_rules::in_force(sql, project_id)?;
    let events = batch::read_events(sql, project_id, &claim.rows)?;
    steps.enter("plan");
    let batch = batch::plan(sql, project_id, &rules, &events)?;
    let graph = Graph::open(sql)?;
    let mut rollups = Rollups::default();
    let writer = Writer { sql, graph: &graph, project_id, rules: &rules, batch: &batch, events: &events };

    steps.enter("merge");
    let absorbed = writer.merge_journeys(&mut rollups)?;
    steps.enter("journeys");
    let journeys = writer.write_journeys()?;
    steps.enter("keys");
    let keys = writer.write_keys(&journeys)?;
    writer.record_merges(&keys)?;
    steps.enter("graph");
    graph.add_events(&events)?;
    writer.add_edges(&keys)?;
    writer.write_contest(&keys, &journeys)?;

    steps.enter("users");
    let users = users::record(sql, project_id, &events)?;
    for (event, component) in events.iter().zip(&batch.plan.component_of_event) {
        let user = event.user_id.as_deref().and_then(|user_id| users.get(user_id)).copied();
        let (id, at, journey) = (event.id, event.occurred_at, journeys[*component as usize]);
        rollups.record(&event.event_type, Entry { id, at, user, journey });
    }
    steps.enter("rollups");
    rollups.write(sql, project_id)?;
    steps.enter("metrics");
    let user_of = |event: &batch::QueuedEvent| users.get(event.user_id.as_deref()?).copied();
    metrics::add(sql, project_id, &claim.rows, events.iter().map(|event| (event.id, user_of(event))))?;
    let (mut more_created, mut more_absorbed) = (0, 0);
    if !batch.contest.late.is_empty() {
        let mut rollups = Rollups::default();
        let seeds = Seeds { journeys: writer.late_journeys(&journeys), ..Seeds::default() };
        let region = Region::read(sql, project_id, &rules, seeds)?;
        region.apply(sql, &graph, &region::Cause::late(), &mut rollups)?;
        (more_created, more_absorbed) = region.journeys_changed();
        rollups.write(sql, project_id)?;
    }
    if let Some(last) = events.iter().map(|event| event.id).max() {
        project::ensure_partition_ahead(sql, last)?;
    }
    let created = batch.plan.components.iter().filter(|component| component.journey.is_none()).count();
    Ok(Done {
        events: events.len() as i64,
        journeys_created: created as i64 + more_created,
        journeys_merged: absorbed as i64 + more_absorbed,
        took: Duration::ZERO,
    })
}
