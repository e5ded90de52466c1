//! The sets of users as statements handle them.

use pgrx::Array;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::users;
use crate::error::Error;

/// The set of users with these numbers; NULLs are left out.
#[pg_extern(immutable, parallel_safe, strict)]
fn metric_users_set(numbers: Array<'_, i64>) -> Vec<u8> {
    users::encode(numbers.iter().flatten())
}

/// The users that are in any of the sets; NULLs are left out.
#[pg_extern(immutable, parallel_safe, strict)]
fn metric_users_union(sets: Array<'_, &[u8]>) -> Result<Vec<u8>, ErrorReport> {
    Ok(users::union(sets.iter().flatten()).map_err(Error::from)?)
}

/// How many users are in a set.
#[pg_extern(immutable, parallel_safe, strict)]
fn metric_users_count(set: &[u8]) -> Result<i64, ErrorReport> {
    Ok(users::count(set).map_err(Error::from)? as i64)
}
