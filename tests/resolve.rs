//! Which keys tie an event where not all may: each refusal by itself.

use journey_stitch::stitch::resolve::{Groups, Key, Outcome, Refusal, add_counts};

const NO_LIMIT: u32 = u32::MAX;

/// A key without any rule.
fn key(kind: &'static str, value: &'static str) -> Key<'static> {
    Key {
        kind,
        value,
        limited: None,
        priority: 100,
        stays_apart: false,
        is_quarantined: false,
        is_unmerged: false,
        is_tied: false,
    }
}

/// Keys 0, 1, 2 … of one kind without rules, in the order of their ranks.
fn keys(count: usize) -> Vec<Key<'static>> {
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"][..count].iter().map(|value| key("k", value)).collect()
}

fn limited(kind: &'static str, value: &'static str, number: u32) -> Key<'static> {
    Key { limited: Some(number), ..key(kind, value) }
}

fn outcome(tied: &[u32], refused: &[(u32, Refusal)], quarantined: &[u32]) -> Outcome {
    Outcome { tied: tied.to_vec(), refused: refused.to_vec(), quarantined: quarantined.to_vec() }
}

fn tied(tied: &[u32]) -> Outcome {
    outcome(tied, &[], &[])
}

#[test]
fn without_rules_an_event_ties_all_its_keys() {
    let mut groups = Groups::new(keys(5), vec![], NO_LIMIT);
    assert_eq!(groups.take(&[1, 0]), tied(&[0, 1]));
    assert_eq!(groups.take(&[3, 2]), tied(&[2, 3]));
    assert_ne!(groups.find(1), groups.find(3));
    assert_eq!(groups.take(&[3, 1]), tied(&[1, 3]));
    assert_eq!(groups.find(0), groups.find(2));
    assert_ne!(groups.find(0), groups.find(4));
    assert!((0..4).all(|key| groups.key(key).is_tied));
    assert!(!groups.key(4).is_tied);
}

#[test]
#[should_panic]
fn an_event_without_keys_panics() {
    Groups::new(keys(1), vec![], NO_LIMIT).take(&[]);
}

#[test]
fn the_most_important_key_comes_first() {
    let in_order = [
        Key { priority: 1, ..key("z", "z") },
        key("B", "z"),
        key("a", "10"),
        key("a", "9"),
        key("a", "Z"),
        key("a", "a"),
        key("a", "é"),
        Key { stays_apart: true, priority: 0, ..key("a", "0") },
        Key { is_quarantined: true, priority: 2, ..key("A", "1") },
        Key { is_unmerged: true, priority: 0, ..key("A", "0") },
        Key { is_unmerged: true, is_quarantined: true, stays_apart: true, ..key("A", "2") },
    ];
    for first in 0..in_order.len() as u32 {
        let later: Vec<u32> = (first + 1..in_order.len() as u32).rev().collect();
        let mut groups = Groups::new(in_order.to_vec(), vec![], NO_LIMIT);
        assert!(groups.is_before_all(first, &later), "{first}");
        for &other in &later {
            assert!(!groups.is_before_all(other, &[first]), "{other} and {first}");
        }
        if let Some((&last, others)) = later.split_first() {
            assert!(!groups.is_before_all(last, &[others, &[first]].concat()));
        }
        let event = [&later[..], &[first]].concat();
        assert_eq!(groups.take(&event).tied[0], first);
    }
    let groups = Groups::new(keys(1), vec![], NO_LIMIT);
    assert!(groups.is_before_all(0, &[]) && !groups.is_before_all(0, &[0]));
}

#[test]
fn a_limit_of_a_kind() {
    let user = |value| Key { priority: 1, ..limited("user", value, 0) };
    let keys = vec![user("1"), user("2"), user("3"), key("device", "d"), key("device", "e")];
    let mut groups = Groups::new(keys, vec![2], NO_LIMIT);
    assert_eq!(groups.take(&[3, 0]), tied(&[0, 3]));
    // So many are allowed …
    assert_eq!(groups.take(&[3, 1]), tied(&[1, 3]));
    // … and no more, by way of another key and directly. The event belongs to its first key.
    assert_eq!(groups.take(&[3, 2, 4]), outcome(&[2, 4], &[(3, Refusal::Limit(0))], &[]));
    assert_eq!(groups.take(&[0, 2]), outcome(&[0], &[(2, Refusal::Limit(0))], &[]));
    assert_eq!(groups.take(&[4, 3]), outcome(&[3], &[(4, Refusal::Limit(0))], &[]));
}

