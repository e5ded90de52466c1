//! What long work is doing, as others can see it while it runs: a slot in shared memory for each process
//! that stitches or rebuilds. Without preloading there is no shared memory, and nothing is shown.

use std::cell::Cell;

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, PgXactCallbackEvent, pg_shmem_init, register_xact_callback};

use crate::worker::{is_preloaded, process};

/// Processes that can be shown at once.
const SLOTS: usize = 64;
const TEXT_BYTES: usize = 32;

#[derive(Clone, Copy, Default)]
struct Slot {
    /// 0: the slot is free.
    pid: i32,
    database: u32,
    project_id: i32,
    command: Text,
    step: Text,
    steps_done: i32,
    steps_total: i32,
    events: i64,
    /// In the server's timestamps.
    started_at: i64,
}

/// A short text in place.
#[derive(Clone, Copy, Default)]
struct Text {
    length: usize,
    bytes: [u8; TEXT_BYTES],
}

impl Text {
    fn new(text: &str) -> Self {
        let mut length = text.len().min(TEXT_BYTES);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        let mut bytes = [0; TEXT_BYTES];
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Text { length, bytes }
    }

    fn to_text(self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.length]).into_owned()
    }
}

#[derive(Clone, Copy)]
struct Slots([Slot; SLOTS]);

impl Default for Slots {
    fn default() -> Self {
        Slots([Slot::default(); SLOTS])
    }
}

// SAFETY: plain data without pointers.
unsafe impl PGRXSharedMemory for Slots {}

// SAFETY: the name is the extension's own.
static PROGRESS: PgLwLock<Slots> = unsafe { PgLwLock::new(c"journey_stitch progress") };

thread_local! {
    static CLEARS_AT_EXIT: Cell<bool> = const { Cell::new(false) };
}

/// Reserves the shared memory; called once, while the server loads shared_preload_libraries.
pub fn reserve() {
    pg_shmem_init!(PROGRESS);
}

fn my_pid() -> i32 {
    // SAFETY: reading this process's id.
    unsafe { pg_sys::MyProcPid }
}

/// Changes this process's slot; `None` frees it.
fn set(change: Option<impl FnOnce(&mut Slot)>) {
    if !is_preloaded() {
        return;
    }
    let pid = my_pid();
    let mut slots = PROGRESS.exclusive();
    let mine = slots.0.iter().position(|slot| slot.pid == pid);
    match change {
        None => {
            if let Some(mine) = mine {
                slots.0[mine] = Slot::default();
            }
        }
        Some(change) => {
            // With all slots taken, this one is not shown.
            if let Some(index) = mine.or_else(|| slots.0.iter().position(|slot| slot.pid == 0)) {
                let slot = &mut slots.0[index];
                slot.pid = pid;
                change(slot);
            }
        }
    }
}

fn clear() {
    set(None::<fn(&mut Slot)>);
}

#[pg_guard]
unsafe extern "C-unwind" fn clear_at_exit(_code: i32, _argument: pg_sys::Datum) {
    clear();
}

/// Work that is shown until this is dropped.
pub struct Progress(());

impl Progress {
    pub fn begin(command: &str, project_id: i32, steps: i32, events: i64) -> Self {
        begin(command, project_id, steps, events);
        Progress(())
    }

    /// So many steps are done, and this one begins.
    pub fn step(&self, done: i32, step: &str) {
        set(Some(|slot: &mut Slot| (slot.steps_done, slot.step) = (done, Text::new(step))));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        clear();
    }
}

fn begin(command: &str, project_id: i32, steps_total: i32, events: i64) {
    if is_preloaded() && !CLEARS_AT_EXIT.replace(true) {
        // FATAL ends a process without dropping anything.
        process::at_exit(clear_at_exit);
    }
    // SAFETY: reading this process's database, and the clock.
    let (database, started_at) = unsafe { (pg_sys::MyDatabaseId.to_u32(), pg_sys::GetCurrentTimestamp()) };
    let command = Text::new(command);
    set(Some(|slot: &mut Slot| {
        *slot = Slot {
            pid: slot.pid,
            database,
            project_id,
            command,
            steps_total,
            events,
            started_at,
            ..Slot::default()
        };
    }));
}

/// For functions in SQL: shows a step of long work until the transaction ends.
#[pg_extern(volatile, parallel_unsafe, strict)]
fn note_progress(command: &str, step: &str, done: i32, total: i32) {
    if done == 0 {
        begin(command, 0, total, 0);
        for end in [PgXactCallbackEvent::Commit, PgXactCallbackEvent::Abort, PgXactCallbackEvent::Prepare] {
            register_xact_callback(end, clear);
        }
    }
    set(Some(|slot: &mut Slot| (slot.step, slot.steps_done) = (Text::new(step), done)));
}

/// What is being done in this database; the view stat_progress gives the projects their names.
#[pg_extern(volatile, parallel_restricted)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn progress_slots() -> TableIterator<
    'static,
    (
        name!(pid, i32),
        name!(project_id, i32),
        name!(command, String),
        name!(step, String),
        name!(steps_done, i32),
        name!(steps_total, i32),
        name!(events, Option<i64>),
        name!(started_at, TimestampWithTimeZone),
    ),
> {
    // SAFETY: reading this process's database.
    let database = unsafe { pg_sys::MyDatabaseId }.to_u32();
    let slots = if is_preloaded() { PROGRESS.share().0.to_vec() } else { Vec::new() };
    let rows = slots.into_iter().filter(move |slot| slot.pid != 0 && slot.database == database);
    TableIterator::new(rows.filter_map(|slot| {
        let started_at = TimestampWithTimeZone::try_from(slot.started_at).ok()?;
        let (command, step) = (slot.command.to_text(), slot.step.to_text());
        let events = (slot.events != 0).then_some(slot.events);
        Some((
            slot.pid,
            slot.project_id,
            command,
            step,
            slot.steps_done,
            slot.steps_total,
            events,
            started_at,
        ))
    }))
}
