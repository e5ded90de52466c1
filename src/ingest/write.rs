//! How events get into the ledger and into their partitions: row by row into the tables as the extension makes them,
//! and by a statement where somebody has added to a table what only a statement does, such as a trigger.

use std::cell::Cell;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use super::Accepted;
use crate::catalog::relation;
use crate::error::Error;
use crate::event::{Event, Key};
use crate::instant;
use crate::jsonb::{self, Jsonb};
use crate::project;
use crate::sql::Sql;
use crate::table::{Column, Partitions, Row, Shape, Table};

/// Events a statement, so that a call of any size needs little memory beside its argument.
const STATEMENT_EVENTS: usize = 10_000;

const LEDGER: Shape = Shape {
    columns: &[
        Column(c"id", pg_sys::INT8OID, false),
        Column(c"project_id", pg_sys::INT4OID, false),
        Column(c"event_id", pg_sys::TEXTOID, false),
    ],
    checks: &[],
};
const EVENTS: Shape = Shape {
    columns: &[
        Column(c"id", pg_sys::INT8OID, false),
        Column(c"occurred_at", pg_sys::TIMESTAMPTZOID, false),
        Column(c"received_at", pg_sys::TIMESTAMPTZOID, false),
        Column(c"project_id", pg_sys::INT4OID, false),
        Column(c"event_id", pg_sys::TEXTOID, false),
        Column(c"event_type", pg_sys::TEXTOID, false),
        Column(c"event_name", pg_sys::TEXTOID, true),
        Column(c"user_id", pg_sys::TEXTOID, true),
        Column(c"session_id", pg_sys::TEXTOID, true),
        Column(c"identifiers", pg_sys::JSONBOID, true),
        Column(c"source", pg_sys::TEXTOID, true),
        Column(c"ip", pg_sys::INETOID, true),
        Column(c"user_agent", pg_sys::TEXTOID, true),
        Column(c"properties", pg_sys::JSONBOID, false),
    ],
    checks: &[],
};

/// An event, and the id that it has if it is new.
pub struct Candidate<'e, 'a> {
    pub id: i64,
    pub accepted: &'e Accepted<'a>,
}

/// Writes the new ones among the candidates, which come in order of event_id, each of them once: overlapping calls
/// never wait for each other in a circle. Answers the ids of the new ones, ascending.
pub fn new_events(sql: &Sql, project_id: i32, candidates: &[Candidate<'_, '_>]) -> Result<Vec<i64>, Error> {
    if let Some(tables) = Tables::open(candidates) {
        return Ok(tables.write(project_id, candidates));
    }
    if let Some(last) = candidates.iter().map(|candidate| candidate.id).max() {
        project::ensure_partition(sql, last)?;
    }
    let mut ids = Vec::with_capacity(candidates.len());
    for part in candidates.chunks(STATEMENT_EVENTS) {
        by_statement(sql, project_id, part, &mut ids)?;
    }
    ids.sort_unstable();
    Ok(ids)
}

thread_local! {
    /// Whether the last call of this session met duplicates. A client that sends events again does so for a while, and
    /// each that is found only while it goes in leaves a dead row.
    static EXPECTS_DUPLICATES: Cell<bool> = const { Cell::new(false) };
}

/// The tables that the events of a call go to.
struct Tables {
    ledger: Table,
    parent: Partitions,
    /// With the first id beyond each partition, ascending.
    partitions: Vec<(i64, Table)>,
}

impl Tables {
    /// `None`: it takes a statement.
    fn open(candidates: &[Candidate<'_, '_>]) -> Option<Self> {
        let ids = || candidates.iter().map(|candidate| candidate.id);
        let (first, last) = (ids().min()?, ids().max()?);
        let ledger = Table::open(relation(c"journey_stitch", c"event_ids")?, &LEDGER);
        let parent = Partitions::open(relation(c"journey_stitch", c"events")?, &EVENTS);
        let (ledger, parent) = match (ledger, parent) {
            (Some(ledger), Some(parent)) => (ledger, parent),
            (ledger, parent) => {
                ledger.into_iter().for_each(Table::close);
                parent.into_iter().for_each(Partitions::close);
                return None;
            }
        };
        let mut tables = Tables { ledger, parent, partitions: Vec::new() };
        let mut from = first;
        while from <= last {
            let partition = tables.parent.find(from);
            let Some((until, table)) =
                partition.and_then(|(oid, until)| Some((until, Table::open(oid, &EVENTS)?)))
            else {
                tables.close();
                return None;
            };
            tables.partitions.push((until, table));
            from = until;
        }
        Some(tables)
    }

