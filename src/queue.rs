//! The queue between ingest and stitch: `pending` holds a row for up to 1,000 events of a call.
//!
//! ```text
//!            claim                 done: deleted in the transaction that stitched its events
//!   ingest ────────▶ a batch ──┬──▶
//!                              └──▶ failed: attempts + 1, due again after a back-off, then alone;
//!                                   from max_attempts on halved, until one event is alone:
//!                                   that one goes to dead_letters
//! ```

pub mod ranges;

use std::collections::BTreeMap;
use std::time::Duration;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::catalog::relation;
use crate::config;
use crate::error::Error;
use crate::jsonb::{self, Jsonb};
use crate::sequence::Sequence;
use crate::sql::{self, Sql};
use crate::subtransaction::{self, Failure};
use crate::table::{Column, Shape, Table};
use crate::worker::backoff;

const PENDING: Shape = Shape {
    columns: &[
        Column(c"id", pg_sys::INT8OID, false),
        Column(c"project_id", pg_sys::INT4OID, false),
        Column(c"events", pg_sys::INT4OID, false),
        Column(c"event_ranges", pg_sys::INT8MULTIRANGEOID, false),
        Column(c"attempts", pg_sys::INT4OID, false),
        Column(c"next_attempt_at", pg_sys::TIMESTAMPTZOID, false),
        Column(c"last_error", pg_sys::TEXTOID, true),
        Column(c"created_at", pg_sys::TIMESTAMPTZOID, false),
        Column(c"received", pg_sys::INT4OID, false),
        Column(c"duplicates", pg_sys::INT4OID, false),
        Column(c"rejected", pg_sys::JSONBOID, true),
    ],
    checks: &[c"pending_events_check"],
};
/// As a timestamptz.
const MINUS_INFINITY: i64 = i64::MIN;

/// The queue rows of one batch.
#[derive(Debug)]
pub struct Claim {
    pub rows: Vec<i64>,
    pub events: i64,
    pub attempts: i32,
}

/// What an ingest call did to its events, as its first queue row carries it.
#[derive(Debug, Default)]
pub struct Tally {
    pub received: usize,
    pub duplicates: usize,
    /// A reason for each rejected event.
    pub rejected: Vec<&'static str>,
}

impl Tally {
    /// How many events were rejected for each reason; `None`: none was.
    fn rejected(&self) -> Option<Jsonb> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        self.rejected.iter().for_each(|reason| *counts.entry(reason).or_default() += 1);
        (!counts.is_empty()).then(|| jsonb::counts(counts))
    }
}

/// Queues what a call has inserted: rows of ranges of ids and how many events each has. A call that has
/// inserted nothing leaves a row for its counts all the same. Answers the rows.
pub fn add(sql: &Sql, project_id: i32, mut rows: Vec<ranges::Row>, tally: Tally) -> Result<Vec<i64>, Error> {
    if rows.is_empty() {
        rows.push(ranges::Row::default());
    }
    if let Some(table) = relation(c"journey_stitch", c"pending").and_then(|oid| Table::open(oid, &PENDING)) {
        return add_to(table, project_id, rows, tally);
    }
    let args: [DatumWithOid; 6] = [
        project_id.into(),
        rows.iter().map(ranges::Row::text).collect::<Vec<_>>().into(),
        rows.iter().map(|row| row.events).collect::<Vec<_>>().into(),
        (tally.received as i32).into(),
        (tally.duplicates as i32).into(),
        tally.rejected().into(),
    ];
    sql.prepared(include_str!("../sql/steps/ingest_pending.sql"), &args)?.map(|row| row.get(1)).collect()
}