#[test]
fn a_limit_holds_among_the_keys_of_one_event() {
    let keys = vec![limited("a", "1", 0), limited("a", "2", 0), limited("a", "3", 0), key("b", "4")];
    let refused = [(1, Refusal::Limit(0)), (2, Refusal::Limit(0))];
    assert_eq!(Groups::new(keys, vec![1], NO_LIMIT).take(&[0, 1, 2, 3]), outcome(&[0, 3], &refused, &[]));
}

#[test]
fn of_several_limits_the_first_kind_is_named() {
    let in_two_groups = |limits: [u32; 3]| {
        let keys = vec![
            limited("c", "1", 2),
            limited("c", "2", 2),
            limited("b", "3", 1),
            limited("a", "4", 0),
            limited("a", "5", 0),
        ];
        let mut groups = Groups::new(keys, limits.to_vec(), NO_LIMIT);
        // One side has no b.
        assert_eq!(groups.take(&[0, 3]), tied(&[3, 0]));
        assert_eq!(groups.take(&[1, 2, 4]), tied(&[4, 2, 1]));
        groups.take(&[3, 4])
    };
    assert_eq!(in_two_groups([1, 1, 1]), outcome(&[3], &[(4, Refusal::Limit(0))], &[]));
    assert_eq!(in_two_groups([2, 1, 1]), outcome(&[3], &[(4, Refusal::Limit(2))], &[]));
    assert_eq!(in_two_groups([2, 1, 2]), tied(&[3, 4]));
}

#[test]
fn a_key_of_a_kind_that_does_not_merge_stays_where_its_first_event_is() {
    let shop = |value| Key { stays_apart: true, priority: 0, ..key("shop", value) };
    let mut groups = Groups::new(vec![key("user", "1"), key("user", "2"), shop("3"), shop("4")], vec![], 10);
    assert_eq!(groups.take(&[2, 0]), tied(&[0, 2]));
    assert_eq!(groups.take(&[2, 1]), outcome(&[1], &[(2, Refusal::StaysApart)], &[]));
    // By itself it is the first key, and takes along one that no event was tied by.
    assert_eq!(groups.take(&[2, 3]), tied(&[2, 3]));
    assert_eq!(groups.take(&[3, 1]), outcome(&[1], &[(3, Refusal::StaysApart)], &[]));
    // Other keys may unite the groups, and then it is in both.
    assert_eq!(groups.take(&[0, 1, 2]), tied(&[0, 1, 2]));
    assert_eq!(groups.take(&[1, 3]), tied(&[1, 3]));
}

#[test]
fn keys_that_do_not_merge_and_are_in_groups_of_their_own_stay_there() {
    let keys = ["1", "2"].map(|value| Key { stays_apart: true, ..key("shop", value) });
    let mut groups = Groups::new(keys.to_vec(), vec![], NO_LIMIT);
    assert_eq!(groups.take(&[0]), tied(&[0]));
    assert_eq!(groups.take(&[1]), tied(&[1]));
    assert_eq!(groups.take(&[1, 0]), outcome(&[0], &[(1, Refusal::StaysApart)], &[]));
}

#[test]
fn a_key_that_does_not_merge_and_may_not_be_taken_along_is_free_for_the_next_event() {
    let shop = |value| Key { stays_apart: true, ..limited("shop", value, 0) };
    let held = Key { is_quarantined: true, ..shop("5") };
    let keys = vec![key("user", "1"), key("user", "2"), shop("3"), shop("4"), held];
    let mut groups = Groups::new(keys, vec![1], NO_LIMIT);
    assert_eq!(groups.take(&[0, 2]), tied(&[0, 2]));
    let refused = [(3, Refusal::StaysApart), (4, Refusal::Quarantined)];
    assert_eq!(groups.take(&[0, 3, 4]), outcome(&[0], &refused, &[]));
    assert!(!groups.key(3).is_tied);
    assert_eq!(groups.take(&[1, 3]), tied(&[1, 3]));
}