    fn write(mut self, project_id: i32, candidates: &[Candidate<'_, '_>]) -> Vec<i64> {
        let mut new: Vec<&Candidate<'_, '_>> = Vec::with_capacity(candidates.len());
        if EXPECTS_DUPLICATES.get() {
            self.ledger.look_first();
        }
        for candidate in candidates {
            pgrx::check_for_interrupts!();
            let is_new = self.ledger.add_if_new(|row| {
                row.value(candidate.id);
                row.value(project_id);
                row.text(Some(&candidate.accepted.event_id));
            });
            if is_new {
                new.push(candidate);
            }
        }
        self.ledger.flush();
        EXPECTS_DUPLICATES.set(self.ledger.has_duplicates());
        new.sort_unstable_by_key(|candidate| candidate.id);
        // SAFETY: reading when the transaction began.
        let now = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
        let mut partition = 0;
        for candidate in &new {
            pgrx::check_for_interrupts!();
            while self.partitions[partition].0 <= candidate.id {
                partition += 1;
            }
            self.partitions[partition].1.add(|row| fill(row, project_id, candidate, now));
        }
        self.close();
        // SAFETY: what follows in this transaction sees the rows.
        unsafe { pg_sys::CommandCounterIncrement() };
        new.iter().map(|candidate| candidate.id).collect()
    }

    fn close(self) {
        self.ledger.close();
        self.partitions.into_iter().for_each(|(_, table)| table.close());
        self.parent.close();
    }
}

/// A row of events.
fn fill(row: &mut Row<'_>, project_id: i32, candidate: &Candidate<'_, '_>, now: pg_sys::TimestampTz) {
    let Accepted { event_id, event, properties } = candidate.accepted;
    row.value(candidate.id);
    row.value(event.occurred_at.map_or(now, instant::postgres_micros));
    row.value(now);
    row.value(project_id);
    row.text(Some(event_id));
    row.text(Some(&event.event_type));
    row.text(event.event_name.as_deref());
    row.text(event.user_id.as_deref());
    row.text(event.session_id.as_deref());
    identifiers(row, &event.keys);
    row.text(event.source.as_deref());
    row.inet(event.ip_address);
    row.text(event.user_agent.as_deref());
    row.jsonb(*properties);
}

fn identifiers(row: &mut Row<'_>, keys: &[Key<'_>]) {
    if keys.is_empty() {
        return row.null();
    }
    let lengths = || keys.iter().map(|key| key.kind.len() + 1 + key.value.len());
    row.bytes(jsonb::strings_size(lengths()), |bytes| {
        jsonb::strings_head(lengths(), bytes);
        for key in keys {
            for text in [&key.kind, ":", &key.value] {
                bytes.extend_from_slice(text.as_bytes());
            }
        }
    });
}

fn by_statement(
    sql: &Sql,
    project_id: i32,
    part: &[Candidate<'_, '_>],
    ids: &mut Vec<i64>,
) -> Result<(), Error> {
    let events: Vec<&Event<'_>> = part.iter().map(|candidate| &candidate.accepted.event).collect();
    let occurred_at = events
        .iter()
        .map(|event| event.occurred_at.map(instant::from_unix_micros).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    let properties = part.iter().map(|candidate| candidate.accepted.properties.to_node().to_jsonb());
    let args: [DatumWithOid; 13] = [
        project_id.into(),
        part.iter().map(|candidate| candidate.id).collect::<Vec<i64>>().into(),
        part.iter().map(|candidate| candidate.accepted.event_id.as_ref()).collect::<Vec<_>>().into(),
        texts(&events, |event| Some(event.event_type.as_ref())).into(),
        texts(&events, |event| event.event_name.as_deref()).into(),
        occurred_at.into(),
        texts(&events, |event| event.user_id.as_deref()).into(),
        texts(&events, |event| event.session_id.as_deref()).into(),
        events.iter().map(|event| identifiers_jsonb(event)).collect::<Vec<_>>().into(),
        texts(&events, |event| event.source.as_deref()).into(),
        events.iter().map(|event| event.ip_address.map(|ip| ip.to_string())).collect::<Vec<_>>().into(),
        texts(&events, |event| event.user_agent.as_deref()).into(),
        properties.collect::<Vec<_>>().into(),
    ];
    for row in sql.run(include_str!("../../sql/steps/ingest_events.sql"), &args)? {
        ids.push(row.get(1)?);
    }
    Ok(())
}

/// One column of a statement's arrays.
fn texts<'e, 'a>(
    events: &[&'e Event<'a>],
    field: impl Fn(&'e Event<'a>) -> Option<&'e str>,
) -> Vec<Option<&'e str>> {
    events.iter().map(|event| field(event)).collect()
}

fn identifiers_jsonb(event: &Event<'_>) -> Option<Jsonb> {
    let texts: Vec<String> = event.keys.iter().map(|key| format!("{}:{}", key.kind, key.value)).collect();
    (!texts.is_empty()).then(|| jsonb::strings(texts.iter().map(String::as_str)))
}
