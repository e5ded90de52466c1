//! Reading a metric: from the windows that are kept, from the events where none is, and from events that are
//! pending; in two statements on one snapshot.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use super::READ;
use super::cover::cover;
use super::define::name_argument;
use crate::analytics::arguments::{Common, UNIX_TO_POSTGRES_DAYS, choice};
use crate::analytics::calendar::DAY_MICROS;
use crate::answer::{Answer, Arguments, set_returning};
use crate::error::Error;
use crate::instant::{from_unix_micros, to_unix_micros};
use crate::jsonb::Jsonb;
use crate::rights;
use crate::sql::Sql;

const MOST_WINDOWS: i64 = 100_000;
/// 0001-01-01 and 10000-01-01, in microseconds since the Unix epoch: the years that events are accepted from.
const FIRST_INSTANT: i64 = -719_162 * DAY_MICROS;
const LAST_INSTANT: i64 = 2_932_897 * DAY_MICROS;

/// How long a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Granularity {
    Minute,
    FiveMinutes,
    Hour,
    Day,
}

impl Granularity {
    /// As metric_windows.granularity has it.
    fn code(self) -> &'static str {
        match self {
            Granularity::Minute => "m",
            Granularity::FiveMinutes => "5",
            Granularity::Hour => "h",
            Granularity::Day => "d",
        }
    }

    /// The length of a window, of a UTC day for days, in microseconds.
    fn micros(self) -> i64 {
        match self {
            Granularity::Minute => 60_000_000,
            Granularity::FiveMinutes => 300_000_000,
            Granularity::Hour => 3_600_000_000,
            Granularity::Day => DAY_MICROS,
        }
    }
}

set_returning!(metric, pg_finfo_metric, windows);
fn windows(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with arguments of types text, text, timestamptz, timestamptz, jsonb, text and text.
    let (name, granularity, start, end, dimensions, project, tz) = unsafe {
        (
            arguments.get::<&str>(0),
            arguments.get::<&str>(1),
            arguments.get::<TimestampWithTimeZone>(2),
            arguments.get::<TimestampWithTimeZone>(3),
            arguments.get::<Jsonb>(4),
            arguments.get::<&str>(5),
            arguments.get::<&str>(6),
        )
    };
    let name = name_argument(name)?;
    let granularity = granularity_argument(granularity)?;
    let (start, end) = (instant_argument("start", start)?, instant_argument("end", end)?);
    check_range(granularity, start, end)?;
    let common = Common::check(tz, Some("user"), None)?;
    rights::reading(project, |sql, project_id| {
        let bounds = bounds(sql, &common, granularity, start, end)?;
        // Of days that are not UTC's, the hours are added up.
        let is_torn = granularity == Granularity::Day && bounds.iter().any(|bound| bound % DAY_MICROS != 0);
        let unit = if is_torn { Granularity::Hour } else { granularity };
        let (metric_id, kept_from) = find(sql, project_id, name, unit, dimensions)?;
        if bounds.len() < 2 {
            return Ok(());
        }
        let (rows, events) = cover(&bounds, unit.micros(), kept_from);
        let pending = include_str!("../../sql/steps/tail_rows.sql");
        let is_plain = dimensions.is_none() && !is_torn && events.is_empty();
        if is_plain && sql.prepared(pending, &[project_id.into()])?.len() == 0 {
            let starts = instants(bounds[..bounds.len() - 1].to_vec())?;
            let args: [DatumWithOid; 3] = [metric_id.into(), unit.code().into(), starts.into()];
            return answer.add(sql.prepared(include_str!("../../sql/steps/metrics_kept.sql"), &args)?);
        }
        let (row_starts, row_ends) = columns(rows)?;
        let (event_starts, event_ends) = columns(events)?;
        let args: [DatumWithOid; 9] = [
            project_id.into(),
            metric_id.into(),
            event_starts.into(),
            event_ends.into(),
            row_starts.into(),
            row_ends.into(),
            instants(bounds)?.into(),
            unit.code().into(),
            dimensions.into(),
        ];
        answer.add(sql.prepared(READ, &args)?)
    })
}

