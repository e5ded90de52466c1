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

/// What is asked for.
pub struct Question<'a> {
    pub project_id: i32,
    pub identity: Identity,
    /// `None`: events of any type.
    pub event_type: Option<&'a str>,
}

/// The active members of each window [from, until), in microseconds since the Unix epoch; the windows are
/// in order of time and do not overlap.
pub fn members(sql: &Sql, question: &Question<'_>, windows: &[(i64, i64)]) -> Result<Vec<MemberSet>, Error> {
    let tail = Tail::read(sql, question.project_id, question.identity)?;
    members_with(sql, question, windows, &tail)
}

/// As [`members`], with a tail that was read before.
pub fn members_with(
    sql: &Sql,
    question: &Question<'_>,
    windows: &[(i64, i64)],
    tail: &Tail,
) -> Result<Vec<MemberSet>, Error> {
    let mut sets = vec![MemberSet::new(); windows.len()];
    let mut rollups = Spans::default();
    let mut events = Spans::default();
    for (n, &(from, until)) in (0..).zip(windows) {
        for span in cover(from, until) {
            match span {
                Span::Rollup { grain, from, until } => rollups.push(n, grain_code(grain), from, until)?,
                Span::Events { from, until } => events.push(n, "", from, until)?,
            }
        }
    }
    add_rollups(sql, question, rollups, &mut sets)?;
    if !events.windows.is_empty() && graph::exists() {
        add_events(sql, question, events, &mut sets)?;
    }
    sets.iter_mut().for_each(|set| tail.merge_members(set));
    for activity in &tail.activity {
        let wanted = question.event_type.is_none_or(|wanted| wanted == activity.event_type);
        // Windows follow one another, so that at most one holds the event.
        let n = windows.partition_point(|&(_, until)| until <= activity.at);
        let inside = windows.get(n).is_some_and(|&(from, _)| from <= activity.at);
        if let Some(member) = activity.member.filter(|_| wanted && inside) {
            sets[n].insert(member);
        }
    }
    Ok(sets)
}

/// Spans of several windows, as columns of a statement.
#[derive(Default)]
struct Spans {
    windows: Vec<i32>,
    grains: Vec<&'static str>,
    from: Vec<TimestampWithTimeZone>,
    until: Vec<TimestampWithTimeZone>,
}

impl Spans {
    fn push(&mut self, window: i32, grain: &'static str, from: i64, until: i64) -> Result<(), Error> {
        self.windows.push(window);
        self.grains.push(grain);
        self.from.push(from_unix_micros(from)?);
        self.until.push(from_unix_micros(until)?);
        Ok(())
    }
}

fn add_rollups(
    sql: &Sql,
    question: &Question<'_>,
    spans: Spans,
    sets: &mut [MemberSet],
) -> Result<(), Error> {
    let args: [DatumWithOid; 7] = [
        question.project_id.into(),
        question.identity.code().into(),
        question.event_type.unwrap_or(ANY_TYPE).into(),
        spans.windows.into(),
        spans.grains.into(),
        spans.from.into(),
        spans.until.into(),
    ];
    for row in sql.run(include_str!("../../sql/steps/activity_read.sql"), &args)? {
        pgrx::check_for_interrupts!();
        let window = window_of(row.get(1)?, sets)?;
        let chunk = row.get::<i64>(2)?;
        let bytes = row.get::<&[u8]>(3)?;
        window.add_row(chunk, bytes)?;
    }
    Ok(())
}

fn add_events(sql: &Sql, question: &Question<'_>, spans: Spans, sets: &mut [MemberSet]) -> Result<(), Error> {
    let statement = match question.identity {
        Identity::User => include_str!("../../sql/steps/activity_events_user.sql"),
        Identity::Journey => include_str!("../../sql/steps/activity_events_journey.sql"),
    };
    let args: [DatumWithOid; 5] = [
        question.project_id.into(),
        question.event_type.into(),
        spans.windows.into(),
        spans.from.into(),
        spans.until.into(),
    ];
    for row in sql.run(statement, &args)? {
        let member = row.get::<i64>(2)?;
        window_of(row.get(1)?, sets)?.insert(member);
    }
    Ok(())
}

fn window_of(n: i32, sets: &mut [MemberSet]) -> Result<&mut MemberSet, Error> {
    usize::try_from(n).ok().and_then(|n| sets.get_mut(n)).ok_or(Error::Missing("window"))
}
