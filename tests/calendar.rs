//! How an interval of time is cut into rollups and raw events.

use journey_stitch::analytics::calendar::Span::{self, Events, Rollup};
use journey_stitch::analytics::calendar::{Grain, cover};
use proptest::prelude::*;

const MINUTE: i64 = 60_000_000;
const HALF_HOUR: i64 = 30 * MINUTE;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 0001-01-01 and 10000-01-01.
const YEARS: std::ops::Range<i64> = -719_162 * DAY..2_932_897 * DAY;

fn days(from: i64, until: i64) -> Span {
    Rollup { grain: Grain::Day, from, until }
}

fn half_hours(from: i64, until: i64) -> Span {
    Rollup { grain: Grain::HalfHour, from, until }
}

fn bounds(span: &Span) -> (i64, i64) {
    match *span {
        Rollup { from, until, .. } | Events { from, until } => (from, until),
    }
}

#[test]
fn whole_days_are_one_span() {
    assert_eq!(cover(0, DAY), [days(0, DAY)]);
    assert_eq!(cover(-30 * DAY, 5 * DAY), [days(-30 * DAY, 5 * DAY)]);
    // 2024-02-29 to 2024-03-02, from the calendar.
    let leap_day = 1_709_164_800_000_000;
    assert_eq!(cover(leap_day, leap_day + 2 * DAY), [days(leap_day, leap_day + 2 * DAY)]);
}

#[test]
fn a_local_day_of_a_half_hour_zone_needs_no_events() {
    // A day and a week in India, +5:30.
    let midnight = DAY - 5 * HOUR - HALF_HOUR;
    assert_eq!(cover(midnight, midnight + DAY), [half_hours(midnight, midnight + DAY)]);
    assert_eq!(
        cover(midnight, midnight + 7 * DAY),
        [half_hours(midnight, DAY), days(DAY, 7 * DAY), half_hours(7 * DAY, midnight + 7 * DAY)]
    );
}

#[test]
fn a_local_day_of_nepal_needs_events_at_its_edges() {
    let midnight = DAY - 5 * HOUR - 45 * MINUTE;
    let (first, last) = (midnight + 15 * MINUTE, midnight + DAY - 15 * MINUTE);
    assert_eq!(
        cover(midnight, midnight + DAY),
        [
            Events { from: midnight, until: first },
            half_hours(first, last),
            Events { from: last, until: midnight + DAY }
        ]
    );
}

#[test]
fn all_five_kinds_of_pieces_in_order() {
    assert_eq!(
        cover(-DAY - HOUR - 1, 2 * DAY + HALF_HOUR + 1),
        [
            Events { from: -DAY - HOUR - 1, until: -DAY - HOUR },
            half_hours(-DAY - HOUR, -DAY),
            days(-DAY, 2 * DAY),
            half_hours(2 * DAY, 2 * DAY + HALF_HOUR),
            Events { from: 2 * DAY + HALF_HOUR, until: 2 * DAY + HALF_HOUR + 1 },
        ]
    );
}

#[test]
fn short_intervals_are_events_alone() {
    for (from, until) in
        [(0, 1), (-1, 1), (0, HALF_HOUR - 1), (1, HALF_HOUR), (-1, 0), (1, 2 * HALF_HOUR - 1)]
    {
        assert_eq!(cover(from, until), [Events { from, until }]);
    }
    // Over a midnight, with less than half an hour on either side.
    assert_eq!(cover(DAY - MINUTE, DAY + MINUTE), [Events { from: DAY - MINUTE, until: DAY + MINUTE }]);
}

#[test]
fn empty_and_reversed_intervals_are_nothing() {
    for (from, until) in [(0, 0), (5, 5), (DAY, 0), (i64::MAX, i64::MIN), (i64::MIN, i64::MIN)] {
        assert_eq!(cover(from, until), []);
    }
}

#[test]
fn floor_and_ceil_at_and_around_the_starts_of_slots() {
    for (grain, length) in [(Grain::Day, DAY), (Grain::HalfHour, HALF_HOUR)] {
        assert_eq!(grain.micros(), length);
        for start in [-3 * length, -length, 0, length, 7 * length] {
            assert_eq!((grain.floor(start), grain.ceil(start)), (start, start));
            assert_eq!((grain.floor(start + 1), grain.ceil(start + 1)), (start, start + length));
            assert_eq!((grain.floor(start - 1), grain.ceil(start - 1)), (start - length, start));
        }
        assert_eq!((grain.floor(i64::MIN), grain.ceil(i64::MAX)), (i64::MIN, i64::MAX));
    }
}

/// Cuts at every half hour, says of each piece on its own where its numbers come from, and joins
/// neighbours of the same kind: no cover has fewer spans.
fn cover_piece_by_piece(from: i64, until: i64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut at = from;
    while at < until {
        let next = (at.div_euclid(HALF_HOUR) * HALF_HOUR + HALF_HOUR).min(until);
        let midnight = at.div_euclid(DAY) * DAY;
        let piece = if midnight >= from && midnight + DAY <= until {
            days(at, next)
        } else if next - at == HALF_HOUR {
            half_hours(at, next)
        } else {
            Events { from: at, until: next }
        };
        match (spans.last_mut(), piece) {
            (Some(Rollup { grain: last, until: end, .. }), Rollup { grain, .. }) if *last == grain => {
                *end = next
            }
            (Some(Events { until: end, .. }), Events { .. }) => *end = next,
            _ => spans.push(piece),
        }
        at = next;
    }
    spans
}

/// Times at, just beside and anywhere between the boundaries.
fn time(range: std::ops::Range<i64>) -> impl Strategy<Value = i64> {
    let step = prop_oneof![Just(DAY), Just(HALF_HOUR), Just(15 * MINUTE), Just(1)];
    (range, step, -1i64..=1).prop_map(|(t, step, beside)| t.div_euclid(step) * step + beside)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn spans_are_adjacent_aligned_and_cover_exactly(
        from in prop_oneof![time(YEARS), any::<i64>()],
        until in prop_oneof![time(YEARS), any::<i64>()],
    ) {
        let (from, until) = (from.min(until), from.max(until));
        let spans = cover(from, until);
        prop_assert!(spans.len() <= 5);
        let mut at = from;
        for span in &spans {
            let (start, end) = bounds(span);
            prop_assert_eq!(start, at);
            prop_assert!(start < end);
            match span {
                Rollup { grain, .. } => {
                    prop_assert_eq!((start % grain.micros(), end % grain.micros()), (0, 0));
                }
                Events { .. } => prop_assert!(end - start < 2 * HALF_HOUR),
            }
            at = end;
        }
        prop_assert_eq!(at, until);
    }

    #[test]
    fn spans_are_the_fewest(from in time(YEARS), length in time(0..4 * DAY)) {
        prop_assert_eq!(cover(from, from + length), cover_piece_by_piece(from, from + length));
    }

    #[test]
    fn floor_and_ceil_are_the_nearest_starts(t in time(YEARS)) {
        for grain in [Grain::Day, Grain::HalfHour] {
            let (floor, ceil) = (grain.floor(t), grain.ceil(t));
            prop_assert!(floor <= t && t <= ceil);
            prop_assert!(t - floor < grain.micros() && ceil - t < grain.micros());
            prop_assert_eq!((floor % grain.micros(), ceil % grain.micros()), (0, 0));
        }
    }
}
