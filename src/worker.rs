//! The worker: connects to one database, stitches what is due, batch by batch and project by project,
//! each batch in a transaction of its own, and leaves when there is nothing more to do. It stays
//! connected for as short as it can, so that DROP DATABASE and CREATE DATABASE … TEMPLATE find nobody.
//!
//! A batch that fails is undone and accounted for by [`stitch::step`]. Any other error ends the process,
//! with its message in the log; the launcher starts it again after a back-off.

pub mod backoff;
pub mod board;
pub mod launcher;
pub mod process;
mod shared;

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::catalog::{self, relation};
use crate::config;
use crate::error::Error;
use crate::project;
use crate::sql;
use crate::stitch::{self, Step, Transaction};

pub use shared::{is_preloaded, reserve, wake_on_commit, with_board};

/// How long a worker leaves a project alone that another stitcher holds, or a database that somebody wants
/// for himself.
const LOCKED_RETRY: Duration = Duration::from_secs(1);
/// The longest that a worker leaves off between batches that are not full. It leaves off as long as they took, so that
/// events that come one by one are stitched in some dozens a batch, and the clients have the processor meanwhile.
const MOST_RESPITE: Duration = Duration::from_millis(20);
/// How long a worker may go on while other databases wait for one.
const TURN: Duration = Duration::from_secs(1);

