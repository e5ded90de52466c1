//! Single events as an operator or an application looks at them: lists by pages, one event, and how far a
//! project's events have come.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::answer::{Answer, Arguments, set_returning};
use crate::error::Error;
use crate::event::{Json, timestamp};
use crate::instant::from_unix_micros;
use crate::jsonb::{Binary, Jsonb};
use crate::sql::Sql;
use crate::{graph, identity_rules, rights};

const MOST_ROWS: i32 = 10_000;
/// The highest entry id that a graphid takes; ours end at half of it.
const NO_KEY: i64 = (1 << 48) - 1;
const TEXT_FILTERS: [&str; 7] =
    ["event_type", "event_name", "user_id", "session_id", "source", "since", "until"];

set_returning!(events_list, pg_finfo_events_list, list);
fn list(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with arguments of types text, jsonb, text and integer.
    let (project, filters, after, max_rows) = unsafe {
        (
            arguments.get::<&str>(0),
            arguments.get::<Jsonb>(1),
            arguments.get::<&str>(2),
            arguments.get::<i32>(3),
        )
    };
    let max_rows = max_rows.filter(|max| (1..=MOST_ROWS).contains(max)).ok_or(Error::InvalidArgument {
        argument: "max_rows",
        problem: max_rows.map_or("it is NULL".to_owned(), |max| format!("it is {max}")),
        takes: "a number of rows from 1 to 10000",
    })?;
    filters.map_or(Ok(()), check_filters)?;
    let (since, until) = (instant_of(filters, "since")?, instant_of(filters, "until")?);
    rights::reading(project, |sql, project_id| {
        let after = after.map(|event_id| position(sql, project_id, event_id)).transpose()?;
        let max_rows = i64::from(max_rows);
        let page: [DatumWithOid; 6] =
            [project_id.into(), filters.into(), after.into(), max_rows.into(), since.into(), until.into()];
        let rows = match key(sql, project_id, filters)? {
            Some(key) => {
                let args: Vec<DatumWithOid> = page.into_iter().chain([key.into()]).collect();
                sql.run(include_str!("../sql/steps/events_list_of_key.sql"), &args)?
            }
            None => sql.run(include_str!("../sql/steps/events_list.sql"), &page)?,
        };
        answer.add(rows)
    })
}

set_returning!(get_event, pg_finfo_get_event, get);
fn get(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with two arguments of type text.
    let (id, project) = unsafe { (arguments.get::<&str>(0), arguments.get::<&str>(1)) };
    rights::reading(project, |sql, project_id| {
        let args: [DatumWithOid; 2] = [project_id.into(), id.into()];
        answer.add(sql.planned_once(include_str!("../sql/steps/event_get.sql"), &args)?)
    })
}

set_returning!(ingest_status, pg_finfo_ingest_status, status);
fn status(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with one argument of type text.
    let project = unsafe { arguments.get::<&str>(0) };
    rights::reading(project, |sql, project_id| {
        answer.add(sql.prepared(include_str!("../sql/steps/ingest_status.sql"), &[project_id.into()])?)
    })
}

/// Where the page before has ended: the entry id of its last event.
fn position(sql: &Sql, project_id: i32, event_id: &str) -> Result<i64, Error> {
    let query = "SELECT id FROM journey_stitch.event_ids WHERE project_id = $1 AND event_id = $2";
    let found = sql.prepared(query, &[project_id.into(), event_id.into()])?.one()?;
    found.ok_or_else(|| Error::InvalidArgument {
        argument: "after",
        problem: format!("there is no event \"{event_id}\""),
        takes: "the event_id of the last row of the page before, or NULL for the first page",
    })
}

/// The key that a filter on a user or a session goes through; `None`: there is no such filter, or its
/// value never is a key. A key that no stitched event has yet is one that no edge leads to.
fn key(sql: &Sql, project_id: i32, filters: Option<Jsonb>) -> Result<Option<i64>, Error> {
    let members = filters.map(members).transpose()?.unwrap_or_default();
    let Some((kind, value)) = members.iter().find_map(|(name, json)| match json {
        Json::String(value) if *name == "user_id" || *name == "session_id" => Some((*name, value)),
        _ => None,
    }) else {
        return Ok(None);
    };
    let Some(value) = identity_rules::in_force(sql, project_id)?.key(kind, value).map(|key| key.into_owned())
    else {
        return Ok(None);
    };
    if !graph::exists() {
        return Ok(None);
    }
    let query = "SELECT id FROM journey_stitch.keys WHERE project_id = $1 AND kind = $2 AND value = $3";
    let args: [DatumWithOid; 3] = [project_id.into(), kind.into(), value.into()];
    Ok(Some(sql.prepared(query, &args)?.one()?.unwrap_or(NO_KEY)))
}

/// The members of a filter object.
fn members<'a>(filters: Jsonb) -> Result<Vec<(&'a str, Json<'a, Binary>)>, Error> {
    let container = filters.root().container().filter(|container| container.is_object());
    let container = container.ok_or_else(|| Error::InvalidArgument {
        argument: "filters",
        problem: "it is not an object".to_owned(),
        takes: "an object such as {\"event_type\": \"purchase\", \"since\": \"2026-01-31\"}",
    })?;
    Ok(container.member_nodes().into_iter().map(|(name, node)| (name, node.json())).collect())
}

/// A filter that is a time, as events may have it too: without an offset it is UTC.
fn instant_of(filters: Option<Jsonb>, name: &str) -> Result<Option<TimestampWithTimeZone>, Error> {
    let members = filters.map(members).transpose()?.unwrap_or_default();
    let Some((_, Json::String(text))) = members.iter().find(|(member, _)| *member == name) else {
        return Ok(None);
    };
    let micros = timestamp::parse(text).map_err(|error| Error::InvalidArgument {
        argument: "filters",
        problem: format!("\"{name}\" {error}"),
        takes: "times such as \"2026-01-31\" or \"2026-01-31T12:00:00+01:00\"",
    })?;
    from_unix_micros(micros).map(Some)
}

fn check_filters(filters: Jsonb) -> Result<(), Error> {
    let takes = "event_type, event_name, user_id, session_id, source, since, until (all texts) and properties (an object)";
    let invalid = |problem: String| Error::InvalidArgument { argument: "filters", problem, takes };
    for (name, json) in members(filters)? {
        let (fits, what) = match name {
            "properties" => (matches!(json, Json::Object(_)), "an object"),
            _ if TEXT_FILTERS.contains(&name) => (matches!(json, Json::String(_)), "a text"),
            _ => return Err(invalid(format!("there is no filter \"{name}\""))),
        };
        if !fits {
            return Err(invalid(format!("\"{name}\" is not {what}")));
        }
    }
    Ok(())
}
