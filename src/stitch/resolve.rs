//! Which of its keys tie an event to others, where not all may: limits, keys that join no journeys, and a
//! person's word.
//!
//! Pure: indexes in, indexes out. Events are taken one after another, in the order of their time; each joins
//! the groups of its keys, the most important key first, and leaves out a key that would break a rule. Groups
//! only grow, and every rule forbids the greater union where it forbids the smaller one; so two groups that were
//! kept apart because of what is in them are never one later, and what an event does depends on what came
//! before it alone.

use std::cmp::Ordering;

use petgraph::unionfind::UnionFind;

/// How many keys of each limited kind a group has, by the kind's number, in ascending order.
pub type Counts = Vec<(u32, u32)>;

/// A key that takes part.
#[derive(Debug, Clone)]
pub struct Key<'a> {
    pub kind: &'a str,
    pub value: &'a str,
    /// The kind's number in `limits`; `None`: the kind is not limited.
    pub limited: Option<u32>,
    pub priority: u32,
    /// By the rule of its kind it joins no groups.
    pub stays_apart: bool,
    pub is_quarantined: bool,
    /// By a person's word it ties nothing together.
    pub is_unmerged: bool,
    /// An event is tied by it.
    pub is_tied: bool,
}

impl Key<'_> {
    fn class(&self) -> u8 {
        match self {
            Key { is_unmerged: true, .. } => 2,
            Key { stays_apart: true, .. } | Key { is_quarantined: true, .. } => 1,
            _ => 0,
        }
    }

    /// The most important first.
    fn rank(&self, other: &Self) -> Ordering {
        (self.class(), self.priority, self.kind, self.value).cmp(&(
            other.class(),
            other.priority,
            other.kind,
            other.value,
        ))
    }
}

/// Why a key was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    Unmerged,
    StaysApart,
    Quarantined,
    NeverLink,
    /// The kind's number in `limits`.
    Limit(u32),
    MaxKeys,
}

impl Refusal {
    /// Whether it is for what the key itself is, and not for what else is in the groups.
    pub fn is_of_key(self) -> bool {
        matches!(self, Refusal::Unmerged | Refusal::StaysApart | Refusal::Quarantined)
    }
}

#[derive(Debug, Clone, Default)]
struct Group {
    keys: u32,
    counts: Counts,
    /// Sides of words never_link that are in it.
    sides: Vec<(u32, bool)>,
}

/// Groups of keys, as far as the events have come.
pub struct Groups<'a> {
    keys: Vec<Key<'a>>,
    limits: Vec<u32>,
    max_keys: u32,
    sets: UnionFind<u32>,
    /// At the node that represents a set. Nodes are the keys, then what [`Self::add_group`] adds.
    groups: Vec<Group>,
}

/// What one event did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Keys that tie it; the first is the one that it belongs to.
    pub tied: Vec<u32>,
    pub refused: Vec<(u32, Refusal)>,
    /// Keys that are quarantined from the next event on.
    pub quarantined: Vec<u32>,
}

impl<'a> Groups<'a> {
    /// Every key by itself. `limits`: the most keys of each limited kind, by the kind's number, where numbers
    /// follow the byte order of the kinds; `max_keys`: the most keys of any kind.
    pub fn new(keys: Vec<Key<'a>>, limits: Vec<u32>, max_keys: u32) -> Self {
        let groups = keys
            .iter()
            .map(|key| Group {
                keys: 1,
                counts: key.limited.map(|kind| (kind, 1)).into_iter().collect(),
                sides: Vec::new(),
            })
            .collect();
        Groups { sets: UnionFind::new(keys.len()), groups, keys, limits, max_keys }
    }

    /// A group that is there already, with keys of which only some may take part; answers its node. Such keys
    /// are then put into it by [`Self::put`]. Counts are above zero.
    pub fn add_group(&mut self, keys: u32, counts: Counts) -> u32 {
        self.groups.push(Group { keys, counts, sides: Vec::new() });
        self.sets.new_set()
    }

    /// A key is one of those that a group of [`Self::add_group`] has already counted. Before words and events.
    pub fn put(&mut self, key: u32, group: u32) {
        let (of_key, of_group) = (self.sets.find_mut(key), self.sets.find_mut(group));
        if of_key != of_group {
            let data = std::mem::take(&mut self.groups[of_group as usize]);
            self.sets.union(of_key, of_group);
            let root = self.sets.find_mut(key) as usize;
            self.groups[root] = data;
        }
    }

    /// By a person's word two keys are in one group, whatever the rules say. Before all events.
    pub fn link(&mut self, a: u32, b: u32) {
        self.join(a, b);
    }

    /// By a person's word two nodes (keys, or groups) are never in one group. Before all events.
    pub fn never_link(&mut self, word: u32, a: u32, b: u32) {
        for (node, side) in [(a, false), (b, true)] {
            let root = self.sets.find_mut(node) as usize;
            self.groups[root].sides.push((word, side));
        }
    }

    /// A key joins no groups from the next event on.
    pub fn quarantine(&mut self, key: u32) {
        self.keys[key as usize].is_quarantined = true;
    }

