//! Instants: microseconds since the Unix epoch in the pure modules, `timestamptz` (microseconds since
//! 2000) at the boundary.

use pgrx::prelude::*;

use crate::error::Error;

const UNIX_TO_POSTGRES_MICROS: i64 = 946_684_800_000_000;

/// The timestamptz of an instant.
pub fn from_unix_micros(micros: i64) -> Result<TimestampWithTimeZone, Error> {
    micros
        .checked_sub(UNIX_TO_POSTGRES_MICROS)
        .and_then(|micros| TimestampWithTimeZone::try_from(micros).ok())
        .ok_or(Error::Missing("timestamptz for an event's time"))
}

/// The same as PostgreSQL counts, unchecked.
pub fn postgres_micros(micros: i64) -> i64 {
    micros.saturating_sub(UNIX_TO_POSTGRES_MICROS)
}

/// The instant of a timestamptz.
pub fn to_unix_micros(timestamp: TimestampWithTimeZone) -> i64 {
    i64::from(timestamp).saturating_add(UNIX_TO_POSTGRES_MICROS)
}
