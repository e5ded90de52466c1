//! The extension's own sequences, drawn from without a statement for each number.

use std::ffi::CStr;

use pgrx::prelude::*;

use crate::catalog::relation;
use crate::error::Error;

pub struct Sequence(pg_sys::Oid);

impl Sequence {
    /// A sequence of schema journey_stitch.
    pub fn open(name: &CStr) -> Result<Self, Error> {
        relation(c"journey_stitch", name).map(Sequence).ok_or(Error::Missing("sequence"))
    }

    /// The next number. Gaps are normal, as with any sequence.
    pub fn next(&self) -> i64 {
        // SAFETY: nextval_oid takes a relation's oid and returns a bigint; it checks the caller's rights.
        unsafe { pgrx::direct_function_call::<i64>(pg_sys::nextval_oid, &[Some(self.0.into())]) }
            .unwrap_or_else(|| error!("nextval returned NULL"))
    }
}