/// What ALTER DATABASE … SET may have given to the session must not reach into stitching, nor into the first
/// statement, which a superuser runs.
const SESSION: [(&CStr, &CStr); 11] = [
    (c"role", c"none"),
    (c"application_name", c"journey_stitch worker"),
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_read_only", c"off"),
    (c"default_tablespace", c""),
    (c"default_table_access_method", c"heap"),
    (c"statement_timeout", c"0"),
    (c"transaction_timeout", c"0"),
    (c"lock_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
];

/// The launcher's process id, if it runs.
pub fn launcher_pid() -> Option<i32> {
    let pid = if is_preloaded() { shared::with_board(|board| board.launcher_pid) } else { 0 };
    (pid != 0).then_some(pid)
}

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn journey_stitch_worker(argument: pg_sys::Datum) {
    process::take_signals();
    let place = process::Place::of_argument(argument);
    let database = place.database;
    process::at_exit(abandon);
    // SAFETY: reading this process's id.
    let pid = unsafe { pg_sys::MyProcPid };
    if !shared::with_board(|board| board.enter(database, shared::my_latch(), pid)) {
        return;
    }
    if !process::connect(place) {
        shared::with_board(|board| board.give_way(database, process::after(process::now(), LOCKED_RETRY)));
        return;
    }
    for (name, value) in SESSION {
        process::set(name, value);
    }
    let settings = database_settings();
    loop {
        process::reload_if_asked();
        shared::with_board(|board| board.take_wanted(database));
        let rest = match begin() {
            Session::Foreign => Rest::Foreign,
            Session::Off => Rest::Off,
            Session::Owner => drain(&settings),
        };
        // SAFETY: reports this process's statistics outside a transaction.
        unsafe { pg_sys::pgstat_report_stat(true) };
        process::report_activity(None);
        // News during the wait sets the latch, and then leave() below refuses.
        let idle = match rest {
            Rest::Foreign | Rest::Off | Rest::GiveWay(_) => Duration::ZERO,
            _ if shared::with_board(|board| board.others_wait) => Duration::ZERO,
            Rest::Idle => config::idle_exit(),
            Rest::Until(due) => config::idle_exit().min(process::until(process::now(), due)),
        };
        if !idle.is_zero() && !process::wait(idle) {
            continue;
        }
        let retry_at = if let Rest::Until(due) | Rest::GiveWay(due) = rest { Some(due) } else { None };
        if retry_at.is_some_and(|due| due <= process::now()) && !matches!(rest, Rest::GiveWay(_)) {
            continue;
        }
        let left = shared::with_board(|board| match rest {
            Rest::GiveWay(due) => board.give_way(database, due),
            _ => board.leave(database, retry_at, matches!(rest, Rest::Foreign)),
        });
        if left {
            return;
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn abandon(_code: i32, _argument: pg_sys::Datum) {
    // SAFETY: the argument of this process's entry, which is the database.
    let place = process::Place::of_argument(unsafe { (*pg_sys::MyBgworkerEntry).bgw_main_arg });
    shared::set_latch(shared::with_board(|board| board.abandon(place.database, shared::my_latch())));
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
    /// There is work, but not for this process: another one is to go on with it from this time on.
    GiveWay(i64),
}

/// What the worker may do in its database.
enum Session {
    /// The extension is not there.
    Foreign,
    /// `journey_stitch.enabled` is off, or the objects are not such that it could work with them.
    Off,
    /// It stitches, as the extension's owner.
    Owner,
}

/// Makes the worker, which connects as a superuser, the extension's owner.
fn begin() -> Session {
    let installed = process::transaction(|| -> Result<_, Error> { Ok(catalog::installed()) });
    match installed {
        None => Session::Foreign,
        Some(_) if !config::ENABLED.get() => Session::Off,
        Some(installed) if !installed.is_current() => {
            let error = Error::OtherVersion(installed.version);
            log!("journey_stitch: {error}; workers wait for ALTER EXTENSION journey_stitch UPDATE");
            Session::Off
        }
        Some(installed) => {
            // SAFETY: outside a transaction, so that it holds for the following ones.
            unsafe { pg_sys::SetUserIdAndSecContext(installed.owner, 0) };
            if process::transaction(is_ready) { Session::Owner } else { Session::Off }
        }
    }
}

/// Whether workers may stitch here: not while a dump is being restored.
fn is_ready() -> Result<bool, Error> {
    sql::reading(|sql| {
        Ok(sql.prepared("SELECT is_ready FROM journey_stitch.state", &[])?.one()?.unwrap_or(false))
    })
}

/// What ALTER DATABASE … SET has set here. A session takes it when it connects; a worker that finds it
/// changed makes way for one that does.
fn database_settings() -> Option<Vec<String>> {
    let query = "SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s
                 JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
                 WHERE d.datname = pg_catalog.current_database() AND s.setrole = 0";
    process::transaction(|| sql::reading(|sql| sql.prepared(query, &[])?.one()))
}

/// Stitches what is due, a batch a project in turn, until nothing is.
fn drain(settings: &Option<Vec<String>>) -> Rest {
    let start = Instant::now();
    loop {
        process::exit_if_orphaned();
        process::reload_if_asked();
        if !config::ENABLED.get() {
            return Rest::Off;
        }
        if *settings != database_settings() {
            return Rest::GiveWay(process::now());
        }
        let due = process::transaction(|| match relation(c"journey_stitch", c"pending") {
            Some(_) => sql::writing(project::due),
            None => Ok(Vec::new()),
        });
        let began = Instant::now();
        let (mut stitched, mut is_behind) = (false, false);
        for &project_id in &due {
            match stitch_batch(project_id) {
                Turn::Stitched { is_full } => {
                    stitched = true;
                    is_behind |= is_full;
                }
                Turn::Nothing => {}
                Turn::DatabaseWanted => return Rest::GiveWay(process::after(process::now(), LOCKED_RETRY)),
            }
        }
        if !stitched {
            return rest(!due.is_empty());
        }
        if start.elapsed() >= TURN && shared::with_board(|board| board.others_wait) {
            return Rest::GiveWay(process::now());
        }
        if !is_behind {
            process::pause(began.elapsed().min(MOST_RESPITE));
        }
    }
}

/// What became of a project's turn.
enum Turn {
    Stitched {
        /// There was as much to do as a batch may have; more may wait.
        is_full: bool,
    },
    /// Nothing is due, or another stitcher has it.
    Nothing,
    /// Somebody wants the database without other sessions in it.
    DatabaseWanted,
}

/// One batch of a project in a transaction of its own.
fn stitch_batch(project_id: i32) -> Turn {
    process::report_activity(Some(&format!("stitching project {project_id}")));
    let start = Instant::now();
    let turn = process::transaction(|| -> Result<Result<(Step, Instant), Turn>, Error> {
        if !process::holds_database() {
            return Ok(Err(Turn::DatabaseWanted));
        }
        // The extension may be dropped or updated between two batches.
        if !catalog::installed().is_some_and(|installed| installed.is_current())
            || !sql::writing(|sql| project::try_lock(sql, project_id))?
        {
            return Ok(Err(Turn::Nothing));
        }
        let step = stitch::step(project_id, i64::MAX, Transaction::Own)?;
        Ok(Ok((step, Instant::now())))
    });
    match turn {
        Ok((Step::Stitched { done, summary }, stepped)) => {
            let commit = stepped.elapsed().as_millis();
            stitch::log_if_slow(start.elapsed(), || {
                format!("{}; commit {commit}", stitch::batch_line(project_id, &done, &summary))
            });
            Turn::Stitched { is_full: done.events >= config::batch_size() }
        }
        Ok((Step::Failed { failure, events, consequence }, _)) => {
            log!(
                "journey_stitch: stitching {events} events of project {project_id} failed: {} (SQLSTATE {}); {consequence}",
                failure.message,
                failure.sqlstate
            );
            Turn::Stitched { is_full: false }
        }
        Ok((Step::Idle, _)) => Turn::Nothing,
        Err(turn) => turn,
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
