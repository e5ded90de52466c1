//! What of a project's history the wanted rules do not leave as it is.

use pgrx::datum::DatumWithOid;
use pgrx::datum::TimestampWithTimeZone;

use crate::error::Error;
use crate::identity::rules::Rules;
use crate::instant::to_unix_micros;
use crate::sql::Sql;
use crate::stitch::scan::{Scan, Unsettled};
use crate::stitch::words;
use crate::{graph, history, identity_rules};

/// What there is, and what of it has to be computed anew.
pub struct Found {
    pub journeys: i64,
    pub keys_in_journeys: i64,
    pub unsettled: Unsettled,
}

/// A project with less than this part of all events is computed anew as a whole: the graph has no index by projects, so
/// that finding what is unsettled reads everybody's edges.
const SMALL_PART: i64 = 50;
/// But not where all events are so few that reading them takes no time,
const FEW: i64 = 20_000;
/// and not a project with more events than this, each of which takes two kilobytes of memory then.
const MANY: i64 = 200_000;

/// Reads a project whose lock is held, all of it on one snapshot.
pub fn read(sql: &Sql, project_id: i32, rules: &Rules) -> Result<Found, Error> {
    let project: [DatumWithOid; 1] = [project_id.into()];
    let counts = sql.run(include_str!("../../sql/steps/restitch_size.sql"), &project)?.next();
    let (of_project, of_all): (i64, i64) =
        counts.map_or(Ok((0, 0)), |row| Ok::<_, Error>((row.get(1)?, row.get(2)?)))?;
    match of_all >= FEW && of_project < MANY.min(of_all / SMALL_PART) {
        true => all(sql, project_id),
        false => scan(sql, project_id, rules),
    }
}

fn all(sql: &Sql, project_id: i32) -> Result<Found, Error> {
    let project: [DatumWithOid; 1] = [project_id.into()];
    let mut unsettled = Unsettled::default();
    sql.each(include_str!("../../sql/steps/restitch_journeys.sql"), &project, |row| {
        // All in one bundle.
        unsettled.add(row.get(1)?, row.get::<i64>(2)?.unsigned_abs(), Some(0));
        Ok(())
    })?;
    let keys = "SELECT count(k.journey_id) FROM journey_stitch.keys k WHERE k.project_id = $1";
    let keys_in_journeys = sql.run(keys, &project)?.one()?.unwrap_or(0);
    Ok(Found { journeys: unsettled.journeys().len() as i64, keys_in_journeys, unsettled })
}

fn scan(sql: &Sql, project_id: i32, rules: &Rules) -> Result<Found, Error> {
    let mut scan = Scan::default();
    let project = scan.add_project(rules.clone());
    let of_project: [DatumWithOid; 1] = [project_id.into()];
    sql.each(include_str!("../../sql/steps/restitch_journeys.sql"), &of_project, |row| {
        scan.add_journey(project, row.get(1)?, row.get::<i64>(2)?.unsigned_abs(), row.get(3)?);
        Ok(())
    })?;
    sql.each(include_str!("../../sql/steps/restitch_keys.sql"), &of_project, |row| {
        let since = row.nullable::<TimestampWithTimeZone>(6)?.map(to_unix_micros);
        let (id, name, is_held) = (row.get(1)?, (row.get(2)?, row.get(3)?), row.get(5)?);
        scan.add_key(project, id, name, row.nullable(4)?, is_held, since);
        Ok(())
    })?;
    sql.each(include_str!("../../sql/steps/restitch_conflicts.sql"), &of_project, |row| {
        scan.add_refusal(row.get(1)?, row.get(2)?);
        Ok(())
    })?;
    words::read(sql, project_id)?.names().for_each(|(one, other)| scan.add_word(project, one, other));
    let former = identity_rules::waiting(sql, project_id)?.then(|| identity_rules::in_force(sql, project_id));
    let former = former.transpose()?;
    history::each_event(sql, Some(project_id), |event| {
        scan.add_event(project, event.id, event.at, &event.keys(rules));
        if let Some(former) = &former {
            scan.add_former_keys(project, &event.keys(former));
        }
        Ok(())
    })?;
    graph::each_has_key(sql, |event, key, _| {
        scan.add_edge(event, key);
    })?;
    Ok(Found {
        journeys: scan.journeys() as i64,
        keys_in_journeys: scan.keys_in_journeys() as i64,
        unsettled: scan.unsettled(),
    })
}
