//! The launcher: one static process without a database. It starts a worker for each database that has
//! work, and sees to it that a failing one is started again only after a while.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime,
    DynamicBackgroundWorker,
};
use pgrx::prelude::*;

use super::shared::{my_latch, with_board};
use super::{backoff, process};
use crate::config;

/// Every how many looks databases without the extension are looked at, too.
const FOREIGN_LOOKS: u32 = 10;

/// Registers the launcher; called while the server loads shared_preload_libraries.
pub fn register() {
    BackgroundWorkerBuilder::new("journey_stitch launcher")
        .set_library("journey_stitch")
        .set_function("journey_stitch_launcher")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(Duration::from_secs(1)))
        .load();
}

#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn journey_stitch_launcher(_argument: pg_sys::Datum) {
    process::take_signals();
    // No database: the launcher reads shared catalogs only, and is in nobody's way.
    BackgroundWorker::connect_worker_to_spi(None, None);
    process::set(c"application_name", c"journey_stitch launcher");
    process::at_exit(leave);
    with_board(|board| {
        board.launcher = my_latch();
        // SAFETY: reading this process's id.
        board.launcher_pid = unsafe { pg_sys::MyProcPid };
    });
    process::report_activity(None);
    let mut launcher = Launcher::default();
    loop {
        process::reload_if_asked();
        process::wait(launcher.round());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn leave(_code: i32, _argument: pg_sys::Datum) {
    with_board(|board| {
        board.launcher = 0;
        board.launcher_pid = 0;
    });
}

#[derive(Default)]
struct Launcher {
    workers: HashMap<u32, DynamicBackgroundWorker>,
    failures: HashMap<u32, Failures>,
    /// Databases without the extension: looked at again when a commit wants it, and now and then.
    foreign: HashSet<u32>,
    /// When each database last got a worker, in the server's timestamps.
    served: HashMap<u32, i64>,
    looked_everywhere: Option<Instant>,
    looks: u32,
    is_short_of_workers: bool,
}

struct Failures {
    count: u32,
    /// In the server's timestamps.
    not_before: i64,
}

impl Launcher {
    /// Reaps workers that ended and starts those that are due; answers how long there is nothing to do.
    fn round(&mut self) -> Duration {
        self.reap();
        let databases = connectable_databases();
        let since_look = self.looked_everywhere.map(|look| look.elapsed());
        let looks_everywhere = since_look.is_none_or(|since| since >= config::naptime());
        if with_board(|board| std::mem::take(&mut board.look_everywhere)) || looks_everywhere {
            self.looked_everywhere = Some(Instant::now());
            self.looks = self.looks.wrapping_add(1);
            if self.looks.is_multiple_of(FOREIGN_LOOKS) {
                self.foreign.clear();
            }
            // Where a worker is, it looks for itself, and must not be kept from leaving.
            let (foreign, workers) = (&self.foreign, &self.workers);
            let ours = databases.keys().filter(|db| !foreign.contains(db) && !workers.contains_key(db));
            with_board(|board| ours.for_each(|&database| _ = board.want(database)));
        }
        let now = process::now();
        let since_look = self.looked_everywhere.map_or(Duration::ZERO, |look| look.elapsed());
        let mut sleep = config::naptime().saturating_sub(since_look);
        let mut others_wait = false;
        self.served.retain(|database, _| databases.contains_key(database));
        for (database, due) in self.due(&databases, now) {
            if due > now {
                sleep = sleep.min(process::until(now, due));
            } else if self.workers.len() >= config::max_workers()
                || !self.start(database, databases[&database])
            {
                // The end of a worker wakes the launcher; the delay is for other people's workers.
                sleep = sleep.min(Duration::from_secs(1));
                others_wait = true;
                break;
            }
        }
        // Workers that have had their turn leave for those that wait.
        with_board(|board| board.others_wait = others_wait);
        self.is_short_of_workers &= others_wait;
        sleep
    }

    /// Databases that want a worker, and when: of those that are due, the one first that has waited longest.
    /// Slots of dropped databases are freed.
    fn due(&self, databases: &HashMap<u32, u32>, now: i64) -> Vec<(u32, i64)> {
        with_board(|board| {
            let mut due = Vec::new();
            for slot in board.slots.iter_mut().filter(|slot| slot.database != 0) {
                // A worker may be there that an earlier launcher has started.
                if self.workers.contains_key(&slot.database) || slot.latch != 0 {
                    continue;
                }
                if !databases.contains_key(&slot.database) {
                    *slot = Default::default();
                    continue;
                }
                let failures = self.failures.get(&slot.database).map_or(i64::MIN, |f| f.not_before);
                if slot.wanted {
                    due.push((slot.database, failures));
                } else if let Some(retry_at) = slot.retry_at {
                    due.push((slot.database, retry_at.max(failures)));
                }
            }
            due.sort_unstable_by_key(|&(database, at)| (at.max(now), self.served.get(&database).copied()));
            due
        })
    }

    fn start(&mut self, database: u32, tablespace: u32) -> bool {
        let worker = BackgroundWorkerBuilder::new("journey_stitch worker")
            .set_library("journey_stitch")
            .set_function("journey_stitch_worker")
            .set_argument(Some(process::Place { database, tablespace }.to_argument()))
            .enable_spi_access()
            // SAFETY: reading this process's id, to be told when the worker ends.
            .set_notify_pid(unsafe { pg_sys::MyProcPid })
            .load_dynamic();
        match worker {
            Ok(worker) => {
                self.workers.insert(database, worker);
                self.served.insert(database, process::now());
                true
            }
            Err(_) => {
                if !std::mem::replace(&mut self.is_short_of_workers, true) {
                    log!("journey_stitch: no background worker is free; raise max_worker_processes");
                }
                false
            }
        }
    }

    fn reap(&mut self) {
        let ended: Vec<u32> = self
            .workers
            .iter()
            .filter(|(_, worker)| matches!(worker.pid(), Err(BackgroundWorkerStatus::Stopped)))
            .map(|(&database, _)| database)
            .collect();
        for database in ended {
            self.workers.remove(&database);
            let slot = with_board(|board| {
                let slot = board.slot(database).copied().unwrap_or_default();
                if slot.left && !slot.wanted && slot.retry_at.is_none() {
                    board.free(database);
                }
                slot
            });
            if slot.is_foreign && !slot.wanted {
                self.foreign.insert(database);
            } else {
                self.foreign.remove(&database);
            }
            if slot.left {
                self.failures.remove(&database);
            } else {
                self.failed(database);
            }
        }
    }

    /// The worker ended by an error, which it has logged: it is wanted again, but not at once.
    fn failed(&mut self, database: u32) {
        let failures = self.failures.entry(database).or_insert(Failures { count: 0, not_before: 0 });
        failures.count += 1;
        failures.not_before = process::after(process::now(), backoff::delay(failures.count));
        let (count, not_before) = (failures.count, failures.not_before);
        with_board(|board| {
            board.want(database);
            if let Some(slot) = board.slot(database) {
                (slot.failures, slot.retry_at) = (count, Some(not_before));
            }
        });
    }
}

/// The databases that a worker may connect to, and their tablespaces.
fn connectable_databases() -> HashMap<u32, u32> {
    BackgroundWorker::transaction(|| {
        let mut databases = HashMap::new();
        // SAFETY: a scan of a shared catalog inside a transaction, closed before it ends. pg_database's
        // rows begin with the fixed part that FormData_pg_database describes.
        unsafe {
            let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
            let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
            loop {
                let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
                if tuple.is_null() {
                    break;
                }
                let row = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
                // A negative limit below -1 marks a database whose DROP was interrupted.
                if (*row).datallowconn && !(*row).datistemplate && (*row).datconnlimit >= -1 {
                    databases.insert((*row).oid.to_u32(), (*row).dattablespace.to_u32());
                }
            }
            pg_sys::table_endscan(scan);
            pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        }
        databases
    })
}
