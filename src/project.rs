//! Projects (tenants), their lock, and the partitions that all of them share.

use std::ffi::CString;

use pgrx::prelude::*;

use crate::catalog::relation;
use crate::error::Error;
use crate::sql::Sql;

const PARTITION_EVENTS: i64 = 10_000_000;

/// The project's id.
pub fn find(sql: &Sql, name: &str) -> Result<i32, Error> {
    named(sql, name)?.ok_or_else(|| Error::UnknownProject(name.to_owned()))
}

fn named(sql: &Sql, name: &str) -> Result<Option<i32>, Error> {
    sql.planned_once("SELECT id FROM journey_stitch.projects WHERE name = $1", &[name.into()])?.one()
}

/// The same without a statement, which would cost an ingest call more than the look. A project that is new is made.
pub fn find_or_create(sql: &Sql, name: &str) -> Result<i32, Error> {
    if let Some(id) = look_up(sql, name)? {
        return Ok(id);
    }
    if !(1..=200).contains(&name.len()) {
        return Err(Error::InvalidArgument {
            argument: "project",
            problem: format!("its name has {} bytes", name.len()),
            takes: "a name of 1 to 200 bytes",
        });
    }
    // A concurrent call may make it too: the second waits for the first and finds its row.
    let create = "INSERT INTO journey_stitch.projects (name) VALUES ($1)
                  ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name RETURNING id";
    sql.run(create, &[name.into()])?.one()?.ok_or(Error::Missing("id of a new project"))
}

/// The id of the project that has this name by now; `None`: there is none.
fn look_up(sql: &Sql, name: &str) -> Result<Option<i32>, Error> {
    // SAFETY: the index is on a text, name, alone; the table's first column is an integer that is never NULL. All that
    // is opened here is closed, the table's lock but kept until the transaction ends, as a statement's is.
    unsafe {
        // By name: it is the first table that a call opens, and may be dropped while the call waits for its lock.
        let table =
            pg_sys::makeRangeVar(c"journey_stitch".as_ptr().cast_mut(), c"projects".as_ptr().cast_mut(), -1);
        let projects = pg_sys::table_openrv(table, pg_sys::AccessShareLock as i32);
        let Some(index) = relation(c"journey_stitch", c"projects_name_key") else {
            pg_sys::table_close(projects, pg_sys::NoLock as i32);
            return named(sql, name);
        };
        let names = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyEntryInitialize(
            &mut key,
            0,
            1,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::InvalidOid,
            *(*names).rd_indcollation,
            pg_sys::F_TEXTEQ.into(),
            name.into_datum().unwrap_or(pg_sys::Datum::from(0)),
        );
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let slot = pg_sys::table_slot_create(projects, std::ptr::null_mut());
        let scan = pg_sys::index_beginscan(projects, names, pg_sys::GetActiveSnapshot(), 1, 0);
        pg_sys::index_rescan(scan, &mut key, 1, std::ptr::null_mut(), 0);
        let is_found = pg_sys::index_getnext_slot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot);
        let id = is_found.then(|| {
            pg_sys::slot_getsomeattrs_int(slot, 1);
            (*(*slot).tts_values).value() as i32
        });
        pg_sys::index_endscan(scan);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::PopActiveSnapshot();
        pg_sys::index_close(names, pg_sys::NoLock as i32);
        pg_sys::table_close(projects, pg_sys::NoLock as i32);
        Ok(id)
    }
}

/// The ids of all projects.
pub fn all(sql: &Sql) -> Result<Vec<i32>, Error> {
    sql.run("SELECT id FROM journey_stitch.projects ORDER BY id", &[])?.map(|row| row.get(1)).collect()
}

/// Locks the project for stitching until the transaction ends, waiting if another has it. Raising the
/// version makes a stale REPEATABLE READ caller fail (40001) where it would write a wrong answer.
pub fn lock(sql: &Sql, project_id: i32) -> Result<(), Error> {
    let lock = "UPDATE journey_stitch.projects SET version = version + 1 WHERE id = $1";
    sql.prepared(lock, &[project_id.into()])?;
    Ok(())
}

/// Locks the project for stitching unless another has it.
pub fn try_lock(sql: &Sql, project_id: i32) -> Result<bool, Error> {
    let probe = "SELECT id FROM journey_stitch.projects WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED";
    let free = sql.prepared(probe, &[project_id.into()])?.len() > 0;
    if free {
        lock(sql, project_id)?;
    }
    Ok(free)
}

/// Projects that have events due for stitching, in order of id: whoever locks several takes them in it.
pub fn due(sql: &Sql) -> Result<Vec<i32>, Error> {
    let query = "SELECT p.id FROM journey_stitch.projects p
                 WHERE EXISTS (SELECT FROM journey_stitch.pending q
                               WHERE q.project_id = p.id AND q.next_attempt_at <= clock_timestamp())
                 ORDER BY p.id";
    sql.prepared(query, &[])?.map(|row| row.get(1)).collect()
}

/// Makes sure that an event with this id has a partition to go to. Mostly there is one: setup() and the stitchers make
/// partitions ahead of need.
pub fn ensure_partition(sql: &Sql, id: i64) -> Result<(), Error> {
    let name = CString::new(format!("events_p{}", id / PARTITION_EVENTS)).unwrap_or_default();
    if relation(c"journey_stitch", &name).is_none() {
        sql.run("SELECT journey_stitch.ensure_event_partitions($1)", &[id.into()])?;
    }
    Ok(())
}

/// Called while stitching: the next partition is made when this one is half full.
pub fn ensure_partition_ahead(sql: &Sql, id: i64) -> Result<(), Error> {
    ensure_partition(sql, id + PARTITION_EVENTS / 2)
}
