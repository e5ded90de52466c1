//! Which keys tie events where not all may: random histories, held against a reference that counts everything
//! anew for each key.

use std::collections::{BTreeMap, BTreeSet};

use journey_stitch::stitch::resolve::{Counts, Groups, Key, Outcome, Refusal};
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

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

/// In byte order.
const KINDS: [&str; 4] = ["B", "a", "b", "é"];
/// One for each key, in no order.
const VALUES: [&str; 10] = ["m", "Z", "é", "0", "aa", "a", "~", "B", "10", "9"];
const KEYS: u32 = VALUES.len() as u32;

type Sets = BTreeSet<BTreeSet<u32>>;

/// Keys with the rules of their kinds, words, and events in the order of their time.
#[derive(Debug, Clone)]
struct History {
    keys: Vec<Key<'static>>,
    limits: Vec<u32>,
    max_keys: u32,
    links: Vec<(u32, u32)>,
    never_links: Vec<(u32, u32)>,
    events: Vec<Vec<u32>>,
}

impl History {
    fn open(&self) -> Groups<'static> {
        let mut groups = Groups::new(self.keys.clone(), self.limits.clone(), self.max_keys);
        self.links.iter().for_each(|&(a, b)| groups.link(a, b));
        (0..).zip(&self.never_links).for_each(|(word, &(a, b))| groups.never_link(word, a, b));
        groups
    }

    /// What the links alone make.
    fn linked(&self) -> Sets {
        connected(&self.links.iter().map(|&(a, b)| vec![a, b]).collect::<Vec<_>>())
    }

    /// How many keys of a kind, by its number, are in a set.
    fn count(&self, set: &BTreeSet<u32>, kind: u32) -> u32 {
        set.iter().filter(|&&key| self.keys[key as usize].limited == Some(kind)).count() as u32
    }
}

fn pair() -> impl Strategy<Value = (u32, u32)> {
    (0..KEYS, 1..KEYS).prop_map(|(key, more)| (key, (key + more) % KEYS))
}

fn events() -> impl Strategy<Value = Vec<Vec<u32>>> {
    vec(subsequence((0..KEYS).collect::<Vec<_>>(), 1..=4).prop_shuffle(), 0..16)
}

fn history() -> impl Strategy<Value = History> {
    let kind = (option::of(1u32..4), 0u32..3, weighted(0.2));
    let of_key = (0..KINDS.len(), weighted(0.05), weighted(0.05));
    let words = (vec(pair(), 0..3), vec(pair(), 0..3));
    let max_keys = prop_oneof![2 => 2u32..8, 1 => Just(NO_LIMIT)];
    (vec(kind, KINDS.len()), vec(of_key, VALUES.len()), max_keys, words, events()).prop_map(
        |(rules, keys, max_keys, (links, never_links), events)| {
            let number = |kind: usize| {
                let before = rules[..kind].iter().filter(|(limit, ..)| limit.is_some()).count() as u32;
                rules[kind].0.map(|_| before)
            };
            let keys = keys.into_iter().zip(VALUES).map(|((kind, is_quarantined, is_unmerged), value)| Key {
                limited: number(kind),
                priority: rules[kind].1,
                stays_apart: rules[kind].2,
                is_quarantined,
                is_unmerged,
                ..key(KINDS[kind], value)
            });
            let limits = rules.iter().filter_map(|(limit, ..)| *limit).collect();
            History { keys: keys.collect(), limits, max_keys, links, never_links, events }
        },
    )
}

/// What hangs together by these ties, found by walking from key to key.
fn connected(ties: &[Vec<u32>]) -> Sets {
    let mut sets = Sets::new();
    for start in 0..KEYS {
        if sets.iter().any(|set| set.contains(&start)) {
            continue;
        }
        let (mut set, mut next) = (BTreeSet::from([start]), vec![start]);
        while let Some(key) = next.pop() {
            let neighbours = ties.iter().filter(|tie| tie.contains(&key)).flatten();
            next.extend(neighbours.copied().filter(|&neighbour| set.insert(neighbour)));
        }
        sets.insert(set);
    }
    sets
}

