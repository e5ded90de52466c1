//! `forget`: the right to be forgotten. Events go from everywhere, or lose whatever could tell whose they were;
//! the journeys that they were in are computed anew from what is left, in the same transaction.

mod anonymize;
mod person;

use std::collections::{HashMap, HashSet};

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::json;

use self::person::Person;
use crate::analytics::rollups::{Identity, Rollups};
use crate::error::Error;
use crate::graph::Graph;
use crate::identity::rules::Rules;
use crate::instant::to_unix_micros;
use crate::sql::{self, Sql};
use crate::stitch::batch;
use crate::stitch::region::{Cause, Region, Seeds};
use crate::{identity_log, identity_rules, metrics, rights, users};

const LEFT: &str =
    concat!(include_str!("../sql/steps/users_candidates.sql"), include_str!("../sql/steps/forget_left.sql"));

/// What becomes of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Erase,
    Anonymize,
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn forget(
    id: Option<&str>,
    mode: default!(Option<&str>, "'erase'"),
    project: default!(Option<&str>, "'default'"),
    dry_run: default!(bool, "true"),
) -> Result<TableIterator<'static, (name!(object, &'static str), name!(entries, i64))>, ErrorReport> {
    let id = id.ok_or(Error::NullArgument { argument: "id" })?;
    let mode = match mode {
        Some("erase") => Mode::Erase,
        Some("anonymize") => Mode::Anonymize,
        other => {
            return Err(Error::InvalidArgument {
                argument: "mode",
                problem: other.map_or("it is NULL".to_owned(), |mode| format!("there is no mode \"{mode}\"")),
                takes: "'erase' or 'anonymize'",
            }
            .into());
        }
    };
    let rows = rights::administering(c"forget()", project, |sql, project_id, role| {
        let rules = identity_rules::in_force(sql, project_id)?;
        let graph = Graph::open(sql)?;
        let person = sql::for_lookups(|| Person::find(sql, project_id, &rules, id))?;
        if person.is_nobody() {
            notice!("nothing to do: no event has it");
            return Ok(Vec::new());
        }
        if dry_run {
            return Ok::<_, Error>(person.entries());
        }
        let action = if mode == Mode::Erase { "forget: erase" } else { "forget: anonymize" };
        // The log does not name who was forgotten.
        let log = identity_log::record(sql, project_id, action, &json!({}), role)?;
        let forgetting = Forgetting { sql, graph: &graph, project_id, rules: &rules, person: &person, log };
        match mode {
            Mode::Erase => forgetting.erase()?,
            Mode::Anonymize => forgetting.anonymize()?,
        }
        Ok(person.entries())
    })?;
    Ok(TableIterator::new(rows))
}

/// Somebody is being forgotten; the project's lock is held.
struct Forgetting<'a> {
    sql: &'a Sql,
    graph: &'a Graph,
    project_id: i32,
    rules: &'a Rules,
    person: &'a Person,
    log: i64,
}

