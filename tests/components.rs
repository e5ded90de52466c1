//! What belongs together in a batch, held against label propagation.

use journey_stitch::stitch::components::{Component, EventKeys, Merge, Plan, plan};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Journeys = Vec<Option<i64>>;

fn plan_of(events: &[Vec<u32>], journeys: &[Option<i64>]) -> Plan {
    plan(events.iter().map(Vec::as_slice), journeys)
}

fn component(journey: Option<i64>, absorbed: &[i64]) -> Component {
    Component { journey, absorbed: absorbed.to_vec() }
}

/// The smallest key that each key hangs together with: labels sink until nothing changes.
fn labels(events: &[Vec<u32>], journeys: &[Option<i64>]) -> Vec<u32> {
    let mut groups = events.to_vec();
    for journey in journeys.iter().flatten() {
        groups.push((0..journeys.len() as u32).filter(|&k| journeys[k as usize] == Some(*journey)).collect());
    }
    let mut labels: Vec<u32> = (0..journeys.len() as u32).collect();
    loop {
        let before = labels.clone();
        for group in &groups {
            let lowest = group.iter().map(|&key| labels[key as usize]).min().unwrap();
            group.iter().for_each(|&key| labels[key as usize] = lowest);
        }
        if labels == before {
            return labels;
        }
    }
}

/// The journeys of the keys with this label.
fn journeys_in(label: u32, labels: &[u32], journeys: &[Option<i64>]) -> BTreeSet<i64> {
    labels.iter().zip(journeys).filter(|(l, _)| **l == label).filter_map(|(_, j)| *j).collect()
}

fn check(events: &[Vec<u32>], journeys: &[Option<i64>]) -> Result<(), TestCaseError> {
    let Plan { component_of_event, component_of_key, components, merges } = plan_of(events, journeys);
    prop_assert_eq!(component_of_event.len(), events.len());
    prop_assert_eq!(component_of_key.len(), journeys.len());

    // A key is in a component if an event has it or it is in a journey: the same keys together, and every
    // event with its keys.
    let labels_after = labels(events, journeys);
    for (key, &number) in component_of_key.iter().enumerate() {
        let is_of_event = events.iter().flatten().any(|&k| k as usize == key);
        prop_assert_eq!(number.is_some(), is_of_event || journeys[key].is_some(), "key {}", key);
    }
    let numbered: Vec<(usize, u32)> =
        component_of_key.iter().enumerate().filter_map(|(key, number)| Some((key, (*number)?))).collect();
    for &(a, number_of_a) in &numbered {
        for &(b, number_of_b) in &numbered {
            prop_assert_eq!(labels_after[a] == labels_after[b], number_of_a == number_of_b);
        }
    }
    for (event, keys) in events.iter().enumerate() {
        for &key in keys {
            prop_assert_eq!(Some(component_of_event[event]), component_of_key[key as usize]);
        }
    }

    // Numbered densely, in the order of first appearance.
    let mut next = 0;
    for &number in component_of_event.iter().chain(component_of_key.iter().flatten()) {
        prop_assert!(number <= next);
        next = next.max(number + 1);
    }
    prop_assert_eq!(components.len(), next as usize);

    // The oldest journey survives, the others are absorbed.
    for (key, number) in numbered {
        let mut expected = journeys_in(labels_after[key], &labels_after, journeys).into_iter();
        let Component { journey, absorbed } = &components[number as usize];
        prop_assert_eq!(*journey, expected.next());
        prop_assert_eq!(absorbed, &expected.collect::<Vec<_>>());
    }

    // One merge for each absorbed journey, and it tells the truth.
    let mut merged: Vec<i64> = merges.iter().map(|merge| merge.absorbed).collect();
    merged.sort();
    let mut absorbed: Vec<i64> = components.iter().flat_map(|c| c.absorbed.clone()).collect();
    absorbed.sort();
    prop_assert_eq!(merged, absorbed);
    prop_assert!(merges.is_sorted_by_key(|merge| merge.event));
    for Merge { absorbed, component, event, key } in merges {
        let keys = &events[event as usize];
        let before = labels(&events[..event as usize], journeys);
        let after = labels(&events[..=event as usize], journeys);
        let label_before = before[key as usize];
        prop_assert_eq!(component, component_of_event[event as usize]);
        // The event's first key that led to the absorbed journey …
        prop_assert_eq!(keys.iter().find(|&&k| before[k as usize] == label_before), Some(&key));
        // … which was the oldest of its component until then, and is not any more.
        prop_assert_eq!(journeys_in(label_before, &before, journeys).first().copied(), Some(absorbed));
        prop_assert!(journeys_in(after[key as usize], &after, journeys).first() < Some(&absorbed));
    }
    Ok(())
}

