//! Rows that are added to a table without a statement: by its access method and its indexes, as COPY does it. It
//! saves the executor, which for one row costs more than the row, and for many rows the arrays in which a statement
//! takes them. What only a statement does (triggers, rules, generated columns) is not done: [`Table::open`] leaves a
//! table that has any of that to one.

mod partitions;
mod row;

use std::ffi::CStr;

use pgrx::prelude::*;

pub use partitions::Partitions;
use row::Contents;
pub use row::Row;

/// A table as the extension makes it.
pub struct Shape {
    pub columns: &'static [Column],
    /// The check constraints, which the rows that are added meet by themselves.
    pub checks: &'static [&'static CStr],
}

/// A column: its name, its type, and whether rows that are added may have no value there.
pub struct Column(pub &'static CStr, pub pg_sys::Oid, pub bool);

/// The rows that go into the table together: more bytes than that fall out of the processor's caches.
const ROWS_AT_ONCE: usize = 100;

/// A table to which rows are added. An error must abort the (sub)transaction, which closes it; without one,
/// [`Table::close`] does.
pub struct Table {
    relation: pg_sys::Relation,
    state: *mut pg_sys::EState,
    /// Has the open indexes.
    target: Box<pg_sys::ResultRelInfo>,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    /// How many of the slots have a row that is not in the table yet.
    filled: usize,
    contents: Contents,
    /// Whether to look for a row's like before it goes in.
    looks_first: bool,
    has_duplicates: bool,
    /// Of the rows that `add_if_new` is adding.
    token: Option<u32>,
    /// How many rows `add_if_new` has added with the memory of one row's context.
    rows_in_context: usize,
}

impl Table {
    /// Opens a table of this shape until the transaction ends; `None`: adding to this one takes a statement.
    pub fn open(table: pg_sys::Oid, shape: &Shape) -> Option<Self> {
        // SAFETY: what is opened here is closed by close(), or by the abort of the transaction.
        unsafe {
            let relation = pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32);
            if (*(*relation).rd_rel).relkind != pg_sys::RELKIND_RELATION as i8 || !is_plain(relation, shape) {
                pg_sys::table_close(relation, pg_sys::NoLock as i32);
                return None;
            }
            let state = pg_sys::CreateExecutorState();
            (*state).es_output_cid = pg_sys::GetCurrentCommandId(true);
            pg_sys::MakePerTupleExprContext(state);
            let mut target = Box::<pg_sys::ResultRelInfo>::default();
            pg_sys::InitResultRelInfo(&mut *target, relation, 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(&mut *target, false);
            Some(Table {
                relation,
                state,
                target,
                slots: Vec::new(),
                filled: 0,
                contents: Contents::default(),
                looks_first: false,
                has_duplicates: false,
                token: None,
                rows_in_context: 0,
            })
        }
    }

    /// Adds a row, of which `fill` gives each column, in order. It is in the table after
    /// [`Table::flush`].
    pub fn add(&mut self, fill: impl FnOnce(&mut Row<'_>)) {
        self.fill(fill);
        if self.filled == ROWS_AT_ONCE {
            self.add_given();
        }
    }

    /// All rows are in the table, and nobody waits to see whether they will be.
    pub fn flush(&mut self) {
        self.add_given();
        self.withdraw();
    }

    /// Adds the rows that were given to `add`.
    fn add_given(&mut self) {
        let rows = std::mem::take(&mut self.filled);
        if rows == 0 {
            return;
        }
        // SAFETY: the first slots have rows of the table's shape. The access method's function may raise.
        unsafe {
            let context = pg_sys::MemoryContextSwitchTo(self.row_context());
            let multi_insert = (*(*self.relation).rd_tableam).multi_insert;
            let (relation, slots) = (self.relation, self.slots.as_mut_ptr());
            let command = (*self.state).es_output_cid;
            guarded(multi_insert, |insert| {
                insert(relation, slots, rows as i32, command, 0, std::ptr::null_mut())
            });
            for n in 0..rows {
                let slot = self.slots[n];
                self.add_to_indexes(slot, None);
                pg_sys::ExecClearTuple(slot);
            }
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::MemoryContextReset(self.row_context());
        }
    }

    /// Adds a row unless a unique index has its like: INSERT … ON CONFLICT DO NOTHING. Answers whether it was
    /// added. Whoever adds several gives them in an order that all keep to: one waits for another's.
    pub fn add_if_new(&mut self, fill: impl FnOnce(&mut Row<'_>)) -> bool {
        self.add_given();
        let slot = self.fill(fill);
        self.filled = 0;
        // SAFETY: the slot has a row of the table's shape.
        unsafe {
            let context = pg_sys::MemoryContextSwitchTo(self.row_context());
            let is_new = self.insert_if_new(slot);
            self.has_duplicates |= !is_new;
            pg_sys::ExecClearTuple(slot);
            pg_sys::MemoryContextSwitchTo(context);
            self.rows_in_context += 1;
            if self.rows_in_context == ROWS_AT_ONCE {
                self.rows_in_context = 0;
                self.withdraw();
                pg_sys::MemoryContextReset(self.row_context());
            }
            is_new
        }
    }

    /// The protocol of speculative insertion: the row goes in, and out again, leaving a dead one, if its like is there.
    /// To look first costs as much as going in: it is done from the first duplicate on, because they come together.
    ///
    /// # Safety
    /// The slot has a row of the table's shape.
    unsafe fn insert_if_new(&mut self, slot: *mut pg_sys::TupleTableSlot) -> bool {
        // SAFETY: the functions of the access method may raise; what is open then goes with the transaction.
        unsafe {
            let (relation, command) = (self.relation, (*self.state).es_output_cid);
            let access = (*relation).rd_tableam;
            loop {
                if self.looks_first && self.has_like(slot) {
                    return false;
                }
                let token = self.announce();
                guarded((*access).tuple_insert_speculative, |insert| {
                    insert(relation, slot, command, 0, std::ptr::null_mut(), token)
                });
                let mut is_conflict = false;
                self.add_to_indexes(slot, Some(&mut is_conflict));
                guarded((*access).tuple_complete_speculative, |complete| {
                    complete(relation, slot, token, !is_conflict)
                });
                if !is_conflict {
                    return true;
                }
                self.look_first();
            }
        }
    }

    /// The token of the rows that are going in. Whoever meets one that is not in for certain waits until the token is
    /// taken back, which must be before this transaction waits for anybody. Many rows share one: it costs a lock.
    fn announce(&mut self) -> u32 {
        // SAFETY: the lock is released by withdraw(), or with the (sub)transaction.
        *self.token.get_or_insert_with(|| unsafe {
            pg_sys::SpeculativeInsertionLockAcquire(pg_sys::GetCurrentTransactionId())
        })
    }

    fn withdraw(&mut self) {
        if self.token.take().is_some() {
            // SAFETY: pairs with announce(), in the same (sub)transaction.
            unsafe { pg_sys::SpeculativeInsertionLockRelease(pg_sys::GetCurrentTransactionId()) }
        }
    }

    /// Has `add_if_new` look for a row's like before it goes in: where duplicates are to be expected.
    pub fn look_first(&mut self) {
        if std::mem::replace(&mut self.looks_first, true) {
            return;
        }
        // SAFETY: the two arrays have an element for each open index, and live as long as the state, as does what a
        // look needs to know of a unique index.
        unsafe {
            let context = pg_sys::MemoryContextSwitchTo((*self.state).es_query_cxt);
            for n in 0..self.target.ri_NumIndices as usize {
                let index = *self.target.ri_IndexRelationDescs.add(n);
                let info = *self.target.ri_IndexRelationInfo.add(n);
                if (*info).ii_Unique && !(*(*index).rd_index).indisexclusion {
                    pg_sys::BuildSpeculativeIndexInfo(index, info);
                }
            }
            pg_sys::MemoryContextSwitchTo(context);
        }
    }

    /// Whether `add_if_new` has left out a row.
    pub fn has_duplicates(&self) -> bool {
        self.has_duplicates
    }

    /// Whether the table has such a row, which may take waiting for the transaction that is about to add it.
    ///
    /// # Safety
    /// As in insert_if_new().
    unsafe fn has_like(&mut self, slot: *mut pg_sys::TupleTableSlot) -> bool {
        self.withdraw();
        // SAFETY: as in insert_if_new().
        unsafe {
            let mut found = pg_sys::ItemPointerData::default();
            let target = &mut *self.target;
            let arbiters = std::ptr::null_mut();
            if pg_sys::ExecCheckIndexConstraints(target, slot, self.state, &mut found, arbiters) {
                return false;
            }
            if pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 {
                self.refuse_invisible(&mut found);
            }
            true
        }
    }

    /// Where a transaction keeps to one snapshot, a row that is not in it must not decide anything.
    ///
    /// # Safety
    /// The pointer is to a row of the table.
    unsafe fn refuse_invisible(&self, row: &mut pg_sys::ItemPointerData) {
        // SAFETY: the row stays: it is of a committed transaction, or of this one.
        let is_visible = unsafe {
            let relation = self.relation;
            let slot = pg_sys::table_slot_create(relation, std::ptr::null_mut());
            let fetch = (*(*relation).rd_tableam).tuple_fetch_row_version;
            let snapshot = pg_sys::GetTransactionSnapshot();
            let is_visible = guarded(fetch, |fetch| fetch(relation, row, snapshot, slot));
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            is_visible
        };
        if !is_visible {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
                "could not serialize access due to concurrent update"
            );
        }
    }

    /// Puts a row into a slot that is free.
    fn fill(&mut self, fill: impl FnOnce(&mut Row<'_>)) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: the slot has as many values as the table has columns; its row is made of copies of them.
        unsafe {
            if self.filled == self.slots.len() {
                self.slots.push(pg_sys::table_slot_create(self.relation, std::ptr::null_mut()));
            }
            let slot = self.slots[self.filled];
            self.filled += 1;
            let columns = (*(*self.relation).rd_att).natts as usize;
            let values = std::slice::from_raw_parts_mut((*slot).tts_values, columns);
            let nulls = std::slice::from_raw_parts_mut((*slot).tts_isnull, columns);
            let mut row = Row::new(values, nulls, &mut self.contents);
            fill(&mut row);
            row.finish();
            pg_sys::ExecStoreVirtualTuple(slot);
            pg_sys::ExecFetchSlotHeapTuple(slot, true, std::ptr::null_mut());
            slot
        }
    }

    /// Adds a row of the table to its indexes. With `is_conflict`, a like row is no error but said there.
    ///
    /// # Safety
    /// The slot has a row that is in the table.
    unsafe fn add_to_indexes(&mut self, slot: *mut pg_sys::TupleTableSlot, is_conflict: Option<&mut bool>) {
        if self.target.ri_NumIndices == 0 {
            return;
        }
        let no_error = is_conflict.is_some();
        let is_conflict = is_conflict.map_or(std::ptr::null_mut(), std::ptr::from_mut);
        let arbiters = std::ptr::null_mut();
        // SAFETY: as the caller says. What is to be checked again later is so by a trigger, and there is none.
        unsafe {
            let target = &mut *self.target;
            pg_sys::ExecInsertIndexTuples(
                target,
                slot,
                self.state,
                false,
                no_error,
                is_conflict,
                arbiters,
                false,
            );
        }
    }

    /// What a row needs in memory while it is added.
    fn row_context(&self) -> pg_sys::MemoryContext {
        // SAFETY: made by open().
        unsafe { (*(*self.state).es_per_tuple_exprcontext).ecxt_per_tuple_memory }
    }

    /// Adds what was given to `add`, and closes the table; the lock stays.
    pub fn close(mut self) {
        self.flush();
        // SAFETY: pairs with open().
        unsafe {
            for &slot in &self.slots {
                pg_sys::ExecDropSingleTupleTableSlot(slot);
            }
            pg_sys::ExecCloseIndices(&mut *self.target);
            pg_sys::FreeExecutorState(self.state);
            pg_sys::table_close(self.relation, pg_sys::NoLock as i32);
        }
    }
}

/// Whether rows can be added without a statement: nothing else happens when one is, and the shape is this.
///
/// # Safety
/// The relation is open.
unsafe fn is_plain(relation: pg_sys::Relation, shape: &Shape) -> bool {
    // SAFETY: as the caller says; a descriptor has as many attributes, and as many checks, as it says.
    unsafe {
        let descriptor = &*(*relation).rd_att;
        let attributes = descriptor.attrs.as_slice(descriptor.natts as usize);
        let is_constrained = descriptor.constr.as_ref().is_some_and(|constraints| {
            let checks = (0..usize::from(constraints.num_check)).map(|n| &*constraints.check.add(n));
            let mut names = checks.map(|check| CStr::from_ptr(check.ccname));
            constraints.has_generated_stored || names.any(|name| !shape.checks.contains(&name))
        });
        (*relation).trigdesc.is_null()
            && (*relation).rd_rules.is_null()
            && !is_constrained
            && attributes.len() == shape.columns.len()
            && attributes.iter().zip(shape.columns).all(|(attribute, &Column(name, of_type, may_be_null))| {
                !attribute.attisdropped
                    && attribute.atttypid == of_type
                    && !(attribute.attnotnull && may_be_null)
                    && CStr::from_ptr(attribute.attname.data.as_ptr()) == name
            })
    }
}

/// Calls a function of an access method, whose ERROR becomes a panic as that of any of PostgreSQL's functions.
///
/// # Safety
/// `call` calls the function with what it takes.
unsafe fn guarded<F: Copy, T>(function: Option<F>, call: impl FnOnce(F) -> T) -> T {
    let Some(function) = function else {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "the table's access method cannot add rows"
        );
    };
    // SAFETY: as the caller says.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| call(function)) }
}
