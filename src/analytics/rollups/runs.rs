//! What a batch changes in the table `timeline`. A batch's events of one type and day become runs of their own
//! if they are enough for that; a few are put into the last run, as long as it has room. So live traffic
//! rewrites small rows, and a bulk load rewrites none.

use std::collections::HashMap;

use pgrx::datum::DatumWithOid;

use super::{TypeDay, starts};
use crate::analytics::timeline::{self, Entry, MAX_RUN};
use crate::error::Error;
use crate::sql::{Row, Sql};
use crate::stitch::batch::ordinal;

/// So many events are a run of their own.
const OWN_RUN: usize = MAX_RUN / 4;

/// What becomes of an event that the timeline has.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    Journey(i64),
    User(Option<i64>),
    Erase,
}

#[derive(Default)]
pub struct Runs {
    added: HashMap<TypeDay, Vec<Entry>>,
    changed: HashMap<TypeDay, HashMap<i64, Vec<Change>>>,
}

impl Runs {
    pub fn add(&mut self, of_day: TypeDay, entry: Entry) {
        self.added.entry(of_day).or_default().push(entry);
    }

    pub fn change(&mut self, of_day: TypeDay, id: i64, change: Change) {
        self.changed.entry(of_day).or_default().entry(id).or_default().push(change);
    }

    /// Writes the changes to a project's timeline.
    pub fn write(self, sql: &Sql, project_id: i32, names: &[&str]) -> Result<(), Error> {
        let writer = Writer { sql, project_id, names };
        writer.change(self.changed)?;
        writer.add(self.added)
    }
}

/// A row that was read, and what it is to be.
struct Rewritten {
    of_day: TypeDay,
    first_id: i64,
    entries: Vec<Entry>,
}

struct Writer<'a> {
    sql: &'a Sql,
    project_id: i32,
    names: &'a [&'a str],
}

