//! The extension as this database's catalog has it: who owns it, and of which version its objects are.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::prelude::*;

use crate::error::Error;

/// The version of this library, and of the catalog that it works with.
pub const LIBRARY_VERSION: &str = env!("CARGO_PKG_VERSION");

const NAME: &CStr = c"journey_stitch";

/// What pg_extension says.
pub struct Installed {
    pub owner: pg_sys::Oid,
    pub version: String,
}

impl Installed {
    /// The library is newer (or older) than the catalog until ALTER EXTENSION UPDATE: its statements must
    /// not meet tables that are not as they expect.
    pub fn is_current(&self) -> bool {
        self.version == LIBRARY_VERSION
    }
}

thread_local! {
    /// Where pg_extension was found to have the extension's row.
    static PLACE: Cell<Option<pg_sys::ItemPointerData>> = const { Cell::new(None) };
}

/// The extension in this database; `None`: it is not there.
pub fn installed() -> Option<Installed> {
    // SAFETY: a scan of a catalog by its index, closed before the function returns.
    unsafe {
        let relation = pg_sys::table_open(pg_sys::ExtensionRelationId, pg_sys::AccessShareLock as i32);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_extension_extname as i16,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::F_NAMEEQ.into(),
            pg_sys::Datum::from(NAME.as_ptr()),
        );
        let index = pg_sys::ExtensionNameIndexId.into();
        let scan = pg_sys::systable_beginscan(relation, index, true, std::ptr::null_mut(), 1, &mut key);
        let tuple = pg_sys::systable_getnext(scan);
        let installed = (!tuple.is_null()).then(|| read_extension(relation, tuple));
        PLACE.set((!tuple.is_null()).then(|| (*tuple).t_self));
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        installed
    }
}

/// The same where every call asks, and the extension is there or almost so: a look at the place where its row was
/// before costs a tenth of a scan.
fn installed_as_before() -> Option<Installed> {
    let place = PLACE.get()?;
    // SAFETY: the extension has a row, so there is a page; a place that has another row by now, or none that is
    // valid, is recognised.
    unsafe {
        let relation = pg_sys::table_open(pg_sys::ExtensionRelationId, pg_sys::AccessShareLock as i32);
        let mut tuple = pg_sys::HeapTupleData { t_self: place, ..Default::default() };
        let mut buffer = 0;
        let snapshot = pg_sys::GetCatalogSnapshot(pg_sys::ExtensionRelationId);
        let mut installed = None;
        if pg_sys::heap_fetch(relation, snapshot, &mut tuple, &mut buffer, false) {
            let row = pg_sys::GETSTRUCT(&mut tuple).cast::<pg_sys::FormData_pg_extension>();
            if CStr::from_ptr((*row).extname.data.as_ptr()) == NAME {
                installed = Some(read_extension(relation, &mut tuple));
            }
            pg_sys::ReleaseBuffer(buffer);
        }
        pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        installed
    }
}

/// # Safety
/// The tuple is a row of pg_extension, which is open.
unsafe fn read_extension(relation: pg_sys::Relation, tuple: pg_sys::HeapTuple) -> Installed {
    // SAFETY: the rows begin with the fixed part that FormData_pg_extension describes, and extversion is a text that
    // is never NULL.
    unsafe {
        let row = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_extension>();
        let mut is_null = false;
        let column = pg_sys::Anum_pg_extension_extversion as i32;
        let version = pg_sys::heap_getattr(tuple, column, (*relation).rd_att, &mut is_null);
        Installed {
            owner: (*row).extowner,
            version: String::from_datum(version, is_null).unwrap_or_default(),
        }
    }
}

/// The extension's owner, if the catalog is one that this library works with.
pub fn owner() -> Result<pg_sys::Oid, Error> {
    let installed = installed_as_before().or_else(installed).ok_or(Error::NotInstalled)?;
    if installed.is_current() { Ok(installed.owner) } else { Err(Error::OtherVersion(installed.version)) }
}

/// A relation's oid, from the catalog cache.
pub fn relation(schema: &CStr, name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: both look-ups take a C string and answer InvalidOid where there is nothing.
    let oid = unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// Who owns a schema; `None`: it is not there.
pub fn schema_owner(schema: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: the look-up takes a C string.
    let oid = unsafe { pg_sys::get_namespace_oid(schema.as_ptr(), true) };
    cached(pg_sys::SysCacheIdentifier::NAMESPACEOID, oid, |row: &pg_sys::FormData_pg_namespace| row.nspowner)
}

/// Who owns a relation; `None`: it is not there.
pub fn relation_owner(oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    cached(pg_sys::SysCacheIdentifier::RELOID, oid, |row: &pg_sys::FormData_pg_class| row.relowner)
}

/// Reads the row of an object from a catalog's cache whose key is the oid and whose rows begin with a `Form`.
fn cached<Form, T>(
    cache: pg_sys::SysCacheIdentifier::Type,
    oid: pg_sys::Oid,
    read: impl FnOnce(&Form) -> T,
) -> Option<T> {
    // SAFETY: the row is released after it was read, and the callers name the struct that fits the cache.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(cache as i32, oid.into());
        if tuple.is_null() {
            return None;
        }
        let value = read(&*pg_sys::GETSTRUCT(tuple).cast::<Form>());
        pg_sys::ReleaseSysCache(tuple);
        Some(value)
    }
}
