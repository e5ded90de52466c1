//! The functions that set a project's identity rules. Only journey_stitch_admin may execute them.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::RuleSets;
use super::change::{Change, integer};
use super::check::{self, Refusal, Wish};
use crate::identity::rules::{ALL_KINDS, RuleRow};
use crate::rights;

/// A rule as the functions answer it.
type Columns = (
    String,
    Option<bool>,
    Option<i32>,
    Option<i32>,
    Option<Vec<String>>,
    Option<Vec<String>>,
    Option<Vec<String>>,
    bool,
);

fn columns(row: RuleRow, is_in_force: bool) -> Columns {
    let RuleRow { kind, merges, max_values, priority, blocked_values, blocked_patterns, normalize, .. } = row;
    let (max_values, priority) = (integer(max_values), integer(priority));
    (kind, merges, max_values, priority, blocked_values, blocked_patterns, normalize, is_in_force)
}

/// What a rule says, for the log.
fn arguments(row: &RuleRow) -> Value {
    let mut said = json!({
        "kind": row.kind,
        "merges": row.merges,
        "max_values": row.max_values,
        "priority": row.priority,
        "blocked_values": row.blocked_values,
        "blocked_patterns": row.blocked_patterns,
        "normalize": row.normalize,
    });
    if let Some(members) = said.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    said
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
#[allow(clippy::too_many_arguments)] // one for each column
fn set_identity_rule(
    kind: Option<&str>,
    merges: default!(Option<bool>, "NULL"),
    max_values: default!(Option<i32>, "NULL"),
    priority: default!(Option<i32>, "NULL"),
    blocked_values: default!(Option<Vec<Option<String>>>, "NULL"),
    blocked_patterns: default!(Option<Vec<Option<String>>>, "NULL"),
    normalize: default!(Option<Vec<Option<String>>>, "NULL"),
    project: default!(Option<&str>, "'default'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(merges, Option<bool>),
            name!(max_values, Option<i32>),
            name!(priority, Option<i32>),
            name!(blocked_values, Option<Vec<String>>),
            name!(blocked_patterns, Option<Vec<String>>),
            name!(normalize, Option<Vec<String>>),
            name!(is_in_force, bool),
        ),
    >,
    ErrorReport,
> {
    let wish = Wish { kind, merges, max_values, priority, blocked_values, blocked_patterns, normalize };
    let row = wish.row()?;
    let is_in_force = changing(c"set_identity_rule()", project, |change| {
        let sets = RuleSets::read(change.sql, change.project_id)?;
        check::kind(change.sql, change.project_id, &sets, &row.kind)?;
        let mut own = sets.wanted().clone();
        own.insert(row.kind.clone(), row.clone());
        check::blocked_values(&sets, &own, &row)?;
        Ok(change.make(&sets, &own, "set_identity_rule", &arguments(&row))?)
    })?;
    Ok(TableIterator::once(columns(row, is_in_force)))
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_identity_rule(
    kind: Option<&str>,
    project: default!(Option<&str>, "'default'"),
) -> Result<(), ErrorReport> {
    changing(c"drop_identity_rule()", project, |change| {
        let sets = RuleSets::read(change.sql, change.project_id)?;
        check::rule_exists(sets.wanted(), change.project, kind)?;
        let mut own = sets.wanted().clone();
        own.remove(kind.unwrap_or_default());
        change.make(&sets, &own, "drop_identity_rule", &json!({ "kind": kind }))?;
        Ok(())
    })?;
    Ok(())
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn use_identity_profile(
    profile: Option<&str>,
    project: default!(Option<&str>, "'default'"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(kind, String),
            name!(merges, Option<bool>),
            name!(max_values, Option<i32>),
            name!(priority, Option<i32>),
            name!(blocked_values, Option<Vec<String>>),
            name!(blocked_patterns, Option<Vec<String>>),
            name!(normalize, Option<Vec<String>>),
            name!(is_in_force, bool),
        ),
    >,
    ErrorReport,
> {
    let own = check::profile(profile)?;
    let is_in_force = changing(c"use_identity_profile()", project, |change| {
        let sets = RuleSets::read(change.sql, change.project_id)?;
        Ok(change.make(&sets, &own, "use_identity_profile", &json!({ "profile": profile }))?)
    })?;
    let rows: Vec<Columns> = own.into_values().map(|row| columns(row, is_in_force)).collect();
    Ok(TableIterator::new(rows))
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn set_max_journey_keys(
    max_keys: Option<i32>,
    project: default!(Option<&str>, "'default'"),
) -> Result<(), ErrorReport> {
    let max_values = check::max_journey_keys(max_keys)?;
    changing(c"set_max_journey_keys()", project, |change| {
        let sets = RuleSets::read(change.sql, change.project_id)?;
        let mut own = sets.wanted().clone();
        own.remove(ALL_KINDS);
        if max_values.is_some() {
            let row = RuleRow { kind: ALL_KINDS.to_owned(), max_values, ..RuleRow::default() };
            own.insert(row.kind.clone(), row);
        }
        change.make(&sets, &own, "set_max_journey_keys", &json!({ "max_keys": max_keys }))?;
        Ok(())
    })?;
    Ok(())
}

/// A change of one project's rules by an administrator.
fn changing<T>(
    function: &std::ffi::CStr,
    project: Option<&str>,
    work: impl FnOnce(&Change<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    rights::administering(function, project, |sql, project_id, made_by| {
        work(&Change { sql, project: project.unwrap_or_default(), project_id, made_by })
    })
}
