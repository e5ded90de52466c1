//! Sets of who was active, and the sum over all that is in the timeline.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use roaring::RoaringBitmap;

use crate::analytics::members;
use crate::analytics::timeline;

const MICROS_OF_DAY: i64 = 86_400_000_000;

/// Numbers of a project's event types on UTC days.
#[derive(Default)]
pub struct Slots {
    numbers: HashMap<(u32, i64), HashMap<String, u32>>,
    next: u32,
}

impl Slots {
    /// The numbers of an event's type, and of all types, on its day.
    pub fn of_event(&mut self, project: u32, at: i64, event_type: &str) -> (u32, u32) {
        let of_day = self.numbers.entry((project, at.div_euclid(MICROS_OF_DAY))).or_default();
        let mut number = |name: &str| match of_day.get(name) {
            Some(&number) => number,
            None => {
                self.next += 1;
                of_day.insert(name.to_owned(), self.next);
                self.next
            }
        };
        (number(event_type), number(""))
    }

    /// The number of a type on the day that begins then, if any event has been seen of it.
    pub fn find(&self, project: u32, starts_at: i64, event_type: &str) -> Option<u32> {
        if starts_at.rem_euclid(MICROS_OF_DAY) != 0 {
            return None;
        }
        self.numbers.get(&(project, starts_at.div_euclid(MICROS_OF_DAY)))?.get(event_type).copied()
    }
}

/// Who was active, by slot and chunk.
#[derive(Default)]
pub struct Active(HashMap<(u32, i64), RoaringBitmap>);

impl Active {
    pub fn add(&mut self, slot: u32, id: i64) {
        let low = id & ((1 << members::CHUNK_BITS) - 1);
        self.0.entry((slot, members::chunk_of(id))).or_default().insert(low as u32);
    }

    /// A set as it is stored. Answers whether it is just who was active.
    pub fn take(&mut self, slot: u32, chunk: i64, stored: &[u8]) -> bool {
        let expected = self.0.remove(&(slot, chunk)).unwrap_or_default();
        let expected = expected.into_iter().map(|low| chunk << members::CHUNK_BITS | i64::from(low));
        members::decode(chunk, stored).is_ok_and(|ids| ids.eq(expected))
    }

    /// Whether all have been taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The sum over the events, less the same over the timeline's entries.
#[derive(Default)]
pub struct Timeline {
    balance: u64,
    hashing: RandomState,
}

impl Timeline {
    pub fn add(&mut self, slot: u32, id: i64, at: i64, user: Option<i64>, journey: i64) {
        self.balance = self.balance.wrapping_add(self.hashing.hash_one((slot, id, at, user, journey)));
    }

    /// A run with the ids that its row names, in journeys as `present` has them. Answers whether the ids are its own.
    pub fn take(
        &mut self,
        slot: u32,
        (first_id, last_id): (i64, i64),
        run: &[u8],
        present: impl Fn(i64) -> i64,
    ) -> bool {
        let (mut first, mut last) = (None, None);
        let read = timeline::for_each(run, |entry| {
            let event = (slot, entry.id, entry.at, entry.user, present(entry.journey));
            self.balance = self.balance.wrapping_sub(self.hashing.hash_one(event));
            first.get_or_insert(entry.id);
            last = Some(entry.id);
        });
        read.is_ok() && (first, last) == (Some(first_id), Some(last_id))
    }

    pub fn is_balanced(&self) -> bool {
        self.balance == 0
    }
}
