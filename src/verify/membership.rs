//! Which events and keys belong together, computed from all events by the rules in force, and held against the
//! tables.

use std::collections::{BTreeSet, HashMap, HashSet};

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::error::Error;
use crate::identity::rules::Rules;
use crate::identity_rules;
use crate::instant::to_unix_micros;
use crate::jsonb::Jsonb;
use crate::sql::Sql;
use crate::stitch::batch::{self, Hold, QueuedEvent};
use crate::stitch::contest::LimitedKinds;
use crate::stitch::resolve::{self, Groups};
use crate::stitch::words::{self, Words};

/// What the table says of a key.
struct Known {
    id: i64,
    journey: Option<i64>,
    hold: Option<Hold>,
    since: Option<i64>,
}

type Keys = HashMap<(i32, String, String), Known>;
type Refusals = HashMap<(i64, i64), String>;
/// By project and journey.
type KindCounts = HashMap<(i32, i64), Option<Vec<(String, u32)>>>;

/// Violations of what journeys are.
#[derive(Default)]
struct Violations {
    /// Groups that are in more than one journey.
    torn: i64,
    /// Journeys that hold more than one group.
    fused: i64,
    /// Refusals that are missing, surplus, or for another reason.
    refusals: i64,
    /// Journeys that count their keys of limited kinds wrongly, or count where nothing is limited.
    kinds: i64,
    /// Keys that are held and should not be, or the other way round, or since another time.
    holds: i64,
}

/// Compares projects, of which all others are right; answers invariants with their violations.
pub fn compare(sql: &Sql, projects: &BTreeSet<i32>) -> Result<Vec<(&'static str, i64)>, Error> {
    let projects: [DatumWithOid; 1] = [projects.iter().copied().collect::<Vec<i32>>().into()];
    let mut keys = Keys::new();
    sql.each(include_str!("../../sql/steps/verify/membership_keys.sql"), &projects, |row| {
        let known = Known {
            id: row.get(4)?,
            journey: row.nullable(5)?,
            hold: Hold::of_code(row.nullable(6)?),
            since: row.nullable::<TimestampWithTimeZone>(7)?.map(to_unix_micros),
        };
        keys.insert((row.get(1)?, row.get(2)?, row.get(3)?), known);
        Ok(())
    })?;
    let mut refusals = Refusals::new();
    sql.each(include_str!("../../sql/steps/verify/membership_conflicts.sql"), &[], |row| {
        refusals.insert((row.get(1)?, row.get(2)?), row.get(3)?);
        Ok(())
    })?;
    let mut kinds = KindCounts::new();
    sql.each(include_str!("../../sql/steps/verify/membership_journeys.sql"), &projects, |row| {
        kinds.insert((row.get(1)?, row.get(2)?), row.nullable::<Jsonb>(3)?.map(batch::kind_counts));
        Ok(())
    })?;
    let mut violations = Violations::default();
    let mut project: Option<Project> = None;
    sql.each(include_str!("../../sql/steps/verify/membership.sql"), &projects, |row| {
        let id = row.get(8)?;
        if project.as_ref().is_none_or(|project| project.id != id) {
            if let Some(done) = project.take() {
                done.compare(&keys, &mut refusals, &kinds, &mut violations);
            }
            project = Some(Project::new(sql, id)?);
        }
        if let Some(project) = &mut project {
            project.add(&QueuedEvent::of_row(row)?);
        }
        Ok(())
    })?;
    if let Some(done) = project.take() {
        done.compare(&keys, &mut refusals, &kinds, &mut violations);
    }
    violations.refusals += refusals.len() as i64;
    Ok(vec![
        ("journeys_torn", violations.torn),
        ("journeys_fused", violations.fused),
        ("journey_kinds", violations.kinds),
        ("merge_conflicts", violations.refusals),
        ("key_holds", violations.holds),
    ])
}

/// The events of a project, as far as they have been read.
struct Project {
    id: i32,
    rules: Rules,
    words: Words,
    number_of: HashMap<(String, String), u32>,
    /// For each event its id, its time, and the numbers of its keys.
    events: Vec<(i64, i64, Vec<u32>)>,
}

impl Project {
    fn new(sql: &Sql, id: i32) -> Result<Self, Error> {
        let rules = identity_rules::in_force(sql, id)?;
        let words = words::read(sql, id)?;
        Ok(Project { id, rules, words, number_of: HashMap::new(), events: Vec::new() })
    }

    fn add(&mut self, event: &QueuedEvent) {
        let mut keys = Vec::new();
        event.identifiers().append_keys(&self.rules, &mut keys);
        let numbers = keys.into_iter().map(|(kind, value)| {
            let next = self.number_of.len() as u32;
            *self.number_of.entry((kind.to_owned(), value.into_owned())).or_insert(next)
        });
        let numbers = numbers.collect();
        self.events.push((event.id, event.occurred_at, numbers));
    }