fn sets_of(groups: &mut Groups<'_>) -> Sets {
    let mut sets: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for key in 0..KEYS {
        sets.entry(groups.find(key)).or_default().insert(key);
    }
    sets.into_values().collect()
}

fn set_with(sets: &Sets, key: u32) -> &BTreeSet<u32> {
    sets.iter().find(|set| set.contains(&key)).unwrap()
}

fn unite(sets: &mut Sets, a: u32, b: u32) {
    let both = [a, b].map(|key| set_with(sets, key).clone());
    both.iter().for_each(|set| {
        sets.remove(set);
    });
    sets.insert(both.into_iter().flatten().collect());
}

/// The rules as they are written down, word for word.
struct Reference<'h> {
    history: &'h History,
    sets: Sets,
    tied: BTreeSet<u32>,
    quarantined: BTreeSet<u32>,
}

impl<'h> Reference<'h> {
    fn new(history: &'h History) -> Self {
        let quarantined = (0..KEYS).filter(|&key| history.keys[key as usize].is_quarantined).collect();
        Reference { history, sets: history.linked(), tied: BTreeSet::new(), quarantined }
    }

    fn class(&self, key: u32) -> u8 {
        let Key { is_unmerged, stays_apart, .. } = self.history.keys[key as usize];
        if is_unmerged { 2 } else { u8::from(stays_apart || self.quarantined.contains(&key)) }
    }

    fn take(&mut self, event: &[u32]) -> Outcome {
        let mut ranked = event.to_vec();
        ranked.sort_by_key(|&key| {
            let Key { priority, kind, value, .. } = self.history.keys[key as usize];
            (self.class(key), priority, kind.as_bytes(), value.as_bytes())
        });
        let first = ranked[0];
        let mut done = Outcome { tied: vec![first], ..Outcome::default() };
        let mut newly = BTreeSet::new();
        for &key in &ranked[1..] {
            let (to, from) = (set_with(&self.sets, first).clone(), set_with(&self.sets, key).clone());
            match self.refusal(first, key, &to, &from) {
                _ if to == from => done.tied.push(key),
                None => {
                    unite(&mut self.sets, first, key);
                    done.tied.push(key);
                }
                Some(refusal) => {
                    done.refused.push((key, refusal));
                    if refusal == Refusal::MaxKeys {
                        let in_larger = |k: &&u32| to.contains(k) && self.class(**k) == 0;
                        let last = ranked.iter().rfind(in_larger).copied();
                        let whose = if from.len() >= to.len() { key } else { last.unwrap() };
                        if newly.insert(whose) {
                            done.quarantined.push(whose);
                        }
                    }
                }
            }
        }
        self.tied.extend(&done.tied);
        self.quarantined.extend(newly);
        done
    }

    fn refusal(&self, first: u32, key: u32, to: &BTreeSet<u32>, from: &BTreeSet<u32>) -> Option<Refusal> {
        let History { keys, limits, max_keys, never_links, .. } = self.history;
        if self.class(first) == 2 || self.class(key) == 2 {
            return Some(Refusal::Unmerged);
        }
        let of_key = if self.quarantined.contains(&key) {
            Some(Refusal::Quarantined)
        } else {
            keys[key as usize].stays_apart.then_some(Refusal::StaysApart)
        };
        let is_named = |a: &u32, b: &u32| to.contains(a) && from.contains(b);
        let over = (0..).zip(limits).find(|&(kind, &limit)| {
            let (of_to, of_from) = (self.history.count(to, kind), self.history.count(from, kind));
            of_to > 0 && of_from > 0 && of_to + of_from > limit
        });
        if of_key.is_some() && self.tied.contains(&key) {
            of_key
        } else if never_links.iter().any(|(a, b)| is_named(a, b) || is_named(b, a)) {
            of_key.or(Some(Refusal::NeverLink))
        } else if let Some((kind, _)) = over {
            of_key.or(Some(Refusal::Limit(kind)))
        } else if to.len() + from.len() > *max_keys as usize {
            of_key.or(Some(Refusal::MaxKeys))
        } else {
            None
        }
    }
}

