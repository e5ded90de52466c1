//! Who was active in each of several windows of time: the reading side of the rollups, and the one place
//! that rollups, raw events at odd edges, and the tail come together.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use super::calendar::{Span, cover};
use super::members::MemberSet;
use super::rollups::{ANY_TYPE, Identity, grain_code};
use super::tail::Tail;
use crate::error::Error;
use crate::graph;
use crate::instant::from_unix_micros;
use crate::sql::Sql;

/// A window of time [from, until), in microseconds since the Unix epoch, and the events that count in it.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    pub from: i64,
    pub until: i64,
    /// `None`: events of any type.
    pub event_type: Option<&'a str>,
}

impl Window<'_> {
    fn holds(&self, at: i64, event_type: &str) -> bool {
        (self.from..self.until).contains(&at) && self.event_type.is_none_or(|wanted| wanted == event_type)
    }
}

/// The active members of each window.
pub fn members(
    sql: &Sql,
    project_id: i32,
    identity: Identity,
    windows: &[Window<'_>],
    tail: &Tail,
) -> Result<Vec<MemberSet>, Error> {
    let mut sets = vec![MemberSet::new(); windows.len()];
    let mut rollups = Spans::default();
    let mut events = Spans::default();
    for (n, window) in (0..).zip(windows) {
        let event_type = match window.event_type {
            None => ANY_TYPE,
            // No event has an empty type, which is why it can stand for all of them in the rollups.
            Some(ANY_TYPE) => continue,
            Some(event_type) => event_type,
        };
        for span in cover(window.from, window.until) {
            match span {
                Span::Rollup { grain, from, until } => {
                    rollups.push(n, event_type, grain_code(grain), from, until)?;
                }
                Span::Events { from, until } => events.push(n, event_type, "", from, until)?,
            }
        }
    }
    add_rollups(sql, project_id, identity, rollups, &mut sets)?;
    if !events.windows.is_empty() && graph::exists() {
        add_events(sql, project_id, identity, events, &mut sets)?;
    }
    for (set, window) in sets.iter_mut().zip(windows) {
        tail.merge_members(set);
        let active = tail.activity.iter().filter(|activity| window.holds(activity.at, &activity.event_type));
        set.extend(active.filter_map(|activity| activity.member));
    }
    Ok(sets)
}

/// Spans of several windows, as columns of a statement.
#[derive(Default)]
struct Spans<'a> {
    windows: Vec<i32>,
    event_types: Vec<&'a str>,
    grains: Vec<&'static str>,
    from: Vec<TimestampWithTimeZone>,
    until: Vec<TimestampWithTimeZone>,
}

impl<'a> Spans<'a> {
    fn push(
        &mut self,
        window: i32,
        event_type: &'a str,
        grain: &'static str,
        from: i64,
        until: i64,
    ) -> Result<(), Error> {
        self.windows.push(window);
        self.event_types.push(event_type);
        self.grains.push(grain);
        self.from.push(from_unix_micros(from)?);
        self.until.push(from_unix_micros(until)?);
        Ok(())
    }
}

fn add_rollups(
    sql: &Sql,
    project_id: i32,
    identity: Identity,
    spans: Spans<'_>,
    sets: &mut [MemberSet],
) -> Result<(), Error> {
    let args: [DatumWithOid; 7] = [
        project_id.into(),
        identity.code().into(),
        spans.windows.into(),
        spans.event_types.into(),
        spans.grains.into(),
        spans.from.into(),
        spans.until.into(),
    ];
    for row in sql.run(include_str!("../../sql/steps/activity_read.sql"), &args)? {
        pgrx::check_for_interrupts!();
        window_of(row.get(1)?, sets)?.add_row(row.get(2)?, row.get::<&[u8]>(3)?)?;
    }
    Ok(())
}

fn add_events(
    sql: &Sql,
    project_id: i32,
    identity: Identity,
    spans: Spans<'_>,
    sets: &mut [MemberSet],
) -> Result<(), Error> {
    let statement = match identity {
        Identity::User => include_str!("../../sql/steps/activity_events_user.sql"),
        Identity::Journey => include_str!("../../sql/steps/activity_events_journey.sql"),
    };
    let args: [DatumWithOid; 5] = [
        project_id.into(),
        spans.windows.into(),
        spans.event_types.into(),
        spans.from.into(),
        spans.until.into(),
    ];
    for row in sql.run(statement, &args)? {
        window_of(row.get(1)?, sets)?.insert(row.get(2)?);
    }
    Ok(())
}

fn window_of(n: i32, sets: &mut [MemberSet]) -> Result<&mut MemberSet, Error> {
    usize::try_from(n).ok().and_then(|n| sets.get_mut(n)).ok_or(Error::Missing("window"))
}
