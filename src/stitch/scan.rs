//! Which of a project's journeys are not what its events make of them, found by looking once at every key, event and
//! edge, in a few bytes a key.
//!
//! Pure. A journey is settled if its keys are one component, its edges are those that its events call for, and neither a
//! rule nor a person's word could have kept any of it apart. Such a journey is plain union-find: computing it anew would
//! come to what is there. A component that lies in several journeys unsettles all of them, and an event or key that goes
//! elsewhere unsettles the journeys on both sides; so those that are unsettled can be computed anew without the others.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use petgraph::unionfind::UnionFind;

use self::apart::Apart;
use self::numbers::{Ids, Names};
use crate::identity::rules::Rules;

mod apart;
mod numbers;

/// No journey, no component.
const NONE: u32 = u32::MAX;

/// What is known of a project, as far as it has been read: first journeys, then keys, then what is said of them, then
/// events and edges.
pub struct Scan<'r> {
    rules: &'r Rules,
    /// In ascending order.
    journeys: Vec<i64>,
    is_unsettled: Vec<bool>,
    numbers: Names,
    ids: Ids,
    /// For each key the number of its journey.
    journey_of_key: Vec<u32>,
    /// For each key what [`LimitedKinds`] numbers its kind; empty where no kind is limited.
    kind_of_key: Vec<u32>,
    kinds: LimitedKinds,
    /// Keys whose components are unsettled, whatever they are.
    is_doubtful: Vec<bool>,
    /// For each key a sum over the events that call for it, less the same over its edges.
    balance: Vec<u64>,
    sets: UnionFind<u32>,
    /// `None`: keys of all kinds join journeys.
    apart: Option<Apart>,
    /// Events that were refused a key.
    refused: HashSet<i64>,
    hashing: RandomState,
}

impl<'r> Scan<'r> {
    /// Of a project that is to have these rules.
    pub fn new(rules: &'r Rules) -> Self {
        Scan {
            rules,
            journeys: Vec::new(),
            is_unsettled: Vec::new(),
            numbers: Names::default(),
            ids: Ids::default(),
            journey_of_key: Vec::new(),
            kind_of_key: Vec::new(),
            kinds: LimitedKinds::default(),
            is_doubtful: Vec::new(),
            balance: Vec::new(),
            sets: UnionFind::new_empty(),
            apart: rules.keeps_apart().then(Apart::default),
            refused: HashSet::new(),
            hashing: RandomState::new(),
        }
    }

    /// A journey, in the order of their ids. `is_tense`: the order of its events has mattered.
    pub fn add_journey(&mut self, id: i64, is_tense: bool) {
        self.journeys.push(id);
        self.is_unsettled.push(is_tense);
    }

    /// A key that is known, and the journey that it is in. `is_held`: a person or `max_keys` keeps it from joining journeys;
    /// `since`: it joins none since then.
    pub fn add_key(
        &mut self,
        id: i64,
        (kind, value): (&str, &str),
        journey: Option<i64>,
        is_held: bool,
        since: Option<i64>,
    ) {
        let number = self.sets.new_set();
        self.numbers.insert(kind, value, number);
        self.ids.insert(id, number);
        let journey = journey.and_then(|id| self.journeys.binary_search(&id).ok());
        self.journey_of_key.push(journey.map_or(NONE, |number| number as u32));
        let rule = self.rules.rule(kind);
        if self.rules.limits_kinds() {
            self.kind_of_key.push(self.kinds.number(kind, rule.max_values));
        }
        if let Some(apart) = &mut self.apart {
            apart.add_key(!rule.merges, since);
        }
        self.is_doubtful.push(is_held || journey.is_none() || rule.merges && since.is_some());
        self.balance.push(0);
    }

    /// An event is not tied by a key that it has.
    pub fn add_refusal(&mut self, event: i64, key: i64) {
        self.refused.insert(event);
        if let Some(key) = self.ids.get(key) {
            self.is_doubtful[key as usize] = true;
        }
    }

    /// A person has said something of a key.
    pub fn add_word(&mut self, kind: &str, value: &str) {
        if let Some(key) = self.numbers.get(kind, value) {
            self.is_doubtful[key as usize] = true;
        }
    }

