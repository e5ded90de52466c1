//! Rows written in bulk, as COPY writes them: many to a page and to a record of the write-ahead log, past the
//! executor. The indexes are filled afterwards, each in the order of its keys, so that neighbouring entries are
//! written together. Constraints are looked at; where somebody has put triggers on the table, or constraints that
//! are checked by them, rows are written one by one, and the triggers fire. Rights, and policies of row level
//! security, are not looked at: the extension writes its own tables. (Rows that may be there already are added by
//! [`crate::table`].)

mod one_by_one;

use std::ffi::CStr;

use pgrx::prelude::*;

use self::one_by_one::OneByOne;
use crate::error::Error;

/// As COPY does, so many rows go to the table at once.
const ROWS_AT_ONCE: usize = 1_000;

/// A value of a row; `None`: NULL.
pub type Value = Option<pg_sys::Datum>;

/// Inserts rows of values for all of the table's columns. `rows` is asked for each row in a memory context that lasts
/// until the row is written; values that are not passed by value may point into it.
pub fn insert<const COLUMNS: usize>(
    table: pg_sys::Oid,
    columns: [&CStr; COLUMNS],
    mut rows: impl Iterator<Item = [Value; COLUMNS]>,
) -> Result<(), Error> {
    // SAFETY: the table and its indexes are open and locked from Target::open() to close(), which an error's abort
    // stands in for. The context is left before it is reset, and deleted with the one it was made in at the latest.
    unsafe {
        let mut target = Target::open(table, &columns)?;
        let lasting = pg_sys::CurrentMemoryContext;
        let fleeting = pg_sys::AllocSetContextCreateInternal(
            lasting,
            c"rows written in bulk".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        loop {
            pgrx::check_for_interrupts!();
            let mut count = 0;
            pg_sys::MemoryContextSwitchTo(fleeting);
            while count < ROWS_AT_ONCE
                && let Some(row) = rows.next()
            {
                target.put(count, &row, lasting);
                count += 1;
            }
            if count > 0 {
                target.write(count);
            }
            pg_sys::MemoryContextSwitchTo(lasting);
            pg_sys::MemoryContextReset(fleeting);
            if count < ROWS_AT_ONCE {
                break;
            }
        }
        target.fill_ordered(fleeting);
        pg_sys::MemoryContextSwitchTo(lasting);
        pg_sys::MemoryContextDelete(fleeting);
        target.close();
        // Statements that follow are to see the rows.
        pg_sys::CommandCounterIncrement();
    }
    Ok(())
}

/// A table that is written to.
struct Target {
    relation: pg_sys::Relation,
    /// Where the table has the columns, counted from 0.
    places: Vec<usize>,
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    /// `None`: rows are written in bulk.
    one_by_one: Option<OneByOne>,
    /// Indexes on one column that is never NULL and whose values are 8 bytes, such as graphids.
    ordered: Vec<Ordered>,
    others: Vec<Other>,
}

struct Ordered {
    relation: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    column: usize,
    entries: Vec<(i64, pg_sys::ItemPointerData)>,
}

struct Other {
    relation: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    predicate: *mut pg_sys::ExprState,
}

impl Target {
    /// # Safety
    /// Within a transaction.
    unsafe fn open(table: pg_sys::Oid, columns: &[&CStr]) -> Result<Self, Error> {
        // SAFETY: the structures are PostgreSQL's own, made by its functions.
        unsafe {
            let relation = pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32);
            let places = places(relation, columns)
                .inspect_err(|_| pg_sys::table_close(relation, pg_sys::NoLock as i32))?;
            let estate = pg_sys::CreateExecutorState();
            let result = PgBox::<pg_sys::ResultRelInfo>::alloc_node(pg_sys::NodeTag::T_ResultRelInfo);
            pg_sys::InitResultRelInfo(result.as_ptr(), relation, 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result.as_ptr(), false);
            let (result, slots) = (result.into_pg(), Vec::new());
            let one_by_one = OneByOne::begin(estate, result);
            let (mut ordered, mut others) = (Vec::new(), Vec::new());
            let indexes = if one_by_one.is_some() { 0 } else { (*result).ri_NumIndices as usize };
            for n in 0..indexes {
                let index = *(*result).ri_IndexRelationDescs.add(n);
                let info = *(*result).ri_IndexRelationInfo.add(n);
                let place = ordering_place(relation, info);
                match place.and_then(|place| places.iter().position(|&column| column == place)) {
                    Some(column) => {
                        ordered.push(Ordered { relation: index, info, column, entries: Vec::new() })
                    }
                    None => {
                        let predicate = match (*info).ii_Predicate.is_null() {
                            true => std::ptr::null_mut(),
                            false => pg_sys::ExecPrepareQual((*info).ii_Predicate, estate),
                        };
                        others.push(Other { relation: index, info, predicate });
                    }
                }
            }
            Ok(Target { relation, places, estate, result, slots, one_by_one, ordered, others })
        }
    }

    /// Takes a row in as the one of that number; values that it points to are still needed.
    ///
    /// # Safety
    /// The values are of the types of the table's columns. `lasting` outlives this.
    unsafe fn put(&mut self, number: usize, row: &[Value], lasting: pg_sys::MemoryContext) {
        // SAFETY: a slot has as many values as the table has columns; those that were dropped are NULL.
        unsafe {
            if number == self.slots.len() {
                let fleeting = pg_sys::MemoryContextSwitchTo(lasting);
                self.slots.push(pg_sys::table_slot_create(self.relation, std::ptr::null_mut()));
                pg_sys::MemoryContextSwitchTo(fleeting);
            }
            let slot = self.slots[number];
            pg_sys::ExecClearTuple(slot);
            let columns = (*(*slot).tts_tupleDescriptor).natts as usize;
            std::ptr::write_bytes((*slot).tts_isnull, 1, columns);
            for (&place, value) in self.places.iter().zip(row) {
                *(*slot).tts_values.add(place) = value.unwrap_or(pg_sys::Datum::from(0));
                *(*slot).tts_isnull.add(place) = value.is_none();
            }
            pg_sys::ExecStoreVirtualTuple(slot);
        }
        for index in &mut self.ordered {
            let key = row[index.column].map_or(0, |key| key.value() as i64);
            index.entries.push((key, pg_sys::ItemPointerData::default()));
        }
    }

    /// Writes the first `count` rows, and fills the indexes that are filled row by row.
    ///
    /// # Safety
    /// As many rows were put since the last time.
    unsafe fn write(&mut self, count: usize) {
        // SAFETY: the slots hold rows of this table; the expressions of the indexes are evaluated on them in the
        // context that belongs to the executor state.
        unsafe {
            let command = pg_sys::GetCurrentCommandId(true);
            let slots = self.slots.as_mut_ptr();
            if let Some(one_by_one) = &self.one_by_one {
                self.slots[..count].iter().for_each(|&slot| one_by_one.insert(slot, command));
                return;
            }
            if !(*(*self.relation).rd_att).constr.is_null() {
                let checked = self.slots[..count].iter();
                checked.for_each(|&slot| pg_sys::ExecConstraints(self.result, slot, self.estate));
            }
            pg_sys::table_multi_insert(self.relation, slots, count as i32, command, 0, std::ptr::null_mut());
            for index in &mut self.ordered {
                let first = index.entries.len() - count;
                for (entry, slot) in index.entries[first..].iter_mut().zip(&self.slots) {
                    entry.1 = (**slot).tts_tid;
                }
            }
            if self.others.is_empty() {
                return;
            }
            if (*self.estate).es_per_tuple_exprcontext.is_null() {
                pg_sys::MakePerTupleExprContext(self.estate);
            }
            let context = (*self.estate).es_per_tuple_exprcontext;
            let (mut values, mut nulls) = columns_of_index();
            for &slot in &self.slots[..count] {
                (*context).ecxt_scantuple = slot;
                for index in &self.others {
                    if index.predicate.is_null() || pg_sys::ExecQual(index.predicate, context) {
                        let (values, nulls) = (values.as_mut_ptr(), nulls.as_mut_ptr());
                        pg_sys::FormIndexDatum(index.info, slot, self.estate, values, nulls);
                        let tid = &mut (*slot).tts_tid;
                        insert_entry(self.relation, index.relation, index.info, values, nulls, tid);
                    }
                }
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
        }
    }

    /// Fills the indexes that are filled in the order of their keys.
    ///
    /// # Safety
    /// All rows are written. `fleeting` holds nothing that is still needed.
    unsafe fn fill_ordered(&mut self, fleeting: pg_sys::MemoryContext) {
        let (mut values, mut nulls) = columns_of_index();
        for index in &mut self.ordered {
            index.entries.sort_unstable_by_key(|(key, _)| *key);
            for entries in index.entries.chunks_mut(ROWS_AT_ONCE) {
                pgrx::check_for_interrupts!();
                // SAFETY: the index is open; what is allocated on the way is freed after each part.
                unsafe {
                    pg_sys::MemoryContextSwitchTo(fleeting);
                    for (key, tid) in entries {
                        values[0] = pg_sys::Datum::from(*key);
                        let (values, nulls) = (values.as_mut_ptr(), nulls.as_mut_ptr());
                        insert_entry(self.relation, index.relation, index.info, values, nulls, tid);
                    }
                    pg_sys::MemoryContextReset(fleeting);
                }
            }
        }
    }

    /// # Safety
    /// Nothing is written any more.
    unsafe fn close(self) {
        // SAFETY: closes what open() has opened; the lock on the table lasts as long as the transaction.
        unsafe {
            if let Some(one_by_one) = self.one_by_one {
                one_by_one.end();
            }
            pg_sys::ExecCloseIndices(self.result);
            self.slots.into_iter().for_each(|slot| pg_sys::ExecDropSingleTupleTableSlot(slot));
            pg_sys::FreeExecutorState(self.estate);
            pg_sys::table_close(self.relation, pg_sys::NoLock as i32);
        }
    }
}

/// Where a table has its columns, counted from 0. All that it has are to be written.
///
/// # Safety
/// The relation is open.
unsafe fn places(relation: pg_sys::Relation, columns: &[&CStr]) -> Result<Vec<usize>, Error> {
    // SAFETY: a tuple descriptor has as many attributes as it says.
    let attributes = unsafe {
        let descriptor = (*relation).rd_att;
        std::slice::from_raw_parts((*descriptor).attrs.as_ptr(), (*descriptor).natts as usize)
    };
    let present = || attributes.iter().enumerate().filter(|(_, attribute)| !attribute.attisdropped);
    let place = |column: &&CStr| {
        // SAFETY: a name is a C string.
        let has_name = |attribute: &pg_sys::FormData_pg_attribute| unsafe {
            CStr::from_ptr(attribute.attname.data.as_ptr()) == *column
        };
        present().find(|(_, attribute)| has_name(attribute)).map(|(place, _)| place)
    };
    let places: Option<Vec<usize>> = columns.iter().map(place).collect();
    let places = places.filter(|places| places.len() == present().count());
    places.ok_or(Error::Missing("table with just the columns that are written"))
}

/// The column, counted from 0, that an index is in the order of, if it is all that there is to the index, never NULL, and 8 bytes by value.
///
/// # Safety
/// The relation is open, and has the index.
unsafe fn ordering_place(relation: pg_sys::Relation, info: *mut pg_sys::IndexInfo) -> Option<usize> {
    // SAFETY: column numbers of an index begin at 1, and are 0 for expressions, below it for system columns.
    unsafe {
        let info = &*info;
        let column = usize::try_from(info.ii_IndexAttrNumbers[0]).ok()?.checked_sub(1)?;
        let attribute = (*(*relation).rd_att).attrs.as_ptr().add(column);
        let is_plain = info.ii_NumIndexAttrs == 1 && info.ii_Predicate.is_null() && (*attribute).attnotnull;
        (is_plain && (*attribute).attbyval && (*attribute).attlen == 8).then_some(column)
    }
}

/// Room for the values of an index entry, and for which of them are NULL.
fn columns_of_index() -> ([pg_sys::Datum; MOST_COLUMNS], [bool; MOST_COLUMNS]) {
    ([pg_sys::Datum::from(0); MOST_COLUMNS], [false; MOST_COLUMNS])
}

const MOST_COLUMNS: usize = pg_sys::INDEX_MAX_KEYS as usize;

/// # Safety
/// The index is open and belongs to the table, values and nulls have as many elements as it has columns, and the tid
/// is that of a row of the table.
unsafe fn insert_entry(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    values: *mut pg_sys::Datum,
    nulls: *mut bool,
    tid: *mut pg_sys::ItemPointerData,
) {
    // SAFETY: see above.
    unsafe {
        let check = match (*(*index).rd_index).indisunique {
            true => pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES,
            false => pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO,
        };
        pg_sys::index_insert(index, values, nulls, tid, table, check, false, info);
    }
}