#[test]
fn a_journey_that_grows_too_large_quarantines_the_key_that_leads_to_the_larger_part() {
    // Key 2 leads to 3 keys, key 0 to 2.
    let mut groups = Groups::new(keys(9), vec![], 4);
    groups.take(&[0, 1]);
    groups.take(&[2, 3, 4]);
    assert_eq!(groups.take(&[0, 2]), outcome(&[0], &[(2, Refusal::MaxKeys)], &[2]));
    assert_eq!(groups.take(&[2, 5]), outcome(&[5], &[(2, Refusal::Quarantined)], &[]));
    // Up to the limit, without the one.
    assert_eq!(groups.take(&[0, 1, 5, 6]), outcome(&[0, 1, 5, 6], &[], &[]));
    // The same size: the later key.
    assert_eq!(groups.take(&[3, 7]), tied(&[3, 7]));
    assert_eq!(groups.take(&[1, 3]), outcome(&[1], &[(3, Refusal::MaxKeys)], &[3]));
    // The smaller part: of the event's keys in the larger one the last, which need not be known by then.
    assert_eq!(groups.take(&[1, 5, 6, 8]), outcome(&[1, 5, 6], &[(8, Refusal::MaxKeys)], &[6]));
    assert_eq!(groups.take(&[6, 8]), outcome(&[8], &[(6, Refusal::Quarantined)], &[]));
}

#[test]
fn a_key_that_ranks_after_the_refused_one_is_quarantined_if_it_is_in_the_larger_part_already() {
    let mut groups = Groups::new(keys(6), vec![], 3);
    groups.take(&[0, 4, 5]);
    let refused = [(2, Refusal::MaxKeys), (3, Refusal::MaxKeys)];
    // Twice for the same key, which is named once.
    assert_eq!(groups.take(&[0, 2, 3, 4]), outcome(&[0, 4], &refused, &[4]));
    // One that is quarantined already does not take the blame again.
    assert_eq!(groups.take(&[0, 2, 4]), outcome(&[0, 4], &[(2, Refusal::MaxKeys)], &[0]));
}

#[test]
fn a_quarantine_begins_with_the_next_event() {
    let mut groups = Groups::new(keys(5), vec![], 2);
    groups.take(&[0, 1]);
    groups.take(&[2, 3]);
    // Both are refused to key 0, and neither is quarantined when the other's turn comes.
    let refused = [(2, Refusal::MaxKeys), (3, Refusal::MaxKeys)];
    assert_eq!(groups.take(&[0, 2, 3]), outcome(&[0], &refused, &[2, 3]));
    assert!(groups.key(2).is_quarantined && groups.key(3).is_quarantined);
    assert_eq!(groups.take(&[2, 3]), tied(&[2, 3]));
    // Key 0 is quarantined, for key 4; so key 4 goes first when the same keys come again.
    assert_eq!(groups.take(&[0, 4]), outcome(&[0], &[(4, Refusal::MaxKeys)], &[0]));
    assert_eq!(groups.take(&[0, 4]), outcome(&[4], &[(0, Refusal::Quarantined)], &[]));
}

#[test]
fn keys_that_were_refused_to_one_that_is_quarantined_since_go_together_from_then_on() {
    let mut groups = Groups::new(keys(4), vec![], 2);
    groups.take(&[0, 1]);
    let refused = [(2, Refusal::MaxKeys), (3, Refusal::MaxKeys)];
    assert_eq!(groups.take(&[0, 2, 3]), outcome(&[0], &refused, &[0]));
    assert_eq!(groups.take(&[0, 2, 3]), outcome(&[2, 3], &[(0, Refusal::Quarantined)], &[]));
}

#[test]
fn a_key_is_quarantined_from_outside() {
    let mut groups = Groups::new(keys(3), vec![], NO_LIMIT);
    groups.take(&[0, 1]);
    groups.quarantine(0);
    assert_eq!(groups.take(&[0, 1]), tied(&[1, 0]));
    assert_eq!(groups.take(&[0, 2]), outcome(&[2], &[(0, Refusal::Quarantined)], &[]));
    // One that no event was tied by is taken along by its first.
    groups = Groups::new(keys(3), vec![], NO_LIMIT);
    groups.quarantine(0);
    assert_eq!(groups.take(&[0, 1]), tied(&[1, 0]));
    assert_eq!(groups.take(&[0, 2]), outcome(&[2], &[(0, Refusal::Quarantined)], &[]));
}

