//! What a region comes to, in figures.

use std::collections::{HashMap, HashSet};

use super::Region;
use super::outcome::Becomes;
use crate::stitch::batch::Hold;

/// What goes from one journey to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub from: i64,
    pub to: Becomes,
    pub events: i64,
    pub keys: i64,
}

impl Region {
    /// What goes where, journeys that are absorbed included.
    pub fn moves(&self) -> Vec<Move> {
        let mut moves: HashMap<(i64, Becomes), (i64, i64)> = HashMap::new();
        let becomes = |group: u32| self.outcome.groups[group as usize].becomes;
        for (event, group) in self.events.iter().zip(&self.outcome.group_of_event) {
            if let Some(to) = group.map(becomes).filter(|to| *to != Becomes::Present(event.journey)) {
                moves.entry((event.journey, to)).or_default().0 += 1;
            }
        }
        for (key, group) in self.keys.iter().zip(&self.outcome.group_of_key) {
            if let (Some(from), Some(to)) = (key.journey, group.map(becomes))
                && to != Becomes::Present(from)
            {
                moves.entry((from, to)).or_default().1 += 1;
            }
        }
        let mut moves: Vec<Move> =
            moves.into_iter().map(|((from, to), (events, keys))| Move { from, to, events, keys }).collect();
        moves.sort_unstable_by_key(|moved| (moved.from, moved.to));
        moves
    }

    /// How many journeys are made, and how many absorbed.
    pub fn journeys_changed(&self) -> (i64, i64) {
        let groups = &self.outcome.groups;
        let new = groups.iter().filter(|group| matches!(group.becomes, Becomes::New(_))).count();
        let absorbed: usize = groups.iter().map(|group| group.absorbed.len()).sum();
        (new as i64, absorbed as i64)
    }

    /// The uuid of a journey of the region.
    pub fn uuid(&self, journey: i64) -> Option<pgrx::Uuid> {
        self.journeys.get(&journey).map(|journey| journey.uuid)
    }

    /// Journeys, keys and refusals, as they are and as they are to be.
    pub fn sizes(&self) -> Vec<(&'static str, i64, i64)> {
        let count = |n: usize| n as i64;
        let outcome = &self.outcome;
        let present = self.journeys.values().filter(|journey| journey.merged_into.is_none()).count();
        let refused_now =
            self.events.iter().flat_map(|event| &event.pairs).filter(|(_, rule)| rule.is_some());
        let refused_then = outcome.pairs.iter().flatten().filter(|(_, rule)| rule.is_some());
        let quarantined = |hold: Option<Hold>| hold == Some(Hold::Quarantined);
        let moved = self.moves();
        let absorbed: HashSet<i64> =
            outcome.groups.iter().flat_map(|group| group.absorbed.iter().copied()).collect();
        let split: HashSet<i64> =
            moved.iter().map(|m| m.from).filter(|from| !absorbed.contains(from)).collect();
        vec![
            ("journeys", count(present), count(outcome.groups.len())),
            (
                "keys",
                count(self.keys.iter().filter(|key| key.journey.is_some()).count()),
                count(outcome.group_of_key.iter().flatten().count()),
            ),
            ("refused keys of events", count(refused_now.count()), count(refused_then.count())),
            (
                "quarantined keys",
                count(self.keys.iter().filter(|key| quarantined(key.hold)).count()),
                count(
                    outcome
                        .held
                        .iter()
                        .filter(|held| held.is_some_and(|(hold, _)| quarantined(hold)))
                        .count(),
                ),
            ),
            ("journeys taken apart", 0, count(split.len())),
            ("journeys absorbed", 0, count(absorbed.len())),
            ("events that move", 0, moved.iter().map(|moved| moved.events).sum()),
        ]
    }
}
