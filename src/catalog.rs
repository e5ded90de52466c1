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
        pg_sys::systable_endscan(scan);
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

thread_local! {
    /// Raised whenever a relation, a function or a schema has changed.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static OWNER: Cell<Option<(u64, pg_sys::Oid)>> = const { Cell::new(None) };
}

/// A number that is another one as soon as this session may know that a relation, a function or a schema of the database
/// has changed: what was found out of the catalog is true for as long as it stays.
pub fn changes() -> u64 {
    if !IS_WATCHED.replace(true) {
        let nothing = pg_sys::Datum::from(0);
        // SAFETY: functions of these types, which neither raise nor look anything up.
        unsafe {
            pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), nothing);
            for cache in [pg_sys::SysCacheIdentifier::PROCOID, pg_sys::SysCacheIdentifier::NAMESPACEOID] {
                pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(object_changed), nothing);
            }
        }
    }
    CHANGES.get()
}

unsafe extern "C-unwind" fn relation_changed(_: pg_sys::Datum, _: pg_sys::Oid) {
    CHANGES.set(CHANGES.get() + 1);
}

unsafe extern "C-unwind" fn object_changed(_: pg_sys::Datum, _: i32, _: u32) {
    CHANGES.set(CHANGES.get() + 1);
}

/// The extension's owner, if the catalog is one that this library works with. PostgreSQL says nothing to other sessions
/// of a change of pg_extension; but an update that our statements must not meet changes a relation or a function, and
/// so do DROP EXTENSION, and REASSIGN OWNED, which changes the owner.
pub fn owner() -> Result<pg_sys::Oid, Error> {
    let changes = changes();
    if let Some((_, owner)) = OWNER.get().filter(|found| found.0 == changes) {
        return Ok(owner);
    }
    let installed = installed().ok_or(Error::NotInstalled)?;
    if !installed.is_current() {
        return Err(Error::OtherVersion(installed.version));
    }
    OWNER.set(Some((changes, installed.owner)));
    Ok(installed.owner)
}

/// The owner, whatever version the catalog is of; `None`: the extension is not there.
pub fn owner_of_any_version() -> Option<pg_sys::Oid> {
    owner().ok().or_else(|| installed().map(|installed| installed.owner))
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