#[test]
fn an_empty_batch_is_an_empty_plan() {
    assert_eq!(
        plan_of(&[], &[]),
        Plan { component_of_event: vec![], component_of_key: vec![], components: vec![], merges: vec![] }
    );
}

#[test]
fn new_keys_make_new_journeys_numbered_by_first_event() {
    let found = plan_of(&[vec![3], vec![0, 1], vec![3, 2], vec![1]], &[None; 4]);
    assert_eq!(found.component_of_event, [0, 1, 0, 1]);
    assert_eq!(found.component_of_key, [Some(1), Some(1), Some(0), Some(0)]);
    assert_eq!(found.components, [component(None, &[]), component(None, &[])]);
    assert_eq!(found.merges, []);
}

#[test]
fn the_oldest_journey_survives_and_the_first_event_is_named() {
    let found = plan_of(&[vec![0, 1], vec![1, 2], vec![0, 2]], &[Some(7), Some(9), Some(3)]);
    assert_eq!(found.component_of_event, [0, 0, 0]);
    assert_eq!(found.components, [component(Some(3), &[7, 9])]);
    assert_eq!(
        found.merges,
        [
            Merge { absorbed: 9, component: 0, event: 0, key: 1 },
            // Key 1, by way of event 0: event 1 does not hold key 0.
            Merge { absorbed: 7, component: 0, event: 1, key: 1 },
        ]
    );
}

#[test]
fn an_event_that_ties_three_journeys_names_the_key_of_each() {
    let found = plan_of(&[vec![0, 1, 2]], &[Some(5), Some(3), Some(1)]);
    assert_eq!(found.components, [component(Some(1), &[3, 5])]);
    assert_eq!(
        found.merges,
        [
            Merge { absorbed: 5, component: 0, event: 0, key: 0 },
            Merge { absorbed: 3, component: 0, event: 0, key: 1 },
        ]
    );
}

#[test]
fn keys_of_one_journey_belong_together_without_an_event() {
    let found = plan_of(&[vec![0], vec![1, 2]], &[Some(4), Some(6), Some(4)]);
    assert!(found.absorptions().eq([(6, 4)]));
    assert_eq!(found.component_of_event, [0, 0]);
    assert_eq!(found.components, [component(Some(4), &[6])]);
    assert_eq!(found.merges, [Merge { absorbed: 6, component: 0, event: 1, key: 1 }]);
}

#[test]
fn a_journey_is_no_merge_with_itself() {
    let found = plan_of(&[vec![0, 1], vec![1, 1, 2]], &[Some(4), Some(4), None]);
    assert_eq!(found.components, [component(Some(4), &[])]);
    assert_eq!(found.merges, []);
}

#[test]
fn keys_without_events_come_last() {
    let found = plan_of(&[vec![2]], &[Some(8), None, None, Some(8)]);
    assert_eq!(found.component_of_key, [Some(1), None, Some(0), Some(1)]);
    assert_eq!(found.components, [component(None, &[]), component(Some(8), &[])]);
}

#[test]
fn a_key_of_no_event_and_no_journey_is_in_no_component() {
    let found = plan_of(&[], &[None, None]);
    assert_eq!(found.component_of_key, [None, None]);
    assert_eq!(found.components, []);
    // Neither beside a merge, nor between keys of journeys that no event has.
    let found = plan_of(&[vec![1, 3]], &[None, Some(5), None, Some(2), None, Some(9), Some(4)]);
    assert_eq!(found.component_of_key, [None, Some(0), None, Some(0), None, Some(1), Some(2)]);
    assert_eq!(
        found.components,
        [component(Some(2), &[5]), component(Some(9), &[]), component(Some(4), &[])]
    );
    assert_eq!(found.merges, [Merge { absorbed: 5, component: 0, event: 0, key: 1 }]);
}

