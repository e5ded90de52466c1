//! Runs a piece of work so that its failure undoes that work and nothing else, as a PL/pgSQL block with
//! an EXCEPTION clause does. (pgrx's `PgTryBuilder` alone undoes nothing.)

use std::panic::AssertUnwindSafe;

use pgrx::PgTryBuilder;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::prelude::*;

/// An error that was caught.
#[derive(Debug)]
pub struct Failure {
    pub sqlstate: String,
    pub message: String,
    code: PgSqlErrorCode,
}

impl Failure {
    fn new(code: PgSqlErrorCode, message: &str) -> Self {
        Failure { sqlstate: sqlstate(code), message: message.to_owned(), code }
    }

    /// Whether the surroundings failed (a lock, a full disk, a missing table or right, a shutdown …), so that
    /// the same work may well succeed later: SQLSTATE classes 08, 25, 40, 42, 53, 55, 57 and 58.
    pub fn is_transient(&self) -> bool {
        ["08", "25", "40", "42", "53", "55", "57", "58"].iter().any(|class| self.sqlstate.starts_with(class))
    }

    /// Whether somebody cancelled the statement.
    pub fn is_cancel(&self) -> bool {
        self.code == PgSqlErrorCode::ERRCODE_QUERY_CANCELED
    }
}

/// Runs `work` in a subtransaction: kept if it returns Ok, undone if it returns Err or raises an ERROR.
pub fn run<T, E: Into<ErrorReport>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, Failure> {
    // SAFETY: begin and end of the subtransaction pair up on every path, and the memory context and
    // resource owner of before are put back, as pl_exec.c does it. FATAL does not come through here.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| work().map_err(raise)))
            .catch_others(|caught| {
                Err(match caught {
                    CaughtError::PostgresError(report)
                    | CaughtError::ErrorReport(report)
                    | CaughtError::RustPanic { ereport: report, .. } => {
                        Failure::new(report.sql_error_code(), report.message())
                    }
                })
            })
            .execute();
        match outcome {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        outcome
    }
}

/// Runs `work` in a subtransaction that is undone whatever happens: to see what would be. What it answers must
/// not point into memory of the database. An ERROR goes on to the caller.
pub fn undone<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    // SAFETY: as in run().
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        let undo = || {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        };
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let outcome = PgTryBuilder::new(AssertUnwindSafe(work))
            .catch_others(|caught| {
                undo();
                caught.rethrow()
            })
            .execute();
        undo();
        outcome
    }
}

/// Raises an error that was returned, so that there is one place where errors are caught.
fn raise<E: Into<ErrorReport>>(error: E) -> Failure {
    let report: ErrorReport = error.into();
    report.report(PgLogLevel::ERROR);
    Failure::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, "an ERROR did not leave its function")
}

/// The five characters of an error code.
fn sqlstate(code: PgSqlErrorCode) -> String {
    // SAFETY: unpack_sql_state returns a NUL-terminated string in a static buffer.
    unsafe { std::ffi::CStr::from_ptr(pg_sys::unpack_sql_state(code as i32)) }.to_string_lossy().into_owned()
}
