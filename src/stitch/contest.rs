//! Where the identity rules have something to say: finds the components of a batch that they could concern,
//! and has [`resolve`](super::resolve) take the events of those one by one. All others are plain union-find.
//!
//! What resolve needs to know of the past is how many keys of which kind each journey has. That is enough as
//! long as events come in the order of their time; one that comes late, where order matters, is noted, and
//! its journeys are computed anew from all of their events once the batch is written (`region`).

use std::collections::{HashMap, HashSet};

use super::batch::{Hold, Journey, Key, QueuedEvent};
use super::components::{EventKeys, Plan};
use super::resolve::{self, Groups, Refusal};
use super::words::{Named, Pair, Words};
use crate::identity::rules::Rules;

// Why a key was refused, as merge_conflicts has it, if for what it is itself.
pub const UNMERGED: &str = "unmerge";
const STAYS_APART: &str = "merges = false";
const QUARANTINED: &str = "quarantined";

/// The class of a key by what is known before the batch: 0 joins journeys.
fn joins(rules: &Rules, key: &Key<'_>) -> bool {
    key.hold.is_none() && rules.rule(key.kind).merges
}

/// Of each event the keys by which it could join journeys: those that may, those that it could take along because
/// no event has them yet, and the most important one.
pub fn joining(rules: &Rules, keys: &[Key<'_>], keys_of_events: &EventKeys) -> EventKeys {
    if rules.is_plain() && keys.iter().all(|key| key.hold.is_none()) {
        return keys_of_events.clone();
    }
    let could_join =
        |key: &Key<'_>| joins(rules, key) || key.journey.is_none() && key.hold != Some(Hold::Unmerged);
    let rank = |key: &Key<'_>| {
        let class = if joins(rules, key) { 0 } else { 1 + u8::from(key.hold == Some(Hold::Unmerged)) };
        (class, rules.rule(key.kind).priority)
    };
    let mut joining = EventKeys::with_capacity(keys_of_events.len(), keys.len() * 2);
    for event in keys_of_events.iter() {
        let of = |key: u32| &keys[key as usize];
        let first =
            event.iter().copied().min_by_key(|&key| (rank(of(key)), of(key).kind, of(key).value.as_ref()));
        let others = event.iter().copied().filter(|&key| could_join(of(key)) && Some(key) != first);
        joining.push(first.into_iter().chain(others));
    }
    joining
}

/// Whether the rules could matter to a component, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contested {
    No,
    /// Only because some key joins no journeys.
    ByKeys,
    /// The order of events matters.
    ByOrder,
}

/// Whether any component is contested.
pub fn any(contested: &[Contested]) -> bool {
    contested.iter().any(|contested| *contested != Contested::No)
}

