//! What only the library knows of its workers. The views and health() that show it are SQL.

use pgrx::prelude::*;

use crate::catalog;
use crate::worker::{self, with_board};

/// Whether the server loaded the library at its start, so that there are workers.
#[pg_extern(stable, parallel_safe)]
fn is_preloaded() -> bool {
    worker::is_preloaded()
}

/// The launcher's process id; NULL if it does not run.
#[pg_extern(volatile, parallel_safe)]
fn launcher_pid() -> Option<i32> {
    worker::launcher_pid()
}

/// Has a worker look at this database when the transaction commits.
#[pg_extern(volatile, parallel_unsafe)]
fn wake_worker() {
    worker::wake_on_commit();
}

/// The version of the library, which is that of the objects but between an installation and ALTER EXTENSION.
#[pg_extern(immutable, parallel_safe)]
fn library_version() -> &'static str {
    catalog::LIBRARY_VERSION
}

/// The databases that have work or a worker; the view stat_worker gives them their names.
#[pg_extern(volatile, parallel_restricted)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn worker_slots() -> TableIterator<
    'static,
    (
        name!(database, pg_sys::Oid),
        name!(pid, Option<i32>),
        name!(is_wanted, bool),
        name!(failures, i32),
        name!(next_start, Option<TimestampWithTimeZone>),
    ),
> {
    let slots = if worker::is_preloaded() { with_board(|board| board.slots.to_vec()) } else { Vec::new() };
    TableIterator::new(slots.into_iter().filter(|slot| slot.database != 0).map(|slot| {
        let next_start = slot.retry_at.and_then(|at| TimestampWithTimeZone::try_from(at).ok());
        let pid = (slot.pid != 0).then_some(slot.pid);
        (pg_sys::Oid::from(slot.database), pid, slot.wanted, slot.failures as i32, next_start)
    }))
}
