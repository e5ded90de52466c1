//! The worker: connects to one database, stitches what is due, batch by batch and project by project,
//! each batch in a transaction of its own, and leaves when there is nothing more to do. It stays
//! connected for as short as it can, so that DROP DATABASE and CREATE DATABASE … TEMPLATE find nobody.
//!
//! A batch that fails is undone and accounted for by [`stitch::step`]. Any other error ends the process,
//! with its message in the log; the launcher starts it again after a back-off.

pub mod backoff;
pub mod board;
pub mod launcher;
mod process;
mod shared;

use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use crate::config;
use crate::error::Error;
use crate::project;
use crate::sequence::relation;
use crate::sql;
use crate::stitch::{self, Step, Transaction};

pub use shared::{is_preloaded, reserve, wake_on_commit};

/// How long a worker leaves a project alone that another stitcher holds.
const LOCKED_RETRY: Duration = Duration::from_secs(1);

/// The launcher's process id, if it runs.
pub fn launcher_pid() -> Option<i32> {
    let pid = if is_preloaded() { shared::with_board(|board| board.launcher_pid) } else { 0 };
    (pid != 0).then_some(pid)
}

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn journey_stitch_worker(argument: pg_sys::Datum) {
    process::take_signals();
    let database = argument.value() as u32;
    process::at_exit(abandon);
    if !shared::with_board(|board| board.enter(database, shared::my_latch())) {
        return;
    }
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(pg_sys::Oid::from(database)), None);
    loop {
        process::reload_if_asked();
        shared::with_board(|board| board.take_wanted(database));
        let rest = match begin() {
            Session::Foreign => Rest::Foreign,
            Session::Off => Rest::Off,
            Session::Owner => drain(),
        };
        // SAFETY: reports this process's statistics outside a transaction.
        unsafe { pg_sys::pgstat_report_stat(true) };
        process::report_activity(None);
        // News during the wait sets the latch, and then leave() below refuses.
        let idle = match rest {
            Rest::Foreign | Rest::Off => Duration::ZERO,
            Rest::Idle => config::idle_exit(),
            Rest::Until(due) => config::idle_exit().min(process::until(process::now(), due)),
        };
        if !idle.is_zero() && !process::wait(idle) {
            continue;
        }
        let retry_at = if let Rest::Until(due) = rest { Some(due) } else { None };
        if retry_at.is_some_and(|due| due <= process::now()) {
            continue;
        }
        if shared::with_board(|board| board.leave(database, retry_at, matches!(rest, Rest::Foreign))) {
            return;
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn abandon(_code: i32, _argument: pg_sys::Datum) {
    // SAFETY: the argument of this process's entry, which is the database.
    let database = unsafe { (*pg_sys::MyBgworkerEntry).bgw_main_arg }.value() as u32;
    shared::with_board(|board| board.abandon(database, shared::my_latch()));
}

/// Why a worker has nothing to do.
enum Rest {
    /// No extension: no work will come from here until a commit says so.
    Foreign,
    /// Workers are off here; the launcher looks again now and then.
    Off,
    Idle,
    /// Nothing before this time (in the server's timestamps).
    Until(i64),
}

/// What the worker may do in its database.
enum Session {
    /// The extension is not there.
    Foreign,
    /// `journey_stitch.enabled` is off.
    Off,
    /// It stitches, as the extension's owner.
    Owner,
}

/// Makes the worker, which connects as a superuser, the extension's owner.
fn begin() -> Session {
    let owner = process::transaction(|| -> Result<_, Error> {
        // What a session may have been given by ALTER DATABASE … SET must not reach into stitching.
        let settings = "SELECT set_config(name, value, false)
             FROM (VALUES ('search_path', 'pg_catalog, pg_temp'), ('default_transaction_isolation', 'read committed'),
                          ('default_transaction_read_only', 'off'), ('statement_timeout', '0'),
                          ('lock_timeout', '0'), ('idle_in_transaction_session_timeout', '0'))
                  AS s (name, value)";
        sql::writing(|sql| sql.run(settings, &[]).map(drop))?;
        let owner = "SELECT extowner FROM pg_catalog.pg_extension WHERE extname = 'journey_stitch'";
        sql::reading(|sql| sql.run(owner, &[])?.one())
    });
    match owner {
        None => Session::Foreign,
        Some(_) if !config::ENABLED.get() => Session::Off,
        Some(owner) => {
            // SAFETY: outside a transaction, so that it holds for the following ones.
            unsafe { pg_sys::SetUserIdAndSecContext(owner, 0) };
            Session::Owner
        }
    }
}

/// Stitches what is due, a batch a project in turn, until nothing is.
fn drain() -> Rest {
    loop {
        process::reload_if_asked();
        let due = process::transaction(|| match relation(c"journey_stitch", c"pending") {
            Some(_) => sql::writing(project::due),
            None => Ok(Vec::new()),
        });
        let mut stitched = false;
        for &project_id in &due {
            stitched |= stitch_batch(project_id);
        }
        if !stitched {
            return rest(!due.is_empty());
        }
    }
}

/// One batch of a project in a transaction of its own; false: none was stitched.
fn stitch_batch(project_id: i32) -> bool {
    process::report_activity(Some(&format!("stitching project {project_id}")));
    let start = Instant::now();
    let step = process::transaction(|| -> Result<Option<Step>, Error> {
        // The extension may be dropped between two batches.
        if relation(c"journey_stitch", c"projects").is_none()
            || !sql::writing(|sql| project::try_lock(sql, project_id))?
        {
            return Ok(None);
        }
        stitch::step(project_id, i64::MAX, Transaction::Own).map(Some)
    });
    match step {
        Some(Step::Stitched(totals)) => {
            let took = start.elapsed();
            if config::log_min_duration().is_some_and(|min| took >= min) {
                log!(
                    "journey_stitch: batch of {} events of project {project_id} took {} ms",
                    totals.events,
                    took.as_millis()
                );
            }
            true
        }
        Some(Step::Failed { failure, events, consequence }) => {
            log!(
                "journey_stitch: stitching {events} events of project {project_id} failed: {} (SQLSTATE {}); {consequence}",
                failure.message,
                failure.sqlstate
            );
            true
        }
        Some(Step::Idle) | None => false,
    }
}

/// When there is something to do again. What is due but was not stitched is another stitcher's for now.
fn rest(others_stitch: bool) -> Rest {
    let soonest = process::transaction(|| -> Result<Option<TimestampWithTimeZone>, Error> {
        if relation(c"journey_stitch", c"pending").is_none() {
            return Ok(None);
        }
        let query = "SELECT min(next_attempt_at) FROM journey_stitch.pending WHERE next_attempt_at > clock_timestamp()";
        sql::reading(|sql| sql.run(query, &[])?.one())
    });
    let retry = soonest.map(i64::from);
    let locked = others_stitch.then(|| process::after(process::now(), LOCKED_RETRY));
    match retry.into_iter().chain(locked).min() {
        Some(due) => Rest::Until(due),
        None => Rest::Idle,
    }
}
