//! Statements through SPI, with their snapshot said outright. pgrx chooses it by whether the transaction
//! has written yet, which is wrong both ways: a STABLE function must see one snapshot in all its
//! statements even after a write, and a stitcher that has waited for a lock must see what was committed
//! meanwhile even before its first one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::marker::PhantomData;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::error::Error;

/// An SPI connection; what it allocates is freed with it.
pub struct Sql {
    read_only: bool,
    /// The level of settings that is left with the connection; `None`: there is none yet.
    level: Cell<Option<i32>>,
}

/// Runs statements that only read, all on the snapshot of the calling query.
pub fn reading<T, E>(work: impl FnOnce(&Sql) -> Result<T, E>) -> Result<T, E> {
    connected(true, work)
}

/// Runs statements that each see what is committed by then, and what this transaction has done.
pub fn writing<T, E>(work: impl FnOnce(&Sql) -> Result<T, E>) -> Result<T, E> {
    connected(false, work)
}

/// The same for work that mostly runs no statement at all: its first one connects. That must be in the work itself,
/// outside of other connections and of subtransactions: connections end in reverse order, and with theirs.
pub fn writing_seldom<T, E>(work: impl FnOnce(&Sql) -> Result<T, E>) -> Result<T, E> {
    work(&Sql { read_only: false, level: Cell::new(None) })
}

/// Runs statements that only read, all on a snapshot of what is committed now, whatever the transaction's is:
/// as PostgreSQL looks at its catalogs, for what must hold at once, such as a right that was taken back.
pub fn reading_latest<T, E>(work: impl FnOnce(&Sql) -> Result<T, E>) -> Result<T, E> {
    // SAFETY: the snapshot is popped where it was pushed; an error's abort pops it, too. In a parallel worker
    // there is no other snapshot than the leader's.
    unsafe {
        let latest = match pg_sys::ParallelWorkerNumber >= 0 || pg_sys::IsInParallelMode() {
            true => pg_sys::GetActiveSnapshot(),
            false => pg_sys::GetLatestSnapshot(),
        };
        pg_sys::PushActiveSnapshot(latest);
        let done = reading(work);
        pg_sys::PopActiveSnapshot();
        done
    }
}

fn connected<T, E>(read_only: bool, work: impl FnOnce(&Sql) -> Result<T, E>) -> Result<T, E> {
    let sql = Sql { read_only, level: Cell::new(None) };
    sql.connect();
    work(&sql)
}

impl Drop for Sql {
    fn drop(&mut self) {
        if let Some(level) = self.level.get() {
            // SAFETY: pairs with connect(); connections nest, and are dropped in reverse order.
            unsafe { pg_sys::SPI_finish() };
            leave_settings(level);
        }
    }
}

impl Sql {
    /// Connects, once.
    fn connect(&self) {
        if self.level.get().is_some() {
            return;
        }
        // JIT pays for none of these statements, and its compiling takes longer than all of them.
        let level = enter_settings(&[(c"jit", c"off")]);
        // SAFETY: SPI_finish, in Drop, belongs to it. (SPI_connect always succeeds.)
        unsafe { pg_sys::SPI_connect() };
        self.level.set(Some(level));
    }

    /// Runs a statement.
    pub fn run<'s>(&'s self, statement: &str, args: &[DatumWithOid<'_>]) -> Result<Rows<'s>, Error> {
        self.connect();
        let statement = CString::new(statement).map_err(|_| Error::Missing("statement without NUL"))?;
        let mut types: Vec<pg_sys::Oid> = args.iter().map(DatumWithOid::oid).collect();
        let (mut values, nulls) = datums(args);
        // SAFETY: three arrays of one length; SPI leaves the rows in SPI_tuptable, which lives until
        // SPI_finish, longer than Rows<'s>.
        unsafe {
            pg_sys::SPI_tuptable = std::ptr::null_mut();
            let status = pg_sys::SPI_execute_with_args(
                statement.as_ptr(),
                args.len() as i32,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                self.read_only,
                0,
            );
            if status < 0 { Err(Error::Spi(status)) } else { Ok(Rows::of(pg_sys::SPI_tuptable)) }
        }
    }

    /// Runs a statement whose plan is kept for the session. Its arguments have the same types each time.
    pub fn prepared<'s>(
        &'s self,
        statement: &'static str,
        args: &[DatumWithOid<'_>],
    ) -> Result<Rows<'s>, Error> {
        self.planned(statement, args, 0)
    }

