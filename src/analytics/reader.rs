//! The reading side of the rollups, and the one place where sets, the timeline, the events themselves (for
//! filters and breakdowns, which no rollup has) and the tail come together.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use pgrx::datum::DatumWithOid;

use super::arguments::Common;
use super::calendar::{cover, day_floor};
use super::expression::Expression;
use super::members::{Accumulator, MemberSet};
use super::rollups::{ANY_TYPE, Identity};
use super::tail::{Activity, Tail};
use super::timeline;
use crate::error::Error;
use crate::instant::{from_unix_micros, to_unix_micros};
use crate::jsonb::Jsonb;
use crate::sql::{Row, Sql};
use crate::stitch::batch::ordinal;

/// An event, as far as analytics looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence {
    /// The number of its type, see [`Types`].
    pub event_type: u32,
    pub id: i64,
    /// Microseconds since the Unix epoch.
    pub at: i64,
    /// `None`: an event without user_id, when users are counted.
    pub member: Option<i64>,
    /// The number of its value, see [`Values`].
    pub value: u32,
}

/// Event types by number, in the order in which they were met.
#[derive(Default)]
pub struct Types {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Types {
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }
}

/// Values of a breakdown by number; number 0 is that of events without one.
pub struct Values {
    numbers: HashMap<Option<String>, u32>,
    pub names: Vec<Option<String>>,
}

impl Default for Values {
    fn default() -> Self {
        Values { numbers: HashMap::from([(None, 0)]), names: vec![None] }
    }
}

impl Values {
    fn number(&mut self, name: Option<String>) -> u32 {
        let Values { numbers, names } = self;
        *numbers.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            names.len() as u32 - 1
        })
    }
}

/// Events of a span of time that pass a filter, with the values of a breakdown; `None`: all of them pass, and
/// there is no breakdown.
pub struct Passing(Option<HashMap<i64, u32>>);

impl Passing {
    /// The value of an event that passes.
    fn value(&self, id: i64) -> Option<u32> {
        match &self.0 {
            None => Some(0),
            Some(values) => values.get(&id).copied(),
        }
    }
}

/// Reads one project on one snapshot.
pub struct Reader<'a> {
    sql: &'a Sql,
    project_id: i32,
    identity: Identity,
    filter: Option<Jsonb>,
    tail: Tail,
    /// Present journeys of absorbed ones.
    aliases: OnceCell<HashMap<i64, i64>>,
}

impl<'a> Reader<'a> {
    pub fn open(sql: &'a Sql, project_id: i32, common: &Common<'_>) -> Result<Self, Error> {
        let Common { identity, filter, .. } = *common;
        let tail = Tail::read(sql, project_id, identity)?;
        Ok(Reader { sql, project_id, identity, filter, tail, aliases: OnceCell::new() })
    }

    /// The members active in each of the slices [bounds[0], bounds[1]), [bounds[1], bounds[2]), …, with events of
    /// one type or (`None`) of any.
    pub fn sets(&self, bounds: &[i64], event_type: Option<&str>) -> Result<Vec<MemberSet>, Error> {
        let mut sets = vec![MemberSet::new(); bounds.len().saturating_sub(1)];
        // No event has an empty type, which is why it can stand for all of them in the rollups.
        let (Some(&from), Some(&until)) = (bounds.first(), bounds.last()) else { return Ok(sets) };
        if event_type == Some(ANY_TYPE) {
            return Ok(sets);
        }
        let (days, parts) = match self.filter {
            None => {
                let cover = cover(bounds);
                (cover.days, cover.parts)
            }
            Some(_) => (Vec::new(), vec![(from, until)]),
        };
        for span in days {
            self.add_days(bounds, span, event_type.unwrap_or(ANY_TYPE), &mut sets)?;
        }
        self.add_parts(bounds, &parts, event_type, &mut sets)?;
        for set in &mut sets {
            self.tail.merge_members(set);
        }
        let passing = self.passing_tail(bounds)?;
        for activity in &self.tail.activity {
            if let Some(slice) = slice_of(bounds, activity.at)
                && event_type.is_none_or(|wanted| wanted == activity.event_type)
                && let Some(member) = activity.member
                && passing.value(activity.id).is_some()
            {
                sets[slice].insert(member);
            }
        }
        Ok(sets)
    }

