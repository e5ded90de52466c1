//! Units of the calendar, against the rules of the Gregorian calendar written out.

use journey_stitch::analytics::units::Unit;
use proptest::prelude::*;

/// Days from 2000-01-01 to a date.
fn days(year: i32, month: i32, day: i32) -> i32 {
    let leap = |year: i32| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let of_year = |year: i32| if leap(year) { 366 } else { 365 };
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: i32 =
        if year >= 2000 { (2000..year).map(of_year).sum() } else { -(year..2000).map(of_year).sum::<i32>() };
    years + lengths[..month as usize - 1].iter().sum::<i32>() + day - 1
}

#[test]
fn months_end_where_they_end() {
    let after = |from, count| Unit::Month.after(from, count);
    assert_eq!(after(days(2024, 1, 31), 1), Some(days(2024, 2, 29)));
    assert_eq!(after(days(2023, 1, 31), 1), Some(days(2023, 2, 28)));
    assert_eq!(after(days(2024, 1, 31), 2), Some(days(2024, 3, 31)));
    assert_eq!(after(days(2024, 1, 15), -1), Some(days(2023, 12, 15)));
    assert_eq!(after(days(2024, 2, 29), 12), Some(days(2025, 2, 28)));
    assert_eq!(after(days(1999, 12, 1), 1), Some(0));
    assert_eq!(Unit::Month.floor(days(2024, 2, 29)), Some(days(2024, 2, 1)));
}

#[test]
fn weeks_begin_on_mondays() {
    // 2024-05-06 was a Monday.
    let monday = days(2024, 5, 6);
    for day in 0..7 {
        assert_eq!(Unit::Week.floor(monday + day), Some(monday));
    }
    assert_eq!(Unit::Week.floor(monday - 1), Some(monday - 7));
    assert_eq!(Unit::Week.after(monday, 3), Some(monday + 21));
    assert_eq!((Unit::Day.after(5, -7), Unit::Day.floor(5)), (Some(-2), Some(5)));
}

#[test]
fn out_of_range_is_said() {
    assert_eq!(Unit::Day.after(i32::MAX, 1), None);
    assert_eq!(Unit::Week.after(0, i32::MAX), None);
    assert_eq!(Unit::Month.after(0, i32::MAX), None);
    assert_eq!(Unit::Month.floor(i32::MAX), None);
}

proptest! {
    #[test]
    fn months_count_up(year in 1..9000, month in 1..13, day in 1..29, count in 0..5000_i32) {
        let months = year * 12 + month - 1 + count;
        prop_assert_eq!(
            Unit::Month.after(days(year, month, day), count),
            Some(days(months / 12, months % 12 + 1, day))
        );
    }
}

#[test]
fn months_after_the_year_9999() {
    let last = days(9999, 12, 31);
    assert_eq!(Unit::Month.after(last, 1), Some(last + 31));
    assert_eq!(Unit::Month.after(last, 2), Some(last + 31 + 29));
    assert_eq!(Unit::Month.after(last, 1428).map(|date| date - last), Some(43_464));
    assert_eq!(Unit::Month.after(days(8000, 1, 31), 1), Some(days(8000, 2, 29)));
    assert_eq!(Unit::Month.floor(last), Some(days(9999, 12, 1)));
}