    fn compare(
        &self,
        known: &Keys,
        refusals: &mut Refusals,
        kind_counts: &KindCounts,
        violations: &mut Violations,
    ) {
        let mut names: Vec<(&str, &str)> = vec![("", ""); self.number_of.len()];
        for ((kind, value), number) in &self.number_of {
            names[*number as usize] = (kind, value);
        }
        let known: Vec<Option<&Known>> = names
            .iter()
            .map(|(kind, value)| known.get(&(self.id, (*kind).to_owned(), (*value).to_owned())))
            .collect();
        let kinds = LimitedKinds::new(&self.rules, names.iter().map(|(kind, _)| *kind));
        let mut groups = self.open(&names, &kinds);
        let mut held: Vec<(Option<Hold>, Option<i64>)> = vec![(None, None); names.len()];
        let mut expected: HashMap<(usize, u32), String> = HashMap::new();
        let mut anchors = Vec::with_capacity(self.events.len());
        for (n, (_, at, keys)) in self.events.iter().enumerate() {
            for &key in keys.iter().filter(|&&key| groups.key(key).is_unmerged) {
                held[key as usize] = (Some(Hold::Unmerged), None);
            }
            let outcome = groups.take(keys);
            for key in outcome.quarantined {
                held[key as usize] = (Some(Hold::Quarantined), Some(*at));
            }
            for &key in outcome.tied.iter().filter(|&&key| groups.key(key).stays_apart) {
                if held[key as usize] == (None, None) {
                    held[key as usize] = (None, Some(*at));
                }
            }
            anchors.push(outcome.tied[0]);
            expected.extend(outcome.refused.into_iter().map(|(key, why)| ((n, key), kinds.text(why))));
        }
        violations.holds += known
            .iter()
            .zip(&held)
            .filter(|(known, held)| known.is_some_and(|known| (known.hold, known.since) != **held))
            .count() as i64;

        violations.kinds += self.wrong_kinds(&names, &known, kind_counts);
        let mut journeys_of: HashMap<u32, HashSet<Option<i64>>> = HashMap::new();
        let mut groups_of: HashMap<i64, HashSet<u32>> = HashMap::new();
        for (n, ((id, _, keys), anchor)) in self.events.iter().zip(anchors).enumerate() {
            let group = groups.find(anchor);
            for &key in keys {
                let known = known[key as usize];
                if groups.find(key) == group {
                    let journey = known.and_then(|known| known.journey);
                    journeys_of.entry(group).or_default().insert(journey);
                    groups_of.entry(journey.unwrap_or_default()).or_default().insert(group);
                } else {
                    let stored = known.and_then(|known| refusals.remove(&(*id, known.id)));
                    violations.refusals += i64::from(stored.as_ref() != expected.get(&(n, key)));
                }
            }
        }
        // A key that ties no event is in no journey, or in that of a key that it is linked to.
        for (key, known) in (0..).zip(&known) {
            let journey = known.and_then(|known| known.journey);
            match journeys_of.get_mut(&groups.find(key)) {
                Some(journeys) => drop(journeys.insert(journey)),
                None => violations.torn += i64::from(journey.is_some()),
            }
        }
        violations.torn += journeys_of.values().filter(|journeys| journeys.len() > 1).count() as i64;
        violations.fused += groups_of.values().filter(|groups| groups.len() > 1).count() as i64;
    }

    /// How many journeys do not say how many keys of each limited kind they have.
    fn wrong_kinds(&self, names: &[(&str, &str)], known: &[Option<&Known>], said: &KindCounts) -> i64 {
        let is_limited = |kind: &str| self.rules.rule(kind).max_values != u32::MAX;
        let mut counts: HashMap<i64, HashMap<&str, u32>> = HashMap::new();
        for ((kind, _), known) in names.iter().zip(known) {
            if let Some(journey) = known.and_then(|known| known.journey)
                && is_limited(kind)
            {
                *counts.entry(journey).or_default().entry(kind).or_default() += 1;
            }
        }
        let none = HashMap::new();
        let of_project = said.iter().filter(|((project, _), _)| *project == self.id);
        let wrong = of_project.filter(|((_, journey), said)| match said {
            None => self.rules.limits_kinds(),
            Some(said) => {
                let said: HashMap<&str, u32> = said.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
                !self.rules.limits_kinds() || said != *counts.get(journey).unwrap_or(&none)
            }
        });
        wrong.count() as i64
    }

    fn open<'a>(&self, names: &[(&'a str, &'a str)], kinds: &LimitedKinds) -> Groups<'a> {
        let keys = names.iter().map(|&(kind, value)| {
            let rule = self.rules.rule(kind);
            resolve::Key {
                kind,
                value,
                limited: kinds.number(kind),
                priority: rule.priority,
                stays_apart: !rule.merges,
                is_quarantined: false,
                is_unmerged: self.words.is_unmerged(kind, value),
                is_tied: false,
            }
        });
        let mut groups = Groups::new(keys.collect(), kinds.limits(&self.rules), self.rules.max_keys());
        let number =
            |named: &words::Named| self.number_of.get(&(named.kind.clone(), named.value.clone())).copied();
        for pair in &self.words.links {
            if let (Some(one), Some(other)) = (number(&pair.one), number(&pair.other)) {
                groups.link(one, other);
            }
        }
        for (word, pair) in (0..).zip(&self.words.never_links) {
            if let (Some(one), Some(other)) = (number(&pair.one), number(&pair.other)) {
                groups.never_link(word, one, other);
            }
        }
        groups
    }
}
