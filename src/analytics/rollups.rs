//! Rollups, the writing side: collects what a batch adds to and takes from the sets of active members, the
//! counts of events and the timeline, and writes it with few statements a table.

mod runs;

use std::collections::HashMap;
use std::hash::Hash;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use self::runs::{Change, Runs};
use super::calendar::day_floor;
use super::members;
use super::timeline::{self, Entry};
use crate::error::Error;
use crate::instant::{from_unix_micros, to_unix_micros};
use crate::sql::Sql;

/// Whose activity is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    User,
    Journey,
}

impl Identity {
    /// As it stands in rollup rows.
    pub fn code(self) -> &'static str {
        match self {
            Identity::User => "u",
            Identity::Journey => "j",
        }
    }
}

/// The event type of rollup rows for all types together.
pub const ANY_TYPE: &str = "";

/// One row of `activity`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Cell {
    identity: Identity,
    event_type: u32,
    starts_at: i64,
    chunk: i64,
}

type Cells = HashMap<Cell, Vec<i64>>;

/// An event type, by number, on a UTC day, by its start.
type TypeDay = (u32, i64);

/// What a batch changes in the rollups.
pub struct Rollups {
    /// Event types by number; number 0 is all types together.
    types: HashMap<String, u32>,
    added: Cells,
    removed: Cells,
    counts: HashMap<TypeDay, i64>,
    runs: Runs,
}

impl Default for Rollups {
    fn default() -> Self {
        Rollups {
            types: HashMap::from([(ANY_TYPE.to_owned(), 0)]),
            added: Cells::new(),
            removed: Cells::new(),
            counts: HashMap::new(),
            runs: Runs::default(),
        }
    }
}

impl Rollups {
    /// A new event.
    pub fn record(&mut self, event_type: &str, entry: Entry) {
        let of_day = self.type_day(event_type, entry.at);
        *self.counts.entry(of_day).or_default() += 1;
        put(&mut self.added, Identity::Journey, entry.journey, of_day);
        if let Some(user) = entry.user {
            put(&mut self.added, Identity::User, user, of_day);
        }
        self.runs.add(of_day, entry);
    }

    /// An event that is no more. Its user and journey are taken out by [`Rollups::remove`].
    pub fn erase(&mut self, event_type: &str, at: i64, id: i64) {
        let of_day = self.type_day(event_type, at);
        *self.counts.entry(of_day).or_default() -= 1;
        self.runs.change(of_day, id, Change::Erase);
    }

    /// An event is of that journey; that the journeys' sets change is said by [`Rollups::add`] and
    /// [`Rollups::remove`].
    pub fn set_journey(&mut self, event_type: &str, at: i64, id: i64, journey: i64) {
        let of_day = self.type_day(event_type, at);
        self.runs.change(of_day, id, Change::Journey(journey));
    }

    /// The same of a user.
    pub fn set_user(&mut self, event_type: &str, at: i64, id: i64, user: Option<i64>) {
        let of_day = self.type_day(event_type, at);
        self.runs.change(of_day, id, Change::User(user));
    }

    /// A member was active at a time (microseconds since the Unix epoch) with an event of a type.
    pub fn add(&mut self, identity: Identity, member: i64, event_type: &str, at: i64) {
        let of_day = self.type_day(event_type, at);
        put(&mut self.added, identity, member, of_day);
    }

    /// The member's activity now is another's. Removals come before additions when they are written.
    pub fn remove(&mut self, identity: Identity, member: i64, event_type: &str, at: i64) {
        let of_day = self.type_day(event_type, at);
        put(&mut self.removed, identity, member, of_day);
    }

    fn type_day(&mut self, event_type: &str, at: i64) -> TypeDay {
        let number = match self.types.get(event_type) {
            Some(number) => *number,
            None => {
                let number = self.types.len() as u32;
                self.types.insert(event_type.to_owned(), number);
                number
            }
        };
        (number, day_floor(at))
    }

    /// Writes the changes to a project's rollups.
    pub fn write(self, sql: &Sql, project_id: i32) -> Result<(), Error> {
        let mut names = vec![ANY_TYPE; self.types.len()];
        for (name, number) in &self.types {
            names[*number as usize] = name;
        }
        let remove = include_str!("../../sql/steps/activity_remove.sql");
        write_cells(sql, project_id, remove, self.removed, &names)?;
        let add = include_str!("../../sql/steps/activity_add.sql");
        write_cells(sql, project_id, add, self.added, &names)?;
        write_counts(sql, project_id, self.counts, &names)?;
        self.runs.write(sql, project_id, &names)
    }
}

fn put(cells: &mut Cells, identity: Identity, member: i64, (event_type, starts_at): TypeDay) {
    let chunk = members::chunk_of(member);
    for event_type in [0, event_type] {
        let cell = Cell { identity, event_type, starts_at, chunk };
        cells.entry(cell).or_default().push(member);
    }
}

