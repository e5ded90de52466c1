//! Which rollups an interval of time consists of: sets and counts for the whole UTC days, the timeline for
//! the rest.
//!
//! Times are microseconds since the Unix epoch, negative before 1970. Intervals are half-open: [from,
//! until).

/// The length of a UTC day.
pub const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The start of the UTC day that holds the time `t`.
///
/// If that is before the smallest `i64` (year −290308): the smallest, which starts no day.
pub const fn day_floor(t: i64) -> i64 {
    t.saturating_sub(t.rem_euclid(DAY_MICROS))
}

/// The first start of a UTC day that is not before the time `t`.
///
/// If that is after the greatest `i64` (year 294247): the greatest, which starts no day.
pub const fn day_ceil(t: i64) -> i64 {
    match t.rem_euclid(DAY_MICROS) {
        0 => t,
        past => t.saturating_add(DAY_MICROS - past),
    }
}

/// What consecutive slices of time consist of, as intervals in order of time, the longest possible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cover {
    /// UTC days that lie whole in one slice: their rollups say all of it.
    pub days: Vec<(i64, i64)>,
    /// The rest: parts of days that slices cut.
    pub parts: Vec<(i64, i64)>,
}

/// Covers the slices [bounds[0], bounds[1]), [bounds[1], bounds[2]), … Bounds ascend; any `i64` is fine.
pub fn cover(bounds: &[i64]) -> Cover {
    let mut cover = Cover::default();
    for slice in bounds.windows(2) {
        let (from, until) = (slice[0], slice[1]);
        let (first, end) = (day_ceil(from), day_floor(until));
        if first < end {
            push(&mut cover.parts, from, first);
            push(&mut cover.days, first, end);
            push(&mut cover.parts, end, until);
        } else {
            push(&mut cover.parts, from, until);
        }
    }
    cover
}

/// Adds an interval, if there is anything in it, to the last one if that ends where it begins.
fn push(intervals: &mut Vec<(i64, i64)>, from: i64, until: i64) {
    match intervals.last_mut() {
        _ if from >= until => {}
        Some(last) if last.1 == from => last.1 = until,
        _ => intervals.push((from, until)),
    }
}
