//! The settings, `journey_stitch.*`: a static each, defined when the library is loaded.

use std::time::Duration;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::event::Limits;

/// Whether workers stitch in this database. `ALTER DATABASE … SET journey_stitch.enabled = off` leaves
/// stitching to explicit calls of `stitch_pending()` there.
pub static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static BATCH_SIZE: GucSetting<i32> = GucSetting::<i32>::new(5000);
static MAX_ATTEMPTS: GucSetting<i32> = GucSetting::<i32>::new(3);
static NAPTIME: GucSetting<i32> = GucSetting::<i32>::new(60_000);
static MAX_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(4);
static IDLE_EXIT: GucSetting<i32> = GucSetting::<i32>::new(1000);
static LOG_MIN_DURATION: GucSetting<i32> = GucSetting::<i32>::new(1000);
static MAX_ID_BYTES: GucSetting<i32> = GucSetting::<i32>::new(512);
static MAX_EVENT_BYTES: GucSetting<i32> = GucSetting::<i32>::new(1024 * 1024);
static MAX_EVENT_DEPTH: GucSetting<i32> = GucSetting::<i32>::new(64);

/// The most events that one stitching transaction step takes.
pub fn batch_size() -> i64 {
    i64::from(BATCH_SIZE.get())
}

/// How often a failing batch is tried before it is halved to find the event at fault.
pub fn max_attempts() -> i32 {
    MAX_ATTEMPTS.get()
}

/// How long the launcher sleeps between looks at every database, beside being woken by commits.
pub fn naptime() -> Duration {
    milliseconds(&NAPTIME)
}

/// The most databases that are stitched at the same time.
pub fn max_workers() -> usize {
    usize::try_from(MAX_WORKERS.get()).unwrap_or(0)
}

/// How long a worker waits for more work before it leaves its database.
pub fn idle_exit() -> Duration {
    milliseconds(&IDLE_EXIT)
}

/// Batches that take longer are logged; `None`: none are.
pub fn log_min_duration() -> Option<Duration> {
    u64::try_from(LOG_MIN_DURATION.get()).ok().map(Duration::from_millis)
}

/// The longest identifier accepted.
pub fn id_limits() -> Limits {
    Limits { max_id_bytes: usize::try_from(MAX_ID_BYTES.get()).unwrap_or(0) }
}

/// The largest event accepted, in bytes of its jsonb form.
pub fn max_event_bytes() -> usize {
    usize::try_from(MAX_EVENT_BYTES.get()).unwrap_or(0)
}

/// The deepest nesting accepted; the event's own object counts as one.
pub fn max_event_depth() -> usize {
    usize::try_from(MAX_EVENT_DEPTH.get()).unwrap_or(0)
}

fn milliseconds(setting: &GucSetting<i32>) -> Duration {
    Duration::from_millis(u64::try_from(setting.get()).unwrap_or(0))
}

/// Defines every setting; called once, by `_PG_init`.
pub fn define() {
    GucRegistry::define_bool_guc(
        c"journey_stitch.enabled",
        c"Whether background workers stitch this database's events.",
        c"Can be set for one database with ALTER DATABASE. Off: only stitch_pending() stitches there.",
        &ENABLED,
        GucContext::Suset,
        GucFlags::default(),
    );
    use GucContext::{Sighup, Suset};
    let ms = GucFlags::UNIT_MS;
    let bytes = GucFlags::UNIT_BYTE;
    let none = GucFlags::default();
    let define = |name, short, long, setting, min, max, context, flags| {
        GucRegistry::define_int_guc(name, short, long, setting, min, max, context, flags);
    };
    define(
        c"journey_stitch.batch_size",
        c"The most events that one stitching step takes.",
        c"A worker commits after each batch.",
        &BATCH_SIZE,
        1,
        1_000_000,
        Suset,
        none,
    );
    define(
        c"journey_stitch.max_attempts",
        c"How often a failing batch is tried before it is halved.",
        c"Halving goes on until the events at fault are alone; those go to dead_letters.",
        &MAX_ATTEMPTS,
        1,
        100,
        Suset,
        none,
    );
    define(
        c"journey_stitch.naptime",
        c"How long the launcher sleeps between looks at every database.",
        c"Commits of ingest_events() wake it at once; this is for what no commit announces, such as prepared transactions.",
        &NAPTIME,
        100,
        3_600_000,
        Sighup,
        ms,
    );
    define(
        c"journey_stitch.max_workers",
        c"The most databases that workers stitch at the same time.",
        c"Each takes one of max_worker_processes while its database has work.",
        &MAX_WORKERS,
        1,
        64,
        Sighup,
        none,
    );
    define(
        c"journey_stitch.idle_exit",
        c"How long a worker waits for more work before it leaves its database.",
        c"Below five seconds, so that DROP DATABASE and CREATE DATABASE ... TEMPLATE do not meet an idle worker.",
        &IDLE_EXIT,
        0,
        60_000,
        Sighup,
        ms,
    );
    define(
        c"journey_stitch.log_min_duration",
        c"Batches that take at least this long are logged.",
        c"-1 logs none, 0 logs all.",
        &LOG_MIN_DURATION,
        -1,
        i32::MAX,
        Suset,
        ms,
    );
    define(
        c"journey_stitch.max_id_bytes",
        c"The longest identifier that ingest_events() accepts.",
        c"An event with a longer one goes to dead_letters with reason id_too_long.",
        &MAX_ID_BYTES,
        36,
        1000,
        Suset,
        bytes,
    );
    define(
        c"journey_stitch.max_event_bytes",
        c"The largest event that ingest_events() accepts.",
        c"A larger one goes to dead_letters with reason too_large.",
        &MAX_EVENT_BYTES,
        1024,
        i32::MAX,
        Suset,
        bytes,
    );
    define(
        c"journey_stitch.max_event_depth",
        c"The deepest nesting of an event that ingest_events() accepts.",
        c"A deeper one goes to dead_letters with reason too_deep.",
        &MAX_EVENT_DEPTH,
        2,
        1000,
        Suset,
        none,
    );
}