    /// The same for a statement that can only be run in one way. It is planned once; otherwise PostgreSQL plans it
    /// anew for each call as long as that seems to be cheaper, which takes longer than such a statement does.
    pub fn planned_once<'s>(
        &'s self,
        statement: &'static str,
        args: &[DatumWithOid<'_>],
    ) -> Result<Rows<'s>, Error> {
        self.planned(statement, args, pg_sys::CURSOR_OPT_GENERIC_PLAN)
    }

    fn planned<'s>(
        &'s self,
        statement: &'static str,
        args: &[DatumWithOid<'_>],
        options: u32,
    ) -> Result<Rows<'s>, Error> {
        self.connect();
        let (mut values, nulls) = datums(args);
        // SAFETY: as in run(); a kept plan lives as long as the process, and looks at the catalog again
        // when something that it rests on has changed.
        unsafe {
            let plan = kept_plan(statement, args, options)?;
            pg_sys::SPI_tuptable = std::ptr::null_mut();
            let status =
                pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), self.read_only, 0);
            if status < 0 { Err(Error::Spi(status)) } else { Ok(Rows::of(pg_sys::SPI_tuptable)) }
        }
    }

    /// Runs a query whose rows are too many to be held at once, and hands each to `visit`.
    pub fn each(
        &self,
        query: &str,
        args: &[DatumWithOid<'_>],
        visit: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.connect();
        let query = CString::new(query).map_err(|_| Error::Missing("query without NUL"))?;
        let mut types: Vec<pg_sys::Oid> = args.iter().map(DatumWithOid::oid).collect();
        let (mut values, nulls) = datums(args);
        // SAFETY: three arrays of one length.
        unsafe {
            let name = std::ptr::null();
            let cursor = pg_sys::SPI_cursor_open_with_args(
                name,
                query.as_ptr(),
                args.len() as i32,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                self.read_only,
                0,
            );
            self.fetch(cursor, visit)
        }
    }

    /// The same with a plan that is kept for the session. Faster than [`Sql::prepared`] for megabytes of rows: few of
    /// them are in memory at once, in the processor's caches. (For less, opening the cursor costs more than that.)
    pub fn each_prepared(
        &self,
        statement: &'static str,
        args: &[DatumWithOid<'_>],
        visit: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.connect();
        let (mut values, nulls) = datums(args);
        // SAFETY: as in prepared().
        unsafe {
            let plan = kept_plan(statement, args, 0)?;
            let name = std::ptr::null();
            let cursor =
                pg_sys::SPI_cursor_open(name, plan, values.as_mut_ptr(), nulls.as_ptr(), self.read_only);
            self.fetch(cursor, visit)
        }
    }

    /// Hands each row of a cursor to `visit`, as the executor comes to it.
    ///
    /// # Safety
    /// The cursor was just opened.
    unsafe fn fetch(
        &self,
        cursor: pg_sys::Portal,
        mut visit: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // SAFETY: as said; the receiver lives until the cursor is closed.
        unsafe {
            let memory = pg_sys::CurrentMemoryContext;
            let mut receiver =
                Receiver { base: Receiver::CALLBACKS, visit: &mut visit, memory, failed: None };
            let all = std::ffi::c_long::MAX;
            pg_sys::PortalRunFetch(
                cursor,
                pg_sys::FetchDirection::FETCH_FORWARD,
                all,
                (&raw mut receiver).cast(),
            );
            pg_sys::SPI_cursor_close(cursor);
            receiver.failed.map_or(Ok(()), Err)
        }
    }
}

/// What the executor gives the rows of a cursor to. (SPI's own copies each of them, and hands them out in portions.)
#[repr(C)]
struct Receiver<'a> {
    /// First, as PostgreSQL knows nothing of the rest.
    base: pg_sys::DestReceiver,
    visit: &'a mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    /// What `visit` allocates in. The executor's own context is gone when the cursor is closed.
    memory: pg_sys::MemoryContext,
    failed: Option<Error>,
}

impl Receiver<'_> {
    const CALLBACKS: pg_sys::DestReceiver = pg_sys::DestReceiver {
        receiveSlot: Some(receive_row),
        rStartup: Some(rows_begin),
        rShutdown: Some(rows_end),
        rDestroy: Some(rows_end),
        mydest: pg_sys::CommandDest::DestNone,
    };
}

