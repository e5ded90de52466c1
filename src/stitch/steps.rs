//! The steps of a batch: what is seen of them from outside while they run, how long each took, and, in a
//! build for tests, where a batch can be stopped between any two of them.

use std::fmt::Write;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::progress::Progress;

/// How many steps a batch has.
const STEPS: i32 = 10;

/// The steps of one batch.
pub struct Steps {
    progress: Progress,
    started: Instant,
    present: (&'static str, Instant),
    took: Vec<(&'static str, Duration)>,
    blocks_read: i64,
    wal_bytes: u64,
    /// Microseconds on the CPU; what is elapsed beyond was waited.
    cpu: i64,
}

impl Steps {
    /// A batch begins.
    pub fn begin(project_id: i32, events: i64) -> Self {
        let now = Instant::now();
        let (blocks_read, wal_bytes) = usage();
        let progress = Progress::begin("stitch", project_id, STEPS, events);
        let cpu = cpu_time();
        Steps { progress, started: now, present: ("", now), took: Vec::new(), blocks_read, wal_bytes, cpu }
    }

    /// The present step is done, and another one begins.
    pub fn enter(&mut self, step: &'static str) {
        self.end_present();
        pgrx::check_for_interrupts!();
        self.progress.step(self.took.len() as i32, step);
        #[cfg(feature = "waitpoints")]
        crate::waitpoint::reach(step);
        self.present = (step, Instant::now());
    }

    fn end_present(&mut self) {
        let (step, since) = self.present;
        if !step.is_empty() {
            self.took.push((step, since.elapsed()));
        }
    }

    /// How long the batch has taken.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What the time went to, in words for the log.
    pub fn summary(mut self) -> String {
        self.end_present();
        let mut text = String::new();
        for (step, took) in &self.took {
            // Writing to a String cannot fail.
            let _ = write!(text, "{step} {}, ", took.as_millis());
        }
        let (blocks_read, wal_bytes) = usage();
        let kilobytes = (wal_bytes - self.wal_bytes) / 1024;
        let waited = self.elapsed().as_millis() as i64 - (cpu_time() - self.cpu) / 1000;
        let blocks = blocks_read - self.blocks_read;
        let _ = write!(text, "waited {}, {blocks} blocks read, {kilobytes} kB of WAL", waited.max(0));
        text
    }
}

/// Blocks read from outside shared buffers and bytes of WAL written, by this process so far.
fn usage() -> (i64, u64) {
    // SAFETY: counters of this process.
    unsafe { (pg_sys::pgBufferUsage.shared_blks_read, pg_sys::pgWalUsage.wal_bytes) }
}

/// CPU time of this process in microseconds, which is POSIX's CLOCKS_PER_SEC.
fn cpu_time() -> i64 {
    unsafe extern "C" {
        fn clock() -> std::ffi::c_long;
    }
    // SAFETY: the C library's function, which only reads a clock.
    unsafe { clock() }
}
