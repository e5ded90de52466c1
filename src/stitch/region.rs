//! Journeys computed anew from all of their events: for what a person says, for rules that change, for events
//! that come late where order matters, and for events that are to be forgotten. First read and planned without
//! writing anything, so that one can look before one leaps; then applied, as the difference to what is there.
//!
//! A region is a set of journeys that is closed: whatever was refused because of what else is in two journeys, both
//! are in it. Keys that were refused because of what they are themselves make no border, since this does not
//! depend on journeys; but for a key that from now on joins no journeys only later than before, or does again:
//! then the journeys that it was refused to are taken in. And where such a key becomes the first of its event,
//! the event goes to the key's journey, which is taken in.

mod apply;
mod outcome;
mod report;

use std::collections::{BTreeSet, HashMap, HashSet};

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

pub use self::apply::Cause;
pub use self::outcome::Becomes;
use self::outcome::Outcome;
use super::batch::{self, Hold, QueuedEvent};
use super::contest::{self, LimitedKinds};
use super::resolve::{self, Groups};
use super::words::{self, Words};
use crate::error::Error;
use crate::graph::Graph;
use crate::identity::rules::Rules;
use crate::instant::to_unix_micros;
use crate::sql::{self, Row, Sql};

/// Where a region begins.
#[derive(Debug, Default)]
pub struct Seeds {
    pub journeys: Vec<i64>,
    /// Events (events.id) that are to be erased: the region is what is left without them.
    pub gone: HashSet<i64>,
}

/// An event of the region.
struct Event {
    queued: QueuedEvent,
    journey: i64,
    is_gone: bool,
    /// Its keys as they are now; with the rule, if refused.
    pairs: Vec<(i64, Option<String>)>,
}

/// A key that some event of the region has or had.
struct Key {
    id: Option<i64>,
    kind: String,
    value: String,
    journey: Option<i64>,
    first_journey: Option<i64>,
    hold: Option<Hold>,
    since: Option<i64>,
}

impl Key {
    /// Whether a refusal at a time has to do with what else was in the journeys. One for what the key is itself
    /// has, too, as long as no event was tied by it.
    fn is_refused_for_groups(&self, rule: &str, at: i64) -> bool {
        contest::is_of_groups(rule) || rule != contest::UNMERGED && self.since.is_none_or(|since| since >= at)
    }
}

/// A journey of the region, or one that was absorbed by one of it.
struct Journey {
    uuid: pgrx::Uuid,
    merged_into: Option<i64>,
    founder: Option<i64>,
}

/// For each event of a region the numbers of its keys, all of them and those that are not beyond the border.
struct Named {
    names: Vec<Vec<u32>>,
    within: Vec<Vec<u32>>,
}

/// Journeys and all that belongs to them.
pub struct Region {
    project_id: i32,
    ids: HashSet<i64>,
    events: Vec<Event>,
    keys: Vec<Key>,
    key_of_id: HashMap<i64, u32>,
    /// Keys that events outside were refused, with the journeys of those events.
    mentioned: HashMap<i64, Vec<i64>>,
    journeys: HashMap<i64, Journey>,
    /// `None`: no kind is limited.
    limited_kinds: Option<LimitedKinds>,
    outcome: Outcome,
}

impl Region {
    /// Reads and plans a region.
    pub fn read(sql: &Sql, project_id: i32, rules: &Rules, seeds: Seeds) -> Result<Self, Error> {
        let labels = Graph::open(sql)?;
        let words = words::read(sql, project_id)?;
        let Seeds { journeys, gone } = seeds;
        let mut ids: HashSet<i64> = journeys.into_iter().collect();
        loop {
            pgrx::check_for_interrupts!();
            let (mut region, border) = Self::load(sql, &labels, project_id, &words, &ids, &gone)?;
            if !border.is_subset(&ids) {
                ids.extend(border);
                continue;
            }
            let needed = region.plan(sql, rules, &words)?;
            if needed.is_subset(&ids) {
                return Ok(region);
            }
            ids.extend(needed);
        }
    }

