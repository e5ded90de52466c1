//! Which journeys of projects are not what the events make of them, found by looking once at every key, event and edge, in
//! a few bytes a key.
//!
//! Pure. A journey is settled if its keys are one component, its edges are those that its events call for, and neither a
//! rule nor a person's word could have kept any of it apart. Such a journey is plain union-find: computing it anew would
//! come to what is there. A component that lies in several journeys unsettles all of them, and an event or key that goes
//! elsewhere unsettles the journeys on both sides; so those that are unsettled can be computed anew without the others, and
//! in batches that have nothing to do with each other.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use petgraph::unionfind::UnionFind;

use self::apart::Apart;
pub use self::batches::Unsettled;
use self::numbers::Ids;
pub use self::numbers::Names;
use crate::identity::rules::Rules;

mod apart;
mod batches;
mod numbers;

/// No journey, no component.
const NONE: u32 = u32::MAX;

/// What is known of projects, as far as they have been read: first their rules, then journeys, keys, what is said of
/// those, events and edges.
#[derive(Default)]
pub struct Scan {
    projects: Vec<Rules>,
    /// In ascending order.
    journeys: Vec<i64>,
    project_of_journey: Vec<u32>,
    events_of_journey: Vec<u64>,
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
    /// What else ties keys to each other, be it only that one goes where the other was. New keys have numbers, too, after
    /// those that are known.
    ties: UnionFind<u32>,
    /// `None`: keys of all kinds join journeys.
    apart: Option<Apart>,
    /// Events that were refused a key, and which.
    refused: HashSet<i64>,
    refusals: HashSet<(i64, u32)>,
    seen: Seen,
    hashing: RandomState,
}

/// The keys of an event.
#[derive(Default)]
pub struct Seen {
    /// Those that are known.
    pub keys: Vec<SeenKey>,
    /// Some of them are not known.
    pub is_any_new: bool,
    /// The number of the first, be it known or not.
    first: u32,
}

/// A key of an event.
#[derive(Debug, Clone, Copy)]
pub struct SeenKey {
    /// Its number, in the order in which keys were added.
    pub number: u32,
    /// The number of its journey.
    pub journey: Option<u32>,
    pub is_refused: bool,
}

impl Scan {
    /// A project and its rules; answers its number.
    pub fn add_project(&mut self, rules: Rules) -> u32 {
        if rules.keeps_apart() {
            self.apart.get_or_insert_default();
        }
        self.kinds.is_any |= rules.limits_kinds();
        self.projects.push(rules);
        self.projects.len() as u32 - 1
    }

    /// The rules of a project.
    pub fn rules(&self, project: u32) -> &Rules {
        &self.projects[project as usize]
    }

    /// A journey, in the order of their ids. `is_tense`: the order of its events has mattered.
    pub fn add_journey(&mut self, project: u32, id: i64, events: u64, is_tense: bool) {
        self.journeys.push(id);
        self.project_of_journey.push(project);
        self.events_of_journey.push(events);
        self.is_unsettled.push(is_tense);
    }

    /// A key that is known, and the journey that it is in. `is_held`: a person or `max_keys` keeps it from joining
    /// journeys; `since`: it joins none since then.
    pub fn add_key(
        &mut self,
        project: u32,
        id: i64,
        (kind, value): (&str, &str),
        journey: Option<i64>,
        is_held: bool,
        since: Option<i64>,
    ) {
        let number = self.sets.new_set();
        self.ties.new_set();
        self.numbers.insert(project, kind, value, number);
        self.ids.insert(id, number);
        let journey = journey.and_then(|id| self.number_of_journey(id));
        self.journey_of_key.push(journey.unwrap_or(NONE));
        let rule = self.projects[project as usize].rule(kind);
        if self.kinds.is_any {
            self.kind_of_key.push(self.kinds.number(project, kind, rule.max_values));
        }
        if let Some(apart) = &mut self.apart {
            apart.add_key(!rule.merges, since);
        }
        self.is_doubtful.push(is_held || journey.is_none() || rule.merges && since.is_some());
        self.balance.push(0);
    }

    /// The number of a journey, in the order in which they were added.
    pub fn number_of_journey(&self, id: i64) -> Option<u32> {
        self.journeys.binary_search(&id).ok().map(|number| number as u32)
    }

    /// An event is not tied by a key that it has.
    pub fn add_refusal(&mut self, event: i64, key: i64) {
        self.refused.insert(event);
        if let Some(key) = self.ids.get(key) {
            self.is_doubtful[key as usize] = true;
            self.refusals.insert((event, key));
        }
    }

    /// A person has said something of a key, or of two.
    pub fn add_word(&mut self, project: u32, one: (&str, &str), other: Option<(&str, &str)>) {
        let mut first = None;
        for (kind, value) in [Some(one), other].into_iter().flatten() {
            let key = self.number(project, kind, value);
            self.ties.union(*first.get_or_insert(key), key);
            if let Some(is_doubtful) = self.is_doubtful.get_mut(key as usize) {
                *is_doubtful = true;
            }
        }
    }

