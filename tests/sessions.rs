//! Sessions, held against their definition.

use journey_stitch::analytics::sessions::sessions;
use proptest::collection::vec;
use proptest::prelude::*;
use std::ops::Range;

/// How many events each session has.
fn lengths(times: &[i64], timeout: i64, max_duration: i64) -> Vec<usize> {
    sessions(times, timeout, max_duration).map(|session| session.len()).collect()
}

/// The number of the session of each event.
fn numbers(sessions: &[Range<usize>]) -> Vec<usize> {
    sessions.iter().enumerate().flat_map(|(number, session)| session.clone().map(move |_| number)).collect()
}

#[test]
fn no_events_have_no_sessions() {
    assert_eq!(lengths(&[], 10, 100), [0; 0]);
    assert_eq!(lengths(&[5], 10, 100), [1]);
}

#[test]
fn a_gap_longer_than_the_timeout_ends_a_session() {
    assert_eq!(lengths(&[0, 10, 20], 10, 100), [3]);
    assert_eq!(lengths(&[0, 11, 21], 10, 100), [1, 2]);
    assert_eq!(lengths(&[0, 0, 1, 1], 0, 100), [2, 2]);
}

#[test]
fn a_session_lasts_no_longer_than_it_may() {
    assert_eq!(lengths(&[0, 10, 20, 30], 10, 30), [4]);
    assert_eq!(lengths(&[0, 10, 20, 31], 20, 30), [3, 1]);
    // It is the session's first event that counts, not that of all.
    assert_eq!(lengths(&[0, 10, 21, 31, 42, 52], 20, 30), [3, 3]);
    // Events of one moment are never too far apart.
    assert_eq!(lengths(&[7, 7, 7], 0, 0), [3]);
}

#[test]
fn times_may_be_any() {
    assert_eq!(lengths(&[i64::MIN, i64::MAX], i64::MAX, i64::MAX), [2]);
    assert_eq!(lengths(&[i64::MIN, i64::MAX], i64::MAX - 1, i64::MAX), [1, 1]);
    assert_eq!(lengths(&[i64::MIN, i64::MAX], i64::MAX, i64::MAX - 1), [1, 1]);
    assert_eq!(lengths(&[i64::MIN, i64::MIN, -1, i64::MAX], i64::MAX, i64::MAX), [4]);
    assert_eq!(lengths(&[i64::MIN, 0, i64::MAX], i64::MAX, i64::MAX - 1), [1, 1, 1]);
}

/// Times of visits: some close together, some far apart.
fn times() -> impl Strategy<Value = Vec<i64>> {
    vec(prop_oneof![3 => 0..4i64, 1 => 4..12i64], 0..40).prop_map(|gaps| {
        let mut now = -20;
        let times = gaps.iter().map(|gap| {
            now += gap;
            now
        });
        times.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_event_is_in_the_session_of_its_definition(
        times in times(),
        timeout in 0..8i64,
        max_duration in 0..25i64,
    ) {
        let sessions: Vec<Range<usize>> = sessions(&times, timeout, max_duration).collect();
        // Each event by itself, with the number and the first time of the session that it finds.
        let (mut number, mut first) = (0, 0);
        let mut expected = Vec::new();
        for (n, &time) in times.iter().enumerate() {
            if n == 0 {
                first = time;
            } else if time > times[n - 1] + timeout || time > first + max_duration {
                number += 1;
                first = time;
            }
            expected.push(number);
        }
        prop_assert_eq!(numbers(&sessions), expected);
        // Nothing is left out or there twice, and no session is empty.
        let indexes: Vec<usize> = sessions.iter().cloned().flatten().collect();
        prop_assert_eq!(indexes, (0..times.len()).collect::<Vec<_>>());
        prop_assert!(sessions.iter().all(|session| !session.is_empty()));
    }
}
