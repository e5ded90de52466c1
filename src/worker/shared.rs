//! The board in shared memory, and waking whoever has to act on it.

use std::cell::Cell;

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, PgXactCallbackEvent, pg_shmem_init, register_xact_callback};

use super::board::Board;

// SAFETY: a Board is plain data without pointers into any one process; its latches point to shared memory.
unsafe impl PGRXSharedMemory for Board {}

// SAFETY: the name is the extension's own.
static BOARD: PgLwLock<Board> = unsafe { PgLwLock::new(c"journey_stitch") };

thread_local! {
    static IS_PRELOADED: Cell<bool> = const { Cell::new(false) };
    static WAKES_ON_COMMIT: Cell<bool> = const { Cell::new(false) };
}

/// Reserves the shared memory; called once, while the server loads shared_preload_libraries.
pub fn reserve() {
    pg_shmem_init!(BOARD);
    IS_PRELOADED.set(true);
}

/// Whether the library was loaded by shared_preload_libraries, so that there are workers.
pub fn is_preloaded() -> bool {
    IS_PRELOADED.get()
}

/// Reads or changes the board under its lock. Only where `is_preloaded()`.
pub fn with_board<T>(work: impl FnOnce(&mut Board) -> T) -> T {
    work(&mut BOARD.exclusive())
}

/// When this transaction commits, a worker is to look at the database. Prepared transactions are found
/// by the launcher's regular look instead: another backend commits them, maybe after a restart.
pub fn wake_on_commit() {
    if !is_preloaded() || WAKES_ON_COMMIT.replace(true) {
        return;
    }
    register_xact_callback(PgXactCallbackEvent::Commit, || {
        WAKES_ON_COMMIT.set(false);
        // SAFETY: reading this backend's database.
        let database = unsafe { pg_sys::MyDatabaseId };
        set_latch(with_board(|board| board.want(database.to_u32())));
    });
    for end in [PgXactCallbackEvent::Abort, PgXactCallbackEvent::Prepare] {
        register_xact_callback(end, || WAKES_ON_COMMIT.set(false));
    }
}

/// Sets a latch of the board; 0 is none.
pub fn set_latch(latch: usize) {
    if latch != 0 {
        // SAFETY: latches on the board are procLatches, which live in shared memory for as long as the
        // server runs. One whose process has ended belongs to nobody or to another process, which takes
        // being woken for nothing in its stride.
        unsafe { pg_sys::SetLatch(latch as *mut pg_sys::Latch) }
    }
}

/// This process's latch, as the board takes it.
pub fn my_latch() -> usize {
    // SAFETY: set before a worker's main function starts.
    unsafe { pg_sys::MyLatch as usize }
}
