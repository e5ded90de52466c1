//! Who may do what. Every function of the SQL surface begins here: it finds out who calls it and whether
//! that role may do this to that project, then works as the extension's owner, as PostgreSQL's own
//! referential integrity checks do. So a role needs no right on any table to send and to read events, and
//! can do nothing to them but what a function does. (SECURITY DEFINER would do the second half of it, but a
//! function that is marked so can no longer tell who called it.)
//!
//! EXECUTE on functions comes with the roles journey_stitch_reader, _writer and _admin; projects come with
//! grant_project(). Admins have all projects. Direct SELECTs on tables meet row level security, which asks
//! [`granted_projects`].

use std::ffi::CStr;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::catalog;
use crate::error::Error;
use crate::project;
use crate::sql::{self, Sql};

const ADMIN: &CStr = c"journey_stitch_admin";

/// What a role may be granted on a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    Read,
    Write,
}

impl Privilege {
    /// As project_grants has it.
    pub fn code(self) -> &'static str {
        match self {
            Privilege::Read => "read",
            Privilege::Write => "write",
        }
    }
}

/// Whoever called, while the process acts as the extension's owner: until this is dropped, or the
/// (sub)transaction aborts.
pub struct Caller {
    role: pg_sys::Oid,
    security_context: i32,
    is_unrestricted: bool,
}

impl Caller {
    /// Becomes the extension's owner.
    fn step_aside() -> Result<Self, Error> {
        let owner = catalog::owner()?;
        let (mut role, mut security_context) = (pg_sys::InvalidOid, 0);
        // SAFETY: reads the present role, and sets another one that may not be changed by SQL meanwhile.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut role, &mut security_context);
            let admin = pg_sys::get_role_oid(ADMIN.as_ptr(), true);
            let is_unrestricted = pg_sys::has_privs_of_role(role, owner)
                || (admin != pg_sys::InvalidOid && pg_sys::has_privs_of_role(role, admin));
            let local = security_context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
            pg_sys::SetUserIdAndSecContext(owner, local);
            Ok(Caller { role, security_context, is_unrestricted })
        }
    }

    /// The project's id, if the caller has the privilege on it. Who has none does not learn whether there
    /// is such a project.
    fn permitted(&self, sql: &Sql, name: &str, privilege: Privilege) -> Result<i32, Error> {
        if self.is_unrestricted {
            return match privilege {
                Privilege::Read => project::find(sql, name),
                Privilege::Write => project::find_or_create(sql, name),
            };
        }
        let args: [DatumWithOid; 3] = [name.into(), privilege.code().into(), self.role.into()];
        let statement = include_str!("../sql/steps/project_permitted.sql");
        let found = sql::reading_latest(|sql| sql.planned_once(statement, &args)?.one())?;
        found.ok_or_else(|| Error::ProjectDenied {
            project: name.to_owned(),
            privilege: privilege.code(),
            role: self.role_name(),
        })
    }

    /// Ids of the projects that the caller has the privilege on; `None`: all.
    fn projects(&self, privilege: Privilege) -> Result<Option<Vec<i32>>, Error> {
        if self.is_unrestricted {
            return Ok(None);
        }
        let args: [DatumWithOid; 2] = [privilege.code().into(), self.role.into()];
        sql::reading_latest(|sql| {
            let rows = sql.planned_once(include_str!("../sql/steps/projects_permitted.sql"), &args)?;
            rows.map(|row| row.get(1)).collect::<Result<Vec<i32>, Error>>().map(Some)
        })
    }

    fn role_name(&self) -> String {
        // SAFETY: GetUserNameFromId returns a C string, or NULL for a role that is gone.
        let name = unsafe { pg_sys::GetUserNameFromId(self.role, true) };
        if name.is_null() {
            return self.role.to_u32().to_string();
        }
        // SAFETY: as above.
        unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        // SAFETY: puts back what step_aside() found.
        unsafe { pg_sys::SetUserIdAndSecContext(self.role, self.security_context) }
    }
}

