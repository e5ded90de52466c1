//! `funnel` and `funnel_by`: how many get through a row of steps.

use std::collections::{HashMap, HashSet};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::{
    Common, Range, choice, count_argument, duration_argument, filter_argument,
};
use crate::analytics::expression::Expression;
use crate::analytics::functions::breakdown::top;
use crate::analytics::functions::{percent, whole};
use crate::analytics::funnel::{Action, Funnel, MOST_STEPS, Ordering, Tally};
use crate::analytics::reader::{Reader, Types, Values};
use crate::error::Error;
use crate::event::Json;
use crate::jsonb::{Binary, Jsonb, Node};
use crate::rights;
use crate::sql::Sql;

/// A step, as the argument says it.
struct Step {
    name: String,
    /// Any of these.
    event_types: Vec<String>,
    filter: Option<Jsonb>,
}

fn invalid_steps(problem: impl Into<String>) -> Error {
    Error::InvalidArgument {
        argument: "steps",
        problem: problem.into(),
        takes: "an array of 1 to 32 steps: event types, or objects with \"event_type\" (a text, or an array of texts) and, if wanted, \"name\" and \"filter\"",
    }
}

fn steps_argument(steps: Option<Jsonb>) -> Result<Vec<Step>, Error> {
    let root = steps.ok_or_else(|| invalid_steps("they are NULL"))?.root();
    let steps = match root.container() {
        Some(array) if !array.is_object() => array.element_nodes(),
        _ => return Err(invalid_steps("they are not an array")),
    };
    if !(1..=MOST_STEPS).contains(&steps.len()) {
        return Err(invalid_steps(format!("there are {}", steps.len())));
    }
    (1..).zip(&steps).map(|(n, step)| step_of(n, step)).collect()
}

fn step_of(n: usize, step: &Node) -> Result<Step, Error> {
    match step.json() {
        Json::String(text) => {
            Ok(Step { name: text.to_string(), event_types: vec![text.into_owned()], filter: None })
        }
        _ => match step.container() {
            Some(object) if object.is_object() => step_of_object(n, object),
            _ => Err(invalid_steps(format!("step {n} is neither a text nor an object"))),
        },
    }
}

fn step_of_object(n: usize, object: Binary) -> Result<Step, Error> {
    let not_a_type =
        || invalid_steps(format!("the event_type of step {n} is neither a text nor an array of texts"));
    let (mut name, mut event_types, mut filter) = (None, Vec::new(), None);
    for (member, node) in object.member_nodes() {
        match (member, node.json()) {
            ("name", Json::String(text)) => name = Some(text.into_owned()),
            ("event_type", Json::String(text)) => event_types.push(text.into_owned()),
            ("event_type", Json::Array(types)) => {
                for node in types.element_nodes() {
                    match node.json() {
                        Json::String(text) => event_types.push(text.into_owned()),
                        _ => return Err(not_a_type()),
                    }
                }
            }
            ("filter", Json::Object(_)) => filter = filter_argument(Some(node.to_jsonb()))?,
            ("name", _) => return Err(invalid_steps(format!("the name of step {n} is not a text"))),
            ("filter", _) => return Err(invalid_steps(format!("the filter of step {n} is not an object"))),
            ("event_type", _) => return Err(not_a_type()),
            (member, _) => {
                return Err(invalid_steps(format!("step {n} has a member \"{member}\", which is unknown")));
            }
        }
    }
    if event_types.is_empty() {
        return Err(invalid_steps(format!("step {n} has no event_type")));
    }
    Ok(Step { name: name.unwrap_or_else(|| event_types.join(" or ")), event_types, filter })
}

/// An event that matters: whose it is, when, its place in the order of arrival, the steps that it fits, and its value
/// of the breakdown.
type Event = (i64, i64, i64, u32, u32);

/// Everything that is asked.
struct Question<'a> {
    steps: Vec<Step>,
    range: Range,
    window: i64,
    ordering: Ordering,
    common: Common<'a>,
}