/// What is kept from batch to batch: which keys are in one group, and what each key is by now.
struct Stored {
    history: History,
    sets: Sets,
}

impl Stored {
    /// Takes a batch as the stitcher does, with only the batch's keys at hand.
    fn take(&mut self, batch: &[Vec<u32>]) -> Result<Vec<Outcome>, TestCaseError> {
        let History { keys, limits, max_keys, never_links, .. } = &self.history;
        let mut at_hand: Vec<u32> = Vec::new();
        for &key in batch.iter().flatten() {
            if !at_hand.contains(&key) {
                at_hand.push(key);
            }
        }
        let local = |key: u32| at_hand.iter().position(|&k| k == key).map(|n| n as u32);
        let local_keys = at_hand.iter().map(|&key| keys[key as usize].clone()).collect();
        let mut groups = Groups::new(local_keys, limits.clone(), *max_keys);
        let mut node_of_key: BTreeMap<u32, u32> = BTreeMap::new();
        for set in &self.sets {
            let members: Vec<u32> = set.iter().filter_map(|&key| local(key)).collect();
            let is_new = set.len() == 1 && !set.iter().any(|&key| keys[key as usize].is_tied);
            if members.is_empty() || is_new {
                continue;
            }
            let counts: Counts = (0..limits.len() as u32)
                .map(|kind| (kind, self.history.count(set, kind)))
                .filter(|&(_, count)| count > 0)
                .collect();
            let group = groups.add_group(set.len() as u32, counts);
            members.iter().for_each(|&member| groups.put(member, group));
            node_of_key.extend(set.iter().map(|&key| (key, group)));
        }
        for (word, &(a, b)) in (0..).zip(never_links) {
            let node = |key| local(key).or_else(|| node_of_key.get(&key).copied());
            if let (Some(a), Some(b)) = (node(a), node(b)) {
                groups.never_link(word, a, b);
            }
        }

        let global = |local: u32| at_hand[local as usize];
        let mut outcomes = Vec::new();
        for event in batch {
            let event: Vec<u32> = event.iter().filter_map(|&key| local(key)).collect();
            let Outcome { tied, refused, quarantined } = groups.take(&event);
            let done = Outcome {
                tied: tied.into_iter().map(global).collect(),
                refused: refused.into_iter().map(|(key, refusal)| (global(key), refusal)).collect(),
                quarantined: quarantined.into_iter().map(global).collect(),
            };
            done.tied[1..].iter().for_each(|&key| unite(&mut self.sets, done.tied[0], key));
            outcomes.push(done);
        }
        for (n, &key) in (0..).zip(&at_hand) {
            self.history.keys[key as usize] = groups.key(n).clone();
            for (m, other) in (0..n).zip(&at_hand) {
                let is_together = set_with(&self.sets, key).contains(other);
                prop_assert_eq!(groups.find(n) == groups.find(m), is_together, "{} and {}", key, other);
            }
        }
        Ok(outcomes)
    }
}

