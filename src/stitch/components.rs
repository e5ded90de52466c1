//! Which events and keys of one batch belong together, and which journeys that makes one.
//!
//! Pure: indexes in, indexes out. An event ties its keys together, and so does a journey that holds
//! several of them already. What hangs together is a component, and becomes one journey: the oldest of
//! those that are in it, or a new one. The partition does not depend on the order of the events; the
//! order only decides which event a merge is put down to.

use petgraph::unionfind::UnionFind;

/// The keys of each event of a batch, in one allocation for all events.
#[derive(Debug, Clone, Default)]
pub struct EventKeys {
    /// Where in `keys` each event's keys end; they start where those of the event before end.
    ends: Vec<usize>,
    keys: Vec<u32>,
}

impl EventKeys {
    /// Without events, but with room for so many events and so many keys of all of them together.
    pub fn with_capacity(events: usize, keys: usize) -> Self {
        EventKeys { ends: Vec::with_capacity(events), keys: Vec::with_capacity(keys) }
    }

    /// Adds the next event: the indexes of its keys, at least one.
    pub fn push(&mut self, keys: impl IntoIterator<Item = u32>) {
        self.keys.extend(keys);
        self.ends.push(self.keys.len());
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The events in order, each as the slice of its keys' indexes.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.ends.iter().scan(0, |start, &end| {
            let keys = &self.keys[*start..end];
            *start = end;
            Some(keys)
        })
    }
}

/// What belongs together, as [`plan`] finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// For each event, in order: the number of its component.
    pub component_of_event: Vec<u32>,
    /// For each key: the number of its component. None: no event has it, and it is in no journey.
    pub component_of_key: Vec<Option<u32>>,
    /// The components by number. Numbers follow the order of the components' first events; components
    /// of keys that are in journeys, and that no event has, come last, in the order of their first keys.
    pub components: Vec<Component>,
    /// The merges in the order of their events: one for each absorbed journey.
    pub merges: Vec<Merge>,
}

impl Plan {
    /// Each absorbed journey with the journey that absorbs it, which is never absorbed itself.
    pub fn absorptions(&self) -> impl Iterator<Item = (i64, i64)> {
        self.components.iter().flat_map(|Component { journey, absorbed }| {
            absorbed.iter().filter_map(|&absorbed| Some((absorbed, (*journey)?)))
        })
    }
}

/// Events and keys that belong together, and so to one journey.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Component {
    /// The oldest journey (the smallest id) that any of the keys is in. None: a new one is to be made.
    pub journey: Option<i64>,
    /// The other journeys that the keys are in, in ascending order.
    pub absorbed: Vec<i64>,
}

/// Why a journey ends up in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merge {
    /// The journey that is absorbed.
    pub absorbed: i64,
    /// The number of the component whose journey absorbs it.
    pub component: u32,
    /// The index of the first event that ties the absorbed journey to an older one, be it the one that
    /// survives or another one that is absorbed too.
    pub event: u32,
    /// The index of that event's first key that led to the absorbed journey, be it directly or through
    /// earlier events.
    pub key: u32,
}

/// Plans a batch: `events` are the indexes of each event's keys, in the order in which merges are put
/// down to events (occurred_at, then arrival); `journey_of_key` is the present journey of each key, None
/// for a new key. Journeys' ids rise with their creation, so that the smallest is the oldest.
///
/// An event may name a key twice. Time is practically linear in events, keys and mentions of keys, but
/// for sorting the present journeys.
///
/// # Panics
/// If an event has no key, or a key's index is not one of `journey_of_key`.
pub fn plan<'a>(events: impl IntoIterator<Item = &'a [u32]>, journey_of_key: &[Option<i64>]) -> Plan {
    let mut sets = UnionFind::<u32>::new(journey_of_key.len());
    join_keys_of_same_journey(&mut sets, journey_of_key);
    // The oldest journey of each set, at the key that represents the set.
    let mut oldest = journey_of_key.to_vec();
    let mut merges = Vec::new();
    let mut key_of_event = Vec::new();
    let mut is_of_event = vec![false; journey_of_key.len()];

    for (event, keys) in (0..).zip(events) {
        let first_key = keys[0];
        key_of_event.push(first_key);
        // All sets of the event are looked at before any are joined: afterwards it could not be told
        // through which key each journey was reached.
        let survivor = keys.iter().filter_map(|&key| oldest[sets.find_mut(key) as usize]).min();
        for &key in keys {
            let journey = &mut oldest[sets.find_mut(key) as usize];
            if let Some(absorbed) = *journey
                && *journey != survivor
            {
                // The component has its number only when all events have been seen.
                merges.push(Merge { absorbed, component: 0, event, key });
                *journey = survivor;
            }
        }
        for &key in keys {
            sets.union(first_key, key);
            is_of_event[key as usize] = true;
        }
        oldest[sets.find_mut(first_key) as usize] = survivor;
    }

    let mut numbers = Numbers { number_of_set: vec![None; oldest.len()], components: Vec::new() };
    let mut number = |key| {
        let set = sets.find_mut(key) as usize;
        numbers.number(set, oldest[set])
    };
    let component_of_event = key_of_event.into_iter().map(&mut number).collect();
    let component_of_key: Vec<Option<u32>> = (0..)
        .zip(journey_of_key)
        .zip(is_of_event)
        .map(|((key, journey), is_of_event)| (is_of_event || journey.is_some()).then(|| number(key)))
        .collect();

    let mut components = numbers.components;
    for merge in &mut merges {
        // The key is one of an event.
        merge.component = component_of_key[merge.key as usize].unwrap_or_default();
        components[merge.component as usize].absorbed.push(merge.absorbed);
    }
    for component in &mut components {
        component.absorbed.sort_unstable();
    }
    Plan { component_of_event, component_of_key, components, merges }
}

/// Keys of the same journey belong together, also when no event of this batch says so.
fn join_keys_of_same_journey(sets: &mut UnionFind<u32>, journey_of_key: &[Option<i64>]) {
    let mut keys: Vec<(i64, u32)> =
        (0..).zip(journey_of_key).filter_map(|(key, journey)| Some(((*journey)?, key))).collect();
    keys.sort_unstable();
    for neighbours in keys.windows(2) {
        if neighbours[0].0 == neighbours[1].0 {
            sets.union(neighbours[0].1, neighbours[1].1);
        }
    }
}

/// Numbers the sets in the order in which they are first asked for.
struct Numbers {
    number_of_set: Vec<Option<u32>>,
    components: Vec<Component>,
}

impl Numbers {
    fn number(&mut self, set: usize, journey: Option<i64>) -> u32 {
        *self.number_of_set[set].get_or_insert_with(|| {
            // There are no more components than keys, and those are counted in u32.
            let number = self.components.len() as u32;
            self.components.push(Component { journey, absorbed: Vec::new() });
            number
        })
    }
}
