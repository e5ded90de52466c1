//! What a planned batch writes: journeys, keys, merges, the graph's entries, and what the rules refused.

use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use super::batch::{Batch, Hold, Key, QueuedEvent};
use crate::analytics::rollups::{Identity, Rollups};
use crate::bulk;
use crate::catalog::relation;
use crate::error::Error;
use crate::graph::Graph;
use crate::identity::rules::Rules;
use crate::instant::{from_unix_micros, to_unix_micros};
use crate::sequence::Sequence;
use crate::sql::Sql;

/// A planned batch, and where it is written to.
pub struct Writer<'a> {
    pub sql: &'a Sql,
    pub graph: &'a Graph,
    pub project_id: i32,
    pub rules: &'a Rules,
    pub batch: &'a Batch<'a>,
    pub events: &'a [QueuedEvent],
}

/// What a batch adds to one journey.
#[derive(Clone, Copy)]
struct Growth {
    keys: i32,
    events: i64,
    first_seen: i64,
    last_seen: i64,
    /// Index of the first event.
    founder: u32,
}

impl Writer<'_> {
    /// Moves what belongs to absorbed journeys to their survivors; answers how many were absorbed.
    pub fn merge_journeys(&self, rollups: &mut Rollups) -> Result<usize, Error> {
        let survivors: HashMap<i64, i64> = self.batch.plan.absorptions().collect();
        if survivors.is_empty() {
            return Ok(0);
        }
        merge_journeys(self.sql, self.graph, &survivors, rollups)
    }

    /// Makes the new journeys and adds to the present ones; answers each component's journey.
    pub fn write_journeys(&self) -> Result<Vec<i64>, Error> {
        let plan = &self.batch.plan;
        let growth = self.growth();
        let sequence = Sequence::open(c"journey_entry_id")?;
        let journeys: Vec<i64> =
            plan.components.iter().map(|c| c.journey.unwrap_or_else(|| sequence.next())).collect();
        let is_new = |component: &usize| plan.components[*component].journey.is_none();
        // A component without events is a journey that a key was refused to.
        let (new, present): (Vec<usize>, Vec<usize>) =
            (0..journeys.len()).filter(|&component| growth[component].events > 0).partition(is_new);
        let kinds = self.kind_counts();
        let kind_counts = |components: &[usize]| -> Vec<Option<String>> {
            components
                .iter()
                .map(|&component| kinds.as_ref().map(|kinds| json_counts(&kinds[component])))
                .collect()
        };

        if !new.is_empty() {
            let founders: Vec<i64> =
                new.iter().map(|&c| self.events[growth[c].founder as usize].id).collect();
            let [ids, keys, events, first, last] = growth_columns(&new, &journeys, &growth)?;
            let args: [DatumWithOid; 8] = [
                self.project_id.into(),
                ids,
                keys,
                events,
                first,
                last,
                kind_counts(&new).into(),
                founders.into(),
            ];
            self.sql.prepared(include_str!("../../sql/steps/journeys_insert.sql"), &args)?;
            let ids = new.iter().map(|&component| journeys[component]).collect();
            self.graph.add_journeys(self.sql, ids)?;
        }
        if !present.is_empty() {
            let [ids, keys, events, first, last] = growth_columns(&present, &journeys, &growth)?;
            let args: [DatumWithOid; 6] = [ids, keys, events, first, last, kind_counts(&present).into()];
            self.sql.prepared(include_str!("../../sql/steps/journeys_update.sql"), &args)?;
        }
        Ok(journeys)
    }

    fn growth(&self) -> Vec<Growth> {
        let plan = &self.batch.plan;
        let none = Growth { keys: 0, events: 0, first_seen: i64::MAX, last_seen: i64::MIN, founder: 0 };
        let mut growth = vec![none; plan.components.len()];
        for ((n, event), component) in (0..).zip(self.events).zip(&plan.component_of_event) {
            let growth = &mut growth[*component as usize];
            if growth.events == 0 {
                growth.founder = n;
            }
            growth.events += 1;
            growth.first_seen = growth.first_seen.min(event.occurred_at);
            growth.last_seen = growth.last_seen.max(event.occurred_at);
        }
        for (key, component) in self.batch.keys.iter().zip(&plan.component_of_key) {
            if let Some(component) = *component {
                growth[component as usize].keys += i32::from(key.journey.is_none());
            }
        }
        growth
    }

    /// How many keys of each limited kind each component has from now on; `None`: no kind is limited.
    fn kind_counts(&self) -> Option<Vec<HashMap<&str, u32>>> {
        if !self.rules.limits_kinds() {
            return None;
        }
        let is_limited = |kind: &str| self.rules.rule(kind).max_values != u32::MAX;
        let plan = &self.batch.plan;
        let mut counts: Vec<HashMap<&str, u32>> = vec![HashMap::new(); plan.components.len()];
        for (component, counts) in plan.components.iter().zip(&mut counts) {
            for journey in component.journey.iter().chain(&component.absorbed) {
                let Some(journey) = self.batch.journeys.get(journey) else { continue };
                for (kind, count) in journey.kinds.iter().filter(|(kind, _)| is_limited(kind)) {
                    *counts.entry(kind.as_str()).or_default() += count;
                }
            }
        }
        for (key, component) in self.batch.keys.iter().zip(&plan.component_of_key) {
            if let Some(component) = *component
                && key.journey.is_none()
                && is_limited(key.kind)
            {
                *counts[component as usize].entry(key.kind).or_default() += 1;
            }
        }
        Some(counts)
    }

    /// Makes the new keys, in the table and in the graph; answers the id of every key of the batch.
    pub fn write_keys(&self, journeys: &[i64]) -> Result<Vec<i64>, Error> {
        let keys = &self.batch.keys;
        let sequence = Sequence::open(c"key_entry_id")?;
        let ids: Vec<i64> = keys.iter().map(|key| key.id.unwrap_or_else(|| sequence.next())).collect();
        let journey_of =
            |key: usize| self.batch.plan.component_of_key[key].map(|component| journeys[component as usize]);
        let new: Vec<usize> = (0..ids.len()).filter(|&key| keys[key].id.is_none()).collect();
        if !new.is_empty() {
            let key = |&n: &usize| {
                let Key { kind, ref value, hold, since, .. } = keys[n];
                NewKey { id: ids[n], kind, value, journey: journey_of(n), hold, since }
            };
            insert_keys(self.graph, self.project_id, &new.iter().map(key).collect::<Vec<_>>())?;
        }
        let tied = |key: &usize| keys[*key].journey.is_none();
        let (tied, of_journeys): (Vec<usize>, Vec<i64>) =
            (0..ids.len()).filter(tied).filter_map(|key| Some((key, journey_of(key)?))).unzip();
        if !tied.is_empty() {
            let tied_ids: Vec<i64> = tied.iter().map(|&key| ids[key]).collect();
            self.graph.add_part_of(&tied_ids, &of_journeys)?;
        }
        let (again, of_journeys): (Vec<i64>, Vec<i64>) = tied
            .iter()
            .zip(of_journeys)
            .filter(|(key, _)| keys[**key].id.is_some())
            .map(|(&key, journey)| (ids[key], journey))
            .unzip();
        if !again.is_empty() {
            let args: [DatumWithOid; 4] =
                [again.into(), of_journeys.into(), "first event that it ties".into(), self.project_id.into()];
            self.sql.prepared(include_str!("../../sql/steps/keys_tie.sql"), &args)?;
        }
        Ok(ids)
    }

    /// Writes down which journeys were absorbed, and why.
    pub fn record_merges(&self, keys: &[i64]) -> Result<(), Error> {
        let plan = &self.batch.plan;
        let merges = &plan.merges;
        if merges.is_empty() {
            return Ok(());
        }
        let survivor = |component: u32| {
            let journey = plan.components[component as usize].journey;
            journey.ok_or(Error::Missing("journey that survives a merge"))
        };
        let args: [DatumWithOid; 6] = [
            self.project_id.into(),
            merges.iter().map(|merge| survivor(merge.component)).collect::<Result<Vec<i64>, _>>()?.into(),
            merges.iter().map(|merge| merge.absorbed).collect::<Vec<i64>>().into(),
            merges.iter().map(|merge| self.events[merge.event as usize].id).collect::<Vec<i64>>().into(),
            merges.iter().map(|merge| keys[merge.key as usize]).collect::<Vec<i64>>().into(),
            merges.iter().map(|merge| self.batch.keys[merge.key as usize].kind).collect::<Vec<&str>>().into(),
        ];
        self.sql.prepared(include_str!("../../sql/steps/merge_record.sql"), &args).map(drop)
    }

    /// Edges from the events to the keys that tie them.
    pub fn add_edges(&self, keys: &[i64]) -> Result<(), Error> {
        let (from, to): (Vec<i64>, Vec<i64>) = self
            .events
            .iter()
            .zip(self.batch.keys_of_events.iter())
            .flat_map(|(event, of_event)| of_event.iter().map(|&key| (event.id, keys[key as usize])))
            .unzip();
        self.graph.add_has_key(&from, &to)
    }

    /// Writes down which keys were refused, and which join no journeys from now on.
    pub fn write_contest(&self, keys: &[i64], journeys: &[i64]) -> Result<(), Error> {
        let contest = &self.batch.contest;
        let refused = &contest.refused;
        if !refused.is_empty() {
            let times = refused.iter().map(|r| from_unix_micros(self.events[r.event as usize].occurred_at));
            let args: [DatumWithOid; 5] = [
                self.project_id.into(),
                refused.iter().map(|r| self.events[r.event as usize].id).collect::<Vec<i64>>().into(),
                refused.iter().map(|r| keys[r.key as usize]).collect::<Vec<i64>>().into(),
                refused.iter().map(|r| r.rule.as_str()).collect::<Vec<_>>().into(),
                times.collect::<Result<Vec<_>, _>>()?.into(),
            ];
            self.sql.prepared(include_str!("../../sql/steps/conflicts_insert.sql"), &args)?;
        }
        let mut tense: HashMap<i64, i64> = HashMap::new();
        for refused in refused.iter().filter(|refused| refused.makes_tense) {
            let plan = &self.batch.plan;
            let of_event = plan.component_of_event[refused.event as usize];
            let at = self.events[refused.event as usize].occurred_at;
            for component in
                [Some(of_event), plan.component_of_key[refused.key as usize]].into_iter().flatten()
            {
                let until = tense.entry(journeys[component as usize]).or_insert(at);
                *until = at.max(*until);
            }
        }
        make_tense(self.sql, &tense)?;
        if !contest.held.is_empty() {
            // The first time counts: a key is held once.
            let mut held = contest.held.clone();
            held.sort_by_key(|held| held.key);
            held.dedup_by_key(|held| held.key);
            let since = held.iter().map(|held| from_unix_micros(held.since));
            let args: [DatumWithOid; 3] = [
                held.iter().map(|held| keys[held.key as usize]).collect::<Vec<i64>>().into(),
                held.iter().map(|held| held.hold.map(Hold::code)).collect::<Vec<_>>().into(),
                since.collect::<Result<Vec<_>, _>>()?.into(),
            ];
            self.sql.prepared(include_str!("../../sql/steps/keys_hold.sql"), &args)?;
        }
        Ok(())
    }

    /// Journeys that events which came late belong to, or were refused to belong to.
    pub fn late_journeys(&self, journeys: &[i64]) -> Vec<i64> {
        let plan = &self.batch.plan;
        let refused: HashMap<u32, Vec<u32>> =
            self.batch.contest.refused.iter().fold(HashMap::new(), |mut map, refused| {
                map.entry(refused.event).or_default().push(refused.key);
                map
            });
        let mut late: Vec<i64> = Vec::new();
        for &event in &self.batch.contest.late {
            late.push(journeys[plan.component_of_event[event as usize] as usize]);
            let keys = refused.get(&event).into_iter().flatten();
            let components = keys.filter_map(|&key| plan.component_of_key[key as usize]);
            late.extend(components.map(|component| journeys[component as usize]));
        }
        late.sort_unstable();
        late.dedup();
        late
    }
}

