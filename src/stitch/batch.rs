//! What stitching a set of queued events would do, read and planned without writing anything. The
//! stitcher carries the plan out; a query over events that are still pending only looks at it.

use std::collections::HashMap;

use pgrx::datum::DatumWithOid;

use super::components::{self, EventKeys, Plan};
use crate::error::Error;
use crate::identity::Identifiers;
use crate::instant::to_unix_micros;
use crate::journey::identifier_texts;
use crate::jsonb::Jsonb;
use crate::sql::{Row, Rows, Sql};

/// A queued event, as far as stitching looks at it.
pub struct QueuedEvent {
    pub id: i64,
    /// Microseconds since the Unix epoch.
    pub occurred_at: i64,
    pub event_type: String,
    pub user_id: Option<String>,
    event_id: String,
    session_id: Option<String>,
    /// Identifiers beside user_id and session_id, as kind:value.
    others: Vec<String>,
}

/// The events of queue rows, in the order in which they are stitched.
pub fn read_events(sql: &Sql, queue_rows: &[i64]) -> Result<Vec<QueuedEvent>, Error> {
    let args: [DatumWithOid; 1] = [queue_rows.to_vec().into()];
    let rows = sql.run(include_str!("../../sql/steps/stitch_events.sql"), &args)?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        pgrx::check_for_interrupts!();
        events.push(QueuedEvent {
            id: row.get(1)?,
            occurred_at: to_unix_micros(row.get(2)?),
            event_id: row.get(3)?,
            event_type: row.get(4)?,
            user_id: row.nullable(5)?,
            session_id: row.nullable(6)?,
            others: identifier_texts(row.nullable::<Jsonb>(7)?),
        });
    }
    Ok(events)
}

/// A key of the batch.
pub struct Key<'a> {
    pub kind: &'a str,
    pub value: &'a str,
    /// Its row in `keys`, unless it is new.
    pub id: Option<i64>,
}

/// The batch's keys, and which of them and of the events belong together.
pub struct Batch<'a> {
    pub keys: Vec<Key<'a>>,
    pub keys_of_events: EventKeys,
    pub plan: Plan,
}

/// Plans the stitching of events.
pub fn plan<'a>(sql: &Sql, project_id: i32, events: &'a [QueuedEvent]) -> Result<Batch<'a>, Error> {
    let mut keys: Vec<Key<'a>> = Vec::new();
    let mut index: HashMap<(&'a str, &'a str), u32> = HashMap::with_capacity(events.len() * 2);
    let mut keys_of_events = EventKeys::with_capacity(events.len(), events.len() * 3);
    let mut of_event = Vec::new();
    for event in events {
        of_event.clear();
        event.identifiers().append_keys(&mut of_event);
        keys_of_events.push(of_event.iter().map(|&(kind, value)| {
            *index.entry((kind, value)).or_insert_with(|| {
                keys.push(Key { kind, value, id: None });
                (keys.len() - 1) as u32
            })
        }));
    }
    let journey_of_key = find_keys(sql, project_id, &mut keys)?;
    pgrx::check_for_interrupts!();
    let plan = components::plan(keys_of_events.iter(), &journey_of_key);
    Ok(Batch { keys, keys_of_events, plan })
}

impl QueuedEvent {
    fn identifiers(&self) -> Identifiers<'_, impl Iterator<Item = (&str, &str)>> {
        Identifiers {
            event_id: &self.event_id,
            user_id: self.user_id.as_deref(),
            session_id: self.session_id.as_deref(),
            others: self.others.iter().filter_map(|text| text.split_once(':')),
        }
    }
}

/// Looks the keys up; answers the present journey of each.
fn find_keys(sql: &Sql, project_id: i32, keys: &mut [Key<'_>]) -> Result<Vec<Option<i64>>, Error> {
    let args: [DatumWithOid; 3] = [
        project_id.into(),
        keys.iter().map(|key| key.kind).collect::<Vec<_>>().into(),
        keys.iter().map(|key| key.value).collect::<Vec<_>>().into(),
    ];
    let mut journeys = vec![None; keys.len()];
    for row in sql.run(include_str!("../../sql/steps/keys_find.sql"), &args)? {
        let n = ordinal(&row)?;
        keys[n].id = Some(row.get(2)?);
        journeys[n] = Some(row.get(3)?);
    }
    Ok(journeys)
}

/// The first column of a row, WITH ORDINALITY's number, as an index.
pub fn ordinal(row: &Row<'_>) -> Result<usize, Error> {
    let n = row.get::<i32>(1)?;
    usize::try_from(n - 1).map_err(|_| Error::Missing("ordinal number above zero"))
}

/// All ids of a statement's one column.
pub fn ids(rows: Rows<'_>) -> Result<Vec<i64>, Error> {
    rows.map(|row| row.get(1)).collect()
}
