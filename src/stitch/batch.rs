//! What stitching a set of queued events would do, read and planned without writing anything. The
//! stitcher carries the plan out; a query over events that are still pending only looks at it.

use std::borrow::Cow;
use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use super::components::{self, EventKeys, Plan};
use super::contest::{self, Contest};
use super::words;
use crate::error::Error;
use crate::identity::Identifiers;
use crate::identity::rules::Rules;
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
    pub event_id: String,
    pub session_id: Option<String>,
    /// Identifiers beside user_id and session_id, as kind:value.
    pub others: Vec<String>,
    /// What a purchase cost, where [`read_events`] has read it.
    pub amount: Option<AnyNumeric>,
    /// The same for a duration.
    pub duration: Option<AnyNumeric>,
}

/// The events of queue rows, in the order in which they are stitched: of time, then of event_id.
pub fn read_events(sql: &Sql, project_id: i32, queue_rows: &[i64]) -> Result<Vec<QueuedEvent>, Error> {
    let args: [DatumWithOid; 2] = [queue_rows.to_vec().into(), project_id.into()];
    let mut events = Vec::new();
    sql.each_prepared(include_str!("../../sql/steps/stitch_events.sql"), &args, |row| {
        let (amount, duration) = (row.nullable(8)?, row.nullable(9)?);
        events.push(QueuedEvent { amount, duration, ..QueuedEvent::of_row(row)? });
        Ok(())
    })?;
    events.sort_unstable_by(|a, b| (a.occurred_at, &a.event_id).cmp(&(b.occurred_at, &b.event_id)));
    Ok(events)
}

/// What is said of a key by itself, beside the rule of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    Quarantined,
    Unmerged,
}

impl Hold {
    /// As keys.hold has it.
    pub fn code(self) -> &'static str {
        match self {
            Hold::Quarantined => "q",
            Hold::Unmerged => "u",
        }
    }

    /// What keys.hold says.
    pub fn of_code(code: Option<i8>) -> Option<Self> {
        match code? as u8 {
            b'q' => Some(Hold::Quarantined),
            b'u' => Some(Hold::Unmerged),
            _ => None,
        }
    }
}

/// A key of the batch.
pub struct Key<'a> {
    pub kind: &'a str,
    pub value: Cow<'a, str>,
    /// Its row in `keys`, unless it is new.
    pub id: Option<i64>,
    /// The journey that it is in. None: no event is tied by it yet.
    pub journey: Option<i64>,
    pub hold: Option<Hold>,
    /// Since when it joins no journeys.
    pub since: Option<i64>,
    /// Of a key in no journey: the time of the last event that it was refused to.
    pub refused_until: Option<i64>,
}

impl<'a> Key<'a> {
    /// A key of which nothing is known.
    pub fn new(kind: &'a str, value: Cow<'a, str>) -> Self {
        Key { kind, value, id: None, journey: None, hold: None, since: None, refused_until: None }
    }
}

/// The batch's keys, and which of them and of the events belong together.
pub struct Batch<'a> {
    pub keys: Vec<Key<'a>>,
    /// The keys that tie each event; the rest of them was refused.
    pub keys_of_events: EventKeys,
    pub plan: Plan,
    /// What is known of the journeys that the keys are in.
    pub journeys: HashMap<i64, Journey>,
    /// What the rules had to say, if anything.
    pub contest: Contest,
}

/// A present journey, as stitching needs to know it.
#[derive(Debug, Clone)]
pub struct Journey {
    pub keys: u32,
    /// The time of its latest event, in microseconds since the Unix epoch.
    pub last_seen: i64,
    /// The time of the last event at which a merge with it was refused.
    pub tense_until: Option<i64>,
    /// How many keys of each limited kind it has.
    pub kinds: Vec<(String, u32)>,
}

