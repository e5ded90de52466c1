//! New vertices and edges, as rows of the label tables.

use std::cell::Cell;

use pgrx::prelude::*;

use super::{ENTRY_ID_BITS, properties};
use crate::bulk;
use crate::error::Error;
use crate::sequence::Blocks;
use crate::sql::Sql;

/// A label: the number that AGE gave to it, and its table.
pub struct Label {
    pub number: i32,
    pub table: pg_sys::Oid,
}

impl Label {
    /// The graphid of an entry, as a value.
    fn graphid(&self, entry: i64) -> pg_sys::Datum {
        (i64::from(self.number) << ENTRY_ID_BITS | entry).into()
    }

    /// Vertices, each an entry id and its properties.
    pub fn insert_vertices(&self, vertices: impl Iterator<Item = (i64, pg_sys::Datum)>) -> Result<(), Error> {
        let rows = vertices.map(|(entry, properties)| [self.graphid(entry), properties].map(Some));
        bulk::insert(self.table, [c"id", c"properties"], rows)
    }
}

/// Edges of a label, from vertices of one label to those of another.
pub struct Edges<'a> {
    pub label: &'a Label,
    /// What the entry ids of new edges are drawn from.
    pub ids: &'a Blocks,
    pub from: &'a Label,
    pub to: &'a Label,
}

impl Edges<'_> {
    /// Edges between vertices, by their entry ids: from each of the first to the one of the second in its place.
    pub fn insert(self, from: &[i64], to: &[i64]) -> Result<(), Error> {
        let nothing = Properties::default().map(&[]);
        let edges = self.ids.numbers(from.len()).zip(from.iter().zip(to));
        let rows = edges.map(|(entry, (&from, &to))| {
            [self.label.graphid(entry), self.from.graphid(from), self.to.graphid(to), nothing].map(Some)
        });
        bulk::insert(self.label.table, [c"id", c"start_id", c"end_id", c"properties"], rows)
    }
}

/// Makes properties as values of type agtype.
#[derive(Default)]
pub struct Properties {
    bytes: Vec<u8>,
}

impl Properties {
    /// A map of texts, whose keys are in AGE's order; in memory of the present context.
    pub fn map(&mut self, pairs: &[(&str, &str)]) -> pg_sys::Datum {
        properties::write_map(pairs, &mut self.bytes);
        // SAFETY: room for as many bytes and the header is allocated, and then written.
        unsafe {
            let size = pg_sys::VARHDRSZ + self.bytes.len();
            let value = pg_sys::palloc(size).cast::<pg_sys::varlena>();
            pgrx::set_varsize_4b(value, size as i32);
            let content = pgrx::vardata_4b(value).cast_mut().cast::<u8>();
            std::ptr::copy_nonoverlapping(self.bytes.as_ptr(), content, self.bytes.len());
            pg_sys::Datum::from(value)
        }
    }
}

thread_local! {
    static IS_CHECKED: Cell<bool> = const { Cell::new(false) };
}

/// Sees to it, once a process, that AGE's own maps look as ours do.
pub fn check_format(sql: &Sql) -> Result<(), Error> {
    if IS_CHECKED.get() {
        return Ok(());
    }
    let maps = "SELECT ag_catalog.agtype_build_map('type', 'login', 'ts', '2026', 'id', 'e1'), '{}'::ag_catalog.agtype";
    let row = sql.run(maps, &[])?.next().ok_or(Error::Missing("row of agtype maps"))?;
    let mut ours = Vec::new();
    properties::write_map(&[("id", "e1"), ("ts", "2026"), ("type", "login")], &mut ours);
    let is_same = row.bytes(1) == Some(ours.as_slice());
    properties::write_map(&[], &mut ours);
    if !is_same || row.bytes(2) != Some(ours.as_slice()) {
        return Err(Error::OtherAgtype);
    }
    IS_CHECKED.set(true);
    Ok(())
}