/// The metric, and from when on its windows are kept. Also refuses dimensions that it has not.
fn find(
    sql: &Sql,
    project_id: i32,
    name: &str,
    unit: Granularity,
    dimensions: Option<Jsonb>,
) -> Result<(i32, i64), Error> {
    let args: [DatumWithOid; 3] = [project_id.into(), name.into(), unit.code().into()];
    let mut rows = sql.prepared(include_str!("../../sql/steps/metrics_find.sql"), &args)?;
    let row = rows.next().ok_or_else(|| Error::UnknownMetric(name.to_owned()))?;
    let names = row.get::<Vec<String>>(2)?;
    let invalid = |problem: String| Error::InvalidArgument {
        argument: "dimensions",
        problem,
        takes: "an object of names and values of the metric's dimensions, such as '{\"country\": \"DE\"}', or NULL",
    };
    if let Some(dimensions) = dimensions {
        let object = dimensions.root().container().filter(|root| root.is_object());
        let object = object.ok_or_else(|| invalid("it is not a JSON object".to_owned()))?;
        for (wanted, _) in object.member_nodes() {
            if !names.iter().any(|name| name == wanted) {
                return Err(invalid(format!("the metric has no dimension \"{wanted}\"")));
            }
        }
    }
    Ok((row.get(1)?, to_unix_micros(row.get(3)?)))
}

/// Where the windows begin, and where the last one ends.
fn bounds(
    sql: &Sql,
    common: &Common<'_>,
    granularity: Granularity,
    start: i64,
    end: i64,
) -> Result<Vec<i64>, Error> {
    let mut bounds = if granularity == Granularity::Day {
        // A zone's day begins less than two days from the UTC day of its date.
        let day = |t: i64| t.div_euclid(DAY_MICROS) - UNIX_TO_POSTGRES_DAYS;
        let dates: Vec<i32> = (day(start) - 2..=day(end) + 2).map(|day| day as i32).collect();
        common.starts(sql, &dates)?
    } else {
        let unit = granularity.micros();
        let first = start + (-start).rem_euclid(unit);
        (0..).map(|n| first + n * unit).take_while(|bound| *bound < end + unit).collect()
    };
    // A day that a zone has skipped has no length.
    bounds.dedup();
    let from = bounds.partition_point(|bound| *bound < start);
    let until = bounds.partition_point(|bound| *bound < end);
    if from >= until {
        return Ok(Vec::new());
    }
    bounds.truncate(until + 1);
    Ok(bounds.split_off(from))
}

fn granularity_argument(granularity: Option<&str>) -> Result<Granularity, Error> {
    let granularities = [
        ("1 minute", Granularity::Minute),
        ("5 minutes", Granularity::FiveMinutes),
        ("1 hour", Granularity::Hour),
        ("1 day", Granularity::Day),
    ];
    choice("granularity", granularity, &granularities, "'1 minute', '5 minutes', '1 hour' or '1 day'")
}

fn instant_argument(argument: &'static str, instant: Option<TimestampWithTimeZone>) -> Result<i64, Error> {
    let invalid = |problem: &str| Error::InvalidArgument {
        argument,
        problem: problem.to_owned(),
        takes: "a time in the years 1 to 9999",
    };
    let micros = instant.map(to_unix_micros).ok_or_else(|| invalid("it is NULL"))?;
    if (FIRST_INSTANT..=LAST_INSTANT).contains(&micros) {
        Ok(micros)
    } else {
        Err(invalid("it is out of range"))
    }
}

fn check_range(granularity: Granularity, start: i64, end: i64) -> Result<(), Error> {
    let invalid = |problem: String, takes| Error::InvalidArgument { argument: "end", problem, takes };
    if end < start {
        return Err(invalid("it is before start".to_owned(), "a time that is not before start"));
    }
    if (end - start) / granularity.micros() > MOST_WINDOWS {
        return Err(invalid(
            "there are too many windows".to_owned(),
            "a time at most 100000 windows after start",
        ));
    }
    Ok(())
}

type Instants = Vec<TimestampWithTimeZone>;

fn instants(micros: Vec<i64>) -> Result<Instants, Error> {
    micros.into_iter().map(from_unix_micros).collect()
}

fn columns(spans: super::cover::Spans) -> Result<(Instants, Instants), Error> {
    let (starts, ends) = spans.into_iter().unzip();
    Ok((instants(starts)?, instants(ends)?))
}