/// Which components the rules could matter to.
pub fn components(
    rules: &Rules,
    words: &Words,
    keys: &[Key<'_>],
    keys_of_events: &EventKeys,
    plan: &Plan,
    journeys: &HashMap<i64, Journey>,
) -> Vec<Contested> {
    let mut contested = vec![Contested::No; plan.components.len()];
    if keys.iter().any(|key| !joins(rules, key)) {
        for (event, component) in keys_of_events.iter().zip(&plan.component_of_event) {
            if event.iter().any(|&key| !joins(rules, &keys[key as usize])) {
                contested[*component as usize] = Contested::ByKeys;
            }
        }
    }
    let mut totals = Totals { keys: vec![0; contested.len()], kinds: HashMap::new() };
    let mut seen = HashSet::with_capacity(journeys.len());
    for (key, component) in keys.iter().zip(&plan.component_of_key) {
        let Some(component) = *component else { continue };
        match key.journey.and_then(|id| Some((id, journeys.get(&id)?))) {
            Some((id, journey)) if seen.insert(id) => {
                totals.add_journey(rules, component, journey);
                if journey.tense_until.is_some() {
                    contested[component as usize] = Contested::ByOrder;
                }
            }
            Some(_) => {}
            None => {
                totals.add_key(rules, component, key.kind);
                // It was refused before; had it been tied by then, that could have been otherwise.
                if key.refused_until.is_some() {
                    contested[component as usize] = Contested::ByOrder;
                }
            }
        }
    }
    for (component, contested) in (0..).zip(&mut contested) {
        if totals.keys[component as usize] > u64::from(rules.max_keys()) {
            *contested = Contested::ByOrder;
        }
    }
    for ((component, kind), count) in totals.kinds {
        if count > u64::from(rules.rule(kind).max_values) {
            contested[component as usize] = Contested::ByOrder;
        }
    }
    if !words.is_empty() {
        let named: HashSet<(&str, &str)> = words
            .pairs()
            .flat_map(Pair::keys)
            .map(|named| (named.kind.as_str(), named.value.as_str()))
            .collect();
        let in_journeys: HashSet<i64> =
            words.pairs().flat_map(Pair::keys).filter_map(|named| named.journey).collect();
        for (key, component) in keys.iter().zip(&plan.component_of_key) {
            if let Some(component) = *component
                && (named.contains(&(key.kind, key.value.as_ref()))
                    || key.journey.is_some_and(|id| in_journeys.contains(&id)))
            {
                contested[component as usize] = Contested::ByOrder;
            }
        }
    }
    contested
}

/// How many keys each component would have if nothing were refused.
struct Totals<'a> {
    keys: Vec<u64>,
    /// Of limited kinds only.
    kinds: HashMap<(u32, &'a str), u64>,
}

impl<'a> Totals<'a> {
    fn add_journey(&mut self, rules: &Rules, component: u32, journey: &'a Journey) {
        self.keys[component as usize] += u64::from(journey.keys);
        for (kind, count) in &journey.kinds {
            if rules.rule(kind).max_values != u32::MAX {
                *self.kinds.entry((component, kind)).or_default() += u64::from(*count);
            }
        }
    }

    fn add_key(&mut self, rules: &Rules, component: u32, kind: &'a str) {
        self.keys[component as usize] += 1;
        if rules.rule(kind).max_values != u32::MAX {
            *self.kinds.entry((component, kind)).or_default() += 1;
        }
    }
}

/// A key that an event has and is not tied by.
#[derive(Debug, Clone)]
pub struct Refused {
    pub event: u32,
    pub key: u32,
    /// As merge_conflicts has it.
    pub rule: String,
    /// Because of what else is in the journeys: of both the order of events matters.
    pub makes_tense: bool,
}

/// A key that joins no journeys from an event on.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub key: u32,
    /// None: by the rule of its kind.
    pub hold: Option<Hold>,
    pub since: i64,
}

/// What the rules had to say in a batch.
#[derive(Debug, Default)]
pub struct Contest {
    pub refused: Vec<Refused>,
    pub held: Vec<Held>,
    /// Events that came late where order matters.
    pub late: Vec<u32>,
}

impl Contest {
    /// A key that was refused to an event of what has become the same journey ties it after all.
    pub fn with_moot_refusals(mut self, tied: EventKeys, plan: &Plan) -> (EventKeys, Self) {
        let is_moot = |refused: &Refused| {
            plan.component_of_key[refused.key as usize]
                == Some(plan.component_of_event[refused.event as usize])
        };
        let (moot, refused): (Vec<Refused>, Vec<Refused>) = self.refused.into_iter().partition(is_moot);
        self.refused = refused;
        if moot.is_empty() {
            return (tied, self);
        }
        let mut moot = moot.into_iter().peekable();
        let mut all = EventKeys::with_capacity(tied.len(), plan.component_of_key.len());
        for (event, keys) in (0..).zip(tied.iter()) {
            let mut keys = keys.to_vec();
            while let Some(refused) = moot.next_if(|refused| refused.event == event) {
                keys.push(refused.key);
            }
            all.push(keys);
        }
        (all, self)
    }
}

/// Whether a key was refused because of what else was in the journeys, by the rule as merge_conflicts has it.
pub fn is_of_groups(rule: &str) -> bool {
    ![UNMERGED, STAYS_APART, QUARANTINED].contains(&rule)
}

/// The kinds that are limited, in byte order; their places are their numbers.
#[derive(Debug, Default)]
pub struct LimitedKinds(Vec<String>);

