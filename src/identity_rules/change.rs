//! Changes of a project's rules. They are in force at once where there is no history yet; where there is, they
//! wait for restitch(), since membership is to depend on events and rules alone, and not on when a rule came.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use serde_json::Value;

use super::{OwnRules, RuleSets};
use crate::error::Error;
use crate::identity::rules::{ALL_KINDS, RuleRow};
use crate::identity_log;
use crate::sql::Sql;

/// Who changes the rules of which project, whose lock is held.
pub struct Change<'a> {
    pub sql: &'a Sql,
    pub project: &'a str,
    pub project_id: i32,
    pub made_by: &'a str,
}

impl Change<'_> {
    /// Gives the project other rules; answers whether they are in force. What was so already is no change. For the
    /// log: what was called, with which arguments.
    pub fn make(
        &self,
        sets: &RuleSets,
        own: &OwnRules,
        action: &str,
        arguments: &Value,
    ) -> Result<bool, Error> {
        let (sql, project_id) = (self.sql, self.project_id);
        let is_in_force = *own == sets.in_force || !self.has_history()?;
        if own != sets.wanted() {
            identity_log::record(sql, project_id, action, arguments, self.made_by)?;
            write(sql, project_id, is_in_force, own)?;
        } else if is_in_force && sets.waiting.is_some() {
            // They have waited for a restitch() that there is nothing left for.
            write(sql, project_id, true, own)?;
        }
        if is_in_force && sets.waiting.is_some() {
            forget_waiting(sql, project_id)?;
        }
        if !is_in_force {
            let name = self.project.replace('\'', "''");
            notice!(
                "the rules of project \"{}\" are not in force yet, because they decide about its whole history: \
                 simulate_rules('{name}') says what would change, restitch('{name}') applies them",
                self.project
            );
        }
        Ok(is_in_force)
    }

    /// Whether events are stitched. Every one of them has a key, and keys have an index by project.
    fn has_history(&self) -> Result<bool, Error> {
        let query = "SELECT EXISTS (SELECT FROM journey_stitch.keys WHERE project_id = $1)";
        Ok(self.sql.prepared(query, &[self.project_id.into()])?.one()? == Some(true))
    }
}

/// Stores all rules of a project that are in force, or all that wait.
pub fn write(sql: &Sql, project_id: i32, is_in_force: bool, own: &OwnRules) -> Result<(), Error> {
    let delete = "DELETE FROM journey_stitch.identity_rules WHERE project_id = $1 AND is_in_force = $2";
    sql.prepared(delete, &[project_id.into(), is_in_force.into()])?;
    // Something must wait where none are wanted.
    let none = RuleRow { kind: ALL_KINDS.to_owned(), ..RuleRow::default() };
    let none = (own.is_empty() && !is_in_force).then_some(&none);
    for row in own.values().chain(none) {
        let args: [DatumWithOid; 9] = [
            project_id.into(),
            is_in_force.into(),
            row.kind.as_str().into(),
            row.merges.into(),
            integer(row.max_values).into(),
            integer(row.priority).into(),
            row.blocked_values.clone().into(),
            row.blocked_patterns.clone().into(),
            row.normalize.clone().into(),
        ];
        sql.prepared(include_str!("../../sql/steps/rules_insert.sql"), &args)?;
    }
    Ok(())
}

/// Deletes the rules that wait.
pub fn forget_waiting(sql: &Sql, project_id: i32) -> Result<(), Error> {
    let delete = "DELETE FROM journey_stitch.identity_rules WHERE project_id = $1 AND NOT is_in_force";
    sql.prepared(delete, &[project_id.into()])?;
    Ok(())
}

/// A number as its column has it.
pub fn integer(number: Option<u32>) -> Option<i32> {
    number.map(|number| i32::try_from(number).unwrap_or(i32::MAX))
}
