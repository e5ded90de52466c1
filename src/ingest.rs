//! `ingest_events`: validates and extracts in one pass over the jsonb, then writes the ledger, the events
//! and the queue rows that a stitcher will take. Everything is in the caller's transaction: it is there when
//! the caller commits, and only then are the workers woken.

mod write;

use std::borrow::Cow;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::answer::{Answer, Arguments, set_returning};
use crate::error::Error;
use crate::event::{self, Container, Event, Limits, Reason, Rejection};
use crate::jsonb::{self, Binary, Jsonb, Node};
use crate::queue::{self, Tally, ranges};
use crate::sequence::Sequence;
use crate::sql::Sql;
use crate::{config, rights, worker};
use write::Candidate;

/// Events a queue row: a stitcher takes whole rows, and halves one only when it must.
const QUEUE_ROW_EVENTS: usize = 1_000;

/// What became of one call's events.
#[derive(Debug, Default, Clone, Copy)]
pub struct Totals {
    pub received: i64,
    pub inserted: i64,
    pub duplicates: i64,
    pub rejected: i64,
}

set_returning!(ingest_events_wrapper, pg_finfo_ingest_events_wrapper, ingest_events);
fn ingest_events(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with arguments of the types jsonb and text.
    let (events, project) = unsafe { (arguments.get::<Jsonb>(0), arguments.get(1)) };
    let root = events.ok_or(Error::NullArgument { argument: "events" })?.root();
    let nodes = event_nodes(root)?;
    let totals =
        rights::writing(c"ingest_events()", project, |sql, project_id| ingest(sql, project_id, &nodes))?;
    let mut row = [totals.received, totals.inserted, totals.duplicates, totals.rejected].map(Into::into);
    // SAFETY: declared with these columns, of type bigint.
    unsafe { answer.add_row(&mut row) };
    Ok(())
}

/// The events of a call: the elements of an array, those of `{"events": […]}`, or the one object.
pub fn event_nodes(root: Node) -> Result<Vec<Node>, Error> {
    let Some(container) = root.container() else {
        let found = match root.json() {
            event::Json::Null => "null",
            event::Json::Bool(_) => "a boolean",
            event::Json::Number(_) => "a number",
            _ => "a string",
        };
        return Err(Error::NotEvents { found });
    };
    if !container.is_object() {
        return Ok(container.element_nodes());
    }
    match container.member("events").and_then(|events| events.container()) {
        Some(events) if !events.is_object() && !container.names().into_iter().any(event::is_event_type) => {
            Ok(events.element_nodes())
        }
        _ => Ok(vec![root]),
    }
}

/// One accepted event with its properties.
pub struct Accepted<'a> {
    pub event_id: Cow<'a, str>,
    event: Event<'a>,
    properties: Binary,
}

/// Ingests events into a project; the rejected ones become dead letters.
fn ingest(sql: &Sql, project_id: i32, nodes: &[Node]) -> Result<Totals, Error> {
    let mut totals = Totals { received: nodes.len() as i64, ..Totals::default() };
    let mut accepted = Vec::with_capacity(nodes.len());
    let mut rejected = Vec::new();
    let bounds = Bounds::current();
    for node in nodes {
        pgrx::check_for_interrupts!();
        match bounds.accept(node) {
            Ok(event) => accepted.push(event),
            Err(rejection) => rejected.push((rejection, *node)),
        }
    }
    totals.rejected = rejected.len() as i64;
    let reasons = rejected.iter().map(|(rejection, _)| rejection.reason.code()).collect();
    totals.inserted = store(sql, project_id, accepted, reasons)?.events;
    totals.duplicates = totals.received - totals.rejected - totals.inserted;
    write_rejected(sql, project_id, rejected)?;
    Ok(totals)
}

/// What an event is held against.
pub struct Bounds {
    ids: Limits,
    max_bytes: usize,
    max_depth: usize,
}

impl Bounds {
    /// The present settings.
    pub fn current() -> Self {
        Bounds {
            ids: config::id_limits(),
            max_bytes: config::max_event_bytes(),
            max_depth: config::max_event_depth(),
        }
    }

    /// For an event that was accepted once: written out in canonical form it may be a little larger.
    pub fn of_accepted() -> Self {
        let current = Bounds::current();
        Bounds { max_bytes: current.max_bytes.saturating_mul(2), max_depth: current.max_depth + 2, ..current }
    }

