//! The functions of the SQL surface: each checks its arguments, asks [`reader`](super::reader), and has one of the
//! pure modules compute what is not a set operation.

pub mod active_users;
pub mod before;
pub mod breakdown;
pub mod funnel;
pub mod paths;
pub mod pictures;
pub mod retention;
pub mod sessions;
pub mod top_events;
pub mod user_stats;

use pgrx::prelude::*;

use crate::error::Error;

/// A count, as SQL has it.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A share in percent with one decimal, halves rounded up; `None` of nothing.
fn percent(part: u64, whole: u64) -> Result<Option<AnyNumeric>, Error> {
    ratio(part.saturating_mul(100), whole, 1)
}

/// A ratio with some decimals, halves rounded up; `None` of nothing.
fn ratio(part: u64, whole: u64, decimals: u32) -> Result<Option<AnyNumeric>, Error> {
    if whole == 0 {
        return Ok(None);
    }
    let scale = 10_u128.pow(decimals);
    let scaled = (u128::from(part) * scale * 2 + u128::from(whole)) / (2 * u128::from(whole));
    let text = format!("{}.{:0width$}", scaled / scale, scaled % scale, width = decimals as usize);
    AnyNumeric::try_from(text.as_str()).map(Some).map_err(|_| Error::Missing("numeric for a ratio"))
}