impl Writer<'_> {
    fn change(&self, changed: HashMap<TypeDay, HashMap<i64, Vec<Change>>>) -> Result<(), Error> {
        if changed.is_empty() {
            return Ok(());
        }
        let (days, changes): (Vec<TypeDay>, Vec<HashMap<i64, Vec<Change>>>) = changed.into_iter().unzip();
        let bound = |bound: fn(&HashMap<i64, Vec<Change>>) -> Option<&i64>| {
            changes.iter().filter_map(bound).copied().collect::<Vec<i64>>()
        };
        let [types, starts] = self.days(&days)?;
        let args: [DatumWithOid; 5] = [
            self.project_id.into(),
            types,
            starts,
            bound(|ids| ids.keys().min()).into(),
            bound(|ids| ids.keys().max()).into(),
        ];
        let (mut rewritten, mut emptied) = (Vec::new(), Vec::new());
        for row in self.sql.planned_once(include_str!("../../../sql/steps/timeline_find.sql"), &args)? {
            pgrx::check_for_interrupts!();
            let n = ordinal(&row)?;
            let mut run = run_of_row(&row, days[n])?;
            if apply(&mut run.entries, &changes[n]) {
                if run.entries.is_empty() { emptied.push(run) } else { rewritten.push(run) }
            }
        }
        self.update(rewritten)?;
        self.delete(emptied)
    }

    fn add(&self, added: HashMap<TypeDay, Vec<Entry>>) -> Result<(), Error> {
        let (many, few): (Vec<_>, Vec<_>) =
            added.into_iter().partition(|(_, entries)| entries.len() >= OWN_RUN);
        let mut new = Vec::new();
        for (of_day, entries) in many {
            let runs = timeline::split(entries)?;
            new.extend(runs.into_iter().map(|entries| (of_day, entries)));
        }
        if !few.is_empty() {
            let days: Vec<TypeDay> = few.iter().map(|(of_day, _)| *of_day).collect();
            let mut last = self.last(&days)?;
            let mut rewritten = Vec::new();
            for ((of_day, mut entries), last) in few.into_iter().zip(&mut last) {
                match last.take() {
                    Some(mut run) if run.entries.len() + entries.len() <= MAX_RUN => {
                        run.entries.append(&mut entries);
                        run.entries.sort_unstable_by_key(|entry| entry.id);
                        rewritten.push(run);
                    }
                    _ => {
                        entries.sort_unstable_by_key(|entry| entry.id);
                        new.push((of_day, entries));
                    }
                }
            }
            self.update(rewritten)?;
        }
        self.insert(new)
    }

    /// The last run of each type and day.
    fn last(&self, days: &[TypeDay]) -> Result<Vec<Option<Rewritten>>, Error> {
        let [types, starts] = self.days(days)?;
        let args: [DatumWithOid; 3] = [self.project_id.into(), types, starts];
        let mut last: Vec<Option<Rewritten>> = days.iter().map(|_| None).collect();
        for row in self.sql.prepared(include_str!("../../../sql/steps/timeline_last.sql"), &args)? {
            let n = ordinal(&row)?;
            last[n] = Some(run_of_row(&row, days[n])?);
        }
        Ok(last)
    }

    fn insert(&self, mut runs: Vec<(TypeDay, Vec<Entry>)>) -> Result<(), Error> {
        if runs.is_empty() {
            return Ok(());
        }
        // In the order of the rows' keys, so that neighbouring rows are written together.
        runs.sort_unstable_by_key(|((event_type, day), entries)| {
            (*day, *event_type, entries.first().map(|entry| entry.id))
        });
        let days: Vec<TypeDay> = runs.iter().map(|(of_day, _)| *of_day).collect();
        let [types, starts] = self.days(&days)?;
        let [first, last, packed] = packed(runs.iter().map(|(_, entries)| entries.as_slice()))?;
        let args: [DatumWithOid; 6] = [self.project_id.into(), types, starts, first, last, packed];
        self.sql.prepared(include_str!("../../../sql/steps/timeline_insert.sql"), &args).map(drop)
    }

    fn update(&self, runs: Vec<Rewritten>) -> Result<(), Error> {
        if runs.is_empty() {
            return Ok(());
        }
        let days: Vec<TypeDay> = runs.iter().map(|run| run.of_day).collect();
        let [types, starts] = self.days(&days)?;
        let [first, last, packed] = packed(runs.iter().map(|run| run.entries.as_slice()))?;
        let before = runs.iter().map(|run| run.first_id).collect::<Vec<i64>>().into();
        let args: [DatumWithOid; 7] = [self.project_id.into(), types, starts, before, first, last, packed];
        self.sql.prepared(include_str!("../../../sql/steps/timeline_update.sql"), &args).map(drop)
    }

    fn delete(&self, runs: Vec<Rewritten>) -> Result<(), Error> {
        if runs.is_empty() {
            return Ok(());
        }
        let days: Vec<TypeDay> = runs.iter().map(|run| run.of_day).collect();
        let [types, starts] = self.days(&days)?;
        let first = runs.iter().map(|run| run.first_id).collect::<Vec<i64>>().into();
        let args: [DatumWithOid; 4] = [self.project_id.into(), types, starts, first];
        self.sql.prepared(include_str!("../../../sql/steps/timeline_delete.sql"), &args).map(drop)
    }

    /// The columns event_type and starts_at.
    fn days(&self, days: &[TypeDay]) -> Result<[DatumWithOid<'static>; 2], Error> {
        let types: Vec<String> =
            days.iter().map(|(event_type, _)| self.names[*event_type as usize].to_owned()).collect();
        Ok([types.into(), starts(days.iter().map(|(_, day)| *day))?.into()])
    }
}

/// From a row of an ordinal number, first_id and run.
fn run_of_row(row: &Row<'_>, of_day: TypeDay) -> Result<Rewritten, Error> {
    let entries = timeline::decode(row.get::<&[u8]>(3)?)?;
    Ok(Rewritten { of_day, first_id: row.get(2)?, entries })
}

/// The columns first_id, last_id and run.
fn packed<'e>(runs: impl Iterator<Item = &'e [Entry]>) -> Result<[DatumWithOid<'static>; 3], Error> {
    let (mut first, mut last, mut packed) = (Vec::new(), Vec::new(), Vec::new());
    for entries in runs {
        if let [one, ..] = entries {
            first.push(one.id);
            last.push(entries[entries.len() - 1].id);
            packed.push(timeline::encode(entries)?);
        }
    }
    Ok([first.into(), last.into(), packed.into()])
}

/// Applies changes to the entries of a run; whether that made any difference.
fn apply(entries: &mut Vec<Entry>, changes: &HashMap<i64, Vec<Change>>) -> bool {
    let before = entries.clone();
    entries.retain_mut(|entry| {
        let mut is_there = true;
        for change in changes.get(&entry.id).into_iter().flatten() {
            match *change {
                Change::Journey(journey) => entry.journey = journey,
                Change::User(user) => entry.user = user,
                Change::Erase => is_there = false,
            }
        }
        is_there
    });
    *entries != before
}