impl<'a> Question<'a> {
    fn check(
        steps: Option<Jsonb>,
        range: Range,
        window: Option<Interval>,
        ordering: Option<&str>,
        common: Common<'a>,
    ) -> Result<Self, Error> {
        let orderings = [
            ("ordered", Ordering::Ordered),
            ("strict", Ordering::Strict),
            ("unordered", Ordering::Unordered),
        ];
        Ok(Question {
            steps: steps_argument(steps)?,
            range,
            window: duration_argument("window", window)?,
            ordering: choice("ordering", ordering, &orderings, "'ordered', 'strict' or 'unordered'")?,
            common,
        })
    }

    /// The tally of each value of the breakdown.
    fn tallies(
        &self,
        sql: &Sql,
        project_id: i32,
        breakdown: Option<&Expression>,
    ) -> Result<(HashMap<u32, Tally>, Values), Error> {
        let (from, until) = self.range.span(sql, &self.common)?;
        // Windows that open in the range may close after it.
        let last = until.saturating_add(self.window).min(crate::analytics::arguments::END);
        let funnel =
            Funnel { steps: self.steps.len(), from, until, window: self.window, ordering: self.ordering };
        let reader = Reader::open(sql, project_id, &self.common)?;
        let (events, values) = self.events(&reader, (from, last), breakdown)?;
        let mut tallies: HashMap<u32, Tally> = HashMap::new();
        let (mut actions, mut times) = (Vec::new(), Vec::new());
        for of_member in events.chunk_by(|a, b| a.0 == b.0) {
            pgrx::check_for_interrupts!();
            actions.clear();
            actions.extend(of_member.iter().map(|&(_, at, id, steps, _)| Action { at, id, steps }));
            if let Some(entry) = funnel.entry(&actions) {
                funnel.reached(&actions, &mut times);
                let tally = tallies.entry(of_member[entry].4).or_insert_with(|| Tally::new(self.steps.len()));
                tally.add(&times);
            }
        }
        Ok((tallies, values))
    }

    /// The events that matter, member by member, in order of time, then of arrival.
    fn events(
        &self,
        reader: &Reader<'_>,
        span: (i64, i64),
        breakdown: Option<&Expression>,
    ) -> Result<(Vec<Event>, Values), Error> {
        let mut types = Types::default();
        // By number of event type, the steps that it fits as far as types go.
        let mut fits: Vec<u32> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (n, step) in self.steps.iter().enumerate() {
            for name in &step.event_types {
                let number = types.number(name) as usize;
                if number == fits.len() {
                    fits.push(0);
                    names.push(name);
                }
                fits[number] |= 1 << n;
            }
        }
        let mut filters: Vec<(u32, HashSet<i64>)> = Vec::new();
        for (n, step) in self.steps.iter().enumerate() {
            if let Some(filter) = step.filter {
                let of_types: Vec<&str> = step.event_types.iter().map(String::as_str).collect();
                filters.push((1 << n, reader.matching(span, &of_types, filter)?));
            }
        }
        // Between the steps of a strict funnel there must be nothing at all.
        let of_types = (self.ordering != Ordering::Strict).then_some(names.as_slice());
        let mut events = Vec::new();
        let values = reader.each(span, of_types, breakdown, &mut types, |event| {
            if let Some(member) = event.member {
                let mut steps = fits.get(event.event_type as usize).copied().unwrap_or(0);
                for (step, matching) in &filters {
                    if steps & step != 0 && !matching.contains(&event.id) {
                        steps &= !step;
                    }
                }
                events.push((member, event.at, event.id, steps, event.value));
            }
        })?;
        events.sort_unstable();
        Ok((events, values))
    }