/// The same without a statement.
fn add_to(
    mut table: Table,
    project_id: i32,
    rows: Vec<ranges::Row>,
    tally: Tally,
) -> Result<Vec<i64>, Error> {
    let sequence = Sequence::open(c"pending_id_seq")?;
    // SAFETY: reading when the transaction began.
    let now = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
    let mut ids = Vec::with_capacity(rows.len());
    for ranges::Row { ranges, events } in rows {
        let id = sequence.next();
        let call = ids.is_empty().then_some(&tally);
        let ranges = multirange(&ranges);
        table.add(|row| {
            row.value(id);
            row.value(project_id);
            row.value(events);
            row.value(ranges);
            row.value(0);
            row.value(MINUS_INFINITY);
            row.null();
            row.value(now);
            row.value(call.map_or(0, |call| call.received as i32));
            row.value(call.map_or(0, |call| call.duplicates as i32));
            match call.and_then(Tally::rejected) {
                Some(rejected) => row.jsonb(rejected.container()),
                None => row.null(),
            }
        });
        ids.push(id);
    }
    table.close();
    // SAFETY: what follows in this transaction sees the rows.
    unsafe { pg_sys::CommandCounterIncrement() };
    Ok(ids)
}

/// Ranges of ids as an int8multirange, in memory of the present context.
fn multirange(ranges: &[(i64, i64)]) -> pg_sys::Datum {
    unsafe extern "C-unwind" {
        /// As utils/multirangetypes.h has it, which pgrx does not bind.
        fn make_multirange(
            of_type: pg_sys::Oid,
            of_ranges: *mut pg_sys::TypeCacheEntry,
            count: i32,
            ranges: *mut *mut pg_sys::RangeType,
        ) -> *mut pg_sys::varlena;
    }
    // SAFETY: bounds of the type that the cache's entry is of; as many ranges as are said. An error of the function
    // that pgrx does not guard becomes a panic, as those of the others.
    unsafe {
        let of_ranges = pg_sys::lookup_type_cache(pg_sys::INT8RANGEOID, pg_sys::TYPECACHE_RANGE_INFO as i32);
        let bound =
            |id: i64, lower| pg_sys::RangeBound { val: id.into(), infinite: false, inclusive: lower, lower };
        let mut made: Vec<*mut pg_sys::RangeType> = ranges
            .iter()
            .map(|&(from, until)| {
                let (mut lower, mut upper) = (bound(from, true), bound(until, false));
                pg_sys::make_range(of_ranges, &mut lower, &mut upper, false, std::ptr::null_mut())
            })
            .collect();
        let of_type = pg_sys::INT8MULTIRANGEOID;
        pg_sys::Datum::from(pg_sys::ffi::pg_guard_ffi_boundary(|| {
            make_multirange(of_type, of_ranges, made.len() as i32, made.as_mut_ptr())
        }))
    }
}

/// Takes the next batch of at most `max_events` events; `None`: nothing is due. The caller holds the
/// project's lock.
pub fn claim(sql: &Sql, project_id: i32, max_events: i64) -> Result<Option<Claim>, Error> {
    let args: [DatumWithOid; 2] = [project_id.into(), max_events.into()];
    let mut claim = Claim { rows: Vec::new(), events: 0, attempts: 0 };
    for row in sql.prepared(include_str!("../sql/steps/queue_claim.sql"), &args)? {
        let id = row.get::<i64>(1)?;
        let events = i64::from(row.get::<i32>(2)?);
        claim.attempts = row.get(3)?;
        let room = max_events - claim.events;
        claim.rows.push(if events > room { split(sql, project_id, id, room)? } else { id });
        claim.events += events.min(room);
    }
    Ok((!claim.rows.is_empty()).then_some(claim))
}

/// What stitching the events of one batch did.
#[derive(Debug, Default, Clone, Copy)]
pub struct Done {
    pub events: i64,
    pub journeys_created: i64,
    pub journeys_merged: i64,
    pub took: Duration,
}

/// The batch's events are stitched.
pub fn finish(sql: &Sql, project_id: i32, claim: &Claim, done: &Done) -> Result<(), Error> {
    take_out(sql, project_id, &claim.rows, done, i64::from(done.events > 0), 0)
}

fn take_out(
    sql: &Sql,
    project_id: i32,
    rows: &[i64],
    done: &Done,
    batches: i64,
    given_up: i64,
) -> Result<(), Error> {
    let args: [DatumWithOid; 8] = [
        rows.into(),
        project_id.into(),
        done.events.into(),
        batches.into(),
        done.journeys_created.into(),
        done.journeys_merged.into(),
        given_up.into(),
        done.took.as_secs_f64().into(),
    ];
    sql.prepared(include_str!("../sql/steps/queue_finish.sql"), &args).map(drop)
}

