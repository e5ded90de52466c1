//! A project's history, read once from end to end: what of it the wanted rules do not leave as it is.

use std::ops::Range;

use pgrx::datum::DatumWithOid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::memcxt::PgMemoryContexts;

use crate::error::Error;
use crate::graph::Graph;
use crate::identity::Identifiers;
use crate::identity::rules::Rules;
use crate::instant::to_unix_micros;
use crate::journey::each_identifier;
use crate::sql::Sql;
use crate::stitch::scan::Scan;
use crate::stitch::words;

/// What there is, and what of it has to be computed anew.
pub struct Found {
    pub journeys: i64,
    pub keys_in_journeys: i64,
    pub unsettled: Vec<i64>,
}

/// A project with less than this part of all events is computed anew as a whole: the graph has no index by projects, so
/// that finding what is unsettled reads everybody's edges.
const SMALL_PART: i64 = 50;
/// But not one with more events than this, of which each takes two kilobytes of memory then.
const SMALL: i64 = 200_000;

/// Reads a project whose lock is held, all of it on one snapshot.
pub fn read(sql: &Sql, project_id: i32, rules: &Rules) -> Result<Found, Error> {
    let project: [DatumWithOid; 1] = [project_id.into()];
    let counts = sql.run(include_str!("../../sql/steps/history_size.sql"), &project)?.next();
    let (of_project, of_all): (i64, i64) =
        counts.map_or(Ok((0, 0)), |row| Ok::<_, Error>((row.get(1)?, row.get(2)?)))?;
    match of_project < SMALL && of_project < of_all / SMALL_PART {
        true => all(sql, project_id),
        false => scan(sql, project_id, rules),
    }
}

fn all(sql: &Sql, project_id: i32) -> Result<Found, Error> {
    let project: [DatumWithOid; 1] = [project_id.into()];
    let mut unsettled = Vec::new();
    sql.each(include_str!("../../sql/steps/history_journeys.sql"), &project, |row| {
        unsettled.push(row.get(1)?);
        Ok(())
    })?;
    let keys = "SELECT count(k.journey_id) FROM journey_stitch.keys k WHERE k.project_id = $1";
    let keys_in_journeys = sql.run(keys, &project)?.one()?.unwrap_or(0);
    Ok(Found { journeys: unsettled.len() as i64, keys_in_journeys, unsettled })
}

fn scan(sql: &Sql, project_id: i32, rules: &Rules) -> Result<Found, Error> {
    let mut scan = Scan::new(rules);
    let project: [DatumWithOid; 1] = [project_id.into()];
    sql.each(include_str!("../../sql/steps/history_journeys.sql"), &project, |row| {
        scan.add_journey(row.get(1)?, row.get(2)?);
        Ok(())
    })?;
    sql.each(include_str!("../../sql/steps/history_keys.sql"), &project, |row| {
        let since = row.nullable::<TimestampWithTimeZone>(6)?.map(to_unix_micros);
        scan.add_key(row.get(1)?, (row.get(2)?, row.get(3)?), row.nullable(4)?, row.get(5)?, since);
        Ok(())
    })?;
    sql.each(include_str!("../../sql/steps/history_conflicts.sql"), &project, |row| {
        scan.add_refusal(row.get(1)?, row.get(2)?);
        Ok(())
    })?;
    words::read(sql, project_id)?.names().for_each(|(kind, value)| scan.add_word(kind, value));
    read_events(sql, project_id, rules, &mut scan)?;
    Graph::each_has_key(sql, |event, key| scan.add_edge(event, key))?;
    Ok(Found {
        journeys: scan.journeys() as i64,
        keys_in_journeys: scan.keys_in_journeys() as i64,
        unsettled: scan.unsettled(),
    })
}

/// The project's stitched events.
fn read_events(sql: &Sql, project_id: i32, rules: &Rules, scan: &mut Scan<'_>) -> Result<(), Error> {
    let project: [DatumWithOid; 1] = [project_id.into()];
    let mut pending: Vec<Range<i64>> = Vec::new();
    sql.each(include_str!("../../sql/steps/history_pending.sql"), &project, |row| {
        pending.push(row.get(1)?..row.get(2)?);
        Ok(())
    })?;
    let is_pending = |id: i64| {
        let before = pending.partition_point(|range| range.start <= id);
        before > 0 && pending[before - 1].contains(&id)
    };
    // What a row's columns are unpacked into is of no use for the next.
    let mut memory = PgMemoryContexts::new("journey_stitch event");
    sql.each(include_str!("../../sql/steps/history_events.sql"), &project, |row| {
        let id = row.get(1)?;
        if is_pending(id) {
            return Ok(());
        }
        // SAFETY: nothing that is allocated inside is kept.
        unsafe {
            memory.reset();
            memory.switch_to(|_| {
                let at = to_unix_micros(row.get(2)?);
                let identifiers = Identifiers {
                    event_id: row.get(3)?,
                    user_id: row.nullable(4)?,
                    session_id: row.nullable(5)?,
                    others: each_identifier(row.nullable(6)?),
                };
                scan.add_event(id, at, &identifiers.keys(rules));
                Ok(())
            })
        }
    })
}