    fn add_days(
        &self,
        bounds: &[i64],
        (from, until): (i64, i64),
        event_type: &str,
        sets: &mut [MemberSet],
    ) -> Result<(), Error> {
        let args: [DatumWithOid; 5] = [
            self.project_id.into(),
            self.identity.code().into(),
            event_type.into(),
            from_unix_micros(from)?.into(),
            from_unix_micros(until)?.into(),
        ];
        for row in self.sql.prepared(include_str!("../../sql/steps/activity_read.sql"), &args)? {
            pgrx::check_for_interrupts!();
            if let Some(slice) = slice_of(bounds, to_unix_micros(row.get(1)?)) {
                sets[slice].add_row(row.get(2)?, row.get::<&[u8]>(3)?)?;
            }
        }
        Ok(())
    }

    fn add_parts(
        &self,
        bounds: &[i64],
        parts: &[(i64, i64)],
        event_type: Option<&str>,
        sets: &mut [MemberSet],
    ) -> Result<(), Error> {
        if parts.is_empty() {
            return Ok(());
        }
        let types = event_type.map(|event_type| vec![event_type]);
        let mut found: Vec<Accumulator> = sets.iter().map(|_| Accumulator::default()).collect();
        for &(from, until) in parts {
            let passing = self.passing((from, until), types.as_deref(), None)?.0;
            self.each_entry((from, until), types.as_deref(), |_, entry| {
                if let Some(slice) = slice_of(bounds, entry.at)
                    && let Some(member) = self.stored_member(&entry)
                    && passing.value(entry.id).is_some()
                {
                    found[slice].insert(member);
                }
            })?;
        }
        for (set, found) in sets.iter_mut().zip(found) {
            if !found.is_empty() {
                let mut found = found.into_set();
                self.resolve(&mut found)?;
                set.union_with(&found);
            }
        }
        Ok(())
    }

    /// How many members are active in one span with each of several types.
    pub fn members_of_types(&self, (from, until): (i64, i64), types: &[&str]) -> Result<Vec<u64>, Error> {
        let mut sets: Vec<Accumulator> = types.iter().map(|_| Accumulator::default()).collect();
        let cover = cover(&[from, until]);
        for (from, until) in cover.days {
            let args: [DatumWithOid; 5] = [
                self.project_id.into(),
                self.identity.code().into(),
                types.to_vec().into(),
                from_unix_micros(from)?.into(),
                from_unix_micros(until)?.into(),
            ];
            self.sql.each_prepared(
                include_str!("../../sql/steps/activity_read_types.sql"),
                &args,
                |row| Ok(sets[ordinal(row)?].add_row(row.get(2)?, row.get::<&[u8]>(3)?)?),
            )?;
        }
        if cover.parts.is_empty() && self.tail.activity.is_empty() {
            return Ok(sets.iter().map(Accumulator::len).collect());
        }
        let mut counts = Vec::with_capacity(types.len());
        for (set, event_type) in sets.into_iter().zip(types) {
            let mut set = set.into_set();
            self.tail.merge_members(&mut set);
            let mut others = vec![set];
            for &(from, until) in &cover.parts {
                others.extend(self.sets(&[from, until], Some(event_type))?);
            }
            let in_span = |activity: &&Activity| (from..until).contains(&activity.at);
            let of_type = self.tail.activity.iter().filter(in_span).filter(|a| a.event_type == *event_type);
            others.push(of_type.filter_map(|activity| activity.member).collect());
            counts.push(
                others
                    .iter()
                    .fold(MemberSet::new(), |mut all, set| {
                        all.union_with(set);
                        all
                    })
                    .len(),
            );
        }
        Ok(counts)
    }

