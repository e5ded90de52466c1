//! Writes what a region comes to, as the difference to what is there: journeys, keys, the graph, what was
//! refused, the trail, and the rollups of journeys.

use std::collections::{HashMap, HashSet};

use pgrx::datum::DatumWithOid;

use super::outcome::{Becomes, Group};
use super::{Key, Region};
use crate::analytics::rollups::{Identity, Rollups};
use crate::error::Error;
use crate::graph::Graph;
use crate::instant::from_unix_micros;
use crate::sequence::Sequence;
use crate::sql::Sql;
use crate::stitch::batch::Hold;
use crate::stitch::contest;
use crate::stitch::write::{NewKey, insert_keys, json_counts, make_tense};

/// Why journeys are computed anew, as the trail has it.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    pub rule: &'a str,
    /// identity_log.id of what a person did.
    pub log: Option<i64>,
}

impl Cause<'_> {
    /// Events came late where order matters.
    pub fn late() -> Self {
        Cause { rule: "late events", log: None }
    }
}

/// What came of it.
pub struct Applied {
    /// The ids of new journeys.
    pub new: Vec<i64>,
    /// Journeys of which nothing is left.
    pub gone: Vec<i64>,
}

impl Region {
    /// Writes it. The project's lock is held. What becomes of rollups of journeys is added to `rollups`.
    pub fn apply(
        &self,
        sql: &Sql,
        graph: &Graph,
        cause: &Cause<'_>,
        rollups: &mut Rollups,
    ) -> Result<Applied, Error> {
        let sequence = Sequence::open(c"journey_entry_id")?;
        let new = self.outcome.groups.iter().filter(|group| matches!(group.becomes, Becomes::New(_)));
        let new_ids: Vec<i64> = new.map(|_| sequence.next()).collect();
        let change = Change { region: self, sql, graph, cause, new_ids };
        change.journeys()?;
        let gone = change.absorbed()?;
        let key_ids = change.keys()?;
        change.pairs(&key_ids)?;
        change.rollups(rollups);
        Ok(Applied { new: change.new_ids, gone })
    }
}

struct Change<'a> {
    region: &'a Region,
    sql: &'a Sql,
    graph: &'a Graph,
    cause: &'a Cause<'a>,
    new_ids: Vec<i64>,
}

