//! Only in builds with the feature `waitpoints`, for tests: a batch stops, or fails, where the settings say,
//! between two of its steps.

use std::ffi::CString;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::prelude::*;

static STEP: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static FAILS: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Whoever holds this advisory lock keeps a batch at its waitpoint.
const LOCK: i64 = 4_242_424_242;

pub fn define() {
    GucRegistry::define_string_guc(
        c"journey_stitch.waitpoint",
        c"The step of a batch before which it stops while advisory lock 4242424242 is held.",
        c"For tests.",
        &STEP,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"journey_stitch.waitpoint_fails",
        c"Whether a batch fails at its waitpoint, instead of waiting.",
        c"For tests.",
        &FAILS,
        GucContext::Suset,
        GucFlags::default(),
    );
}

/// A batch is before this step.
pub fn reach(step: &str) {
    if STEP.get().is_none_or(|wanted| wanted.to_bytes() != step.as_bytes()) {
        return;
    }
    if FAILS.get() {
        ereport!(ERROR, PgSqlErrorCode::ERRCODE_CHECK_VIOLATION, format!("failed at waitpoint {step}"));
    }
    // SAFETY: both functions take one bigint.
    unsafe {
        let lock = [LOCK.into_datum()];
        pgrx::direct_function_call::<()>(pg_sys::pg_advisory_lock_shared_int8, &lock);
        pgrx::direct_function_call::<bool>(pg_sys::pg_advisory_unlock_shared_int8, &lock);
    }
}
