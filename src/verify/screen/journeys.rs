//! Journeys as the table has them, less what the events and keys account for.

use std::collections::HashMap;

/// A present journey.
pub struct Journey {
    id: i64,
    project_id: i32,
    /// Those that have not been seen.
    events: i64,
    keys: i64,
    /// As the table says, and as the events have it.
    first_seen: (i64, i64),
    last_seen: (i64, i64),
    is_founded: bool,
}

impl Journey {
    /// As the table has it: how many events and keys, and when the first and the last event occurred.
    pub fn new(
        id: i64,
        project_id: i32,
        events: i64,
        keys: i64,
        (first_seen, last_seen): (i64, i64),
    ) -> Self {
        Journey {
            id,
            project_id,
            events,
            keys,
            first_seen: (first_seen, i64::MAX),
            last_seen: (last_seen, i64::MIN),
            is_founded: false,
        }
    }
}

/// All journeys.
#[derive(Default)]
pub struct Journeys {
    /// In ascending order.
    present: Vec<Journey>,
    /// Where absorbed ones lead to.
    aliases: HashMap<i64, i64>,
    /// The journey that a founding event must be in, and whether it is the one that it founded.
    founded: HashMap<i64, (i64, bool)>,
}

impl Journeys {
    /// The next present one. Answers whether its founding event can be in it.
    pub fn add(&mut self, journey: Journey, founder: Option<i64>) -> bool {
        let id = journey.id;
        self.present.push(journey);
        self.add_founder(founder, id, true)
    }

    /// An absorbed one; answers the same of the journey that it leads to.
    pub fn add_alias(&mut self, id: i64, target: i64, founder: Option<i64>) -> bool {
        self.aliases.insert(id, target);
        self.add_founder(founder, target, false)
    }

    fn add_founder(&mut self, founder: Option<i64>, must_be_in: i64, is_own: bool) -> bool {
        let Some(founder) = founder else { return true };
        let known = self.founded.entry(founder).or_insert((must_be_in, false));
        known.1 |= is_own;
        known.0 == must_be_in
    }

    /// A key says that it is in a journey. Answers whether there is such a one in its project.
    pub fn add_key(&mut self, journey: i64, project_id: i32) -> bool {
        let Ok(number) = self.present.binary_search_by_key(&journey, |journey| journey.id) else {
            return false;
        };
        let journey = &mut self.present[number];
        journey.keys -= 1;
        journey.project_id == project_id
    }

    /// An event is in a journey, by its number. Answers whether it founded none, or one that is this one now.
    pub fn see(&mut self, number: u32, event: i64, at: i64) -> bool {
        let journey = &mut self.present[number as usize];
        journey.events -= 1;
        journey.first_seen.1 = journey.first_seen.1.min(at);
        journey.last_seen.1 = journey.last_seen.1.max(at);
        match self.founded.get(&event) {
            None => true,
            Some(&(must_be_in, is_own)) => {
                journey.is_founded |= is_own && must_be_in == journey.id;
                must_be_in == journey.id
            }
        }
    }

    pub fn id(&self, number: u32) -> i64 {
        self.present[number as usize].id
    }

    /// The journey that an id leads to.
    pub fn present(&self, id: i64) -> i64 {
        self.aliases.get(&id).copied().unwrap_or(id)
    }

    pub fn project_of(&self, id: i64) -> Option<i32> {
        let number = self.present.binary_search_by_key(&id, |journey| journey.id).ok()?;
        Some(self.present[number].project_id)
    }

    /// Whether all have the events, keys and times that they say.
    pub fn are_counted(&self) -> bool {
        self.present.iter().all(|journey| {
            (journey.events, journey.keys) == (0, 0)
                && journey.first_seen.0 == journey.first_seen.1
                && journey.last_seen.0 == journey.last_seen.1
        })
    }

    /// Whether the founding event of each has been seen in it.
    pub fn are_founded(&self) -> bool {
        self.present.iter().all(|journey| journey.is_founded)
    }
}