#[test]
fn two_keys_are_never_linked_near_and_far() {
    for (one, other) in [(0, 4), (4, 0)] {
        let mut groups = Groups::new(keys(6), vec![], NO_LIMIT);
        groups.never_link(0, one, other);
        // Another person's word, about other keys.
        groups.never_link(1, 5, 1);
        assert_eq!(groups.take(&[0, 4, 2]), outcome(&[0, 2], &[(4, Refusal::NeverLink)], &[]));
        assert_eq!(groups.take(&[3, 4]), tied(&[3, 4]));
        assert_eq!(groups.take(&[1, 2]), tied(&[1, 2]));
        assert_eq!(groups.take(&[3, 1]), outcome(&[1], &[(3, Refusal::NeverLink)], &[]));
        assert_eq!(groups.take(&[3, 5]), tied(&[3, 5]));
        assert_eq!(groups.take(&[5, 2]), outcome(&[2], &[(5, Refusal::NeverLink)], &[]));
    }
}

#[test]
fn two_keys_with_one_and_the_same_enemy_are_no_enemies() {
    let mut groups = Groups::new(keys(3), vec![], NO_LIMIT);
    groups.never_link(0, 0, 2);
    groups.never_link(1, 1, 2);
    assert_eq!(groups.take(&[0, 1, 2]), outcome(&[0, 1], &[(2, Refusal::NeverLink)], &[]));
}

#[test]
fn an_unmerged_key_ties_nothing() {
    let unmerged = |value| Key { is_unmerged: true, ..key("k", value) };
    let keys = vec![unmerged("0"), key("k", "1"), unmerged("2"), Key { stays_apart: true, ..unmerged("3") }];
    let mut groups = Groups::new(keys.clone(), vec![], NO_LIMIT);
    let refused = [0, 2, 3].map(|key| (key, Refusal::Unmerged));
    assert_eq!(groups.take(&[0, 1, 2, 3]), outcome(&[1], &refused, &[]));
    // Not even other unmerged keys, nor one by which no event was tied.
    assert_eq!(groups.take(&[0, 2, 3]), outcome(&[0], &refused[1..], &[]));
    // A link is a person's word, too.
    let mut groups = Groups::new(keys, vec![], NO_LIMIT);
    groups.link(0, 1);
    assert_eq!(groups.take(&[0, 1]), tied(&[1, 0]));
}

#[test]
fn links_are_above_limits() {
    let mut all = keys(4);
    all[..3].iter_mut().for_each(|key| key.limited = Some(0));
    let mut groups = Groups::new(all.clone(), vec![1], NO_LIMIT);
    groups.link(0, 1);
    groups.never_link(0, 0, 1);
    assert_eq!(groups.find(0), groups.find(1));
    // What has none of the kind may join a group that has too many, what has one may not.
    assert_eq!(groups.take(&[0, 1, 2, 3]), outcome(&[0, 1, 3], &[(2, Refusal::Limit(0))], &[]));
    // The number of keys forbids everything more.
    let mut groups = Groups::new(all, vec![NO_LIMIT], 1);
    groups.link(0, 1);
    assert_eq!(groups.take(&[1]), tied(&[1]));
    assert_eq!(groups.take(&[0, 1, 3]), outcome(&[0, 1], &[(3, Refusal::MaxKeys)], &[1]));
}