/// The batch failed: what becomes of it, in words for the log.
pub fn fail(sql: &Sql, project_id: i32, claim: &Claim, failure: &Failure) -> Result<String, Error> {
    let (was_put_back, consequence) = put_back(sql, project_id, claim, failure)?;
    let args: [DatumWithOid; 7] = [
        project_id.into(),
        failure.sqlstate.as_str().into(),
        failure.message.as_str().into(),
        claim.events.into(),
        (claim.attempts + 1).into(),
        consequence.as_str().into(),
        was_put_back.into(),
    ];
    // The queue matters more than the record: where a full disk has no room for it, the batch waits all the same.
    let recorded = subtransaction::run(|| {
        sql::writing(|sql| sql.prepared(include_str!("../sql/steps/queue_failed.sql"), &args).map(drop))
    });
    match recorded {
        Ok(()) => Ok(consequence),
        Err(failure) if failure.is_cancel() => Err(Error::Cancelled(failure.message)),
        Err(failure) => Ok(format!("{consequence}; job_errors misses this: {}", failure.message)),
    }
}

fn put_back(sql: &Sql, project_id: i32, claim: &Claim, failure: &Failure) -> Result<(bool, String), Error> {
    let attempts = claim.attempts + 1;
    let message = format!("{}: {}", failure.sqlstate, failure.message);
    if failure.is_transient() || attempts < config::max_attempts() {
        let delay = backoff::delay(attempts.unsigned_abs()).as_secs_f64();
        delay_rows(sql, project_id, &claim.rows, delay, &message)?;
        return Ok((true, format!("to be tried again in {delay} s")));
    }
    match claim.rows[..] {
        [row] if claim.events == 1 => {
            let args: [DatumWithOid; 4] = [
                row.into(),
                failure.sqlstate.as_str().into(),
                failure.message.as_str().into(),
                project_id.into(),
            ];
            sql.prepared(include_str!("../sql/steps/queue_bury.sql"), &args)?;
            take_out(sql, project_id, &claim.rows, &Done::default(), 0, 1)?;
            Ok((false, "the event went to dead_letters".to_owned()))
        }
        [row] => {
            delay_rows(sql, project_id, &claim.rows, 0.0, &message)?;
            split(sql, project_id, row, claim.events / 2)?;
            Ok((true, "halved, to find the event at fault".to_owned()))
        }
        _ => {
            delay_rows(sql, project_id, &claim.rows, 0.0, &message)?;
            Ok((true, "each part to be tried alone".to_owned()))
        }
    }
}

fn delay_rows(sql: &Sql, project_id: i32, rows: &[i64], seconds: f64, message: &str) -> Result<(), Error> {
    let args: [DatumWithOid; 4] = [rows.to_vec().into(), seconds.into(), message.into(), project_id.into()];
    sql.prepared(include_str!("../sql/steps/queue_fail.sql"), &args)?;
    Ok(())
}

/// Takes the first events of a row into a row of their own; answers its id.
fn split(sql: &Sql, project_id: i32, row: i64, events: i64) -> Result<i64, Error> {
    let args: [DatumWithOid; 3] = [row.into(), events.into(), project_id.into()];
    let first = sql.prepared(include_str!("../sql/steps/queue_split.sql"), &args)?.one()?;
    first.ok_or(Error::Missing("queue row with more events than are taken from it"))
}

/// Events that wait to be stitched, in one project or (`None`) in all.
pub fn remaining(sql: &Sql, project_id: Option<i32>) -> Result<i64, Error> {
    let query = "SELECT COALESCE(sum(events), 0)::bigint FROM journey_stitch.pending
                 WHERE project_id = $1 OR $1 IS NULL";
    Ok(sql.run(query, &[project_id.into()])?.one::<i64>()?.unwrap_or(0))
}