    /// Everything that belongs to journeys, and the journeys at their border.
    fn load(
        sql: &Sql,
        labels: &Graph,
        project_id: i32,
        words: &Words,
        ids: &HashSet<i64>,
        gone: &HashSet<i64>,
    ) -> Result<(Self, HashSet<i64>), Error> {
        let list: Vec<i64> = ids.iter().copied().collect();
        let events = read_events(sql, labels, &list, gone)?;
        // Of a linked key it does not matter which events have it: it is where the other is.
        let linked = words.links.iter().flat_map(words::Pair::keys).filter_map(|named| named.id);
        let of_events = events.iter().flat_map(|event| &event.pairs).map(|(key, _)| *key);
        let key_ids: BTreeSet<i64> = of_events.chain(linked).collect();
        let keys = read_keys(sql, labels, &list, key_ids.into_iter().collect())?;
        let key_of_id = (0..).zip(&keys).filter_map(|(n, key)| Some((key.id?, n))).collect();
        let mut region = Region {
            project_id,
            ids: ids.clone(),
            events,
            keys,
            key_of_id,
            mentioned: HashMap::new(),
            journeys: read_journeys(sql, list)?,
            limited_kinds: None,
            outcome: Outcome::default(),
        };
        let mut border = region.read_mentions(sql)?;
        border.extend(region.refusing());
        Ok((region, border))
    }

    /// Reads which keys events outside were refused. Answers the journeys of those that make a border.
    fn read_mentions(&mut self, sql: &Sql) -> Result<HashSet<i64>, Error> {
        let mut border = HashSet::new();
        let keys: Vec<i64> = self.keys.iter().filter_map(|key| key.id).collect();
        let events: Vec<i64> = self.events.iter().map(|event| event.queued.id).collect();
        let args: [DatumWithOid; 2] = [keys.into(), events.into()];
        let rows = sql::for_joins(|| sql.run(include_str!("../../sql/steps/region_mentions.sql"), &args))?;
        for row in rows {
            let (id, journey): (i64, i64) = (row.get(1)?, row.get(2)?);
            self.mentioned.entry(id).or_default().push(journey);
            // Of a key that is beyond the border itself, other events do not matter.
            if let Some(key) = self.key_of_id.get(&id).map(|&key| &self.keys[key as usize])
                && key.journey.is_none_or(|journey| self.ids.contains(&journey))
                && key.is_refused_for_groups(row.get(3)?, to_unix_micros(row.get(4)?))
            {
                border.insert(journey);
            }
        }
        Ok(border)
    }

    /// The journeys of keys that events of the region were refused because of what else was in them.
    fn refusing(&self) -> impl Iterator<Item = i64> {
        let refused = self.events.iter().flat_map(|event| {
            let at = event.queued.occurred_at;
            event.pairs.iter().filter_map(move |(id, rule)| Some((at, *id, rule.as_deref()?)))
        });
        refused.filter_map(|(at, id, rule)| {
            let key = &self.keys[*self.key_of_id.get(&id)? as usize];
            key.journey.filter(|_| key.is_refused_for_groups(rule, at))
        })
    }

