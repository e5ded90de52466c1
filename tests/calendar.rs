//! How slices of time are made of whole UTC days and parts of days.

use journey_stitch::analytics::calendar::{Cover, DAY_MICROS as DAY, cover, day_ceil, day_floor};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000;

#[test]
fn whole_days_have_no_parts() {
    assert_eq!(cover(&[0, DAY]), Cover { days: vec![(0, DAY)], parts: vec![] });
    // Neighbouring days are one interval, however many slices they are.
    assert_eq!(cover(&[-DAY, 0, DAY, 3 * DAY]), Cover { days: vec![(-DAY, 3 * DAY)], parts: vec![] });
    // 2024-02-29 to 2024-03-02, from the calendar.
    let leap_day = 1_709_164_800_000_000;
    assert_eq!(
        cover(&[leap_day, leap_day + 2 * DAY]),
        Cover { days: vec![(leap_day, leap_day + 2 * DAY)], parts: vec![] }
    );
}

#[test]
fn days_of_another_zone_are_parts() {
    // Days in India, +5:30, and a week.
    let midnight = DAY - 5 * HOUR - HOUR / 2;
    let days = [midnight, midnight + DAY, midnight + 2 * DAY];
    assert_eq!(cover(&days), Cover { days: vec![], parts: vec![(midnight, midnight + 2 * DAY)] });
    assert_eq!(
        cover(&[midnight, midnight + 7 * DAY]),
        Cover { days: vec![(DAY, 7 * DAY)], parts: vec![(midnight, DAY), (7 * DAY, midnight + 7 * DAY)] }
    );
}

#[test]
fn nothing_is_covered_by_nothing() {
    assert_eq!(cover(&[]), Cover::default());
    assert_eq!(cover(&[5]), Cover::default());
    assert_eq!(cover(&[5, 5]), Cover::default());
    assert_eq!(cover(&[0, 0, DAY]), Cover { days: vec![(0, DAY)], parts: vec![] });
}

#[test]
fn extremes() {
    let all = cover(&[i64::MIN, i64::MAX]);
    assert_eq!(all.days, [(day_ceil(i64::MIN), day_floor(i64::MAX))]);
    assert_eq!(all.parts, [(i64::MIN, day_ceil(i64::MIN)), (day_floor(i64::MAX), i64::MAX)]);
    assert_eq!(day_floor(i64::MIN), i64::MIN);
    assert_eq!(day_ceil(i64::MAX), i64::MAX);
}

proptest! {
    #[test]
    fn every_slice_is_covered_once(mut bounds in prop::collection::vec(-20 * DAY..20 * DAY, 2..8), whole in any::<bool>()) {
        if whole {
            bounds.iter_mut().for_each(|bound| *bound = day_floor(*bound));
        }
        bounds.sort_unstable();
        let cover = cover(&bounds);
        // All intervals together are the whole, without overlap.
        let mut all: Vec<(i64, i64)> = cover.days.iter().chain(&cover.parts).copied().collect();
        all.sort_unstable();
        let mut at = bounds[0];
        for (from, until) in all {
            prop_assert_eq!(from, at);
            prop_assert!(from < until);
            at = until;
        }
        prop_assert_eq!(at, bounds[bounds.len() - 1]);
        // No day that is read from the rollups is cut by a bound, and no part has a day that could have been.
        for &(from, until) in &cover.days {
            prop_assert_eq!((from.rem_euclid(DAY), until.rem_euclid(DAY)), (0, 0));
            prop_assert!(bounds.iter().all(|bound| *bound <= from || *bound >= until || bound.rem_euclid(DAY) == 0));
        }
        for &(from, until) in &cover.parts {
            let mut day = day_ceil(from);
            while day + DAY <= until {
                prop_assert!(bounds.iter().any(|bound| day < *bound && *bound < day + DAY));
                day += DAY;
            }
        }
    }

    #[test]
    fn floor_and_ceil_enclose(t in any::<i64>()) {
        prop_assert!(day_floor(t) <= t && t <= day_ceil(t));
        prop_assert!(t - day_floor(t) < DAY || day_floor(t) == i64::MIN);
        prop_assert_eq!(day_floor(t) == t, day_ceil(t) == t);
    }
}