impl LimitedKinds {
    pub fn new<'a>(rules: &Rules, kinds: impl Iterator<Item = &'a str>) -> Self {
        let limited: HashSet<&str> = kinds.filter(|kind| rules.rule(kind).max_values != u32::MAX).collect();
        let mut limited: Vec<String> = limited.into_iter().map(str::to_owned).collect();
        limited.sort_unstable();
        LimitedKinds(limited)
    }

    pub fn number(&self, kind: &str) -> Option<u32> {
        self.0.binary_search_by(|limited| limited.as_str().cmp(kind)).ok().map(|n| n as u32)
    }

    pub fn name(&self, number: u32) -> &str {
        &self.0[number as usize]
    }

    pub fn limits(&self, rules: &Rules) -> Vec<u32> {
        self.0.iter().map(|kind| rules.rule(kind).max_values).collect()
    }

    /// In words, as merge_conflicts has it.
    pub fn text(&self, refusal: Refusal) -> String {
        match refusal {
            Refusal::Unmerged => UNMERGED.to_owned(),
            Refusal::StaysApart => STAYS_APART.to_owned(),
            Refusal::Quarantined => QUARANTINED.to_owned(),
            Refusal::NeverLink => "never_link".to_owned(),
            Refusal::MaxKeys => "max_journey_keys".to_owned(),
            Refusal::Limit(kind) => format!("max_values of {}", self.name(kind)),
        }
    }
}

/// Takes the events of contested components one by one. Answers which keys tie each event of the batch.
#[allow(clippy::too_many_arguments)] // each is one thing that the caller has at hand
pub fn settle(
    rules: &Rules,
    words: &Words,
    events: &[QueuedEvent],
    keys: &[Key<'_>],
    keys_of_events: &EventKeys,
    plan: &Plan,
    contested: &[Contested],
    journeys: &HashMap<i64, Journey>,
) -> (EventKeys, Contest) {
    let contested_of = |component: u32| contested[component as usize];
    let (mut local_of_key, mut key_of_local) = (vec![None; keys.len()], Vec::new());
    for (event, component) in keys_of_events.iter().zip(&plan.component_of_event) {
        if contested_of(*component) != Contested::No {
            for &key in event {
                local_of_key[key as usize].get_or_insert_with(|| {
                    key_of_local.push(key);
                    (key_of_local.len() - 1) as u32
                });
            }
        }
    }
    let kinds = LimitedKinds::new(
        rules,
        key_of_local
            .iter()
            .map(|&key| keys[key as usize].kind)
            .chain(journeys.values().flat_map(|journey| journey.kinds.iter().map(|(kind, _)| kind.as_str()))),
    );
    let mut groups = open_groups(rules, &kinds, keys, &key_of_local, journeys);
    never_link(&mut groups, words, keys, &key_of_local);
    let linked: HashSet<(&str, &str)> = words
        .links
        .iter()
        .flat_map(Pair::keys)
        .map(|named| (named.kind.as_str(), named.value.as_str()))
        .collect();

    let mut tied = EventKeys::with_capacity(events.len(), keys.len() * 2);
    let mut contest = Contest::default();
    let mut local_event = Vec::new();
    for (n, (event, of_event)) in (0..).zip(events.iter().zip(keys_of_events.iter())) {
        let contested = contested_of(plan.component_of_event[n as usize]);
        if contested == Contested::No {
            tied.push(of_event.iter().copied());
            continue;
        }
        if is_late(rules, contested, event, of_event, keys, journeys, &linked) {
            contest.late.push(n);
        }
        local_event.clear();
        local_event.extend(of_event.iter().filter_map(|&key| local_of_key[key as usize]));
        let untied: Vec<u32> =
            local_event.iter().copied().filter(|&local| !groups.key(local).is_tied).collect();
        let outcome = groups.take(&local_event);
        let key = |local: u32| key_of_local[local as usize];
        for (local, refusal) in outcome.refused {
            contest.refused.push(Refused {
                event: n,
                key: key(local),
                rule: kinds.text(refusal),
                makes_tense: !refusal.is_of_key(),
            });
        }
        for local in outcome.quarantined {
            let hold = Some(Hold::Quarantined);
            contest.held.push(Held { key: key(local), hold, since: event.occurred_at });
        }
        for &local in &outcome.tied {
            let key_now = groups.key(local);
            if untied.contains(&local) && key_now.stays_apart && !key_now.is_unmerged {
                contest.held.push(Held { key: key(local), hold: None, since: event.occurred_at });
            }
        }
        tied.push(outcome.tied.into_iter().map(key));
    }
    (tied, contest)
}

fn open_groups<'a>(
    rules: &Rules,
    kinds: &LimitedKinds,
    keys: &'a [Key<'_>],
    key_of_local: &[u32],
    journeys: &HashMap<i64, Journey>,
) -> Groups<'a> {
    let local_keys = key_of_local.iter().map(|&key| {
        let key = &keys[key as usize];
        let rule = rules.rule(key.kind);
        resolve::Key {
            kind: key.kind,
            value: &key.value,
            limited: kinds.number(key.kind),
            priority: rule.priority,
            stays_apart: !rule.merges,
            is_quarantined: key.hold == Some(Hold::Quarantined),
            is_unmerged: key.hold == Some(Hold::Unmerged),
            is_tied: key.journey.is_some(),
        }
    });
    let mut groups = Groups::new(local_keys.collect(), kinds.limits(rules), rules.max_keys());
    let mut group_of_journey: HashMap<i64, u32> = HashMap::new();
    for (local, &key) in (0..).zip(key_of_local) {
        let Some(id) = keys[key as usize].journey else { continue };
        let Some(journey) = journeys.get(&id) else { continue };
        let group = *group_of_journey.entry(id).or_insert_with(|| {
            let mut counts: resolve::Counts = journey
                .kinds
                .iter()
                .filter_map(|(kind, count)| Some((kinds.number(kind)?, *count)))
                .collect();
            counts.sort_unstable();
            groups.add_group(journey.keys, counts)
        });
        groups.put(local, group);
    }
    groups
}

