//! A first look at what takes long to compare row by row. Everything is read once, and held against what the events say
//! in sums and sets, which are equal where nothing is wrong. Where they are not, there is doubt, and the statement of the
//! invariant counts; what the look finds right needs no counting.

mod journeys;
mod rollups;

use std::collections::{BTreeSet, HashMap};

use pgrx::datum::TimestampWithTimeZone;

use self::journeys::{Journey, Journeys};
use self::rollups::{Active, Slots, Timeline};
use crate::error::Error;
use crate::history::{self, Event};
use crate::identity::rules::Rules;
use crate::instant::to_unix_micros;
use crate::sql::{Row, Sql};
use crate::stitch::scan::{Names, Scan};
use crate::stitch::words;
use crate::{graph, identity_rules};

/// The invariants that are looked at.
pub const SCREENED: &[&str] = &[
    "keys",
    "key_journeys",
    "journey_counts",
    "aliases",
    "activity_users",
    "activity_journeys",
    "timeline",
    "graph_has_key",
];

/// What may be wrong.
#[derive(Default)]
pub struct Doubts {
    /// Of [`SCREENED`].
    pub invariants: BTreeSet<&'static str>,
    /// Projects whose membership may be, or that have rules which make more of it than union-find.
    pub projects: BTreeSet<i32>,
}

impl Doubts {
    fn all(&mut self) {
        self.invariants.extend(SCREENED);
    }

    fn add(&mut self, invariant: &'static str, is_in_doubt: bool) {
        if is_in_doubt {
            self.invariants.insert(invariant);
        }
    }
}

/// Looks at everything. `has_graph`: AGE knows the graph.
pub fn look(sql: &Sql, has_graph: bool) -> Result<Doubts, Error> {
    let mut screen = Screen::default();
    // Of rows that say another project than there is.
    screen.scan.add_project(Rules::default());
    screen.read_projects(sql)?;
    screen.read_journeys(sql)?;
    screen.read_keys(sql)?;
    screen.read_users(sql)?;
    history::each_event(sql, None, |event| {
        screen.see(event);
        Ok(())
    })?;
    if has_graph {
        screen.read_edges(sql)?;
    } else {
        screen.doubts.all();
    }
    screen.read_rollups(sql)?;
    screen.finish(sql)
}

/// What the events say, beside the tables.
#[derive(Default)]
struct Screen {
    doubts: Doubts,
    number_of_project: HashMap<i32, u32>,
    scan: Scan,
    journeys: Journeys,
    /// For each key whether any event has it, and whether it ties any.
    is_named: Vec<(bool, bool)>,
    /// Keys that are in no journey.
    untied: Vec<u32>,
    users: Names,
    user_ids: Vec<i64>,
    slots: Slots,
    active_users: Active,
    active_journeys: Active,
    timeline: Timeline,
}

impl Screen {
    fn read_projects(&mut self, sql: &Sql) -> Result<(), Error> {
        for row in sql.run("SELECT p.id FROM journey_stitch.projects p ORDER BY p.id", &[])? {
            let id = row.get(1)?;
            let rules = identity_rules::in_force(sql, id)?;
            // How many keys of each kind a journey has is not looked at.
            if rules.limits_kinds() {
                self.doubts.projects.insert(id);
            }
            self.number_of_project.insert(id, self.scan.add_project(rules));
        }
        Ok(())
    }

    /// The number of the project that a row says.
    fn project(&mut self, id: i32) -> u32 {
        self.number_of_project.get(&id).copied().unwrap_or_else(|| {
            self.doubts.all();
            self.doubts.projects.insert(id);
            0
        })
    }

    fn read_journeys(&mut self, sql: &Sql) -> Result<(), Error> {
        sql.each(include_str!("../../sql/steps/verify/screen_journeys.sql"), &[], |row| {
            let (id, project_id, founder) = (row.get(1)?, row.get(2)?, row.nullable(4)?);
            if let Some(target) = row.nullable(3)? {
                let is_possible = self.journeys.add_alias(id, target, founder);
                self.doubts.add("aliases", !is_possible);
                return Ok(());
            }
            let project = self.project(project_id);
            let events: i64 = row.get(5)?;
            self.scan.add_journey(project, id, events.unsigned_abs(), row.get(10)?);
            if row.get(9)? {
                self.doubts.projects.insert(project_id);
            }
            let seen: (TimestampWithTimeZone, TimestampWithTimeZone) = (row.get(7)?, row.get(8)?);
            let seen = (to_unix_micros(seen.0), to_unix_micros(seen.1));
            let journey = Journey::new(id, project_id, events, row.get::<i32>(6)?.into(), seen);
            let is_possible = self.journeys.add(journey, founder);
            self.doubts.add("aliases", !is_possible);
            Ok(())
        })
    }

    fn read_keys(&mut self, sql: &Sql) -> Result<(), Error> {
        sql.each(include_str!("../../sql/steps/verify/screen_keys.sql"), &[], |row| {
            let (id, project_id, journey): (i64, i32, Option<i64>) =
                (row.get(1)?, row.get(2)?, row.nullable(5)?);
            let project = self.project(project_id);
            let since = row.nullable::<TimestampWithTimeZone>(7)?.map(to_unix_micros);
            let name = (row.get(3)?, row.get(4)?);
            self.scan.add_key(project, id, name, journey, row.get(6)?, since);
            let number = self.is_named.len() as u32;
            self.is_named.push((false, false));
            match journey {
                None => self.untied.push(number),
                Some(journey) => {
                    let is_there = self.journeys.add_key(journey, project_id);
                    self.doubts.add("journey_counts", !is_there);
                    let says_first: bool = row.get(8)?;
                    self.doubts.add("key_journeys", !is_there || !says_first);
                }
            }
            Ok(())
        })?;
        sql.each(include_str!("../../sql/steps/verify/membership_conflicts.sql"), &[], |row| {
            self.scan.add_refusal(row.get(1)?, row.get(2)?);
            Ok(())
        })?;
        for (&id, &number) in &self.number_of_project {
            let words = words::read(sql, id)?;
            words.names().for_each(|(one, other)| self.scan.add_word(number, one, other));
        }
        Ok(())
    }