impl Change<'_> {
    fn id(&self, becomes: Becomes) -> i64 {
        match becomes {
            Becomes::Present(id) => id,
            Becomes::New(number) => self.new_ids[number as usize],
        }
    }

    fn id_of_group(&self, group: u32) -> i64 {
        self.id(self.region.outcome.groups[group as usize].becomes)
    }

    /// Journeys that absorb others, by the absorbed one.
    fn survivors(&self) -> HashMap<i64, i64> {
        let groups = &self.region.outcome.groups;
        groups
            .iter()
            .flat_map(|g| g.absorbed.iter().map(|&absorbed| (absorbed, self.id(g.becomes))))
            .collect()
    }

    /// Journeys of which nothing is left.
    fn emptied(&self) -> Vec<i64> {
        let survivors = self.survivors();
        let kept: HashSet<i64> = self.region.outcome.groups.iter().map(|g| self.id(g.becomes)).collect();
        let present = self.region.journeys.iter().filter(|(_, journey)| journey.merged_into.is_none());
        present.map(|(&id, _)| id).filter(|id| !kept.contains(id) && !survivors.contains_key(id)).collect()
    }

    fn journeys(&self) -> Result<(), Error> {
        let region = self.region;
        let is_new = |group: &&Group| matches!(group.becomes, Becomes::New(_));
        let (new, present): (Vec<&Group>, Vec<&Group>) = region.outcome.groups.iter().partition(is_new);
        if !new.is_empty() {
            let [ids, keys, events, first, last, kinds, founders] = self.columns(&new)?;
            let args: [DatumWithOid; 8] =
                [region.project_id.into(), ids, keys, events, first, last, kinds, founders];
            self.sql.prepared(include_str!("../../../sql/steps/journeys_insert.sql"), &args)?;
            self.graph.add_journeys(self.sql, self.new_ids.clone())?;
        }
        if !present.is_empty() {
            let args = self.columns(&present)?;
            self.sql.prepared(include_str!("../../../sql/steps/region_update.sql"), &args)?;
        }
        self.tension()
    }

    /// Of which journeys the order of events matters, and up to when.
    fn tension(&self) -> Result<(), Error> {
        let (events, outcome) = (&self.region.events, &self.region.outcome);
        let mut tense: HashMap<i64, i64> = HashMap::new();
        for ((event, pairs), group) in events.iter().zip(&outcome.pairs).zip(&outcome.group_of_event) {
            for (key, rule) in pairs {
                if !rule.as_deref().is_some_and(contest::is_of_groups) {
                    continue;
                }
                // The region is closed: the key's journey is in it.
                for group in [*group, outcome.group_of_key[*key as usize]].into_iter().flatten() {
                    let until = tense.entry(self.id_of_group(group)).or_insert(event.queued.occurred_at);
                    *until = event.queued.occurred_at.max(*until);
                }
            }
        }
        make_tense(self.sql, &tense)
    }

    fn columns(&self, groups: &[&Group]) -> Result<[DatumWithOid<'static>; 7], Error> {
        let region = self.region;
        let event = |index: u32| &region.events[index as usize].queued;
        // Events are in the order of their time.
        let first = groups.iter().map(|g| from_unix_micros(event(g.events[0]).occurred_at));
        let last = groups.iter().map(|g| from_unix_micros(event(g.events[g.events.len() - 1]).occurred_at));
        let is_left = |event: &&super::Event| !event.is_gone;
        let left: HashSet<i64> = region.events.iter().filter(is_left).map(|event| event.queued.id).collect();
        let founder = |group: &&Group| {
            let own = match group.becomes {
                Becomes::Present(id) => region.journeys.get(&id).and_then(|journey| journey.founder),
                Becomes::New(_) => None,
            };
            own.filter(|founder| left.contains(founder)).unwrap_or_else(|| event(group.events[0]).id)
        };
        Ok([
            groups.iter().map(|group| self.id(group.becomes)).collect::<Vec<i64>>().into(),
            groups.iter().map(|group| group.keys.len() as i32).collect::<Vec<i32>>().into(),
            groups.iter().map(|group| group.events.len() as i64).collect::<Vec<i64>>().into(),
            first.collect::<Result<Vec<_>, _>>()?.into(),
            last.collect::<Result<Vec<_>, _>>()?.into(),
            groups.iter().map(|group| self.kind_counts(group)).collect::<Vec<Option<String>>>().into(),
            groups.iter().map(founder).collect::<Vec<i64>>().into(),
        ])
    }

    fn kind_counts(&self, group: &Group) -> Option<String> {
        let limited = self.region.limited_kinds.as_ref()?;
        let mut counts: HashMap<&str, u32> = HashMap::new();
        for &key in &group.keys {
            let kind = self.region.keys[key as usize].kind.as_str();
            if limited.number(kind).is_some() {
                *counts.entry(kind).or_default() += 1;
            }
        }
        Some(json_counts(&counts))
    }

    /// Journeys that are no more, and the ids that lead to those that are. Answers those of which nothing is left.
    fn absorbed(&self) -> Result<Vec<i64>, Error> {
        let region = self.region;
        let survivors = self.survivors();
        let emptied = self.emptied();
        let (absorbed, into): (Vec<i64>, Vec<i64>) = survivors.iter().unzip();
        if !absorbed.is_empty() {
            let args: [DatumWithOid; 4] =
                [region.project_id.into(), absorbed.as_slice().into(), into.into(), self.cause.rule.into()];
            self.sql.prepared(include_str!("../../../sql/steps/region_absorb.sql"), &args)?;
        }
        let index_of: HashMap<i64, usize> = region
            .events
            .iter()
            .enumerate()
            .filter(|(_, event)| !event.is_gone)
            .map(|(n, event)| (event.queued.id, n))
            .collect();
        let (mut aliases, mut lead_to, mut nowhere) = (Vec::new(), Vec::new(), Vec::new());
        for (&id, journey) in &region.journeys {
            let Some(target) = journey.merged_into else { continue };
            let founder = journey.founder.and_then(|founder| index_of.get(&founder));
            let of_founder = founder.and_then(|&event| region.outcome.group_of_event[event]);
            let becomes = match of_founder {
                Some(group) => self.id_of_group(group),
                None if emptied.contains(&target) => {
                    nowhere.push(id);
                    continue;
                }
                None => *survivors.get(&target).unwrap_or(&target),
            };
            if becomes != target {
                aliases.push(id);
                lead_to.push(becomes);
            }
        }
        if !aliases.is_empty() {
            let args: [DatumWithOid; 2] = [aliases.into(), lead_to.into()];
            self.sql.prepared(include_str!("../../../sql/steps/region_aliases.sql"), &args)?;
        }
        self.graph
            .remove_journeys(self.sql, absorbed.into_iter().chain(emptied.iter().copied()).collect())?;
        nowhere.extend(emptied);
        if !nowhere.is_empty() {
            self.sql.prepared(
                include_str!("../../../sql/steps/region_emptied.sql"),
                &[nowhere.as_slice().into()],
            )?;
        }
        Ok(nowhere)
    }

    /// Writes the keys; answers the id of each.
    fn keys(&self) -> Result<Vec<i64>, Error> {
        let region = self.region;
        let sequence = Sequence::open(c"key_entry_id")?;
        let ids: Vec<i64> = region.keys.iter().map(|key| key.id.unwrap_or_else(|| sequence.next())).collect();
        let mut is_named = vec![false; ids.len()];
        region.outcome.pairs.iter().flatten().for_each(|(key, _)| is_named[*key as usize] = true);
        let survivors = self.survivors();
        let (mut new, mut changed, mut moved, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (n, key) in region.keys.iter().enumerate() {
            let journey = region.outcome.group_of_key[n].map(|group| self.id_of_group(group));
            match key.id {
                None => new.push(n),
                Some(_) if key.journey.is_some_and(|journey| !region.ids.contains(&journey)) => {}
                Some(id) if !is_named[n] && !region.is_mentioned(key) => gone.push(id),
                Some(_) => {
                    let (hold, since) = self.held(n, is_named[n]);
                    if (journey, hold, since) != (key.journey, key.hold, key.since) {
                        changed.push(n);
                    }
                    let followed = key.journey.map(|journey| *survivors.get(&journey).unwrap_or(&journey));
                    if journey != followed && (key.journey.is_some() || key.first_journey.is_some()) {
                        moved.push(n);
                    }
                }
            }
        }
        let journey_of = |n: usize| region.outcome.group_of_key[n].map(|group| self.id_of_group(group));
        self.insert_keys(&new, &ids, journey_of)?;
        self.update_keys(&changed, &ids, &is_named, journey_of)?;
        if !moved.is_empty() {
            let args: [DatumWithOid; 6] = [
                region.project_id.into(),
                moved.iter().map(|&n| ids[n]).collect::<Vec<i64>>().into(),
                moved.iter().map(|&n| region.keys[n].journey).collect::<Vec<Option<i64>>>().into(),
                moved.iter().map(|&n| journey_of(n)).collect::<Vec<Option<i64>>>().into(),
                self.cause.rule.into(),
                self.cause.log.into(),
            ];
            self.sql.prepared(include_str!("../../../sql/steps/region_moves.sql"), &args)?;
        }
        // Edges last, when the keys are what they are to be.
        let is_elsewhere =
            |n: &usize| region.keys[*n].id.is_none() || region.keys[*n].journey != journey_of(*n);
        let replaced: Vec<usize> = new.into_iter().chain(changed).filter(is_elsewhere).collect();
        let unhooked: Vec<i64> = replaced
            .iter()
            .filter(|&&n| region.keys[n].journey.is_some())
            .map(|&n| ids[n])
            .chain(gone.iter().copied())
            .collect();
        self.graph.remove_part_of(self.sql, unhooked)?;
        let (hooked, to): (Vec<i64>, Vec<i64>) =
            replaced.iter().filter_map(|&n| Some((ids[n], journey_of(n)?))).unzip();
        if !hooked.is_empty() {
            self.graph.add_part_of(&hooked, &to)?;
        }
        if !gone.is_empty() {
            self.sql.prepared(
                include_str!("../../../sql/steps/region_keys_gone.sql"),
                &[gone.as_slice().into()],
            )?;
            self.graph.remove_keys(self.sql, gone)?;
        }
        Ok(ids)
    }

    /// Whether a key joins journeys from now on. Of one that only events outside have nothing new is known.
    fn held(&self, n: usize, is_named: bool) -> (Option<Hold>, Option<i64>) {
        let key = &self.region.keys[n];
        if is_named { self.region.outcome.held[n].unwrap_or_default() } else { (key.hold, key.since) }
    }

    fn insert_keys(
        &self,
        new: &[usize],
        ids: &[i64],
        journey_of: impl Fn(usize) -> Option<i64>,
    ) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        let key = |&n: &usize| {
            let Key { kind, value, .. } = &self.region.keys[n];
            let (hold, since) = self.held(n, true);
            NewKey { id: ids[n], kind, value, journey: journey_of(n), hold, since }
        };
        insert_keys(self.graph, self.region.project_id, &new.iter().map(key).collect::<Vec<_>>())
    }

    fn update_keys(
        &self,
        changed: &[usize],
        ids: &[i64],
        is_named: &[bool],
        journey_of: impl Fn(usize) -> Option<i64>,
    ) -> Result<(), Error> {
        if changed.is_empty() {
            return Ok(());
        }
        let held: Vec<(Option<Hold>, Option<i64>)> =
            changed.iter().map(|&n| self.held(n, is_named[n])).collect();
        let since = held.iter().map(|(_, since)| since.map(from_unix_micros).transpose());
        let args: [DatumWithOid; 4] = [
            changed.iter().map(|&n| ids[n]).collect::<Vec<i64>>().into(),
            changed.iter().map(|&n| journey_of(n)).collect::<Vec<Option<i64>>>().into(),
            held.iter().map(|(hold, _)| hold.map(Hold::code)).collect::<Vec<_>>().into(),
            since.collect::<Result<Vec<_>, _>>()?.into(),
        ];
        self.sql.prepared(include_str!("../../../sql/steps/region_keys_update.sql"), &args).map(drop)
    }

    /// Edges from events to keys, and refusals: takes out what is no more, puts in what is new.
    fn pairs(&self, key_ids: &[i64]) -> Result<(), Error> {
        let region = self.region;
        let (mut cut, mut tied) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        let mut settled: (Vec<i64>, Vec<i64>) = Default::default();
        let mut refused: (Vec<i64>, Vec<i64>, Vec<&str>, Vec<_>) = Default::default();
        for (event, pairs) in region.events.iter().zip(&region.outcome.pairs) {
            let id = event.queued.id;
            let before: HashMap<i64, Option<&str>> =
                event.pairs.iter().map(|(key, rule)| (*key, rule.as_deref())).collect();
            let mut after: HashMap<i64, Option<&str>> = HashMap::with_capacity(pairs.len());
            for (key, rule) in pairs {
                after.insert(key_ids[*key as usize], rule.as_deref());
            }
            for (&key, rule) in &before {
                if after.get(&key) != Some(rule) {
                    let list = if rule.is_some() { &mut settled } else { &mut cut };
                    list.0.push(id);
                    list.1.push(key);
                }
            }
            for (&key, &rule) in &after {
                match rule {
                    _ if before.get(&key) == Some(&rule) => {}
                    None => {
                        tied.0.push(id);
                        tied.1.push(key);
                    }
                    Some(rule) => {
                        refused.0.push(id);
                        refused.1.push(key);
                        refused.2.push(rule);
                        refused.3.push(from_unix_micros(event.queued.occurred_at)?);
                    }
                }
            }
        }
        self.graph.remove_has_key(self.sql, cut.0, cut.1)?;
        if !settled.0.is_empty() {
            let args: [DatumWithOid; 2] = [settled.0.into(), settled.1.into()];
            self.sql.prepared(include_str!("../../../sql/steps/conflicts_delete.sql"), &args)?;
        }
        if !tied.0.is_empty() {
            self.graph.add_has_key(&tied.0, &tied.1)?;
        }
        if !refused.0.is_empty() {
            let args: [DatumWithOid; 5] = [
                region.project_id.into(),
                refused.0.into(),
                refused.1.into(),
                refused.2.into(),
                refused.3.into(),
            ];
            self.sql.prepared(include_str!("../../../sql/steps/conflicts_insert.sql"), &args)?;
        }
        Ok(())
    }

    /// Takes journeys out of the sets of when they were active, and puts back what is left of them.
    fn rollups(&self, rollups: &mut Rollups) {
        let mut lost: HashSet<i64> = HashSet::new();
        let journey_of = |group: Option<u32>| group.map(|group| self.id_of_group(group));
        let events = || self.region.events.iter().zip(&self.region.outcome.group_of_event);
        for (event, group) in events() {
            if journey_of(*group) != Some(event.journey) {
                lost.insert(event.journey);
                let queued = &event.queued;
                rollups.remove(Identity::Journey, event.journey, &queued.event_type, queued.occurred_at);
            }
        }
        for (event, group) in events() {
            let Some(journey) = journey_of(*group) else { continue };
            let queued = &event.queued;
            if journey != event.journey || lost.contains(&journey) {
                rollups.add(Identity::Journey, journey, &queued.event_type, queued.occurred_at);
            }
            // Also of one that stays: the timeline may have it under an absorbed journey, which leads elsewhere now.
            rollups.set_journey(&queued.event_type, queued.occurred_at, queued.id, journey);
        }
    }
}
