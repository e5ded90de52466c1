//! What the launcher and the workers share as processes: signals, waiting, time.

use std::ffi::CStr;
use std::time::Duration;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

unsafe extern "C" {
    /// PostgreSQL's own handler of SIGTERM. pgrx's only sets a flag, which a statement that runs or waits
    /// never looks at; this one makes CHECK_FOR_INTERRUPTS end the process. (Declared here, because the
    /// generated binding has Rust's unwinding ABI, which a signal handler must not have.)
    fn die(signal: i32);
    fn SignalHandlerForConfigReload(signal: i32);
    fn pqsignal(signal: i32, handler: unsafe extern "C" fn(i32)) -> *mut std::ffi::c_void;
}

/// Installs the signal handlers and lets signals in.
pub fn take_signals() {
    // SAFETY: both handlers are PostgreSQL's own, made for backends; signals are blocked until they stand.
    unsafe {
        pqsignal(pg_sys::SIGTERM as i32, die);
        pqsignal(pg_sys::SIGHUP as i32, SignalHandlerForConfigReload);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Has a function called when the process ends, whyever, but for a crash.
pub fn at_exit(function: unsafe extern "C-unwind" fn(i32, pg_sys::Datum)) {
    // SAFETY: the function is one of ours and guarded.
    unsafe { pg_sys::before_shmem_exit(Some(function), pg_sys::Datum::from(0)) }
}

/// Reloads the configuration if SIGHUP asked for it. Not while a transaction runs.
pub fn reload_if_asked() {
    // SAFETY: the flag is set by the handler installed above.
    unsafe {
        if (&raw const pg_sys::ConfigReloadPending).read_volatile() != 0 {
            (&raw mut pg_sys::ConfigReloadPending).write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Whether nobody else wants this database without other sessions in it. DROP DATABASE, ALTER DATABASE …
/// RENAME and CREATE DATABASE … TEMPLATE lock it before they look who is connected, and give up after five
/// seconds; held until the transaction ends, this lock makes them wait for the batch before they look.
pub fn holds_database() -> bool {
    // SAFETY: locks a shared object without waiting.
    unsafe {
        pg_sys::ConditionalLockSharedObject(
            pg_sys::DatabaseRelationId,
            pg_sys::MyDatabaseId,
            0,
            pg_sys::RowExclusiveLock as i32,
        )
    }
}

/// A database and where its files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub database: u32,
    pub tablespace: u32,
}

impl Place {
    /// As a background worker's argument.
    pub fn to_argument(self) -> pg_sys::Datum {
        pg_sys::Datum::from(u64::from(self.tablespace) << 32 | u64::from(self.database))
    }

    pub fn of_argument(argument: pg_sys::Datum) -> Self {
        let argument = argument.value() as u64;
        Place { database: argument as u32, tablespace: (argument >> 32) as u32 }
    }
}

/// Connects to a database, unless somebody wants it without sessions or has just dropped it, which would end
/// the process with FATAL. Under the lock of [`holds_database`], taken before there is a database to read
/// from, neither can begin; whether one has ended is told by the database's files.
pub fn connect(place: Place) -> bool {
    let tag = database_tag(place.database);
    let mode = pg_sys::RowExclusiveLock as i32;
    // SAFETY: takes a lock for the session without waiting, and looks at a path that PostgreSQL makes.
    unsafe {
        if pg_sys::LockAcquire(&tag, mode, true, true) == pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL {
            return false;
        }
        let path = pg_sys::GetDatabasePath(place.database.into(), place.tablespace.into());
        let path = CStr::from_ptr(path).to_string_lossy();
        if !std::path::Path::new(&format!("{path}/PG_VERSION")).exists() {
            pg_sys::LockRelease(&tag, mode, true);
            return false;
        }
    }
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(pg_sys::Oid::from(place.database)), None);
    // SAFETY: this session holds the lock.
    unsafe { pg_sys::LockRelease(&tag, mode, true) };
    true
}

/// As SET_LOCKTAG_OBJECT makes it for a database.
fn database_tag(database: u32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: 0,
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

/// Sets a setting for the session.
pub fn set(name: &CStr, value: &CStr) {
    // SAFETY: two C strings, and settings that anybody may set.
    unsafe {
        let context = pg_sys::GucContext::PGC_USERSET;
        let source = pg_sys::GucSource::PGC_S_SESSION;
        pg_sys::SetConfigOption(name.as_ptr(), value.as_ptr(), context, source);
    }
}

/// What pg_stat_activity shows as the wait event of launcher and workers that have nothing to do.
fn idle_wait_event() -> u32 {
    thread_local! {
        // SAFETY: finds or makes the event of that name.
        static EVENT: u32 = unsafe { pg_sys::WaitEventExtensionNew(c"JourneyStitchIdle".as_ptr()) };
    }
    EVENT.with(|event| *event)
}

/// Waits until the latch is set or the time is over; true: the time is over. The only wait of a loop,
/// because it resets the latch.
pub fn wait(time: Duration) -> bool {
    let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: MyLatch is this process's own.
    let happened = unsafe {
        let happened = pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, milliseconds, idle_wait_event());
        pg_sys::ResetLatch(pg_sys::MyLatch);
        happened
    };
    pgrx::check_for_interrupts!();
    happened & pg_sys::WL_TIMEOUT as i32 != 0
}

/// Does nothing for a while, whatever news there are.
pub fn pause(time: Duration) {
    let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let events = pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: without a latch there is only the time to wait for.
    unsafe {
        pg_sys::WaitLatch(std::ptr::null_mut(), events as i32, milliseconds, idle_wait_event());
    }
    pgrx::check_for_interrupts!();
}

/// Ends the process if the postmaster has ended. For loops that work without ever waiting.
pub fn exit_if_orphaned() {
    let events = pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: a look that does not wait, and leaves the latch alone.
    unsafe { pg_sys::WaitLatch(std::ptr::null_mut(), events as i32, 0, idle_wait_event()) };
}

/// Runs work in a transaction of its own. An error ends the process: the work raises what it returns.
pub fn transaction<T, E: Into<ErrorReport>>(work: impl FnOnce() -> Result<T, E>) -> T {
    let work = std::panic::AssertUnwindSafe(work);
    BackgroundWorker::transaction(std::panic::AssertUnwindSafe(move || {
        // Moves the whole wrapper into the closure, not the field that it wraps.
        let work = work;
        (work.0)().map_err(Into::into).unwrap_or_report()
    }))
}

/// Now, in the server's timestamps (microseconds).
pub fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// A time after `now`.
pub fn after(now: i64, delay: Duration) -> i64 {
    now.saturating_add(i64::try_from(delay.as_micros()).unwrap_or(i64::MAX))
}

/// How long it is until `due`.
pub fn until(now: i64, due: i64) -> Duration {
    Duration::from_micros(u64::try_from(due.saturating_sub(now)).unwrap_or(0)).max(Duration::from_millis(1))
}

/// Shows in pg_stat_activity what the process does; `None`: nothing.
pub fn report_activity(activity: Option<&str>) {
    let text = activity.and_then(|text| std::ffi::CString::new(text).ok());
    let state = match text {
        Some(_) => pg_sys::BackendState::STATE_RUNNING,
        None => pg_sys::BackendState::STATE_IDLE,
    };
    // SAFETY: the text is copied.
    unsafe { pg_sys::pgstat_report_activity(state, text.as_ref().map_or(std::ptr::null(), |t| t.as_ptr())) }
}