    /// The keys that an event of a time has by the rules.
    pub fn add_event(&mut self, id: i64, at: i64, keys: &[(&str, Cow<'_, str>)]) {
        let weight = self.weight(id);
        let mut first = None;
        let mut first_joining = None;
        let mut is_any_new = false;
        for (kind, value) in keys {
            let Some(key) = self.numbers.get(kind, value) else {
                is_any_new = true;
                continue;
            };
            let balance = &mut self.balance[key as usize];
            *balance = balance.wrapping_add(weight);
            self.sets.union(*first.get_or_insert(key), key);
            if let Some(apart) = &mut self.apart {
                apart.see(key, at, &mut first_joining);
            }
        }
        // Where all are new, the edges that the event has until now are too many.
        if let Some(first) = first
            && (is_any_new || self.apart.is_some() && first_joining.is_none())
        {
            self.is_doubtful[first as usize] = true;
        }
    }

    /// An event is tied by a key. Edges of other projects do not matter.
    pub fn add_edge(&mut self, event: i64, key: i64) {
        let Some(key) = self.ids.get(key) else { return };
        let balance = self.balance[key as usize].wrapping_sub(self.weight(event));
        self.balance[key as usize] = balance;
        if !self.refused.is_empty() && self.refused.contains(&event) {
            self.is_doubtful[key as usize] = true;
        }
    }

    /// What an event counts: of two sums that are equal the events are the same, for all that can be known outside.
    fn weight(&self, event: i64) -> u64 {
        self.hashing.hash_one(event)
    }

    /// How many keys are in journeys.
    pub fn keys_in_journeys(&self) -> usize {
        self.journey_of_key.iter().filter(|journey| **journey != NONE).count()
    }

    /// How many journeys there are.
    pub fn journeys(&self) -> usize {
        self.journeys.len()
    }

    /// The journeys that are not settled.
    pub fn unsettled(mut self) -> Vec<i64> {
        let keys = self.journey_of_key.len() as u32;
        let mut components = Components::new(keys);
        for key in 0..keys {
            let root = self.sets.find_mut(key);
            let is_doubtful = self.is_doubtful[key as usize] || self.balance[key as usize] != 0;
            components.add(root, self.journey_of_key[key as usize], is_doubtful);
            if let Some(apart) = &mut self.apart {
                components.is_unsettled[root as usize] |= apart.is_torn(key, root);
            }
        }
        components.limit(self.rules.max_keys());
        let of_kinds = self.kind_of_key.iter().zip(0..).map(|(&kind, key)| (self.sets.find(key), kind));
        for root in self.kinds.beyond(of_kinds) {
            components.is_unsettled[root as usize] = true;
        }
        let mut root_of_journey = vec![NONE; self.journeys.len()];
        for key in 0..keys {
            let journey = self.journey_of_key[key as usize];
            if journey == NONE {
                continue;
            }
            let root = self.sets.find(key);
            let known = &mut root_of_journey[journey as usize];
            if components.is_unsettled[root as usize] || *known != NONE && *known != root {
                self.is_unsettled[journey as usize] = true;
            }
            *known = root;
        }
        let journeys = self.journeys.into_iter().zip(self.is_unsettled).zip(root_of_journey);
        let unsettled = journeys.filter(|((_, is_unsettled), root)| *is_unsettled || *root == NONE);
        unsettled.map(|((id, _), _)| id).collect()
    }
}

/// What is known of components, at the keys that represent them.
struct Components {
    journey: Vec<u32>,
    keys: Vec<u32>,
    is_unsettled: Vec<bool>,
}

impl Components {
    fn new(keys: u32) -> Self {
        let keys = keys as usize;
        Components { journey: vec![NONE; keys], keys: vec![0; keys], is_unsettled: vec![false; keys] }
    }

    fn add(&mut self, root: u32, journey: u32, is_doubtful: bool) {
        let root = root as usize;
        let known = &mut self.journey[root];
        if is_doubtful || *known != NONE && *known != journey {
            self.is_unsettled[root] = true;
        }
        *known = journey;
        self.keys[root] += 1;
    }

    fn limit(&mut self, max_keys: u32) {
        for (keys, is_unsettled) in self.keys.iter().zip(&mut self.is_unsettled) {
            *is_unsettled |= *keys > max_keys;
        }
    }
}

/// Kinds of which a journey may only have so many keys.
#[derive(Default)]
struct LimitedKinds {
    number_of: HashMap<String, u32>,
    limits: Vec<u32>,
}

impl LimitedKinds {
    /// The number of a kind, where it is limited.
    fn number(&mut self, kind: &str, limit: u32) -> u32 {
        if limit == u32::MAX {
            return NONE;
        }
        if let Some(&number) = self.number_of.get(kind) {
            return number;
        }
        let number = self.limits.len() as u32;
        self.number_of.insert(kind.to_owned(), number);
        self.limits.push(limit);
        number
    }

    /// The components, each with the kind of one of its keys, that have too many of some kind.
    fn beyond(&self, keys: impl Iterator<Item = (u32, u32)>) -> Vec<u32> {
        let mut limited: Vec<(u32, u32)> = keys.filter(|(_, kind)| *kind != NONE).collect();
        limited.sort_unstable();
        let of_one = limited.chunk_by(|a, b| a == b);
        let beyond = of_one.filter(|keys| keys.len() > self.limits[keys[0].1 as usize] as usize);
        beyond.map(|keys| keys[0].0).collect()
    }
}