    fn read_users(&mut self, sql: &Sql) -> Result<(), Error> {
        sql.each("SELECT u.id, u.project_id, u.user_id FROM journey_stitch.users u", &[], |row| {
            let project = self.project(row.get(2)?);
            self.users.insert(project, "", row.get(3)?, self.user_ids.len() as u32);
            self.user_ids.push(row.get(1)?);
            Ok(())
        })
    }

    fn see(&mut self, event: &Event<'_>) {
        let project = self.project(event.project_id);
        let keys = event.keys(self.scan.rules(project));
        let seen = self.scan.add_event(project, event.id, event.at, &keys);
        let mut is_sure = !seen.is_any_new;
        self.doubts.add("keys", seen.is_any_new);
        let mut home = None;
        for key in &seen.keys {
            let (is_named, is_tying) = &mut self.is_named[key.number as usize];
            *is_named = true;
            if !key.is_refused {
                *is_tying = true;
                is_sure &= key.journey.is_some() && home.is_none_or(|home| Some(home) == key.journey);
                home = key.journey;
            }
        }
        let Some(home) = home.filter(|_| is_sure) else {
            self.doubts.projects.insert(event.project_id);
            self.doubts.all();
            return;
        };
        let is_founders = self.journeys.see(home, event.id, event.at);
        self.doubts.add("aliases", !is_founders);
        let journey = self.journeys.id(home);
        let user = event.user_id.and_then(|user_id| self.users.get(project, "", user_id));
        let user = user.map(|number| self.user_ids[number as usize]);
        let (slot, of_all) = self.slots.of_event(project, event.at, event.event_type);
        for slot in [slot, of_all] {
            self.active_journeys.add(slot, journey);
            if let Some(user) = user {
                self.active_users.add(slot, user);
            }
        }
        self.timeline.add(slot, event.id, event.at, user, journey);
    }

    fn read_edges(&mut self, sql: &Sql) -> Result<(), Error> {
        let labels = sql.run(include_str!("../../sql/steps/graph_labels.sql"), &[])?.next();
        let labels = labels.map(|row| Ok::<(i32, i32), Error>((row.get(1)?, row.get(2)?))).transpose()?;
        let labels = labels.map(|(event, correlation)| (event.into(), correlation.into()));
        let mut is_right = true;
        graph::each_has_key(sql, |event, key, of_labels| {
            is_right &= self.scan.add_edge(event, key) && Some(of_labels) == labels;
        })?;
        let with_properties = sql.run(include_str!("../../sql/steps/verify/screen_edges.sql"), &[])?.one()?;
        self.doubts.add("graph_has_key", !is_right || with_properties != Some(false));
        Ok(())
    }

    fn read_rollups(&mut self, sql: &Sql) -> Result<(), Error> {
        sql.each(include_str!("../../sql/steps/verify/screen_activity.sql"), &[], |row| {
            let slot = self.slot(row, 2)?;
            let (active, invariant) = match row.get(1)? {
                true => (&mut self.active_users, "activity_users"),
                false => (&mut self.active_journeys, "activity_journeys"),
            };
            let is_right = active.take(slot, row.get(5)?, row.get(6)?);
            self.doubts.add(invariant, !is_right);
            Ok(())
        })?;
        self.doubts.add("activity_users", !self.active_users.is_empty());
        self.doubts.add("activity_journeys", !self.active_journeys.is_empty());
        sql.each(include_str!("../../sql/steps/verify/screen_timeline.sql"), &[], |row| {
            let slot = self.slot(row, 1)?;
            let ids = (row.get(4)?, row.get(5)?);
            let is_right = self.timeline.take(slot, ids, row.get(6)?, |id| self.journeys.present(id));
            self.doubts.add("timeline", !is_right);
            Ok(())
        })?;
        self.doubts.add("timeline", !self.timeline.is_balanced());
        Ok(())
    }

    /// The number of a project, a type and a day, which are columns from `first` on; 0: no event is of them.
    fn slot(&mut self, row: &Row<'_>, first: i32) -> Result<u32, Error> {
        let project = self.project(row.get(first)?);
        let starts_at = to_unix_micros(row.get(first + 2)?);
        Ok(self.slots.find(project, starts_at, row.get(first + 1)?).unwrap_or(0))
    }

    fn finish(mut self, sql: &Sql) -> Result<Doubts, Error> {
        let mut doubts = self.doubts;
        doubts.add("keys", self.is_named.iter().any(|(is_named, _)| !is_named));
        doubts.add("key_journeys", self.untied.iter().any(|&key| self.is_named[key as usize].1));
        doubts.add("journey_counts", !self.journeys.are_counted());
        let aliases = sql.run(include_str!("../../sql/steps/verify/screen_aliases.sql"), &[])?.one()?;
        doubts.add("aliases", !self.journeys.are_founded() || aliases != Some(true));
        doubts.add("graph_has_key", !self.scan.is_balanced());
        for &journey in std::mem::take(&mut self.scan).unsettled().journeys() {
            doubts.projects.extend(self.journeys.project_of(journey));
        }
        Ok(doubts)
    }
}