#[test]
fn the_first_of_several_reasons_is_given() {
    let refusal = |first: Key<'static>, second: Key<'static>, is_never_link, limit, max_keys| {
        let mut groups = Groups::new(vec![first, second], vec![limit], max_keys);
        if is_never_link {
            groups.never_link(0, 0, 1);
        }
        assert_eq!((groups.take(&[0]), groups.take(&[1])), (tied(&[0]), tied(&[1])));
        let done = groups.take(&[0, 1]);
        assert_eq!(done.quarantined.is_empty(), done.refused[0].1 != Refusal::MaxKeys);
        done.refused[0].1
    };
    let plain = |value| limited("k", value, 0);
    let apart = Key { stays_apart: true, ..plain("1") };
    let held = Key { is_quarantined: true, ..apart.clone() };
    let unmerged = Key { is_unmerged: true, ..held.clone() };
    assert_eq!(refusal(plain("0"), unmerged, true, 1, 1), Refusal::Unmerged);
    assert_eq!(refusal(plain("0"), held, true, 1, 1), Refusal::Quarantined);
    assert_eq!(refusal(plain("0"), apart, true, 1, 1), Refusal::StaysApart);
    assert_eq!(refusal(plain("0"), plain("1"), true, 1, 1), Refusal::NeverLink);
    assert_eq!(refusal(plain("0"), plain("1"), false, 1, 1), Refusal::Limit(0));
    assert_eq!(refusal(plain("0"), plain("1"), false, 2, 1), Refusal::MaxKeys);
}

#[test]
fn refusals_for_what_a_key_is() {
    let of_key = [Refusal::Unmerged, Refusal::StaysApart, Refusal::Quarantined];
    assert!(of_key.into_iter().all(Refusal::is_of_key));
    let of_groups = [Refusal::NeverLink, Refusal::Limit(0), Refusal::MaxKeys];
    assert!(!of_groups.into_iter().any(Refusal::is_of_key));
}

#[test]
fn groups_that_are_there_already_count_with_all_their_keys() {
    let mut all = keys(5);
    all[2].limited = Some(1);
    all[3].limited = Some(0);
    let mut groups = Groups::new(all, vec![3, 5], 8);
    let present = groups.add_group(6, vec![(0, 2), (1, 4)]);
    assert_ne!(groups.find(present), groups.find(0));
    // Their own keys are among those.
    groups.put(0, present);
    groups.put(2, present);
    groups.put(2, present);
    assert!([0, 2].map(|key| groups.find(key)).iter().all(|&node| node == groups.find(present)));
    // A seventh key, the third of its kind and no more; and an eighth.
    assert_eq!(groups.take(&[2, 3]), tied(&[2, 3]));
    assert_eq!(groups.take(&[0, 1]), tied(&[0, 1]));
    assert_eq!(groups.take(&[3, 4]), outcome(&[3], &[(4, Refusal::MaxKeys)], &[3]));
    // Two of them that would be too many together stay apart, …
    let mut groups = Groups::new(keys(3), vec![3], 10);
    let sizes_and_counts = [(2, vec![(0, 2)]), (3, vec![(0, 2)]), (9, vec![])];
    for (key, (size, counts)) in (0..).zip(sizes_and_counts) {
        let group = groups.add_group(size, counts);
        groups.put(key, group);
    }
    assert_eq!(groups.take(&[0, 1]), outcome(&[0], &[(1, Refusal::Limit(0))], &[]));
    assert_eq!(groups.take(&[1, 2]), outcome(&[1], &[(2, Refusal::MaxKeys)], &[2]));
    // … and so do two that a word keeps apart, also when its key does not take part itself.
    let mut groups = Groups::new(keys(2), vec![], NO_LIMIT);
    let present = groups.add_group(2, vec![]);
    groups.put(1, present);
    groups.never_link(0, 0, present);
    assert_eq!(groups.take(&[0, 1]), outcome(&[0], &[(1, Refusal::NeverLink)], &[]));
}

#[test]
fn the_largest_numbers_are_too_many_as_well() {
    for (limit, refusal) in [(1, Refusal::Limit(0)), (NO_LIMIT, Refusal::MaxKeys)] {
        let mut all = keys(3);
        all[1].limited = (limit == 1).then_some(0);
        let mut groups = Groups::new(all, vec![limit], 5);
        let present = groups.add_group(NO_LIMIT, vec![(0, NO_LIMIT)]);
        groups.put(0, present);
        groups.link(0, 2);
        assert_eq!(groups.take(&[0, 1]).refused, [(1, refusal)]);
    }
}

#[test]
fn counts_are_added_in_the_order_of_kinds() {
    let mut counts = vec![(1, 2), (4, NO_LIMIT)];
    add_counts(&mut counts, &vec![(0, 7), (1, 3), (2, 1), (4, 1), (5, 6)]);
    assert_eq!(counts, [(0, 7), (1, 5), (2, 1), (4, NO_LIMIT), (5, 6)]);
}
