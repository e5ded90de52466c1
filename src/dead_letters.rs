//! `retry_dead_letters`: ingests again what was mended, be it the event or the reason for its refusal.

use std::collections::BTreeMap;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::error::Error;
use crate::ingest::{self, Bounds, Totals};
use crate::jsonb::{Jsonb, Node};
use crate::rights;
use crate::sql::Sql;

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn retry_dead_letters(
    project: default!(Option<&str>, "NULL"),
    max_rows: default!(Option<i32>, 1000),
) -> Result<
    TableIterator<
        'static,
        (name!(retried, i64), name!(inserted, i64), name!(duplicates, i64), name!(rejected, i64)),
    >,
    ErrorReport,
> {
    let max_rows = max_rows.filter(|&max| max > 0).ok_or_else(|| Error::InvalidArgument {
        argument: "max_rows",
        problem: max_rows.map_or("it is NULL".to_owned(), |max| format!("it is {max}")),
        takes: "a number of dead letters from 1 on",
    })?;
    let totals = rights::writing_to_some(c"retry_dead_letters()", project, |sql, projects| {
        let mut totals = Totals::default();
        for (project_id, letters) in open_letters(sql, projects, max_rows)? {
            let done = retry(sql, project_id, &letters)?;
            totals.received += done.received;
            totals.inserted += done.inserted;
            totals.duplicates += done.duplicates;
            totals.rejected += done.rejected;
        }
        Ok(totals)
    })?;
    Ok(TableIterator::once((totals.received, totals.inserted, totals.duplicates, totals.rejected)))
}

/// A letter's id, whether its event had been accepted once, and the event.
type Letters = Vec<(i64, bool, Node)>;

/// Open letters by project, the oldest first. Those that another call retries are left to it.
fn open_letters(
    sql: &Sql,
    projects: Option<Vec<i32>>,
    max_rows: i32,
) -> Result<BTreeMap<i32, Letters>, Error> {
    let query = "SELECT id, project_id, stage = 'stitch', event FROM journey_stitch.dead_letters
                 WHERE status = 'open' AND (project_id = ANY ($1) OR $1 IS NULL)
                 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED";
    let mut letters: BTreeMap<i32, Letters> = BTreeMap::new();
    for row in sql.run(query, &[projects.into(), max_rows.into()])? {
        let id = row.get(1)?;
        let project_id = row.get(2)?;
        let event = row.get::<Jsonb>(4)?;
        letters.entry(project_id).or_default().push((id, row.get(3)?, event.root()));
    }
    Ok(letters)
}

fn retry(sql: &Sql, project_id: i32, letters: &Letters) -> Result<Totals, Error> {
    let bounds = Bounds::current();
    let of_accepted = Bounds::of_accepted();
    let mut accepted = Vec::new();
    let mut resolved = Vec::new();
    let mut rejected: (Vec<i64>, Vec<&str>, Vec<String>) = Default::default();
    for (id, was_accepted, node) in letters {
        let bounds = if *was_accepted { &of_accepted } else { &bounds };
        match bounds.accept(node) {
            Ok(event) => {
                accepted.push(event);
                resolved.push(*id);
            }
            Err(rejection) => {
                rejected.0.push(*id);
                rejected.1.push(rejection.reason.code());
                rejected.2.push(rejection.message);
            }
        }
    }
    let mut totals =
        Totals { received: letters.len() as i64, rejected: rejected.0.len() as i64, ..Totals::default() };
    totals.inserted = ingest::store(sql, project_id, accepted, Vec::new())?.events;
    totals.duplicates = resolved.len() as i64 - totals.inserted;

    let resolve = "UPDATE journey_stitch.dead_letters
                   SET status = 'resolved', attempts = attempts + 1, last_attempt_at = now() WHERE id = ANY ($1)";
    sql.run(resolve, &[resolved.into()])?;
    let keep = "UPDATE journey_stitch.dead_letters d
                SET attempts = attempts + 1, last_attempt_at = now(), reason = u.reason, message = u.message
                FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u (id, reason, message) WHERE d.id = u.id";
    let args: [DatumWithOid; 3] = [rejected.0.into(), rejected.1.into(), rejected.2.into()];
    sql.run(keep, &args)?;
    Ok(totals)
}