    /// Visits the events of a span, of some types or (`None`) of all, in no order: those that pass the filter, with
    /// their values of a breakdown.
    pub fn each(
        &self,
        span: (i64, i64),
        of_types: Option<&[&str]>,
        breakdown: Option<&Expression>,
        types: &mut Types,
        mut visit: impl FnMut(Occurrence),
    ) -> Result<Values, Error> {
        let (passing, values) = self.passing(span, of_types, breakdown)?;
        let aliases = self.aliases()?;
        let present = |journey: i64| {
            let present = aliases.get(&journey).copied().unwrap_or(journey);
            self.tail.survivor(present)
        };
        // Entries come in runs of one type.
        let mut of_run = (String::new(), types.number(""));
        self.each_entry(span, of_types, |event_type, entry| {
            if let Some(value) = passing.value(entry.id) {
                let member = match self.identity {
                    Identity::User => entry.user,
                    Identity::Journey => Some(present(entry.journey)),
                };
                if of_run.0 != event_type {
                    of_run = (event_type.to_owned(), types.number(event_type));
                }
                visit(Occurrence { event_type: of_run.1, id: entry.id, at: entry.at, member, value });
            }
        })?;
        for activity in self.tail.activity.iter().filter(|activity| (span.0..span.1).contains(&activity.at)) {
            if of_types.is_none_or(|wanted| wanted.contains(&activity.event_type.as_str()))
                && let Some(value) = passing.value(activity.id)
            {
                let event_type = types.number(&activity.event_type);
                visit(Occurrence {
                    event_type,
                    id: activity.id,
                    at: activity.at,
                    member: activity.member,
                    value,
                });
            }
        }
        Ok(values)
    }

    /// How many events of each type a span has.
    pub fn counts(&self, span: (i64, i64)) -> Result<HashMap<String, i64>, Error> {
        let mut counts: HashMap<String, i64> = HashMap::new();
        let cover = cover(&[span.0, span.1]);
        for (from, until) in cover.days {
            let args: [DatumWithOid; 3] =
                [self.project_id.into(), from_unix_micros(from)?.into(), from_unix_micros(until)?.into()];
            for row in self.sql.prepared(include_str!("../../sql/steps/event_counts_read.sql"), &args)? {
                *counts.entry(row.get(1)?).or_default() += row.get::<i64>(2)?;
            }
        }
        for &part in &cover.parts {
            self.each_entry(part, None, |event_type, _| match counts.get_mut(event_type) {
                Some(count) => *count += 1,
                None => drop(counts.insert(event_type.to_owned(), 1)),
            })?;
        }
        for activity in self.tail.activity.iter().filter(|activity| (span.0..span.1).contains(&activity.at)) {
            *counts.entry(activity.event_type.clone()).or_default() += 1;
        }
        Ok(counts)
    }

    /// Visits what the timeline has of a span.
    fn each_entry(
        &self,
        (from, until): (i64, i64),
        types: Option<&[&str]>,
        mut visit: impl FnMut(&str, timeline::Entry),
    ) -> Result<(), Error> {
        let args: [DatumWithOid; 4] = [
            self.project_id.into(),
            from_unix_micros(day_floor(from))?.into(),
            from_unix_micros(until)?.into(),
            types.map(<[&str]>::to_vec).into(),
        ];
        self.sql.each(include_str!("../../sql/steps/timeline_read.sql"), &args, |row| {
            let event_type = row.get::<&str>(1)?;
            timeline::for_each(row.get::<&[u8]>(2)?, |entry| {
                if (from..until).contains(&entry.at) {
                    visit(event_type, entry);
                }
            })?;
            Ok(())
        })
    }

