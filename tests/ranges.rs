use std::collections::BTreeSet;

use journey_stitch::queue::ranges::{Row, rows};
use proptest::prelude::*;

fn row(ranges: &[(i64, i64)], events: i32) -> Row {
    Row { ranges: ranges.to_vec(), events }
}

#[test]
fn consecutive_ids_make_one_range() {
    assert_eq!(rows(&[1, 2, 3], |_| true, 10), [row(&[(1, 4)], 3)]);
}

#[test]
fn ids_of_other_calls_split_a_range() {
    assert_eq!(rows(&[1, 2, 5], |_| true, 10), [row(&[(1, 3), (5, 6)], 3)]);
}

#[test]
fn duplicates_stay_inside_but_make_no_row() {
    assert_eq!(rows(&[1, 2, 3], |id| id != 2, 10), [row(&[(1, 4)], 2)]);
    assert!(rows(&[1, 2, 3], |_| false, 10).is_empty());
    assert!(rows(&[], |_| true, 10).is_empty());
}

#[test]
fn the_text_is_a_multiranges() {
    assert_eq!(row(&[], 0).text(), "{}");
    assert_eq!(row(&[(1, 3), (5, 6)], 3).text(), "{[1,3),[5,6)}");
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
        for Row { ranges, events: count } in &rows {
            let covered: Vec<i64> = ranges.iter().flat_map(|&(from, until)| from..until).collect();
            prop_assert!(covered.iter().all(|id| drawn.contains(id)), "an id of another call in {ranges:?}");
            prop_assert!(ranges.is_sorted_by(|before, after| before.1 < after.0), "one that could be longer in {ranges:?}");
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
