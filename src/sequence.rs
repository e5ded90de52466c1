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

/// A sequence that is drawn from by blocks: as each draw takes it on by its increment, all numbers up to the next one
/// are whoever's drew.
pub struct Blocks {
    sequence: Sequence,
    increment: i64,
}

impl Blocks {
    /// The sequence with that oid, and what pg_sequence says of its increment.
    pub fn of(sequence: pg_sys::Oid, increment: i64) -> Self {
        Blocks { sequence: Sequence(sequence), increment: increment.max(1) }
    }

    /// `count` numbers that nobody else gets.
    pub fn numbers(&self, count: usize) -> impl Iterator<Item = i64> {
        let draws = count.div_ceil(self.increment as usize);
        (0..draws).flat_map(|_| {
            let first = self.sequence.next();
            first..first + self.increment
        })
    }
}