#[test]
#[should_panic]
fn an_event_without_keys_panics() {
    plan_of(&[vec![]], &[]);
}

#[test]
fn event_keys_yield_what_was_pushed() {
    let events = [vec![4, 1], vec![2], vec![0, 3, 4]];
    let mut keys = EventKeys::with_capacity(3, 6);
    assert!(keys.is_empty());
    for event in &events {
        keys.push(event.iter().copied());
    }
    assert_eq!((keys.len(), keys.is_empty()), (3, false));
    assert!(keys.iter().eq(events.iter().map(Vec::as_slice)));
    assert_eq!(plan(keys.iter(), &[None; 5]), plan_of(&events, &[None; 5]));
}

#[test]
fn a_chain_of_100_000_keys() {
    // Links in four orders, among them the worst for naive trees; every key is a journey of its own.
    let n = 100_000u32;
    let links: Vec<Vec<u32>> = (0..n - 1).map(|key| vec![key, key + 1]).collect();
    let journeys: Journeys = (0..i64::from(n)).map(|key| Some(1 + key)).collect();
    let mut scattered = links.clone();
    scattered.sort_by_key(|link| link[0].reverse_bits());
    let backwards: Vec<Vec<u32>> = links.iter().rev().map(|link| vec![link[1], link[0]]).collect();
    let reversed: Vec<Vec<u32>> = links.iter().rev().cloned().collect();
    for events in [links, scattered, backwards, reversed] {
        let found = plan_of(&events, &journeys);
        assert_eq!(found.components.len(), 1);
        assert_eq!(found.components[0].journey, Some(1));
        assert!(found.components[0].absorbed.iter().copied().eq(2..=i64::from(n)));
        assert_eq!(found.merges.len(), n as usize - 1);
        assert!(found.component_of_event.iter().all(|&number| number == 0));
        assert!(found.component_of_key.iter().all(|&number| number == Some(0)));
    }
}

#[test]
fn a_hub_of_100_000_events() {
    let n = 100_000;
    let events: Vec<Vec<u32>> = (1..=n).map(|key| vec![key, 0]).collect();
    let found = plan_of(&events, &vec![None; n as usize + 1]);
    assert_eq!(found.components, [component(None, &[])]);
    // All keys in one journey already, and one older journey that comes last.
    let mut journeys = vec![Some(2); n as usize];
    journeys.push(Some(1));
    let found = plan_of(&events, &journeys);
    assert_eq!(found.components, [component(Some(1), &[2])]);
    assert_eq!(found.merges, [Merge { absorbed: 2, component: 0, event: n - 1, key: 0 }]);
}

#[test]
fn fifty_thousand_events_apart() {
    let events: Vec<Vec<u32>> = (0..50_000).map(|event| vec![2 * event + 1, 2 * event]).collect();
    let found = plan_of(&events, &vec![None; 100_000]);
    assert!(found.component_of_event.iter().copied().eq(0..50_000));
    assert!(found.component_of_key.iter().copied().eq((0..100_000).map(|key| Some(key / 2))));
}

/// Events over up to 20 keys, of which some are in one of a few journeys. Few events leave many
/// components, many events leave few.
fn batch() -> impl Strategy<Value = (Vec<Vec<u32>>, Journeys)> {
    (1u32..20, 0usize..25).prop_flat_map(|(keys, events)| {
        let journey = prop_oneof![2 => Just(None), 1 => (10i64..18).prop_map(Some)];
        (vec(vec(0..keys, 1..4), 0..=events), vec(journey, keys as usize))
    })
}

fn batch_and_permutation() -> impl Strategy<Value = (Vec<Vec<u32>>, Vec<Vec<u32>>, Journeys)> {
    batch().prop_flat_map(|(events, journeys)| {
        (Just(events.clone()).prop_shuffle(), Just(events), Just(journeys))
    })
}