#[pg_guard]
unsafe extern "C-unwind" fn receive_row(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: the executor passes on the receiver that fetch() gave it, and a slot that holds a row until this
    // returns. Whatever is raised here ends the executor, too.
    unsafe {
        let receiver = &mut *receiver.cast::<Receiver<'_>>();
        if i32::from((*slot).tts_nvalid) < (*(*slot).tts_tupleDescriptor).natts {
            pg_sys::slot_getallattrs(slot);
        }
        let executors = pg_sys::MemoryContextSwitchTo(receiver.memory);
        let visited = (receiver.visit)(&Row { source: Source::Slot(slot), connection: PhantomData });
        pg_sys::MemoryContextSwitchTo(executors);
        receiver.failed = visited.err();
        receiver.failed.is_none()
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn rows_begin(
    _receiver: *mut pg_sys::DestReceiver,
    _operation: std::ffi::c_int,
    _descriptor: pg_sys::TupleDesc,
) {
}

#[pg_guard]
unsafe extern "C-unwind" fn rows_end(_receiver: *mut pg_sys::DestReceiver) {}

thread_local! {
    static PLANS: RefCell<HashMap<&'static str, pg_sys::SPIPlanPtr>> = RefCell::default();
}

/// The statement's plan; it is made when it is first asked for.
fn kept_plan(
    statement: &'static str,
    args: &[DatumWithOid<'_>],
    options: u32,
) -> Result<pg_sys::SPIPlanPtr, Error> {
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(statement).copied()) {
        return Ok(plan);
    }
    let text = CString::new(statement).map_err(|_| Error::Missing("statement without NUL"))?;
    let mut types: Vec<pg_sys::Oid> = args.iter().map(DatumWithOid::oid).collect();
    // SAFETY: a C string and an array of as many types as are said; SPI_keepplan makes the plan outlive
    // the connection.
    let plan = unsafe {
        let count = types.len() as i32;
        let plan = pg_sys::SPI_prepare_cursor(text.as_ptr(), count, types.as_mut_ptr(), options as i32);
        if plan.is_null() {
            return Err(Error::Spi(pg_sys::SPI_result));
        }
        pg_sys::SPI_keepplan(plan);
        plan
    };
    PLANS.with_borrow_mut(|plans| plans.insert(statement, plan));
    Ok(plan)
}

/// Values and, as SPI takes them, their nulls.
fn datums(args: &[DatumWithOid<'_>]) -> (Vec<pg_sys::Datum>, Vec<std::ffi::c_char>) {
    args.iter()
        .map(|arg| match arg.datum() {
            Some(datum) => (datum.sans_lifetime(), b' ' as std::ffi::c_char),
            None => (pg_sys::Datum::from(0), b'n' as std::ffi::c_char),
        })
        .unzip()
}

/// The rows that a statement returned.
pub struct Rows<'s> {
    table: *mut pg_sys::SPITupleTable,
    next: usize,
    connection: PhantomData<&'s Sql>,
}

impl<'s> Rows<'s> {
    /// # Safety
    /// The table is NULL, or SPI's and lives as long as 's.
    unsafe fn of(table: *mut pg_sys::SPITupleTable) -> Self {
        Rows { table, next: 0, connection: PhantomData }
    }

    /// What the rows look like; `None`: the statement returns none.
    pub fn descriptor(&self) -> Option<pg_sys::TupleDesc> {
        // SAFETY: see of().
        (!self.table.is_null()).then(|| unsafe { (*self.table).tupdesc })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        // SAFETY: see of().
        if self.table.is_null() { 0 } else { unsafe { (*self.table).numvals as usize } }
    }

    /// The value of a statement that returns one row of one column; `None`: NULL, or no row.
    pub fn one<T: FromDatum + IntoDatum>(mut self) -> Result<Option<T>, Error> {
        self.next().map_or(Ok(None), |row| row.nullable(1))
    }
}

impl<'s> Iterator for Rows<'s> {
    type Item = Row<'s>;

    fn next(&mut self) -> Option<Row<'s>> {
        if self.next >= self.len() {
            return None;
        }
        // SAFETY: within the table's numvals rows.
        let source = unsafe { Source::Tuple(*(*self.table).vals.add(self.next), (*self.table).tupdesc) };
        self.next += 1;
        Some(Row { source, connection: PhantomData })
    }
}

/// One row.
pub struct Row<'s> {
    source: Source,
    connection: PhantomData<&'s Sql>,
}

enum Source {
    Tuple(pg_sys::HeapTuple, pg_sys::TupleDesc),
    /// Taken apart already.
    Slot(*mut pg_sys::TupleTableSlot),
}

