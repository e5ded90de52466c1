//! The stitched events, read from end to end.

use std::borrow::Cow;
use std::ops::Range;

use pgrx::datum::DatumWithOid;
use pgrx::memcxt::PgMemoryContexts;

use crate::error::Error;
use crate::identity::Identifiers;
use crate::identity::rules::Rules;
use crate::instant::to_unix_micros;
use crate::journey::each_identifier;
use crate::jsonb::Jsonb;
use crate::sql::Sql;

/// A stitched event. What it borrows is gone with the next one.
pub struct Event<'a> {
    pub id: i64,
    pub project_id: i32,
    /// Microseconds since the Unix epoch.
    pub at: i64,
    pub event_type: &'a str,
    pub user_id: Option<&'a str>,
    event_id: &'a str,
    session_id: Option<&'a str>,
    identifiers: Option<Jsonb>,
}

impl<'a> Event<'a> {
    /// Its keys by the rules.
    pub fn keys(&self, rules: &Rules) -> Vec<(&'a str, Cow<'a, str>)> {
        let identifiers = Identifiers {
            event_id: self.event_id,
            user_id: self.user_id,
            session_id: self.session_id,
            others: each_identifier(self.identifiers),
        };
        identifiers.keys(rules)
    }
}

/// Hands `visit` every event of a project, or of all, that is stitched, in no order.
pub fn each_event(
    sql: &Sql,
    project_id: Option<i32>,
    mut visit: impl FnMut(&Event<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let of_project: [DatumWithOid; 1] = [project_id.into()];
    let mut pending: Vec<Range<i64>> = Vec::new();
    sql.each(include_str!("../sql/steps/history_pending.sql"), &of_project, |row| {
        pending.push(row.get(1)?..row.get(2)?);
        Ok(())
    })?;
    let is_pending = |id: i64| {
        let before = pending.partition_point(|range| range.start <= id);
        before > 0 && pending[before - 1].contains(&id)
    };
    // What a row's columns are unpacked into is of no use for the next.
    let mut memory = PgMemoryContexts::new("journey_stitch event");
    sql.each(include_str!("../sql/steps/history_events.sql"), &of_project, |row| {
        let id = row.get(1)?;
        if is_pending(id) {
            return Ok(());
        }
        // SAFETY: nothing that is allocated inside is kept.
        unsafe {
            memory.reset();
            memory.switch_to(|_| {
                visit(&Event {
                    id,
                    project_id: row.get(2)?,
                    at: to_unix_micros(row.get(3)?),
                    event_type: row.get(4)?,
                    event_id: row.get(5)?,
                    user_id: row.nullable(6)?,
                    session_id: row.nullable(7)?,
                    identifiers: row.nullable(8)?,
                })
            })
        }
    })
}