fn write_cells(
    sql: &Sql,
    project_id: i32,
    statement: &'static str,
    cells: Cells,
    names: &[&str],
) -> Result<(), Error> {
    if cells.is_empty() {
        return Ok(());
    }
    pgrx::check_for_interrupts!();
    let cells = sorted(cells);
    let sets = cells
        .iter()
        .map(|(_, ids)| members::encode(ids.iter().copied()))
        .collect::<Result<Vec<Vec<u8>>, _>>()?;
    let args: [DatumWithOid; 6] = [
        project_id.into(),
        cells.iter().map(|(cell, _)| cell.identity.code()).collect::<Vec<_>>().into(),
        cells.iter().map(|(cell, _)| names[cell.event_type as usize]).collect::<Vec<_>>().into(),
        starts(cells.iter().map(|(cell, _)| cell.starts_at))?.into(),
        cells.iter().map(|(cell, _)| cell.chunk).collect::<Vec<i64>>().into(),
        sets.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>().into(),
    ];
    sql.prepared(statement, &args)?;
    Ok(())
}

fn write_counts(
    sql: &Sql,
    project_id: i32,
    counts: HashMap<TypeDay, i64>,
    names: &[&str],
) -> Result<(), Error> {
    if counts.is_empty() {
        return Ok(());
    }
    let counts = sorted(counts);
    let args: [DatumWithOid; 4] = [
        project_id.into(),
        counts.iter().map(|((event_type, _), _)| names[*event_type as usize]).collect::<Vec<_>>().into(),
        starts(counts.iter().map(|((_, starts_at), _)| *starts_at))?.into(),
        counts.iter().map(|(_, events)| *events).collect::<Vec<i64>>().into(),
    ];
    sql.prepared(include_str!("../../sql/steps/event_counts_add.sql"), &args)?;
    Ok(())
}

/// In the order of the rows' keys, so that neighbouring rows are written together.
fn sorted<K: Ord + Hash, V: Ord>(map: HashMap<K, V>) -> Vec<(K, V)> {
    let mut rows: Vec<(K, V)> = map.into_iter().collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    rows
}

fn starts(micros: impl Iterator<Item = i64>) -> Result<Vec<TimestampWithTimeZone>, Error> {
    micros.map(from_unix_micros).collect()
}

/// The union of two sets of one chunk.
#[pg_extern(immutable, parallel_safe, strict)]
fn members_union(a: &[u8], b: &[u8]) -> Result<Vec<u8>, ErrorReport> {
    Ok(members::union(a, b).map_err(Error::from)?)
}

/// The members of the first set that the second has not.
#[pg_extern(immutable, parallel_safe, strict)]
fn members_difference(a: &[u8], b: &[u8]) -> Result<Vec<u8>, ErrorReport> {
    Ok(members::difference(a, b).map_err(Error::from)?)
}

/// The ids in a set; one NULL if the set cannot be read.
#[pg_extern(immutable, parallel_safe, strict)]
fn members_ids(chunk: i64, members: &[u8]) -> SetOfIterator<'static, Option<i64>> {
    match members::decode(chunk, members) {
        Ok(ids) => SetOfIterator::new(ids.map(Some)),
        Err(_) => SetOfIterator::once(None),
    }
}

/// The events of a run of the timeline. A run that cannot be read is an error.
#[pg_extern(immutable, parallel_safe, strict)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn timeline_events(
    run: &[u8],
) -> Result<
    TableIterator<
        'static,
        (
            name!(id, i64),
            name!(occurred_at, TimestampWithTimeZone),
            name!(user_number, Option<i64>),
            name!(journey_number, i64),
        ),
    >,
    ErrorReport,
> {
    let entries = timeline::decode(run).map_err(Error::from)?;
    let rows = entries
        .into_iter()
        .map(|entry| Ok((entry.id, from_unix_micros(entry.at)?, entry.user, entry.journey)))
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(TableIterator::new(rows))
}

/// The run of events whose ids ascend, as arrays of equal length.
#[pg_extern(immutable, parallel_safe, strict)]
fn timeline_run(
    ids: Vec<i64>,
    occurred_at: Vec<TimestampWithTimeZone>,
    user_numbers: Vec<Option<i64>>,
    journey_numbers: Vec<i64>,
) -> Result<Vec<u8>, ErrorReport> {
    let entries: Vec<Entry> = ids
        .into_iter()
        .zip(occurred_at)
        .zip(user_numbers.into_iter().zip(journey_numbers))
        .map(|((id, at), (user, journey))| Entry { id, at: to_unix_micros(at), user, journey })
        .collect();
    Ok(timeline::encode(&entries).map_err(Error::from)?)
}