    /// The number of a key, also of one that is new.
    fn number(&mut self, project: u32, kind: &str, value: &str) -> u32 {
        let ties = &mut self.ties;
        self.numbers.get_or_insert(project, kind, value, || ties.new_set())
    }

    /// The keys that an event had by other rules than those that the projects are to have. After its keys.
    pub fn add_former_keys(&mut self, project: u32, keys: &[(&str, Cow<'_, str>)]) {
        for (kind, value) in keys {
            let key = self.number(project, kind, value);
            self.ties.union(self.seen.first, key);
        }
    }

    /// The keys that an event of a time has by the rules.
    pub fn add_event(&mut self, project: u32, id: i64, at: i64, keys: &[(&str, Cow<'_, str>)]) -> &Seen {
        let weight = self.weight(id);
        let was_refused = !self.refused.is_empty() && self.refused.contains(&id);
        let mut first_joining = None;
        self.seen.keys.clear();
        self.seen.is_any_new = false;
        for (n, (kind, value)) in keys.iter().enumerate() {
            let key = self.number(project, kind, value);
            if n == 0 {
                self.seen.first = key;
            }
            if key as usize >= self.balance.len() {
                self.seen.is_any_new = true;
                self.ties.union(self.seen.first, key);
                continue;
            }
            let is_refused = was_refused && self.refusals.contains(&(id, key));
            if !is_refused {
                let balance = &mut self.balance[key as usize];
                *balance = balance.wrapping_add(weight);
            }
            let journey = Some(self.journey_of_key[key as usize]).filter(|journey| *journey != NONE);
            self.seen.keys.push(SeenKey { number: key, journey, is_refused });
            self.sets.union(self.seen.keys[0].number, key);
            if let Some(apart) = &mut self.apart {
                apart.see(key, at, &mut first_joining);
            }
        }
        // Where all are new, the edges that the event has until now are too many.
        if let Some(&SeenKey { number, .. }) = self.seen.keys.first()
            && (self.seen.is_any_new || self.apart.is_some() && first_joining.is_none())
        {
            self.is_doubtful[number as usize] = true;
            self.ties.union(self.seen.first, number);
        }
        &self.seen
    }

    /// An event is tied by a key. Answers whether the key is known: edges of other projects do not matter.
    pub fn add_edge(&mut self, event: i64, key: i64) -> bool {
        let Some(key) = self.ids.get(key) else { return false };
        let balance = self.balance[key as usize].wrapping_sub(self.weight(event));
        self.balance[key as usize] = balance;
        if !self.refused.is_empty() && self.refused.contains(&event) {
            self.is_doubtful[key as usize] = true;
        }
        true
    }

    /// Whether the edges are those that the events call for.
    pub fn is_balanced(&self) -> bool {
        self.balance.iter().all(|balance| *balance == 0)
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
    pub fn unsettled(mut self) -> Unsettled {
        let keys = self.journey_of_key.len() as u32;
        let mut components = Components::new(keys);
        for key in 0..keys {
            let root = self.sets.find_mut(key);
            self.ties.union(root, key);
            let is_doubtful = self.is_doubtful[key as usize] || self.balance[key as usize] != 0;
            components.add(root, self.journey_of_key[key as usize], is_doubtful);
            if let Some(apart) = &mut self.apart {
                components.is_unsettled[root as usize] |= apart.is_torn(key, root);
            }
        }
        components.limit(|journey| {
            let project = self.project_of_journey[journey as usize];
            self.projects[project as usize].max_keys()
        });
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
            if *known == NONE {
                *known = root;
            }
            self.ties.union(*known, root);
            if components.is_unsettled[root as usize] || *known != root {
                self.is_unsettled[journey as usize] = true;
            }
        }
        let mut unsettled = Unsettled::default();
        for (n, &root) in root_of_journey.iter().enumerate() {
            if self.is_unsettled[n] || root == NONE {
                let bundle = Some(root).filter(|root| *root != NONE).map(|root| self.ties.find_mut(root));
                unsettled.add(self.journeys[n], self.events_of_journey[n], bundle);
            }
        }
        unsettled
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

    fn limit(&mut self, max_keys_of: impl Fn(u32) -> u32) {
        for ((keys, journey), is_unsettled) in self.keys.iter().zip(&self.journey).zip(&mut self.is_unsettled)
        {
            *is_unsettled |= *journey != NONE && *keys > max_keys_of(*journey);
        }
    }
}

/// Kinds of which a journey may only have so many keys.
#[derive(Default)]
struct LimitedKinds {
    is_any: bool,
    /// For each project.
    number_of: Vec<HashMap<String, u32>>,
    limits: Vec<u32>,
}

impl LimitedKinds {
    /// The number of a kind, where it is limited.
    fn number(&mut self, project: u32, kind: &str, limit: u32) -> u32 {
        if limit == u32::MAX {
            return NONE;
        }
        let project = project as usize;
        self.number_of.resize_with(self.number_of.len().max(project + 1), HashMap::new);
        if let Some(&number) = self.number_of[project].get(kind) {
            return number;
        }
        let number = self.limits.len() as u32;
        self.number_of[project].insert(kind.to_owned(), number);
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