    /// Whether a key is more important than all of some others.
    pub fn is_before_all(&self, key: u32, others: &[u32]) -> bool {
        others.iter().all(|&other| self.keys[key as usize].rank(&self.keys[other as usize]).is_lt())
    }

    /// The node that represents the group of a key or group.
    pub fn find(&mut self, node: u32) -> u32 {
        self.sets.find_mut(node)
    }

    /// A key, as it is by now.
    pub fn key(&self, key: u32) -> &Key<'a> {
        &self.keys[key as usize]
    }

    /// Takes the next event, which has each key once.
    ///
    /// # Panics
    /// If it has no key.
    pub fn take(&mut self, event: &[u32]) -> Outcome {
        let mut ranked = event.to_vec();
        ranked.sort_unstable_by(|&a, &b| self.keys[a as usize].rank(&self.keys[b as usize]));
        let anchor = ranked[0];
        let mut outcome = Outcome { tied: vec![anchor], ..Outcome::default() };
        for &key in &ranked[1..] {
            match self.refusal(anchor, key) {
                None => {
                    self.join(anchor, key);
                    outcome.tied.push(key);
                }
                Some(refusal) => {
                    if refusal == Refusal::MaxKeys
                        && let Some(culprit) = self.culprit(anchor, key, &ranked)
                        && !outcome.quarantined.contains(&culprit)
                    {
                        outcome.quarantined.push(culprit);
                    }
                    outcome.refused.push((key, refusal));
                }
            }
        }
        for &key in &outcome.tied {
            self.keys[key as usize].is_tied = true;
        }
        for &key in &outcome.quarantined {
            self.keys[key as usize].is_quarantined = true;
        }
        outcome
    }

    /// Why the group of a key must not be joined to that of the event's first key.
    fn refusal(&mut self, anchor: u32, key: u32) -> Option<Refusal> {
        let (to, from) = (self.sets.find_mut(anchor), self.sets.find_mut(key));
        if to == from {
            return None;
        }
        let (first, this) = (&self.keys[anchor as usize], &self.keys[key as usize]);
        if first.is_unmerged || this.is_unmerged {
            return Some(Refusal::Unmerged);
        }
        // Of a key that joins nothing this is the reason, whatever else would be one. Its first event takes it
        // along, if it may.
        let of_key = match this {
            Key { is_quarantined: true, .. } => Some(Refusal::Quarantined),
            Key { stays_apart: true, .. } => Some(Refusal::StaysApart),
            _ => None,
        };
        if of_key.is_some() && this.is_tied {
            return of_key;
        }
        let of_groups = self.refusal_of_groups(to, from);
        of_groups.map(|refusal| of_key.unwrap_or(refusal))
    }

    fn refusal_of_groups(&self, to: u32, from: u32) -> Option<Refusal> {
        let (to, from) = (&self.groups[to as usize], &self.groups[from as usize]);
        if to.sides.iter().any(|&(word, side)| from.sides.contains(&(word, !side))) {
            return Some(Refusal::NeverLink);
        }
        if let Some(kind) = over_limit(&to.counts, &from.counts, &self.limits) {
            return Some(Refusal::Limit(kind));
        }
        let keys = u64::from(to.keys) + u64::from(from.keys);
        (keys > u64::from(self.max_keys)).then_some(Refusal::MaxKeys)
    }

    /// Whose fault it is that a journey would become too large: that of the key that leads to the larger part,
    /// of several the least important.
    fn culprit(&mut self, anchor: u32, key: u32, ranked: &[u32]) -> Option<u32> {
        let (to, from) = (self.sets.find_mut(anchor), self.sets.find_mut(key));
        if self.groups[from as usize].keys >= self.groups[to as usize].keys {
            return Some(key);
        }
        let leads = |other: &&u32| self.sets.find(**other) == to && self.keys[**other as usize].class() == 0;
        ranked.iter().rev().find(leads).copied()
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.sets.find_mut(a), self.sets.find_mut(b));
        if a == b {
            return;
        }
        self.sets.union(a, b);
        let root = self.sets.find_mut(a);
        let other = std::mem::take(&mut self.groups[if root == a { b } else { a } as usize]);
        let group = &mut self.groups[root as usize];
        group.keys = group.keys.saturating_add(other.keys);
        add_counts(&mut group.counts, &other.counts);
        group.sides.extend(other.sides);
    }
}

/// Adds what one group has of each kind to what another has.
pub fn add_counts(counts: &mut Counts, more: &Counts) {
    for &(kind, count) in more {
        match counts.binary_search_by_key(&kind, |&(kind, _)| kind) {
            Ok(n) => counts[n].1 = counts[n].1.saturating_add(count),
            Err(n) => counts.insert(n, (kind, count)),
        }
    }
}

/// The first kind of which a union would have more than its limit, where both sides have some.
fn over_limit(a: &Counts, b: &Counts, limits: &[u32]) -> Option<u32> {
    let mut others = b.iter().peekable();
    for &(kind, count) in a {
        while others.next_if(|(other, _)| *other < kind).is_some() {}
        if let Some(&&(other, more)) = others.peek()
            && other == kind
            && u64::from(count) + u64::from(more) > u64::from(limits[kind as usize])
        {
            return Some(kind);
        }
    }
    None
}
