//! One batch, step by step. Everything happens in one subtransaction, so that a batch is stitched as a
//! whole (tables, graph, rollups and queue) or not at all; the caller holds the project's lock.
//!
//! ```text
//! claim queue rows ─▶ read ─▶ plan (find keys, union-find) ─▶ merge ─▶ journeys ─▶ keys ─▶ graph
//!                                                               ─▶ users ─▶ rollups ─▶ queue (delete the rows)
//! ```

pub mod batch;
pub mod components;
mod steps;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use self::batch::{Batch, QueuedEvent};
use self::steps::Steps;
use crate::analytics::rollups::{Identity, Rollups};
use crate::error::Error;
use crate::graph::Graph;
use crate::instant::{from_unix_micros, to_unix_micros};
use crate::queue::{self, Claim, Done};
use crate::sequence::Sequence;
use crate::sql::{self, Sql};
use crate::subtransaction::{self, Failure};
use crate::{config, project, rights, users};

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
    let events = batch::read_events(sql, &claim.rows)?;
    steps.enter("plan");
    let batch = batch::plan(sql, project_id, &events)?;
    let graph = Graph::open(sql)?;
    let mut rollups = Rollups::default();

    steps.enter("merge");
    let absorbed = merge_journeys(sql, &graph, &batch, &mut rollups)?;
    steps.enter("journeys");
    let journeys = write_journeys(sql, &graph, project_id, &batch, &events)?;
    steps.enter("keys");
    let keys = write_keys(sql, &graph, project_id, &batch, &journeys)?;
    record_merges(sql, project_id, &batch, &events, &keys)?;
    steps.enter("graph");
    graph.add_events(sql, &claim.rows)?;
    add_edges(sql, &graph, &batch, &events, &keys)?;

    steps.enter("users");
    let user_ids = events.iter().filter_map(|event| event.user_id.as_deref());
    let users = users::find_or_create(sql, project_id, user_ids)?;
    for (event, component) in events.iter().zip(&batch.plan.component_of_event) {
        let journey = journeys[*component as usize];
        rollups.count(&event.event_type, event.occurred_at);
        rollups.add(Identity::Journey, journey, &event.event_type, event.occurred_at);
        if let Some(user) = event.user_id.as_deref().and_then(|user_id| users.get(user_id)) {
            rollups.add(Identity::User, *user, &event.event_type, event.occurred_at);
        }
    }
    steps.enter("rollups");
    rollups.write(sql, project_id)?;
    if let Some(last) = events.iter().map(|event| event.id).max() {
        project::ensure_partition_ahead(sql, last)?;
    }
    let created = batch.plan.components.iter().filter(|component| component.journey.is_none()).count();
    Ok(Done {
        events: events.len() as i64,
        journeys_created: created as i64,
        journeys_merged: absorbed as i64,
        took: Duration::ZERO,
    })
}

/// Moves what belongs to absorbed journeys to their survivors; answers how many were absorbed.
fn merge_journeys(
    sql: &Sql,
    graph: &Graph,
    batch: &Batch<'_>,
    rollups: &mut Rollups,
) -> Result<usize, Error> {
    let survivors: HashMap<i64, i64> = batch.plan.absorptions().collect();
    if survivors.is_empty() {
        return Ok(0);
    }
    let (absorbed, into): (Vec<i64>, Vec<i64>) = survivors.iter().unzip();
    let events = graph.each_event_of(sql, &absorbed, |row| {
        let (journey, occurred_at) = (row.get(1)?, to_unix_micros(row.get(2)?));
        let event_type: String = row.get(3)?;
        rollups.remove(Identity::Journey, journey, &event_type, occurred_at);
        rollups.add(Identity::Journey, survivors[&journey], &event_type, occurred_at);
        Ok(())
    })?;
    let keys = graph.move_keys(sql, &absorbed, &into)?;
    // What the graph does not lead to would be left behind in journeys that are no more.
    let counts =
        "SELECT sum(event_count)::bigint, sum(key_count) FROM journey_stitch.journeys WHERE id = ANY ($1)";
    let counted = sql.run(counts, &[absorbed.as_slice().into()])?.next();
    if counted.map(|row| Ok::<_, Error>((row.get(1)?, row.get(2)?))).transpose()? != Some((events, keys)) {
        return Err(Error::NoGraph);
    }
    let count = absorbed.len();
    let args: [DatumWithOid; 2] = [absorbed.into(), into.into()];
    sql.run(include_str!("../sql/steps/merge_journeys.sql"), &args)?;
    Ok(count)
}

/// What a batch adds to one journey.
#[derive(Clone, Copy)]
struct Growth {
    keys: i32,
    events: i64,
    first_seen: i64,
    last_seen: i64,
}