impl Row<'_> {
    /// The row as it is; of one of [`Rows`] it lives as long as the connection.
    pub fn tuple(&self) -> pg_sys::HeapTuple {
        match self.source {
            Source::Tuple(tuple, _) => tuple,
            // SAFETY: the slot holds a row.
            Source::Slot(slot) => unsafe { pg_sys::ExecFetchSlotHeapTuple(slot, true, std::ptr::null_mut()) },
        }
    }

    /// The value of a column, counted from 1. Text and bytea that are borrowed live as long as the connection, those
    /// of [`Sql::each`] until the next row.
    pub fn nullable<T: FromDatum + IntoDatum>(&self, column: i32) -> Result<Option<T>, Error> {
        // SAFETY: SPI answers a column that is not there with NULL; try_from_datum checks the type.
        unsafe {
            let (datum, is_null, type_oid) = self.value(column);
            T::try_from_datum(datum, is_null, type_oid).map_err(Error::from)
        }
    }

    /// The bytes of a value of variable length, whatever its type, without their header.
    pub fn bytes(&self, column: i32) -> Option<&[u8]> {
        let (datum, is_null, _) = self.value(column);
        // SAFETY: the callers ask for columns of such a type; what is detoasted lives as long as the connection.
        (!is_null).then(|| unsafe {
            let value = pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr());
            pgrx::varlena::varlena_to_byte_slice(value)
        })
    }

    /// The bits of a column that is never NULL and whose type is as large as a bigint, and passed as one.
    pub fn bits(&self, column: i32) -> i64 {
        self.value(column).0.value() as i64
    }

    /// A column's datum, whether it is NULL, and its type.
    fn value(&self, column: i32) -> (pg_sys::Datum, bool, pg_sys::Oid) {
        // SAFETY: SPI answers a column that is not there with NULL, and so is it done for a slot, all of whose
        // columns have been taken apart.
        unsafe {
            match self.source {
                Source::Tuple(tuple, descriptor) => {
                    let mut is_null = false;
                    let datum = pg_sys::SPI_getbinval(tuple, descriptor, column, &mut is_null);
                    (datum, is_null, pg_sys::SPI_gettypeid(descriptor, column))
                }
                Source::Slot(slot) => {
                    let descriptor = (*slot).tts_tupleDescriptor;
                    let columns = (*descriptor).attrs.as_slice((*descriptor).natts as usize);
                    let n = (column as usize).wrapping_sub(1);
                    match columns.get(n) {
                        Some(of) => (*(*slot).tts_values.add(n), *(*slot).tts_isnull.add(n), of.atttypid),
                        None => (pg_sys::Datum::from(0), true, pg_sys::InvalidOid),
                    }
                }
            }
        }
    }

    /// The value of a column that is never NULL.
    pub fn get<T: FromDatum + IntoDatum>(&self, column: i32) -> Result<T, Error> {
        self.nullable(column)?.ok_or(Error::Missing("value in a column that is never NULL"))
    }
}

/// Has the statements of `work` planned as what the stitcher's are: a few thousand look-ups by key,
/// whatever the statistics say of tables that have just grown.
pub fn for_lookups<T>(work: impl FnOnce() -> T) -> T {
    let settings = [
        (c"enable_seqscan", c"off"),
        (c"enable_hashjoin", c"off"),
        (c"enable_mergejoin", c"off"),
        (c"max_parallel_workers_per_gather", c"0"),
    ];
    with_settings(&settings, work)
}

/// Has the statements of `work` planned as usual again, inside of [`for_lookups`]: for those that take sets
/// apart.
pub fn for_joins<T>(work: impl FnOnce() -> T) -> T {
    with_settings(&[(c"enable_hashjoin", c"on"), (c"enable_mergejoin", c"on")], work)
}

/// Runs `work` under settings, as a function's SET clauses do. An error must abort the (sub)transaction,
/// which puts the settings back too.
fn with_settings<T>(settings: &[(&CStr, &CStr)], work: impl FnOnce() -> T) -> T {
    let level = enter_settings(settings);
    let done = work();
    leave_settings(level);
    done
}

/// Sets what anybody may set, until the level that this answers is left.
fn enter_settings(settings: &[(&CStr, &CStr)]) -> i32 {
    // SAFETY: C strings.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        for (name, value) in settings {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
        level
    }
}

fn leave_settings(level: i32) {
    // SAFETY: a level that was entered, and that nothing entered later is left of.
    unsafe { pg_sys::AtEOXact_GUC(true, level) }
}
