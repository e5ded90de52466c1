use std::collections::BTreeSet;

use journey_stitch::queue::ranges::rows;
use proptest::prelude::*;

/// The ids that a multirange's text covers.
fn ids(text: &str) -> Vec<i64> {
    text.trim_matches(['{', '}'])
        .split("),")
        .flat_map(|range| {
            let (from, until) = range.trim_matches(['[', ')']).split_once(',').expect("a range has a comma");
            from.parse::<i64>().expect("a number")..until.parse::<i64>().expect("a number")
        })
        .collect()
}

#[test]
fn consecutive_ids_make_one_range() {
    assert_eq!(rows(&[1, 2, 3], |_| true, 10), [("{[1,4)}".to_owned(), 3)]);
}

#[test]
fn ids_of_other_calls_split_a_range() {
    assert_eq!(rows(&[1, 2, 5], |_| true, 10), [("{[1,3),[5,6)}".to_owned(), 3)]);
}

#[test]
fn duplicates_stay_inside_but_make_no_row() {
    assert_eq!(rows(&[1, 2, 3], |id| id != 2, 10), [("{[1,4)}".to_owned(), 2)]);
    assert!(rows(&[1, 2, 3], |_| false, 10).is_empty());
    assert!(rows(&[], |_| true, 10).is_empty());
}

proptest! {
    #[test]
    fn rows_cover_exactly_the_events(
        drawn in proptest::collection::btree_set(1i64..200, 0..80),
        duplicates in proptest::collection::btree_set(1i64..200, 0..80),
        size in 1usize..10,
    ) {
        let drawn: Vec<i64> = drawn.into_iter().collect();
        let events: BTreeSet<i64> = drawn.iter().copied().filter(|id| !duplicates.contains(id)).collect();
        let rows = rows(&drawn, |id| events.contains(&id), size);
        let mut seen = BTreeSet::new();
        for (text, count) in &rows {
            let covered = ids(text);
            prop_assert!(covered.iter().all(|id| drawn.contains(id)), "an id of another call in {text}");
            let of_row: Vec<i64> = covered.into_iter().filter(|id| events.contains(id)).collect();
            prop_assert_eq!(of_row.len(), *count as usize);
            prop_assert!(of_row.len() <= size);
            for id in of_row {
                prop_assert!(seen.insert(id), "event {} is in two rows", id);
            }
        }
        prop_assert_eq!(seen, events);
    }
}
