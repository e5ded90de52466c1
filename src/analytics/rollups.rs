//! Rollups, the writing side: collects what a batch adds to and takes from the sets of active members
//! and the counts of events, and writes it with one statement a table.

use std::collections::HashMap;
use std::hash::Hash;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::calendar::Grain;
use super::members;
use crate::error::Error;
use crate::instant::from_unix_micros;
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

/// As it stands in rollup rows.
pub fn grain_code(grain: Grain) -> &'static str {
    match grain {
        Grain::Day => "d",
        Grain::HalfHour => "h",
    }
}

/// The event type of rollup rows for all types together.
pub const ANY_TYPE: &str = "";

const GRAINS: [Grain; 2] = [Grain::Day, Grain::HalfHour];

/// One row of `activity`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Cell {
    identity: Identity,
    grain: Grain,
    event_type: u32,
    starts_at: i64,
    chunk: i64,
}

type Cells = HashMap<Cell, Vec<i64>>;

/// What a batch changes in the rollups.
pub struct Rollups {
    /// Event types by number; number 0 is all types together.
    types: HashMap<String, u32>,
    added: Cells,
    removed: Cells,
    counts: HashMap<(Grain, u32, i64), i64>,
}

impl Default for Rollups {
    fn default() -> Self {
        Rollups {
            types: HashMap::from([(ANY_TYPE.to_owned(), 0)]),
            added: Cells::new(),
            removed: Cells::new(),
            counts: HashMap::new(),
        }
    }
}

impl Rollups {
    /// A member was active at a time (microseconds since the Unix epoch) with an event of a type.
    pub fn add(&mut self, identity: Identity, member: i64, event_type: &str, at: i64) {
        let number = self.type_number(event_type);
        put(&mut self.added, identity, member, number, at);
    }

    /// The member's activity now is another's. Removals come before additions when they are written.
    pub fn remove(&mut self, identity: Identity, member: i64, event_type: &str, at: i64) {
        let number = self.type_number(event_type);
        put(&mut self.removed, identity, member, number, at);
    }

    /// One more event.
    pub fn count(&mut self, event_type: &str, at: i64) {
        let number = self.type_number(event_type);
        for grain in GRAINS {
            *self.counts.entry((grain, number, grain.floor(at))).or_default() += 1;
        }
    }

    /// One event less.
    pub fn uncount(&mut self, event_type: &str, at: i64) {
        let number = self.type_number(event_type);
        for grain in GRAINS {
            *self.counts.entry((grain, number, grain.floor(at))).or_default() -= 1;
        }
    }

    fn type_number(&mut self, event_type: &str) -> u32 {
        if let Some(number) = self.types.get(event_type) {
            return *number;
        }
        let number = self.types.len() as u32;
        self.types.insert(event_type.to_owned(), number);
        number
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
        write_counts(sql, project_id, self.counts, &names)
    }
}

fn put(cells: &mut Cells, identity: Identity, member: i64, event_type: u32, at: i64) {
    for grain in GRAINS {
        let starts_at = grain.floor(at);
        let chunk = members::chunk_of(member);
        for event_type in [0, event_type] {
            let cell = Cell { identity, grain, event_type, starts_at, chunk };
            cells.entry(cell).or_default().push(member);
        }
    }
}

fn write_cells(
    sql: &Sql,
    project_id: i32,
    statement: &str,
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
    let column =
        |text: fn(&Cell) -> &'static str| cells.iter().map(|(cell, _)| text(cell)).collect::<Vec<_>>();
    let args: [DatumWithOid; 7] = [
        project_id.into(),
        column(|cell| cell.identity.code()).into(),
        column(|cell| grain_code(cell.grain)).into(),
        cells.iter().map(|(cell, _)| names[cell.event_type as usize]).collect::<Vec<_>>().into(),
        starts(cells.iter().map(|(cell, _)| cell.starts_at))?.into(),
        cells.iter().map(|(cell, _)| cell.chunk).collect::<Vec<i64>>().into(),
        sets.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>().into(),
    ];
    sql.run(statement, &args)?;
    Ok(())
}

fn write_counts(
    sql: &Sql,
    project_id: i32,
    counts: HashMap<(Grain, u32, i64), i64>,
    names: &[&str],
) -> Result<(), Error> {
    if counts.is_empty() {
        return Ok(());
    }
    let counts = sorted(counts);
    let args: [DatumWithOid; 5] = [
        project_id.into(),
        counts.iter().map(|((grain, _, _), _)| grain_code(*grain)).collect::<Vec<_>>().into(),
        counts.iter().map(|((_, event_type, _), _)| names[*event_type as usize]).collect::<Vec<_>>().into(),
        starts(counts.iter().map(|((_, _, starts_at), _)| *starts_at))?.into(),
        counts.iter().map(|(_, events)| *events).collect::<Vec<i64>>().into(),
    ];
    sql.run(include_str!("../../sql/steps/event_counts_add.sql"), &args)?;
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
