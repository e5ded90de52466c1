//! Which rollups and which raw events an interval of time consists of.
//!
//! Rollups exist for whole UTC days and for UTC half hours. The midnights of nearly every inhabited
//! zone fall on a UTC half hour, so a local day is a few rollups and no events. The exceptions (+5:45,
//! +8:45, +12:45, and local mean times before 1972) cost at most half an hour of raw events at each edge.
//!
//! Times are microseconds since the Unix epoch, negative before 1970. Intervals are half-open: [from,
//! until).

/// The length of the time slots that a rollup is kept for. Slots are aligned to the Unix epoch in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// Half an hour.
    HalfHour,
    /// A UTC day.
    Day,
}

impl Grain {
    /// The length of a slot in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Grain::HalfHour => 30 * 60 * 1_000_000,
            Grain::Day => 24 * 60 * 60 * 1_000_000,
        }
    }

    /// The start of the slot that holds the time `t`, that is the last start that is not after it.
    ///
    /// If that is before the smallest `i64` (year −290308): the smallest, which starts no slot.
    pub const fn floor(self, t: i64) -> i64 {
        t.saturating_sub(t.rem_euclid(self.micros()))
    }

    /// The first start of a slot that is not before the time `t`.
    ///
    /// If that is after the greatest `i64` (year 294247): the greatest, which starts no slot.
    pub const fn ceil(self, t: i64) -> i64 {
        match t.rem_euclid(self.micros()) {
            0 => t,
            past => t.saturating_add(self.micros() - past),
        }
    }

    /// The whole slots inside [from, until), as one interval; None if there is none.
    fn slots_within(self, from: i64, until: i64) -> Option<(i64, i64)> {
        let (first, end) = (self.ceil(from), self.floor(until));
        (first < end).then_some((first, end))
    }
}

/// A piece of an interval of time, and where its numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// One or more whole slots: the rollups of this grain that start in [from, until).
    Rollup {
        /// Which rollups.
        grain: Grain,
        /// The start of the first slot.
        from: i64,
        /// The end of the last slot.
        until: i64,
    },
    /// Not a whole slot of any grain: the raw events that occurred in [from, until).
    Events {
        /// The first microsecond.
        from: i64,
        /// The microsecond after the last.
        until: i64,
    },
}

/// Cuts [from, until) into the fewest spans that read days where there are whole days, half hours where
/// there are whole half hours beside them, and raw events for the rest.
///
/// The spans follow one another without a gap, in order of time; there are at most five. Nothing if
/// `until` is not after `from`. Any two `i64` are fine, the extremes too.
pub fn cover(from: i64, until: i64) -> Vec<Span> {
    // A missing part is an empty one at the end of what it would have lain in, so that the five pieces
    // below follow one another in every case.
    let (half_hours_from, half_hours_until) =
        Grain::HalfHour.slots_within(from, until).unwrap_or((until, until));
    let (days_from, days_until) =
        Grain::Day.slots_within(from, until).unwrap_or((half_hours_until, half_hours_until));

    let rollup = |grain, from, until| Span::Rollup { grain, from, until };
    [
        (from < half_hours_from, Span::Events { from, until: half_hours_from }),
        (half_hours_from < days_from, rollup(Grain::HalfHour, half_hours_from, days_from)),
        (days_from < days_until, rollup(Grain::Day, days_from, days_until)),
        (days_until < half_hours_until, rollup(Grain::HalfHour, days_until, half_hours_until)),
        (half_hours_until < until, Span::Events { from: half_hours_until, until }),
    ]
    .into_iter()
    .filter_map(|(is_there, span)| is_there.then_some(span))
    .collect()
}