/// What does not depend on the order: each component's keys, and its journeys.
fn partition(plan: &Plan) -> BTreeSet<(Vec<usize>, Option<i64>, Vec<i64>)> {
    let keys_of = |number| {
        let with_number = |key: &usize| plan.component_of_key[*key] == Some(number);
        (0..plan.component_of_key.len()).filter(with_number).collect()
    };
    (0..).zip(&plan.components).map(|(n, c)| (keys_of(n), c.journey, c.absorbed.clone())).collect()
}

/// The keys table as the stitcher keeps it from batch to batch.
struct KeysTable {
    journey_of_key: Journeys,
    next_journey: i64,
}

impl KeysTable {
    fn stitch(&mut self, batch: &[Vec<u32>]) {
        let keys: Vec<u32> = batch.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let index_of = |key: &u32| keys.binary_search(key).unwrap() as u32;
        let events: Vec<Vec<u32>> = batch.iter().map(|event| event.iter().map(index_of).collect()).collect();
        let present: Journeys = keys.iter().map(|&key| self.journey_of_key[key as usize]).collect();

        let found = plan_of(&events, &present);
        let mut survivors = Vec::new();
        for Component { journey, .. } in &found.components {
            survivors.push(journey.unwrap_or_else(|| {
                self.next_journey += 1;
                self.next_journey
            }));
        }
        let survivor_of: BTreeMap<i64, i64> = found.absorptions().collect();
        for journey in self.journey_of_key.iter_mut().flatten() {
            *journey = *survivor_of.get(journey).unwrap_or(journey);
        }
        for (&key, number) in keys.iter().zip(&found.component_of_key) {
            self.journey_of_key[key as usize] = Some(survivors[number.unwrap() as usize]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_plan_is_what_label_propagation_finds((events, journeys) in batch()) {
        check(&events, &journeys)?;
    }

    #[test]
    fn the_partition_does_not_depend_on_the_order_of_events(
        (shuffled, events, journeys) in batch_and_permutation()
    ) {
        prop_assert_eq!(partition(&plan_of(&shuffled, &journeys)), partition(&plan_of(&events, &journeys)));
    }

    #[test]
    fn journeys_do_not_depend_on_how_events_are_batched(
        (shuffled, events, journeys) in batch_and_permutation(),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        in_order in any::<bool>(),
    ) {
        let events = if in_order { events } else { shuffled };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(events.len() + 1)).collect();
        cuts.extend([0, events.len()]);
        cuts.sort();
        let mut table = KeysTable { journey_of_key: journeys.clone(), next_journey: 100 };
        for ends in cuts.windows(2) {
            table.stitch(&events[ends[0]..ends[1]]);
        }

        let labels = labels(&events, &journeys);
        let seen: BTreeSet<u32> = events.iter().flatten().copied().collect();
        let mut label_of_journey = BTreeMap::new();
        for (key, journey) in table.journey_of_key.iter().enumerate() {
            let old = journeys_in(labels[key], &labels, &journeys);
            if old.is_empty() && !seen.contains(&(key as u32)) {
                prop_assert_eq!(*journey, None);
                continue;
            }
            // One journey a component, and the oldest of what was there.
            let journey = journey.unwrap();
            prop_assert_eq!(*label_of_journey.entry(journey).or_insert(labels[key]), labels[key]);
            match old.first() {
                Some(&oldest) => prop_assert_eq!(journey, oldest),
                None => prop_assert!(journey > 100),
            }
        }
        let distinct: BTreeSet<u32> = label_of_journey.values().copied().collect();
        prop_assert_eq!(distinct.len(), label_of_journey.len(), "a component in two journeys");

        // New journeys that are left rise with their components' first events, whatever the batches.
        let mut first_events = Vec::new();
        for (&journey, &label) in label_of_journey.range(100..) {
            let first = events.iter().position(|event| labels[event[0] as usize] == label);
            prop_assert!(first.is_some(), "journey {} without events", journey);
            first_events.push(first);
        }
        prop_assert!(first_events.is_sorted());
    }
}
