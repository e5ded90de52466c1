//! One row, in PostgreSQL's form.

use std::net::IpAddr;

use pgrx::prelude::*;

use crate::jsonb::Binary;

/// The bytes of a row's texts and their like, in PostgreSQL's form.
#[derive(Default)]
pub struct Contents {
    bytes: Vec<u8>,
    /// Columns, and where in the bytes their values begin.
    columns: Vec<(usize, usize)>,
}

/// A row that is being made, column by column.
pub struct Row<'t> {
    values: &'t mut [pg_sys::Datum],
    nulls: &'t mut [bool],
    next: usize,
    contents: &'t mut Contents,
}

impl<'t> Row<'t> {
    /// A row whose columns are to be given, each once and in order.
    pub fn new(values: &'t mut [pg_sys::Datum], nulls: &'t mut [bool], contents: &'t mut Contents) -> Self {
        Row { values, nulls, next: 0, contents }
    }

    /// A value that is its own datum: a number, a timestamp.
    pub fn value(&mut self, value: impl Into<pg_sys::Datum>) {
        self.values[self.next] = value.into();
        self.nulls[self.next] = false;
        self.next += 1;
    }

    pub fn null(&mut self) {
        self.nulls[self.next] = true;
        self.next += 1;
    }

    pub fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.bytes(text.len(), |bytes| bytes.extend_from_slice(text.as_bytes())),
            None => self.null(),
        }
    }

    pub fn jsonb(&mut self, container: Binary) {
        self.bytes(container.size(), |bytes| bytes.extend_from_slice(container.bytes()));
    }

    pub fn inet(&mut self, address: Option<IpAddr>) {
        // PostgreSQL's own numbers of the families, which are the same everywhere.
        const FAMILIES: [u8; 2] = [2, 3];
        let mut value = |family: u8, octets: &[u8]| {
            self.bytes(2 + octets.len(), |bytes| {
                bytes.extend_from_slice(&[family, octets.len() as u8 * 8]);
                bytes.extend_from_slice(octets);
            });
        };
        match address {
            Some(IpAddr::V4(address)) => value(FAMILIES[0], &address.octets()),
            Some(IpAddr::V6(address)) => value(FAMILIES[1], &address.octets()),
            None => self.null(),
        }
    }

    /// A value of variable length, of which `write` appends as many bytes as are said.
    pub fn bytes(&mut self, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        const SHORT_HEADER: usize = 1;
        let bytes = &mut self.contents.bytes;
        let is_short = length + SHORT_HEADER <= pg_sys::VARATT_SHORT_MAX as usize;
        let header = if is_short { SHORT_HEADER } else { pg_sys::VARHDRSZ };
        bytes.resize(bytes.len().next_multiple_of(pg_sys::VARHDRSZ), 0);
        let start = bytes.len();
        bytes.resize(start + header, 0);
        write(bytes);
        let size = (bytes.len() - start) as i32;
        // SAFETY: the header lies inside; the allocator aligns the whole for any type, and so start is aligned.
        unsafe {
            let value = bytes.as_mut_ptr().add(start).cast();
            if is_short { pgrx::set_varsize_1b(value, size) } else { pgrx::set_varsize_4b(value, size) }
        }
        self.contents.columns.push((self.next, start));
        self.value(0usize);
    }

    /// Points the columns to their values, now that these no longer move.
    pub fn finish(self) {
        let Contents { bytes, columns } = self.contents;
        for (column, start) in columns.drain(..) {
            // SAFETY: within the bytes.
            self.values[column] = pg_sys::Datum::from(unsafe { bytes.as_ptr().add(start) });
        }
        bytes.clear();
    }
}