impl Forgetting<'_> {
    fn erase(&self) -> Result<(), Error> {
        let mut rollups = Rollups::default();
        sql::for_lookups(|| self.remove_activity(&mut rollups))?;
        for event in &self.person.stitched {
            rollups.erase(&event.event_type, event.occurred_at, event.id);
        }
        let gone: HashSet<i64> = self.person.stitched.iter().map(|event| event.id).collect();
        self.recompute(gone, &mut rollups)?;
        let stitched: Vec<i64> = self.person.stitched.iter().map(|event| event.id).collect();
        self.graph.remove_events(self.sql, stitched.clone())?;
        let pending: Vec<i64> = self.person.pending.iter().map(|event| event.id).collect();
        let ids: Vec<i64> = stitched.into_iter().chain(pending).collect();
        let args: [DatumWithOid; 2] = [self.project_id.into(), ids.into()];
        self.sql.run(include_str!("../sql/steps/forget_events.sql"), &args)?;
        self.sql.run(include_str!("../sql/steps/forget_counts.sql"), &[self.project_id.into()])?;
        self.recompute_metrics()?;
        self.sweep()
    }

    /// Computes the windows of metrics anew that the person's events were in.
    fn recompute_metrics(&self) -> Result<(), Error> {
        let events = &self.person.stitched;
        let affected: Vec<(&str, i64)> =
            events.iter().map(|event| (event.event_type.as_str(), event.occurred_at)).collect();
        metrics::recompute(self.sql, self.project_id, &affected)
    }

    /// Computes the journeys of the person's events anew, and writes the rollups.
    fn recompute(&self, gone: HashSet<i64>, rollups: &mut Rollups) -> Result<(), Error> {
        let mut journeys: HashSet<i64> = self.person.journeys.iter().copied().collect();
        journeys.extend(sql::for_joins(|| self.journeys_by_words())?);
        let seeds = Seeds { journeys: journeys.into_iter().collect(), gone };
        sql::for_lookups(|| {
            let region = Region::read(self.sql, self.project_id, self.rules, seeds)?;
            let cause = Cause { rule: "forget", log: Some(self.log) };
            let gone = region.apply(self.sql, self.graph, &cause, rollups)?.gone;
            self.forget_trail(gone)?;
            std::mem::take(rollups).write(self.sql, self.project_id)
        })
    }

    /// Takes merges of journeys that are gone out of the trail, as far as no key's way leads through them: the latest
    /// first, since one may be what leads to another.
    fn forget_trail(&self, gone: Vec<i64>) -> Result<(), Error> {
        let forget = include_str!("../sql/steps/forget_merges.sql");
        while sql::for_joins(|| self.sql.run(forget, &[gone.as_slice().into()]))?.one::<i64>()? > Some(0) {
            pgrx::check_for_interrupts!();
        }
        Ok(())
    }

    /// Journeys that a person's word about keys of the events has to do with: where such a key goes, the word
    /// holds no longer.
    fn journeys_by_words(&self) -> Result<Vec<i64>, Error> {
        let mut keys = Vec::new();
        for event in &self.person.stitched {
            event.identifiers().append_keys(self.rules, &mut keys);
        }
        let (kinds, values): (Vec<&str>, Vec<&str>) =
            keys.iter().map(|(kind, value)| (*kind, value.as_ref())).unzip();
        let args: [DatumWithOid; 3] = [self.project_id.into(), kinds.into(), values.into()];
        batch::ids(self.sql.run(include_str!("../sql/steps/forget_word_journeys.sql"), &args)?)
    }

    /// Takes the users of the person's events out of when these were, and puts back what else they did then.
    fn remove_activity(&self, rollups: &mut Rollups) -> Result<HashMap<String, i64>, Error> {
        let names: HashSet<&str> =
            self.person.stitched.iter().filter_map(|event| event.user_id.as_deref()).collect();
        let users: HashMap<String, i64> = users::find(self.sql, self.project_id, names.iter().copied())?
            .into_iter()
            .filter_map(|(name, number)| Some((name.to_owned(), number?)))
            .collect();
        for event in &self.person.stitched {
            if let Some(user) = event.user_id.as_deref().and_then(|name| users.get(name)) {
                rollups.remove(Identity::User, *user, &event.event_type, event.occurred_at);
            }
        }
        let names: Vec<&str> = names.into_iter().collect();
        let keys = self.user_keys(&names);
        let gone: Vec<i64> = self.person.stitched.iter().map(|event| event.id).collect();
        let args: [DatumWithOid; 4] = [self.project_id.into(), names.into(), keys.into(), gone.into()];
        let left = sql::for_joins(|| self.sql.run(LEFT, &args))?;
        for row in left {
            pgrx::check_for_interrupts!();
            let (name, at): (&str, i64) = (row.get(1)?, to_unix_micros(row.get(2)?));
            if let Some(user) = users.get(name) {
                rollups.add(Identity::User, *user, row.get(3)?, at);
            }
        }
        Ok(users)
    }

    /// Computes the totals of users anew.
    fn recount(&self, names: Vec<&str>) -> Result<(), Error> {
        let keys = self.user_keys(&names);
        sql::for_lookups(|| users::recount(self.sql, self.project_id, names, keys))
    }

    /// What user_ids are as keys; `None` for one that is blocked.
    fn user_keys(&self, names: &[&str]) -> Vec<Option<String>> {
        let key = |name: &&str| self.rules.key("user_id", name).map(|value| value.into_owned());
        names.iter().map(key).collect()
    }

    /// What else names the person: dead letters, users and words without events, and the log.
    fn sweep(&self) -> Result<(), Error> {
        let mut keys = Vec::new();
        for event in self.person.stitched.iter().chain(&self.person.pending) {
            event.identifiers().append_keys(self.rules, &mut keys);
        }
        let named = self.person.keys.iter().map(|(kind, value)| (kind.as_str(), value.as_str()));
        let keys: HashSet<(&str, &str)> =
            keys.iter().map(|(kind, value)| (*kind, value.as_ref())).chain(named).collect();
        let (kinds, values): (Vec<&str>, Vec<&str>) = keys.into_iter().unzip();
        let args: [DatumWithOid; 3] = [self.project_id.into(), kinds.into(), values.into()];
        sql::for_joins(|| self.sql.run(include_str!("../sql/steps/forget_words.sql"), &args))?;
        let args: [DatumWithOid; 1] = [self.person.dead_letters.clone().into()];
        self.sql.run("DELETE FROM journey_stitch.dead_letters WHERE id = ANY ($1)", &args)?;
        let names: HashSet<&str> = self.person.user_ids().collect();
        let names: Vec<&str> = names.into_iter().collect();
        self.recount(names.clone())?;
        let args: [DatumWithOid; 2] = [self.project_id.into(), names.into()];
        sql::for_joins(|| self.sql.run(include_str!("../sql/steps/forget_users.sql"), &args)).map(drop)
    }
}
