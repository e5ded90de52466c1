//! Journeys that are to be computed anew, in batches.

use std::collections::HashMap;

/// Journeys that are not settled, in ascending order.
#[derive(Debug, Default)]
pub struct Unsettled {
    journeys: Vec<i64>,
    /// For each the number of its bundle. What happens in one bundle does not depend on any other.
    bundle_of_journey: Vec<usize>,
    events_of_bundle: Vec<u64>,
    number_of_root: HashMap<u32, usize>,
}

impl Unsettled {
    /// The next journey, and what represents its bundle; `None`: it is one by itself.
    pub fn add(&mut self, journey: i64, events: u64, root: Option<u32>) {
        let next = self.events_of_bundle.len();
        let bundle = root.map_or(next, |root| *self.number_of_root.entry(root).or_insert(next));
        if bundle == next {
            self.events_of_bundle.push(0);
        }
        self.events_of_bundle[bundle] += events;
        self.journeys.push(journey);
        self.bundle_of_journey.push(bundle);
    }

    /// All of them.
    pub fn journeys(&self) -> &[i64] {
        &self.journeys
    }

    /// In batches of whole bundles, with no more events each, unless a bundle alone has more.
    pub fn batches(&self, most_events: u64) -> Vec<Vec<i64>> {
        let mut batches: Vec<Vec<i64>> = Vec::new();
        let mut events = 0;
        let mut batch_of_bundle = Vec::with_capacity(self.events_of_bundle.len());
        for of_bundle in &self.events_of_bundle {
            if batches.is_empty() || events + of_bundle > most_events {
                batches.push(Vec::new());
                events = 0;
            }
            events += of_bundle;
            batch_of_bundle.push(batches.len() - 1);
        }
        for (&journey, &bundle) in self.journeys.iter().zip(&self.bundle_of_journey) {
            batches[batch_of_bundle[bundle]].push(journey);
        }
        batches
    }
}