    /// Has the events of the region take their keys, one after another. Answers the journeys that the region
    /// must have in it for that.
    fn plan(&mut self, sql: &Sql, rules: &Rules, words: &Words) -> Result<HashSet<i64>, Error> {
        let names = self.names(sql, rules)?;
        let mut needed = HashSet::new();
        // A key outside is one that was refused and stays so.
        let is_outside = |key: &Key| key.journey.is_some_and(|journey| !self.ids.contains(&journey));
        let mut within: Vec<Vec<u32>> = Vec::with_capacity(self.events.len());
        for (event, names) in self.events.iter().zip(&names) {
            let mut keys = Vec::with_capacity(names.len());
            for &name in names {
                let key = &self.keys[name as usize];
                if !is_outside(key) {
                    keys.push(name);
                } else if !event.pairs.iter().any(|(id, rule)| Some(*id) == key.id && rule.is_some()) {
                    needed.extend(key.journey);
                }
            }
            if keys.is_empty() {
                needed.extend(names.iter().filter_map(|&name| self.keys[name as usize].journey));
            }
            within.push(keys);
        }
        let number_of: HashMap<(&str, &str), u32> =
            (0..).zip(&self.keys).map(|(n, key)| ((key.kind.as_str(), key.value.as_str()), n)).collect();
        let mut is_there: Vec<bool> = self.keys.iter().map(|key| self.is_mentioned(key)).collect();
        within.iter().flatten().for_each(|&key| is_there[key as usize] = true);
        let named = |named: &words::Named| {
            let number = number_of.get(&(named.kind.as_str(), named.value.as_str())).copied();
            number.filter(|&number| is_there[number as usize] && !is_outside(&self.keys[number as usize]))
        };
        let mut links = Vec::new();
        for pair in &words.links {
            match (named(&pair.one), named(&pair.other)) {
                (Some(one), Some(other)) => links.push((one, other)),
                (Some(_), None) => needed.extend(pair.other.journey),
                (None, Some(_)) => needed.extend(pair.one.journey),
                (None, None) => {}
            }
        }
        if !needed.is_subset(&self.ids) {
            return Ok(needed);
        }
        let never_links: Vec<(u32, u32)> = words
            .never_links
            .iter()
            .filter_map(|pair| Some((named(&pair.one)?, named(&pair.other)?)))
            .collect();
        let kinds = LimitedKinds::new(rules, self.keys.iter().map(|key| key.kind.as_str()));
        let named = Named { names, within };
        let (outcome, first_outside) = self.take(rules, words, &kinds, &named, &links, &never_links);
        self.outcome = outcome;
        needed.extend(first_outside);
        self.limited_kinds = rules.limits_kinds().then_some(kinds);
        needed.extend(self.released());
        Ok(needed)
    }

    /// Whether an event outside was refused the key.
    fn is_mentioned(&self, key: &Key) -> bool {
        key.id.is_some_and(|id| self.mentioned.contains_key(&id))
    }

    /// The keys of each event by the rules, as numbers of `keys`; keys that are not known yet are added.
    fn names(&mut self, sql: &Sql, rules: &Rules) -> Result<Vec<Vec<u32>>, Error> {
        let mut number_of: HashMap<(String, String), u32> =
            (0..).zip(&self.keys).map(|(n, key)| ((key.kind.clone(), key.value.clone()), n)).collect();
        let known = self.keys.len();
        let mut names = Vec::with_capacity(self.events.len());
        let mut of_event = Vec::new();
        for event in &self.events {
            if event.is_gone {
                names.push(Vec::new());
                continue;
            }
            of_event.clear();
            event.queued.identifiers().append_keys(rules, &mut of_event);
            let numbers = of_event.drain(..).map(|(kind, value)| {
                *number_of.entry((kind.to_owned(), value.into_owned())).or_insert_with_key(|(kind, value)| {
                    let (kind, value) = (kind.clone(), value.clone());
                    let (id, journey, first_journey, hold, since) = (None, None, None, None, None);
                    self.keys.push(Key { id, kind, value, journey, first_journey, hold, since });
                    (self.keys.len() - 1) as u32
                })
            });
            names.push(numbers.collect());
        }
        self.find_new(sql, known)?;
        Ok(names)
    }

    /// Of keys that no event of the region had until now, some may be known elsewhere.
    fn find_new(&mut self, sql: &Sql, known: usize) -> Result<(), Error> {
        let mut new: Vec<batch::Key<'_>> = self.keys[known..]
            .iter()
            .map(|key| batch::Key::new(&key.kind, key.value.as_str().into()))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        batch::find_keys(sql, self.project_id, &mut new)?;
        let found: Vec<_> = new.into_iter().map(|key| (key.id, key.journey, key.hold, key.since)).collect();
        for (key, (id, journey, hold, since)) in self.keys[known..].iter_mut().zip(found) {
            (key.id, key.journey, key.hold, key.since) = (id, journey, hold, since);
        }
        for (number, key) in (0..).zip(&self.keys).skip(known) {
            if let Some(id) = key.id {
                self.key_of_id.insert(id, number);
            }
        }
        Ok(())
    }