/// Tells the groups which of them a person has said are never one.
fn never_link(groups: &mut Groups<'_>, words: &Words, keys: &[Key<'_>], key_of_local: &[u32]) {
    if words.never_links.is_empty() {
        return;
    }
    let mut local_of_name: HashMap<(&str, &str), u32> = HashMap::new();
    let mut local_of_journey: HashMap<i64, u32> = HashMap::new();
    for (local, &key) in (0..).zip(key_of_local) {
        let key = &keys[key as usize];
        local_of_name.insert((key.kind, &key.value), local);
        if let Some(journey) = key.journey {
            local_of_journey.insert(journey, local);
        }
    }
    let node = |named: &Named| {
        let by_name = local_of_name.get(&(named.kind.as_str(), named.value.as_str()));
        by_name.or_else(|| local_of_journey.get(&named.journey?)).copied()
    };
    for (word, pair) in (0..).zip(&words.never_links) {
        if let (Some(one), Some(other)) = (node(&pair.one), node(&pair.other)) {
            groups.never_link(word, one, other);
        }
    }
}

/// Whether what the journeys are by now is not what they were at the time of the event, where it matters.
fn is_late(
    rules: &Rules,
    contested: Contested,
    event: &QueuedEvent,
    keys_of_event: &[u32],
    keys: &[Key<'_>],
    journeys: &HashMap<i64, Journey>,
    linked: &HashSet<(&str, &str)>,
) -> bool {
    let is_linked = |key: &Key<'_>| linked.contains(&(key.kind, key.value.as_ref()));
    let keys_of_event = || keys_of_event.iter().map(|&key| &keys[key as usize]);
    // Without a key that joins journeys, the event goes to that of another one.
    let may_go_there = |key: &Key<'_>| joins(rules, key) || !keys_of_event().any(|key| joins(rules, key));
    let is_passed = |id: i64| {
        let until = journeys.get(&id).map(|journey| journey.tense_until.max(Some(journey.last_seen)));
        until.flatten() >= Some(event.occurred_at)
    };
    keys_of_event().any(|key| match key.journey {
        // It is where the other is, from the first.
        None if is_linked(key) => true,
        None => joins(rules, key) && key.refused_until >= Some(event.occurred_at),
        Some(id) => {
            contested == Contested::ByOrder && may_go_there(key) && is_passed(id)
                || key.hold != Some(Hold::Unmerged)
                    && !joins(rules, key)
                    && key.since >= Some(event.occurred_at)
        }
    })
}