    /// The event in canonical form, or why it is refused.
    pub fn accept<'a>(&self, node: &Node) -> Result<Accepted<'a>, Rejection> {
        let Some(container) = node.container().filter(|container| container.is_object()) else {
            return Err(Rejection {
                reason: Reason::NotAnObject,
                message: "an event is a JSON object".to_owned(),
            });
        };
        if container.size() > self.max_bytes {
            return Err(Rejection {
                reason: Reason::TooLarge,
                message: format!(
                    "the event takes {} bytes, journey_stitch.max_event_bytes allows {}",
                    container.size(),
                    self.max_bytes
                ),
            });
        }
        if container.depth(self.max_depth) > self.max_depth {
            return Err(Rejection {
                reason: Reason::TooDeep,
                message: format!(
                    "the event nests deeper than journey_stitch.max_event_depth allows ({})",
                    self.max_depth
                ),
            });
        }
        let nodes = container.member_nodes();
        let members: Vec<_> = nodes.iter().map(|(name, node)| (*name, node.json())).collect();
        let event = event::canonicalize(&members, &self.ids)?;
        let base = event.properties.base.and_then(|index| nodes[index].1.container());
        let extra = &event.properties.extra;
        let properties = match base {
            Some(base) if extra.is_empty() => base,
            _ => jsonb::object(base, extra.iter().map(|(name, index)| (name.as_ref(), nodes[*index].1)))
                .container(),
        };
        let event_id = event.event_id.clone().unwrap_or_else(|| Cow::Owned(random_uuid()));
        Ok(Accepted { event_id, event, properties })
    }
}

/// What was new, and where it waits.
#[derive(Debug, Default)]
pub struct Stored {
    pub events: i64,
    pub queue_rows: Vec<i64>,
}

/// Writes what is new among the accepted events, counts those and the rejected ones, and wakes the worker at
/// commit; answers how many are new.
pub fn store(
    sql: &Sql,
    project_id: i32,
    accepted: Vec<Accepted<'_>>,
    rejected: Vec<&'static str>,
) -> Result<Stored, Error> {
    if accepted.is_empty() && rejected.is_empty() {
        return Ok(Stored::default());
    }
    let mut order: Vec<usize> = (0..accepted.len()).collect();
    // Stable: of several with one event_id, the first to arrive stays in front.
    order.sort_by(|&a, &b| accepted[a].event_id.cmp(&accepted[b].event_id));
    order.dedup_by(|later, earlier| accepted[*later].event_id == accepted[*earlier].event_id);

    let ids = draw_ids(&accepted, &order)?;
    let candidates: Vec<_> =
        order.iter().map(|&i| Candidate { id: ids[i], accepted: &accepted[i] }).collect();
    let new = write::new_events(sql, project_id, &candidates)?;
    let mut drawn: Vec<i64> = order.iter().map(|&i| ids[i]).collect();
    drawn.sort_unstable();
    let rows = ranges::rows(&drawn, |id| new.binary_search(&id).is_ok(), QUEUE_ROW_EVENTS);
    let tally =
        Tally { received: accepted.len() + rejected.len(), duplicates: accepted.len() - new.len(), rejected };
    let queue_rows = queue::add(sql, project_id, rows, tally)?;
    if config::ENABLED.get() {
        worker::wake_on_commit();
    }
    Ok(Stored { events: new.len() as i64, queue_rows })
}

/// Ids from the events' sequence in order of arrival; 0 for an event that `order` leaves out.
fn draw_ids(accepted: &[Accepted<'_>], order: &[usize]) -> Result<Vec<i64>, Error> {
    let mut ids = vec![0; accepted.len()];
    order.iter().for_each(|&i| ids[i] = 1);
    let sequence = Sequence::open(c"event_entry_id")?;
    ids.iter_mut().filter(|id| **id != 0).for_each(|id| *id = sequence.next());
    Ok(ids)
}

/// A random uuid, as text.
pub fn random_uuid() -> String {
    // SAFETY: gen_random_uuid takes no argument and returns a uuid.
    let uuid = unsafe { pgrx::direct_function_call::<pgrx::Uuid>(pg_sys::gen_random_uuid, &[]) };
    uuid.map(|uuid| uuid.to_string()).unwrap_or_default()
}

fn write_rejected(sql: &Sql, project_id: i32, rejected: Vec<(Rejection, Node)>) -> Result<(), Error> {
    if rejected.is_empty() {
        return Ok(());
    }
    let args: [DatumWithOid; 4] = [
        project_id.into(),
        rejected.iter().map(|(rejection, _)| rejection.reason.code()).collect::<Vec<_>>().into(),
        rejected.iter().map(|(rejection, _)| rejection.message.as_str()).collect::<Vec<_>>().into(),
        rejected.iter().map(|(_, node)| node.to_jsonb()).collect::<Vec<_>>().into(),
    ];
    sql.prepared(include_str!("../sql/steps/ingest_rejected.sql"), &args)?;
    Ok(())
}