/// A key that is to be made.
pub struct NewKey<'a> {
    pub id: i64,
    pub kind: &'a str,
    pub value: &'a str,
    pub journey: Option<i64>,
    pub hold: Option<Hold>,
    /// Since when it joins no journeys, in microseconds since the Unix epoch.
    pub since: Option<i64>,
}

/// Makes keys, in the table and in the graph.
pub fn insert_keys(graph: &Graph, project_id: i32, keys: &[NewKey<'_>]) -> Result<(), Error> {
    let table = relation(c"journey_stitch", c"keys").ok_or(Error::Missing("table keys"))?;
    let columns =
        [c"id", c"journey_id", c"first_journey_id", c"project_id", c"kind", c"value", c"hold", c"since"];
    let since = keys.iter().map(|key| key.since.map(from_unix_micros).transpose());
    let since = since.collect::<Result<Vec<Option<TimestampWithTimeZone>>, _>>()?;
    let rows = keys.iter().zip(since).map(|(key, since)| {
        let (journey, hold) = (key.journey.into_datum(), key.hold.map(Hold::code));
        [
            key.id.into_datum(),
            journey,
            journey,
            project_id.into_datum(),
            key.kind.into_datum(),
            key.value.into_datum(),
            hold.and_then(|hold| hold.bytes().next()).map(pg_sys::Datum::from),
            since.into_datum(),
        ]
    });
    bulk::insert(table, columns, rows)?;
    graph.add_keys(keys.iter().map(|key| (key.id, key.kind, key.value)))
}

/// Of journeys, by id, the time of the last event at which a merge with them was refused.
pub fn make_tense(sql: &Sql, tense: &HashMap<i64, i64>) -> Result<(), Error> {
    if tense.is_empty() {
        return Ok(());
    }
    let (ids, until): (Vec<i64>, Vec<i64>) = tense.iter().unzip();
    let until = until.into_iter().map(from_unix_micros).collect::<Result<Vec<_>, _>>()?;
    let args: [DatumWithOid; 2] = [ids.into(), until.into()];
    sql.prepared(include_str!("../../sql/steps/journeys_tense.sql"), &args).map(drop)
}

/// Moves what belongs to absorbed journeys (the map's keys) to their survivors, in the tables and the graph;
/// answers how many were absorbed.
pub fn merge_journeys(
    sql: &Sql,
    graph: &Graph,
    survivors: &HashMap<i64, i64>,
    rollups: &mut Rollups,
) -> Result<usize, Error> {
    let (absorbed, into): (Vec<i64>, Vec<i64>) = survivors.iter().unzip();
    let events = graph.each_event_of(sql, &absorbed, |row| {
        let (journey, occurred_at) = (row.get(1)?, to_unix_micros(row.get(2)?));
        let event_type: String = row.get(3)?;
        rollups.remove(Identity::Journey, journey, &event_type, occurred_at);
        rollups.add(Identity::Journey, survivors[&journey], &event_type, occurred_at);
        Ok(())
    })?;
    let has_conflicts = "SELECT EXISTS (SELECT FROM journey_stitch.merge_conflicts)";
    if sql.prepared(has_conflicts, &[])?.one()? == Some(true) {
        graph.settle_conflicts(sql, &absorbed, &into)?;
    }
    let keys = graph.move_keys(sql, &absorbed, &into)?;
    // What the graph does not lead to would be left behind in journeys that are no more.
    let counts =
        "SELECT sum(event_count)::bigint, sum(key_count) FROM journey_stitch.journeys WHERE id = ANY ($1)";
    let counted = sql.prepared(counts, &[absorbed.as_slice().into()])?.next();
    if counted.map(|row| Ok::<_, Error>((row.get(1)?, row.get(2)?))).transpose()? != Some((events, keys)) {
        return Err(Error::NoGraph);
    }
    let count = absorbed.len();
    let args: [DatumWithOid; 2] = [absorbed.into(), into.into()];
    sql.prepared(include_str!("../../sql/steps/merge_journeys.sql"), &args)?;
    Ok(count)
}

/// The columns of the two statements on journeys, for some of the components.
fn growth_columns(
    components: &[usize],
    journeys: &[i64],
    growth: &[Growth],
) -> Result<[DatumWithOid<'static>; 5], Error> {
    let column = |value: fn(&Growth) -> i64| components.iter().map(move |&c| value(&growth[c]));
    Ok([
        components.iter().map(|&c| journeys[c]).collect::<Vec<i64>>().into(),
        components.iter().map(|&c| growth[c].keys).collect::<Vec<i32>>().into(),
        column(|growth| growth.events).collect::<Vec<i64>>().into(),
        column(|growth| growth.first_seen).map(from_unix_micros).collect::<Result<Vec<_>, _>>()?.into(),
        column(|growth| growth.last_seen).map(from_unix_micros).collect::<Result<Vec<_>, _>>()?.into(),
    ])
}

/// Counts by kind, as journeys.kind_counts has them.
pub fn json_counts(counts: &HashMap<&str, u32>) -> String {
    let map: serde_json::Map<String, serde_json::Value> =
        counts.iter().map(|(kind, count)| ((*kind).to_owned(), (*count).into())).collect();
    serde_json::Value::Object(map).to_string()
}
