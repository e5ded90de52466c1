//! What a region comes to: groups of keys and events, the journeys that they become, and what was refused.

use std::collections::{BTreeMap, HashMap};

use super::{Named, Region};
use crate::stitch::batch::Hold;
use crate::stitch::contest::LimitedKinds;
use crate::stitch::resolve::Groups;

/// What a journey is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Becomes {
    /// One that is there.
    Present(i64),
    /// One that is to be made, by its number.
    New(u32),
}

/// One journey as it is to be.
#[derive(Debug)]
pub struct Group {
    pub becomes: Becomes,
    /// Journeys that it absorbs.
    pub absorbed: Vec<i64>,
    /// Indexes of its events, in order.
    pub events: Vec<u32>,
    pub keys: Vec<u32>,
}

/// What a region comes to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For each event its keys; with the rule why, if refused.
    pub pairs: Vec<Vec<(u32, Option<String>)>>,
    pub groups: Vec<Group>,
    /// For each event its group; `None` for one that goes.
    pub group_of_event: Vec<Option<u32>>,
    /// For each key its group; `None`: no event is tied by it.
    pub group_of_key: Vec<Option<u32>>,
    /// Which keys join no journeys, and since when.
    pub held: Vec<Option<(Option<Hold>, Option<i64>)>>,
}

/// Takes the events of a region one after another. Answers, too, journeys beyond its border that an event would
/// go to.
pub fn take(
    region: &Region,
    mut groups: Groups<'_>,
    kinds: &LimitedKinds,
    named: &Named,
) -> (Outcome, Vec<i64>) {
    let mut outcome = Outcome { held: region.keys.iter().map(|_| None).collect(), ..Outcome::default() };
    let mut refused: HashMap<(u32, u32), String> = HashMap::new();
    let mut anchors = Vec::with_capacity(region.events.len());
    let mut first_outside = Vec::new();
    let Named { names, within } = named;
    for (n, (event, keys)) in (0..).zip(region.events.iter().zip(within)) {
        if keys.is_empty() {
            anchors.push(None);
            continue;
        }
        let at = event.queued.occurred_at;
        for &key in names[n as usize].iter().filter(|name| !keys.contains(name)) {
            // What a key beyond the border is, it was when the event came.
            let key_now = &region.keys[key as usize];
            if key_now.hold == Some(Hold::Quarantined) && key_now.since < Some(at) {
                groups.quarantine(key);
            }
            if groups.is_before_all(key, keys) {
                first_outside.extend(key_now.journey);
            }
        }
        for key in keys.iter().copied().filter(|&key| groups.key(key).is_unmerged) {
            outcome.held[key as usize] = Some((Some(Hold::Unmerged), None));
        }
        let done = groups.take(keys);
        for key in done.quarantined {
            outcome.held[key as usize] = Some((Some(Hold::Quarantined), Some(at)));
        }
        for &key in done.tied.iter().filter(|&&key| groups.key(key).stays_apart) {
            outcome.held[key as usize].get_or_insert((None, Some(at)));
        }
        for (key, refusal) in done.refused {
            refused.insert((n, key), kinds.text(refusal));
        }
        anchors.push(done.tied.first().copied());
    }
    gather(region, &mut outcome, groups, &anchors, named, &refused);
    assign_journeys(region, &mut outcome);
    (outcome, first_outside)
}

/// Which events and keys are in which group in the end.
fn gather(
    region: &Region,
    outcome: &mut Outcome,
    mut groups: Groups<'_>,
    anchors: &[Option<u32>],
    Named { names, within }: &Named,
    refused: &HashMap<(u32, u32), String>,
) {
    let mut group_of_root: HashMap<u32, u32> = HashMap::new();
    outcome.group_of_key = vec![None; region.keys.len()];
    for (n, (event, names)) in (0..).zip(region.events.iter().zip(names)) {
        let Some(anchor) = anchors[n as usize] else {
            outcome.pairs.push(Vec::new());
            outcome.group_of_event.push(None);
            continue;
        };
        let root = groups.find(anchor);
        let group = *group_of_root.entry(root).or_insert_with(|| {
            let becomes = Becomes::New(0);
            outcome.groups.push(Group {
                becomes,
                absorbed: Vec::new(),
                events: Vec::new(),
                keys: Vec::new(),
            });
            (outcome.groups.len() - 1) as u32
        });
        outcome.groups[group as usize].events.push(n);
        outcome.group_of_event.push(Some(group));
        let mut pairs = Vec::with_capacity(names.len());
        for &name in names {
            if !within[n as usize].contains(&name) {
                let id = region.keys[name as usize].id;
                let old = event.pairs.iter().find(|(key, _)| Some(*key) == id);
                pairs.push((name, old.and_then(|(_, rule)| rule.clone())));
            } else if groups.find(name) == root {
                pairs.push((name, None));
            } else {
                // Every key within is tied or refused.
                pairs.push((name, Some(refused.get(&(n, name)).cloned().unwrap_or_default())));
            }
        }
        outcome.pairs.push(pairs);
    }
    // A key is where its group is, if that has any event: one that ties no event itself may be linked.
    for key in 0..region.keys.len() as u32 {
        if let Some(&group) = group_of_root.get(&groups.find(key)) {
            outcome.group_of_key[key as usize] = Some(group);
            outcome.groups[group as usize].keys.push(key);
        }
    }
}

/// Which journey each group becomes: the oldest whose founding event is in it, else a new one.
fn assign_journeys(region: &Region, outcome: &mut Outcome) {
    let mut founders: BTreeMap<i64, u32> = BTreeMap::new();
    let index_of: HashMap<i64, u32> =
        (0..).zip(&region.events).map(|(n, event)| (event.queued.id, n)).collect();
    let mut first_left: HashMap<i64, u32> = HashMap::new();
    for (n, event) in (0..).zip(&region.events).filter(|(_, event)| !event.is_gone) {
        first_left.entry(event.journey).or_insert(n);
    }
    for (&id, journey) in region.journeys.iter().filter(|(_, journey)| journey.merged_into.is_none()) {
        let founder = journey.founder.and_then(|founder| index_of.get(&founder)).copied();
        let founder = founder.filter(|&event| !region.events[event as usize].is_gone);
        // Where the founding event was erased, the earliest of those that are left stands in for it.
        if let Some(event) = founder.or_else(|| first_left.get(&id).copied()) {
            founders.insert(id, event);
        }
    }
    let mut candidates: Vec<Vec<i64>> = vec![Vec::new(); outcome.groups.len()];
    for (id, event) in founders {
        if let Some(group) = outcome.group_of_event[event as usize] {
            candidates[group as usize].push(id);
        }
    }
    let mut new = 0;
    for (group, candidates) in outcome.groups.iter_mut().zip(candidates) {
        // Ids rise with creation, and the map has given them in order.
        match candidates.split_first() {
            Some((&oldest, others)) => {
                group.becomes = Becomes::Present(oldest);
                group.absorbed = others.to_vec();
            }
            None => {
                group.becomes = Becomes::New(new);
                new += 1;
            }
        }
    }
}