/// Works as the extension's owner. For functions that only roles which may do all of it may execute.
pub fn as_owner<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let _caller = Caller::step_aside()?;
    work()
}

/// What an administrator decides about one project: its rules, and a person's word. For functions that only
/// journey_stitch_admin may execute. The project is locked, so that nothing of it is stitched meanwhile; `work`
/// also learns the name of the role that called.
pub fn administering<T, E: From<Error>>(
    function: &CStr,
    project: Option<&str>,
    work: impl FnOnce(&Sql, i32, &str) -> Result<T, E>,
) -> Result<T, E> {
    let project = project.ok_or(Error::NullArgument { argument: "project" })?;
    refuse_read_only(function);
    let caller = Caller::step_aside()?;
    let made_by = caller.role_name();
    sql::writing(|sql| {
        let project_id = project::find(sql, project)?;
        project::lock(sql, project_id)?;
        work(sql, project_id, &made_by)
    })
}

/// Reads of one project, on the snapshot of the calling query.
pub fn reading<T>(
    project: Option<&str>,
    work: impl FnOnce(&Sql, i32) -> Result<T, Error>,
) -> Result<T, Error> {
    let project = project.ok_or(Error::NullArgument { argument: "project" })?;
    let caller = Caller::step_aside()?;
    sql::reading(|sql| work(sql, caller.permitted(sql, project, Privilege::Read)?))
}

/// Writes to one project, mostly without a statement. A project that is new is made, if the caller may write to any.
/// `function` is what to name where nothing can be written.
pub fn writing<T>(
    function: &CStr,
    project: Option<&str>,
    work: impl FnOnce(&Sql, i32) -> Result<T, Error>,
) -> Result<T, Error> {
    let project = project.ok_or(Error::NullArgument { argument: "project" })?;
    refuse_read_only(function);
    let caller = Caller::step_aside()?;
    sql::writing_seldom(|sql| work(sql, caller.permitted(sql, project, Privilege::Write)?))
}

/// Writes to the projects named or, if none is, to all that the caller may write to. `None`: to all there are.
pub fn writing_to_some<T>(
    function: &CStr,
    project: Option<&str>,
    work: impl FnOnce(&Sql, Option<Vec<i32>>) -> Result<T, Error>,
) -> Result<T, Error> {
    refuse_read_only(function);
    let caller = Caller::step_aside()?;
    sql::writing(|sql| {
        let projects = match project {
            Some(name) if caller.is_unrestricted => Some(vec![project::find(sql, name)?]),
            Some(name) => Some(vec![caller.permitted(sql, name, Privilege::Write)?]),
            None => caller.projects(Privilege::Write)?,
        };
        work(sql, projects)
    })
}

/// Raises where nothing can be written: on a standby, in a read-only transaction (25006).
pub fn refuse_read_only(function: &CStr) {
    // SAFETY: both take a C string, and raise.
    unsafe {
        pg_sys::PreventCommandDuringRecovery(function.as_ptr());
        pg_sys::PreventCommandIfReadOnly(function.as_ptr());
    }
}

/// The projects that the present role has a privilege on, for policies of row level security.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn granted_projects(privilege: default!(Option<&str>, "'read'")) -> Result<Vec<i32>, ErrorReport> {
    let privilege = match privilege {
        Some("read") => Privilege::Read,
        Some("write") => Privilege::Write,
        other => {
            return Err(Error::InvalidArgument {
                argument: "privilege",
                problem: other
                    .map_or("it is NULL".to_owned(), |name| format!("there is no privilege \"{name}\"")),
                takes: "'read' or 'write'",
            }
            .into());
        }
    };
    let caller = Caller::step_aside()?;
    let projects = match caller.projects(privilege)? {
        Some(projects) => projects,
        None => sql::reading(project::all)?,
    };
    Ok(projects)
}
