//! What only the library knows of its health; `health()` itself is SQL.

use pgrx::prelude::*;

use crate::worker;

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