/// Plans the stitching of events, which are in the order of [`read_events`].
pub fn plan<'a>(
    sql: &Sql,
    project_id: i32,
    rules: &Rules,
    events: &'a [QueuedEvent],
) -> Result<Batch<'a>, Error> {
    let mut keys: Vec<Key<'a>> = Vec::new();
    let mut index: HashMap<(&'a str, Cow<'a, str>), u32> = HashMap::with_capacity(events.len() * 2);
    let mut keys_of_events = EventKeys::with_capacity(events.len(), events.len() * 3);
    let mut of_event = Vec::new();
    for event in events {
        of_event.clear();
        event.identifiers().append_keys(rules, &mut of_event);
        keys_of_events.push(of_event.drain(..).map(|(kind, value)| {
            *index.entry((kind, value)).or_insert_with_key(|(kind, value)| {
                keys.push(Key::new(kind, value.clone()));
                (keys.len() - 1) as u32
            })
        }));
    }
    drop(index);
    find_keys(sql, project_id, &mut keys)?;
    let words = words::read(sql, project_id)?;
    words.mark_unmerged(&mut keys);
    pgrx::check_for_interrupts!();

    let journey_of_key: Vec<Option<i64>> = keys.iter().map(|key| key.journey).collect();
    let journeys = find_journeys(sql, &journey_of_key)?;
    let joining = contest::joining(rules, &keys, &keys_of_events);
    let plan = components::plan(joining.iter(), &journey_of_key);
    let contested = contest::components(rules, &words, &keys, &keys_of_events, &plan, &journeys);
    if !contest::any(&contested) {
        return Ok(Batch { keys, keys_of_events, plan, journeys, contest: Contest::default() });
    }
    drop(joining);
    let (tied, contest) =
        contest::settle(rules, &words, events, &keys, &keys_of_events, &plan, &contested, &journeys);
    let plan = components::plan(tied.iter(), &journey_of_key);
    let (keys_of_events, contest) = contest.with_moot_refusals(tied, &plan);
    Ok(Batch { keys, keys_of_events, plan, journeys, contest })
}

impl QueuedEvent {
    /// From a row of id, occurred_at, event_id, event_type, user_id, session_id and identifiers.
    pub fn of_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(QueuedEvent {
            id: row.get(1)?,
            occurred_at: to_unix_micros(row.get(2)?),
            event_id: row.get(3)?,
            event_type: row.get(4)?,
            user_id: row.nullable(5)?,
            session_id: row.nullable(6)?,
            others: identifier_texts(row.nullable::<Jsonb>(7)?),
            amount: None,
            duration: None,
        })
    }

    /// What may become its keys.
    pub fn identifiers(&self) -> Identifiers<'_, impl Iterator<Item = (&str, &str)>> {
        Identifiers {
            event_id: &self.event_id,
            user_id: self.user_id.as_deref(),
            session_id: self.session_id.as_deref(),
            others: self.others.iter().filter_map(|text| text.split_once(':')),
        }
    }
}

/// Looks the keys up, and takes over what is known of them.
pub fn find_keys(sql: &Sql, project_id: i32, keys: &mut [Key<'_>]) -> Result<(), Error> {
    let args: [DatumWithOid; 3] = [
        project_id.into(),
        keys.iter().map(|key| key.kind).collect::<Vec<_>>().into(),
        keys.iter().map(|key| key.value.as_ref()).collect::<Vec<_>>().into(),
    ];
    for row in sql.prepared(include_str!("../../sql/steps/keys_find.sql"), &args)? {
        let key = &mut keys[ordinal(&row)?];
        key.id = Some(row.get(2)?);
        key.journey = row.nullable(3)?;
        key.hold = Hold::of_code(row.nullable(4)?);
        key.since = row.nullable::<TimestampWithTimeZone>(5)?.map(to_unix_micros);
        key.refused_until = row.nullable::<TimestampWithTimeZone>(6)?.map(to_unix_micros);
    }
    Ok(())
}

fn find_journeys(sql: &Sql, journey_of_key: &[Option<i64>]) -> Result<HashMap<i64, Journey>, Error> {
    let mut ids: Vec<i64> = journey_of_key.iter().copied().flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut journeys = HashMap::with_capacity(ids.len());
    for row in sql.prepared(include_str!("../../sql/steps/journeys_find.sql"), &[ids.into()])? {
        let journey = Journey {
            keys: row.get::<i32>(2)?.unsigned_abs(),
            last_seen: to_unix_micros(row.get(3)?),
            tense_until: row.nullable::<TimestampWithTimeZone>(4)?.map(to_unix_micros),
            kinds: row.nullable::<Jsonb>(5)?.map(kind_counts).unwrap_or_default(),
        };
        journeys.insert(row.get(1)?, journey);
    }
    Ok(journeys)
}

/// What journeys.kind_counts says.
pub fn kind_counts(counts: Jsonb) -> Vec<(String, u32)> {
    let members = counts.root().container().map(|object| object.member_nodes()).unwrap_or_default();
    let count = |(kind, node): (&str, crate::jsonb::Node)| match node.json() {
        crate::event::Json::Number(digits) => Some((kind.to_owned(), digits.parse().ok()?)),
        _ => None,
    };
    members.into_iter().filter_map(count).collect()
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