/// Makes the new journeys and adds to the present ones; answers each component's journey.
fn write_journeys(
    sql: &Sql,
    graph: &Graph,
    project_id: i32,
    batch: &Batch<'_>,
    events: &[QueuedEvent],
) -> Result<Vec<i64>, Error> {
    let plan = &batch.plan;
    let mut growth =
        vec![Growth { keys: 0, events: 0, first_seen: i64::MAX, last_seen: i64::MIN }; plan.components.len()];
    for (event, component) in events.iter().zip(&plan.component_of_event) {
        let growth = &mut growth[*component as usize];
        growth.events += 1;
        growth.first_seen = growth.first_seen.min(event.occurred_at);
        growth.last_seen = growth.last_seen.max(event.occurred_at);
    }
    for (key, component) in batch.keys.iter().zip(&plan.component_of_key) {
        growth[*component as usize].keys += i32::from(key.id.is_none());
    }

    let sequence = Sequence::open(c"journey_entry_id")?;
    let journeys: Vec<i64> =
        plan.components.iter().map(|c| c.journey.unwrap_or_else(|| sequence.next())).collect();
    let is_new = |component: &usize| plan.components[*component].journey.is_none();
    let (new, present): (Vec<usize>, Vec<usize>) = (0..journeys.len()).partition(is_new);

    if !new.is_empty() {
        let [ids, keys, events, first, last] = growth_columns(&new, &journeys, &growth)?;
        let args: [DatumWithOid; 6] = [project_id.into(), ids, keys, events, first, last];
        sql.run(include_str!("../sql/steps/journeys_insert.sql"), &args)?;
        graph.add_journeys(sql, new.iter().map(|&component| journeys[component]).collect())?;
    }
    if !present.is_empty() {
        let args = growth_columns(&present, &journeys, &growth)?;
        sql.run(include_str!("../sql/steps/journeys_update.sql"), &args)?;
    }
    Ok(journeys)
}

/// The columns of the two statements on journeys, for some of the components.
fn growth_columns(
    components: &[usize],
    journeys: &[i64],
    growth: &[Growth],
) -> Result<[DatumWithOid<'static>; 5], Error> {
    let column = |value: fn(&Growth) -> i64| components.iter().map(move |&c| value(&growth[c]));
    Ok([
        components.iter().map(|&c| journeys[c]).collect::<Vec<i64>>().into(),
        components.iter().map(|&c| growth[c].keys).collect::<Vec<i32>>().into(),
        column(|growth| growth.events).collect::<Vec<i64>>().into(),
        column(|growth| growth.first_seen).map(from_unix_micros).collect::<Result<Vec<_>, _>>()?.into(),
        column(|growth| growth.last_seen).map(from_unix_micros).collect::<Result<Vec<_>, _>>()?.into(),
    ])
}

/// Makes the new keys, in the table and in the graph; answers the id of every key of the batch.
fn write_keys(
    sql: &Sql,
    graph: &Graph,
    project_id: i32,
    batch: &Batch<'_>,
    journeys: &[i64],
) -> Result<Vec<i64>, Error> {
    let sequence = Sequence::open(c"key_entry_id")?;
    let ids: Vec<i64> = batch.keys.iter().map(|key| key.id.unwrap_or_else(|| sequence.next())).collect();
    let new: Vec<usize> = (0..ids.len()).filter(|&key| batch.keys[key].id.is_none()).collect();
    if !new.is_empty() {
        let of = |key: &usize| journeys[batch.plan.component_of_key[*key] as usize];
        let new_ids: Vec<i64> = new.iter().map(|&key| ids[key]).collect();
        let kinds: Vec<&str> = new.iter().map(|&key| batch.keys[key].kind).collect();
        let values: Vec<&str> = new.iter().map(|&key| batch.keys[key].value).collect();
        let of_journeys: Vec<i64> = new.iter().map(of).collect();
        let args: [DatumWithOid; 5] = [
            project_id.into(),
            new_ids.as_slice().into(),
            kinds.as_slice().into(),
            values.as_slice().into(),
            of_journeys.as_slice().into(),
        ];
        sql.run(include_str!("../sql/steps/keys_insert.sql"), &args)?;
        graph.add_keys(sql, &new_ids, &kinds, &values, &of_journeys)?;
    }
    Ok(ids)
}

fn record_merges(
    sql: &Sql,
    project_id: i32,
    batch: &Batch<'_>,
    events: &[QueuedEvent],
    keys: &[i64],
) -> Result<(), Error> {
    let merges = &batch.plan.merges;
    if merges.is_empty() {
        return Ok(());
    }
    let survivor = |component: u32| {
        let journey = batch.plan.components[component as usize].journey;
        journey.ok_or(Error::Missing("journey that survives a merge"))
    };
    let args: [DatumWithOid; 6] = [
        project_id.into(),
        merges.iter().map(|merge| survivor(merge.component)).collect::<Result<Vec<i64>, _>>()?.into(),
        merges.iter().map(|merge| merge.absorbed).collect::<Vec<i64>>().into(),
        merges.iter().map(|merge| events[merge.event as usize].id).collect::<Vec<i64>>().into(),
        merges.iter().map(|merge| keys[merge.key as usize]).collect::<Vec<i64>>().into(),
        merges.iter().map(|merge| batch.keys[merge.key as usize].kind).collect::<Vec<&str>>().into(),
    ];
    sql.run(include_str!("../sql/steps/merge_record.sql"), &args)?;
    Ok(())
}

fn add_edges(
    sql: &Sql,
    graph: &Graph,
    batch: &Batch<'_>,
    events: &[QueuedEvent],
    keys: &[i64],
) -> Result<(), Error> {
    let (from, to): (Vec<i64>, Vec<i64>) = events
        .iter()
        .zip(batch.keys_of_events.iter())
        .flat_map(|(event, of_event)| of_event.iter().map(|&key| (event.id, keys[key as usize])))
        .unzip();
    graph.add_has_key(sql, from, to)
}