fn flags(key: &Key<'_>) -> (bool, bool) {
    (key.is_tied, key.is_quarantined)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn without_rules_the_groups_are_what_is_connected(
        (events, shuffled) in events().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        of_kinds in vec((0..KINDS.len(), 0u32..3), VALUES.len()),
    ) {
        let keys: Vec<Key<'_>> = of_kinds
            .into_iter()
            .zip(VALUES)
            .map(|((kind, priority), value)| Key { priority, ..key(KINDS[kind], value) })
            .collect();
        for order in [&events, &shuffled] {
            let mut groups = Groups::new(keys.clone(), vec![], NO_LIMIT);
            for event in order {
                let Outcome { mut tied, refused, quarantined } = groups.take(event);
                let mut event = event.clone();
                event.sort();
                tied.sort();
                prop_assert_eq!((tied, refused, quarantined), (event, vec![], vec![]));
            }
            prop_assert_eq!(sets_of(&mut groups), connected(&events));
        }
    }

    #[test]
    fn outcomes_are_those_of_the_reference(history in history()) {
        let (mut groups, mut reference) = (history.open(), Reference::new(&history));
        prop_assert_eq!(sets_of(&mut groups), reference.sets.clone());
        for event in &history.events {
            prop_assert_eq!(groups.take(event), reference.take(event));
            prop_assert_eq!(sets_of(&mut groups), reference.sets.clone());
            for key in 0..KEYS {
                let expected = (reference.tied.contains(&key), reference.quarantined.contains(&key));
                prop_assert_eq!(flags(groups.key(key)), expected, "key {}", key);
            }
        }
    }

    #[test]
    fn the_same_keys_again_change_nothing(history in history()) {
        let mut groups = history.open();
        let mut apart: Vec<(u32, u32)> = Vec::new();
        for event in &history.events {
            let first = groups.take(event);
            let before = sets_of(&mut groups);
            let of_groups = first.refused.iter().filter(|(_, refusal)| !refusal.is_of_key());
            apart.extend(of_groups.map(|&(key, _)| (first.tied[0], key)));
            // A first key that has just been quarantined is the first no more.
            if first.quarantined.contains(&first.tied[0]) {
                continue;
            }
            let again = groups.take(event);
            prop_assert_eq!(again.tied[0], first.tied[0]);
            // A key that was refused may have come in by way of a later key, which a link ties to it.
            let joined = set_with(&before, first.tied[0]);
            let left_out = |done: Outcome| -> BTreeSet<u32> {
                done.refused.into_iter().map(|(key, _)| key).filter(|key| !joined.contains(key)).collect()
            };
            prop_assert_eq!(left_out(again), left_out(first));
            prop_assert_eq!(sets_of(&mut groups), before.clone());
        }
        // What was refused because of what is in the groups never comes together, whatever happens later.
        for (first, key) in apart {
            prop_assert_ne!(groups.find(first), groups.find(key), "{} and {}", first, key);
        }
    }

    #[test]
    fn batches_do_what_one_by_one_does(history in history(), cuts in vec(any::<Index>(), 0..5)) {
        let mut groups = history.open();
        let expected: Vec<Outcome> = history.events.iter().map(|event| groups.take(event)).collect();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(history.events.len() + 1)).collect();
        ends.extend([0, history.events.len()]);
        ends.sort();
        let mut stored = Stored { sets: history.linked(), history: history.clone() };
        let mut outcomes = Vec::new();
        for ends in ends.windows(2) {
            outcomes.extend(stored.take(&history.events[ends[0]..ends[1]])?);
        }
        prop_assert_eq!(outcomes, expected);
        prop_assert_eq!(stored.sets, sets_of(&mut groups));
        for (n, key) in (0..).zip(&stored.history.keys) {
            prop_assert_eq!(flags(key), flags(groups.key(n)), "key {}", n);
        }
    }

    #[test]
    fn only_links_break_limits(history in history()) {
        let (mut groups, linked) = (history.open(), history.linked());
        for event in &history.events {
            groups.take(event);
        }
        for set in sets_of(&mut groups) {
            let links: Vec<&BTreeSet<u32>> = linked.iter().filter(|links| links.is_subset(&set)).collect();
            for (kind, &limit) in (0..).zip(&history.limits) {
                let count = history.count(&set, kind);
                let is_of_links = || links.iter().any(|links| history.count(links, kind) == count);
                prop_assert!(count <= limit || is_of_links(), "{count} of {kind} in {set:?}");
            }
            prop_assert!(set.len() <= history.max_keys as usize || linked.contains(&set), "{set:?}");
            for (a, b) in &history.never_links {
                let is_of_links = || links.iter().any(|links| links.contains(a) && links.contains(b));
                prop_assert!(!(set.contains(a) && set.contains(b)) || is_of_links(), "{a} and {b}");
            }
        }
    }
}