    fn take(
        &self,
        rules: &Rules,
        words: &Words,
        kinds: &LimitedKinds,
        named: &Named,
        links: &[(u32, u32)],
        never_links: &[(u32, u32)],
    ) -> (Outcome, Vec<i64>) {
        let keys = self.keys.iter().map(|key| {
            let rule = rules.rule(&key.kind);
            resolve::Key {
                kind: &key.kind,
                value: &key.value,
                limited: kinds.number(&key.kind),
                priority: rule.priority,
                stays_apart: !rule.merges,
                is_quarantined: false,
                is_unmerged: words.is_unmerged(&key.kind, &key.value),
                is_tied: false,
            }
        });
        let mut groups = Groups::new(keys.collect(), kinds.limits(rules), rules.max_keys());
        links.iter().for_each(|&(one, other)| groups.link(one, other));
        for (word, &(one, other)) in (0..).zip(never_links) {
            groups.never_link(word, one, other);
        }
        outcome::take(self, groups, kinds, named)
    }

    /// Journeys outside that keys were refused to which join journeys longer from now on than before.
    fn released(&self) -> Vec<i64> {
        let mut journeys = Vec::new();
        for (key, held) in self.keys.iter().zip(&self.outcome.held) {
            let Some(mentions) = key.id.and_then(|id| self.mentioned.get(&id)) else { continue };
            let (hold, since) = held.unwrap_or_default();
            let is_held_no_less = key.since.is_none()
                || hold >= key.hold && since.is_some_and(|since| Some(since) <= key.since);
            if !is_held_no_less {
                journeys.extend(mentions);
            }
        }
        journeys
    }
}

/// The events of journeys with their keys, in the order in which they are stitched.
fn read_events(
    sql: &Sql,
    labels: &Graph,
    journeys: &[i64],
    gone: &HashSet<i64>,
) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    let mut event_of_id = HashMap::new();
    let args: [DatumWithOid; 2] = [labels.journey().into(), journeys.into()];
    for row in sql.run(include_str!("../../sql/steps/region_events.sql"), &args)? {
        pgrx::check_for_interrupts!();
        let queued = QueuedEvent::of_row(&row)?;
        event_of_id.insert(queued.id, events.len());
        let is_gone = gone.contains(&queued.id);
        events.push(Event { journey: row.get(8)?, is_gone, pairs: Vec::new(), queued });
    }
    let ids: Vec<i64> = events.iter().map(|event| event.queued.id).collect();
    let args: [DatumWithOid; 2] = [labels.event().into(), ids.into()];
    for row in sql.run(include_str!("../../sql/steps/region_pairs.sql"), &args)? {
        if let Some(&event) = event_of_id.get(&row.get::<i64>(1)?) {
            events[event].pairs.push((row.get(2)?, row.nullable(3)?));
        }
    }
    Ok(events)
}

/// Keys by their ids, and those of journeys.
fn read_keys(sql: &Sql, labels: &Graph, journeys: &[i64], ids: Vec<i64>) -> Result<Vec<Key>, Error> {
    let args: [DatumWithOid; 3] = [labels.journey().into(), journeys.into(), ids.into()];
    let rows = sql::for_joins(|| sql.run(include_str!("../../sql/steps/region_keys.sql"), &args))?;
    let key = |row: Row<'_>| {
        Ok(Key {
            id: Some(row.get(1)?),
            kind: row.get(2)?,
            value: row.get(3)?,
            journey: row.nullable(4)?,
            first_journey: row.nullable(5)?,
            hold: Hold::of_code(row.nullable(6)?),
            since: row.nullable::<TimestampWithTimeZone>(7)?.map(to_unix_micros),
        })
    };
    rows.map(key).collect()
}

/// Journeys, and those that they have absorbed.
fn read_journeys(sql: &Sql, ids: Vec<i64>) -> Result<HashMap<i64, Journey>, Error> {
    let rows = sql.run(include_str!("../../sql/steps/region_journeys.sql"), &[ids.into()])?;
    let journey = |row: Row<'_>| {
        let (uuid, merged_into, founder) = (row.get(2)?, row.nullable(3)?, row.nullable(4)?);
        Ok((row.get(1)?, Journey { uuid, merged_into, founder }))
    };
    rows.map(journey).collect()
}
