//! Keys that join no journeys by the rule of their kind.
//!
//! They are of no consequence to a component that is connected without them and in which every event has another key:
//! then each of them ends up where its first event is, as the others do.

use petgraph::unionfind::UnionFind;

use super::NONE;

#[derive(Default)]
pub struct Apart {
    /// What hangs together by the keys that do join.
    sets: UnionFind<u32>,
    /// For each key that does not join since when, as the table has it.
    since: Vec<Option<i64>>,
    /// And the time of the earliest event that has it.
    first_seen: Vec<Option<i64>>,
    stays_apart: Vec<bool>,
    /// For each component the set of one of its keys that join.
    set_of_root: Vec<u32>,
}

impl Apart {
    /// The next key.
    pub fn add_key(&mut self, stays_apart: bool, since: Option<i64>) {
        self.sets.new_set();
        self.since.push(since);
        self.first_seen.push(None);
        self.stays_apart.push(stays_apart);
        self.set_of_root.push(NONE);
    }

    /// An event has a key; `first` is the first of its keys that join.
    pub fn see(&mut self, key: u32, at: i64, first: &mut Option<u32>) {
        if self.stays_apart[key as usize] {
            let first_seen = &mut self.first_seen[key as usize];
            *first_seen = Some(first_seen.map_or(at, |seen| seen.min(at)));
        } else {
            self.sets.union(*first.get_or_insert(key), key);
        }
    }

    /// Whether a key does not join since another time than the table says, or belongs to a component that does not hang
    /// together without those that do not join. All keys of a component are asked for.
    pub fn is_torn(&mut self, key: u32, component: u32) -> bool {
        if self.stays_apart[key as usize] {
            return self.since[key as usize] != self.first_seen[key as usize];
        }
        let set = self.sets.find_mut(key);
        let known = &mut self.set_of_root[component as usize];
        if *known == NONE {
            *known = set;
        }
        *known != set
    }
}
