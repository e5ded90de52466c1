//! Functions that answer with the rows of a query as they are, without taking their values apart. They are
//! declared in sql/, in language C, because pgrx would want a Rust type for every column.

use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

use crate::error::Error;
use crate::sql::Rows;

/// The result of a set-returning function.
pub struct Answer {
    rows: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
}

impl Answer {
    /// Adds the rows.
    pub fn add(&self, rows: Rows<'_>) -> Result<(), Error> {
        if !rows.descriptor().is_some_and(|descriptor| self.takes(descriptor)) {
            return Err(Error::Missing("row of the declared type"));
        }
        for row in rows {
            // SAFETY: the row has the result's columns; it is copied.
            unsafe { pg_sys::tuplestore_puttuple(self.rows, row.tuple()) };
        }
        Ok(())
    }

    /// Adds one row, of values of the declared types, none of them NULL.
    ///
    /// # Safety
    /// They are that, and as many as the declared columns.
    pub unsafe fn add_row(&self, values: &mut [pg_sys::Datum]) {
        let mut nulls = vec![false; values.len()];
        // SAFETY: as the caller says; the values are copied.
        unsafe {
            pg_sys::tuplestore_putvalues(self.rows, self.descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
    }

    /// Whether rows of that shape are what the function was declared to return.
    fn takes(&self, descriptor: pg_sys::TupleDesc) -> bool {
        // SAFETY: both are descriptors of as many attributes as they say.
        unsafe {
            let attributes =
                |descriptor: pg_sys::TupleDesc| (*descriptor).attrs.as_slice((*descriptor).natts as usize);
            let types = |descriptor| attributes(descriptor).iter().map(|attribute| attribute.atttypid);
            types(descriptor).eq(types(self.descriptor))
        }
    }
}

/// The arguments of a call.
pub struct Arguments(pg_sys::FunctionCallInfo);

impl Arguments {
    /// The argument at a position, counted from 0; `None`: NULL.
    ///
    /// # Safety
    /// The function is declared with an argument of this type there.
    pub unsafe fn get<T: FromDatum>(&self, position: usize) -> Option<T> {
        // SAFETY: as the caller says. An older declaration may have fewer arguments.
        unsafe {
            let is_there = position < usize::from((*self.0).nargs.unsigned_abs());
            if is_there { pgrx::fcinfo::pg_getarg(self.0, position) } else { None }
        }
    }
}

/// Runs the body of a set-returning function.
///
/// # Safety
/// `fcinfo` is that of a call of a function that is declared to return a table.
pub unsafe fn answer(
    fcinfo: pg_sys::FunctionCallInfo,
    body: impl FnOnce(&Arguments, &Answer) -> Result<(), Error>,
) -> pg_sys::Datum {
    // SAFETY: InitMaterializedSRF checks the context of the call, and fills in the fields that are read. What the caller
    // expects is what the function was declared to return; to look that up again would cost more than a small answer.
    let answer = unsafe {
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let is_expected = result.as_ref().is_some_and(|result| !result.expectedDesc.is_null());
        pg_sys::InitMaterializedSRF(fcinfo, if is_expected { pg_sys::MAT_SRF_USE_EXPECTED_DESC } else { 0 });
        Answer { rows: (*result).setResult, descriptor: (*result).setDesc }
    };
    body(&Arguments(fcinfo), &answer).map_err(ErrorReport::from).unwrap_or_report();
    pg_sys::Datum::from(0)
}

/// Defines the C function that a CREATE FUNCTION names, with the record that PostgreSQL looks for.
macro_rules! set_returning {
    ($symbol:ident, $record:ident, $body:path) => {
        #[unsafe(no_mangle)]
        pub extern "C" fn $record() -> &'static pgrx::pg_sys::Pg_finfo_record {
            const VERSION_1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }

        #[pgrx::pg_guard]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(call: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: PostgreSQL calls it as what the CREATE FUNCTION in sql/ declares.
            unsafe { $crate::answer::answer(call, $body) }
        }
    };
}
pub(crate) use set_returning;