    /// Which events of a span pass the filter, pending ones among them.
    fn passing(
        &self,
        span: (i64, i64),
        types: Option<&[&str]>,
        breakdown: Option<&Expression>,
    ) -> Result<(Passing, Values), Error> {
        let mut values = Values::default();
        if self.filter.is_none() && breakdown.is_none() {
            return Ok((Passing(None), values));
        }
        let mut passing = HashMap::new();
        self.each_passing(span, types, self.filter, breakdown, |row| {
            passing.insert(row.get(1)?, values.number(row.nullable(2)?));
            Ok(())
        })?;
        Ok((Passing(Some(passing)), values))
    }

    /// The events of a span and of some types whose properties contain an object, pending ones among them.
    pub fn matching(&self, span: (i64, i64), types: &[&str], filter: Jsonb) -> Result<HashSet<i64>, Error> {
        let mut matching = HashSet::new();
        self.each_passing(span, Some(types), Some(filter), None, |row| {
            matching.insert(row.get(1)?);
            Ok(())
        })?;
        Ok(matching)
    }

    /// Visits events as they are stored: their ids, with the values of a breakdown.
    fn each_passing(
        &self,
        (from, until): (i64, i64),
        types: Option<&[&str]>,
        filter: Option<Jsonb>,
        breakdown: Option<&Expression>,
        visit: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut args: Vec<DatumWithOid> = vec![
            self.project_id.into(),
            from_unix_micros(from)?.into(),
            from_unix_micros(until)?.into(),
            types.map(<[&str]>::to_vec).into(),
            filter.into(),
        ];
        args.extend(Expression::columns(breakdown));
        self.sql.each(include_str!("../../sql/steps/events_passing.sql"), &args, visit)
    }

    /// Which events of the tail pass the filter, of those that lie in any of the slices.
    fn passing_tail(&self, bounds: &[i64]) -> Result<Passing, Error> {
        let times = || {
            self.tail.activity.iter().map(|activity| activity.at).filter(|at| slice_of(bounds, *at).is_some())
        };
        match (times().min(), times().max()) {
            (Some(first), Some(last)) => Ok(self.passing((first, last + 1), None, None)?.0),
            _ => Ok(Passing(None)),
        }
    }

    /// The member as the timeline has it, which may be an absorbed journey.
    fn stored_member(&self, entry: &timeline::Entry) -> Option<i64> {
        match self.identity {
            Identity::User => entry.user,
            Identity::Journey => Some(entry.journey),
        }
    }

    /// Present journeys instead of absorbed ones.
    fn resolve(&self, members: &mut MemberSet) -> Result<(), Error> {
        let aliases = self.aliases()?;
        let absorbed: Vec<(i64, i64)> = if (aliases.len() as u64) < members.len() {
            aliases
                .iter()
                .filter(|(absorbed, _)| members.contains(**absorbed))
                .map(|(a, s)| (*a, *s))
                .collect()
        } else {
            members.iter().filter_map(|member| Some((member, *aliases.get(&member)?))).collect()
        };
        for (absorbed, survivor) in absorbed {
            members.remove(absorbed);
            members.insert(survivor);
        }
        Ok(())
    }

    fn aliases(&self) -> Result<&HashMap<i64, i64>, Error> {
        if let Some(aliases) = self.aliases.get() {
            return Ok(aliases);
        }
        let mut aliases = HashMap::new();
        if self.identity == Identity::Journey {
            let args: [DatumWithOid; 1] = [self.project_id.into()];
            self.sql.each(include_str!("../../sql/steps/journey_aliases.sql"), &args, |row| {
                aliases.insert(row.get(1)?, row.get(2)?);
                Ok(())
            })?;
        }
        Ok(self.aliases.get_or_init(|| aliases))
    }
}

/// The slice that an instant is in.
fn slice_of(bounds: &[i64], at: i64) -> Option<usize> {
    let after = bounds.partition_point(|bound| *bound <= at);
    (after > 0 && after < bounds.len()).then(|| after - 1)
}
