//! Cuts events into sessions.

use std::ops::Range;

/// The sessions of some events, as ranges of their indexes: none of them empty, one after the other, all
/// events in one.
///
/// An event begins a new session if the one before is more than `timeout` earlier, or if the session's first
/// is more than `max_duration` earlier. `times` ascend; all are microseconds. Lengths of time that are beyond
/// `i64` are the greatest `i64`, which therefore is a timeout that never ends a session.
pub fn sessions(times: &[i64], timeout: i64, max_duration: i64) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let first = *times.get(start)?;
        let goes_on = |pair: &&[i64]| {
            pair[1].saturating_sub(pair[0]) <= timeout && pair[1].saturating_sub(first) <= max_duration
        };
        let end = start + 1 + times[start..].windows(2).take_while(goes_on).count();
        let session = start..end;
        start = end;
        Some(session)
    })
}
