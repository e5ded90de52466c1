//! How long to wait before trying again what has failed.
//!
//! Used for both: the next attempt at a failing batch (`pending.attempts` → `next_attempt_at`) and the
//! next start of a worker that ended in an error.

use std::time::Duration;

/// The longest delay: what has been failing for long is still tried this often.
pub const LONGEST_DELAY: Duration = Duration::from_secs(5 * 60);

/// The delay before the next attempt, after so many attempts that failed in a row: none at first (0 →
/// zero), then 1 s, 2 s, 4 s … doubling up to [`LONGEST_DELAY`]. Every number of attempts is fine.
pub fn delay(attempts: u32) -> Duration {
    let Some(doublings) = attempts.checked_sub(1) else { return Duration::ZERO };
    match 1u64.checked_shl(doublings) {
        Some(seconds) => Duration::from_secs(seconds).min(LONGEST_DELAY),
        None => LONGEST_DELAY,
    }
}
