//! Users: every distinct user_id that an event was sent with, its number in the rollups' sets, and its running
//! totals.

use std::collections::HashMap;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::error::Error;
use crate::instant::from_unix_micros;
use crate::sequence::Sequence;
use crate::sql::{self, Sql};
use crate::stitch::batch::{self, QueuedEvent};

const RECOUNT: &str = concat!(
    include_str!("../sql/steps/users_candidates.sql"),
    include_str!("../sql/steps/users_recount.sql")
);

/// The event type whose amounts are what a user has spent.
const PURCHASE: &str = "purchase";

/// What a batch adds to a user's totals. Times are microseconds since the Unix epoch.
struct Totals {
    events: i64,
    first_seen: i64,
    last_active: i64,
    purchases: i64,
    spent: Option<AnyNumeric>,
    last_purchase: Option<i64>,
    durations: i64,
    duration: Option<AnyNumeric>,
}

impl Totals {
    fn new() -> Self {
        Totals {
            events: 0,
            first_seen: i64::MAX,
            last_active: i64::MIN,
            purchases: 0,
            spent: None,
            last_purchase: None,
            durations: 0,
            duration: None,
        }
    }

    fn add(&mut self, event: &QueuedEvent) {
        let at = event.occurred_at;
        self.events += 1;
        self.first_seen = self.first_seen.min(at);
        self.last_active = self.last_active.max(at);
        if event.event_type == PURCHASE {
            self.purchases += 1;
            self.last_purchase = self.last_purchase.max(Some(at));
            add_number(&mut self.spent, event.amount.as_ref());
        }
        self.durations += i64::from(event.duration.is_some());
        add_number(&mut self.duration, event.duration.as_ref());
    }
}

fn add_number(sum: &mut Option<AnyNumeric>, number: Option<&AnyNumeric>) {
    if let Some(number) = number {
        *sum = Some(sum.take().map_or_else(|| number.clone(), |sum| sum + number.clone()));
    }
}

/// Adds a batch's events to their users' totals; users that are new are made. Answers the number of each user.
pub fn record<'e>(
    sql: &Sql,
    project_id: i32,
    events: &'e [QueuedEvent],
) -> Result<HashMap<&'e str, i64>, Error> {
    let mut totals: HashMap<&str, Totals> = HashMap::new();
    for event in events {
        if let Some(user_id) = event.user_id.as_deref() {
            totals.entry(user_id).or_insert_with(Totals::new).add(event);
        }
    }
    // In the order of the index, so that neighbouring entries are looked at together.
    let mut totals: Vec<(&str, Totals)> = totals.into_iter().collect();
    totals.sort_unstable_by_key(|(user_id, _)| *user_id);
    let mut numbers = HashMap::with_capacity(totals.len());
    let args = columns(project_id, &totals)?;
    for row in sql.prepared(include_str!("../sql/steps/users_add.sql"), &args)? {
        numbers.insert(totals[batch::ordinal(&row)?].0, row.get(2)?);
    }
    let new: Vec<(&str, Totals)> =
        totals.into_iter().filter(|(user_id, _)| !numbers.contains_key(user_id)).collect();
    if !new.is_empty() {
        let sequence = Sequence::open(c"user_entry_id")?;
        let ids: Vec<i64> = new.iter().map(|_| sequence.next()).collect();
        numbers.extend(new.iter().map(|(user_id, _)| *user_id).zip(ids.iter().copied()));
        let mut args = columns(project_id, &new)?;
        args.push(ids.into());
        sql.prepared(include_str!("../sql/steps/users_insert.sql"), &args)?;
    }
    Ok(numbers)
}

/// The parameters of the two statements.
fn columns<'t>(project_id: i32, totals: &'t [(&str, Totals)]) -> Result<Vec<DatumWithOid<'t>>, Error> {
    let count = |column: fn(&Totals) -> i64| totals.iter().map(|(_, t)| column(t)).collect::<Vec<i64>>();
    let time = |column: fn(&Totals) -> Option<i64>| {
        totals
            .iter()
            .map(|(_, t)| column(t).map(from_unix_micros).transpose())
            .collect::<Result<Vec<Option<TimestampWithTimeZone>>, Error>>()
    };
    let number = |column: fn(&Totals) -> &Option<AnyNumeric>| {
        totals.iter().map(|(_, t)| column(t).clone()).collect::<Vec<Option<AnyNumeric>>>()
    };
    Ok(vec![
        project_id.into(),
        totals.iter().map(|(user_id, _)| *user_id).collect::<Vec<&str>>().into(),
        count(|t| t.events).into(),
        time(|t| Some(t.first_seen))?.into(),
        time(|t| Some(t.last_active))?.into(),
        count(|t| t.purchases).into(),
        number(|t| &t.spent).into(),
        time(|t| t.last_purchase)?.into(),
        count(|t| t.durations).into(),
        number(|t| &t.duration).into(),
    ])
}

/// The number of each user; users that are new are made, without totals.
pub fn find_or_create<'e>(
    sql: &Sql,
    project_id: i32,
    user_ids: impl Iterator<Item = &'e str>,
) -> Result<HashMap<&'e str, i64>, Error> {
    let sequence = Sequence::open(c"user_entry_id")?;
    let mut new: (Vec<i64>, Vec<&str>) = Default::default();
    let numbers = find(sql, project_id, user_ids)?.into_iter().map(|(user_id, number)| {
        let number = number.unwrap_or_else(|| {
            let number = sequence.next();
            new.0.push(number);
            new.1.push(user_id);
            number
        });
        (user_id, number)
    });
    let numbers = numbers.collect();
    if !new.0.is_empty() {
        let args: [DatumWithOid; 3] = [project_id.into(), new.0.into(), new.1.into()];
        let insert = "INSERT INTO journey_stitch.users (id, project_id, user_id)
                      SELECT u.id, $1, u.user_id FROM unnest($2::bigint[], $3::text[]) AS u (id, user_id)";
        sql.run(insert, &args)?;
    }
    Ok(numbers)
}

/// The number of each user; `None` for one that no stitched event has.
pub fn find<'e>(
    sql: &Sql,
    project_id: i32,
    user_ids: impl Iterator<Item = &'e str>,
) -> Result<HashMap<&'e str, Option<i64>>, Error> {
    let mut users: HashMap<&str, Option<i64>> = user_ids.map(|user_id| (user_id, None)).collect();
    let names: Vec<&str> = users.keys().copied().collect();
    let args: [DatumWithOid; 2] = [project_id.into(), names.clone().into()];
    for row in sql.prepared(include_str!("../sql/steps/users_find.sql"), &args)? {
        users.insert(names[batch::ordinal(&row)?], Some(row.get(2)?));
    }
    Ok(users)
}

/// The ids of the pending events that were sent with a user_id.
pub fn pending(sql: &Sql, project_id: i32, user_id: &str) -> Result<Vec<i64>, Error> {
    let args: [DatumWithOid; 2] = [project_id.into(), user_id.into()];
    batch::ids(sql.prepared(include_str!("../sql/steps/tail_of_user.sql"), &args)?)
}

/// Computes users' totals anew from the stitched events: of user_ids as sent, each with what it is as a key (`None`:
/// such a value is no key).
pub fn recount(sql: &Sql, project_id: i32, names: Vec<&str>, keys: Vec<Option<String>>) -> Result<(), Error> {
    let args: [DatumWithOid; 3] = [project_id.into(), names.into(), keys.into()];
    sql::for_joins(|| sql.run(RECOUNT, &args)).map(drop)
}