    fn rows(&self, tally: Tally) -> Result<Vec<Row>, Error> {
        let tallied = tally.rows();
        let entered = tallied.first().map_or(0, |row| row.users);
        let before = std::iter::once(entered).chain(tallied.iter().map(|row| row.users));
        let rows =
            (1..).zip(&self.steps).zip(&tallied).zip(before).map(|(((step_no, step), row), before)| {
                Ok(Row {
                    step_no,
                    step: step.name.clone(),
                    users: whole(row.users),
                    from_start: percent(row.users, entered)?,
                    from_previous: percent(row.users, before)?,
                    median: row
                        .median_micros
                        .map(|micros| Interval::new(0, 0, micros))
                        .transpose()
                        .map_err(|_| Error::Missing("interval of a median"))?,
                })
            });
        rows.collect()
    }
}

/// A step, as it is shown.
struct Row {
    step_no: i32,
    step: String,
    users: i64,
    from_start: Option<AnyNumeric>,
    from_previous: Option<AnyNumeric>,
    median: Option<Interval>,
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)] // the shape is what pgrx reads the declaration from
fn funnel(
    steps: Option<Jsonb>,
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    window: default!(Option<Interval>, "'14 days'"),
    ordering: default!(Option<&str>, "'ordered'"),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(step_no, i32),
            name!(step, String),
            name!(users, i64),
            name!(conversion_from_start, Option<AnyNumeric>),
            name!(conversion_from_previous, Option<AnyNumeric>),
            name!(median_time, Option<Interval>),
        ),
    >,
    ErrorReport,
> {
    let range = Range::check(start_date, end_date)?;
    let question = Question::check(steps, range, window, ordering, Common::check(tz, identity, filter)?)?;
    let rows = rights::reading(project, |sql, project_id| {
        let (mut tallies, _) = question.tallies(sql, project_id, None)?;
        question.rows(tallies.remove(&0).unwrap_or_else(|| Tally::new(question.steps.len())))
    })?;
    let rows = rows
        .into_iter()
        .map(|row| (row.step_no, row.step, row.users, row.from_start, row.from_previous, row.median));
    Ok(TableIterator::new(rows))
}

#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)] // the shape is what pgrx reads the declaration from
fn funnel_by(
    breakdown: Option<&str>,
    steps: Option<Jsonb>,
    start_date: default!(Option<Date>, "CURRENT_DATE OPERATOR(pg_catalog.-) 29"),
    end_date: default!(Option<Date>, "current_date"),
    window: default!(Option<Interval>, "'14 days'"),
    ordering: default!(Option<&str>, "'ordered'"),
    max_values: default!(Option<i32>, 10),
    project: default!(Option<&str>, "'default'"),
    tz: default!(Option<&str>, "'UTC'"),
    identity: default!(Option<&str>, "'user'"),
    filter: default!(Option<Jsonb>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(value, Option<String>),
            name!(step_no, i32),
            name!(step, String),
            name!(users, i64),
            name!(conversion_from_start, Option<AnyNumeric>),
            name!(conversion_from_previous, Option<AnyNumeric>),
            name!(median_time, Option<Interval>),
        ),
    >,
    ErrorReport,
> {
    let range = Range::check(start_date, end_date)?;
    let question = Question::check(steps, range, window, ordering, Common::check(tz, identity, filter)?)?;
    let max_values = count_argument("max_values", max_values, 10_000, "a number of values from 1 to 10000")?;
    let rows = rights::reading(project, |sql, project_id| {
        let breakdown = Expression::check(sql, "breakdown", breakdown)?;
        let (mut tallies, values) = question.tallies(sql, project_id, Some(&breakdown))?;
        let sizes = tallies.iter().map(|(value, tally)| (*value, tally.entered())).collect();
        let mut rows = Vec::new();
        for value in top(sizes, &values, max_values) {
            let name = &values.names[value as usize];
            let of_value =
                tallies.remove(&value).map_or_else(|| Ok(Vec::new()), |tally| question.rows(tally))?;
            rows.extend(of_value.into_iter().map(|row| (name.clone(), row)));
        }
        Ok::<_, Error>(rows)
    })?;
    let rows = rows.into_iter().map(|(value, row)| {
        (value, row.step_no, row.step, row.users, row.from_start, row.from_previous, row.median)
    });
    Ok(TableIterator::new(rows))
}
