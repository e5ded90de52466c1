//! Making and removing metrics. Only journey_stitch_admin may execute these functions.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::arguments::filter_argument;
use crate::analytics::calendar::DAY_MICROS;
use crate::analytics::expression::check_path;
use crate::analytics::path;
use crate::error::Error;
use crate::jsonb::Jsonb;
use crate::rights;

const COLUMNS: [&str; 3] = ["event_type", "event_name", "source"];
const MOST_DIMENSIONS: usize = 8;
const DIMENSIONS_TAKES: &str = "an array of up to 8 of 'event_type', 'event_name', 'source' and JSON paths such as '$.country', of different names";

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // one for each thing that is said of a metric
fn create_metric(
    name: Option<&str>,
    event_type: Option<&str>,
    value: default!(Option<&str>, "NULL"),
    dimensions: default!(Option<Vec<Option<String>>>, "'{}'"),
    project: default!(Option<&str>, "'default'"),
    filter: default!(Option<Jsonb>, "NULL"),
    keep_minutes: default!(Option<Interval>, "'24 hours'"),
    keep_5_minutes: default!(Option<Interval>, "'7 days'"),
    keep_hours: default!(Option<Interval>, "'90 days'"),
    keep_days: default!(Option<Interval>, "'5 years'"),
) -> Result<TableIterator<'static, (name!(windows, i64), name!(events, i64))>, ErrorReport> {
    let name = name_argument(name)?;
    event_type_argument(event_type)?;
    let filter = filter_argument(filter)?;
    let keep = [
        keep_argument("keep_minutes", keep_minutes)?,
        keep_argument("keep_5_minutes", keep_5_minutes)?,
        keep_argument("keep_hours", keep_hours)?,
        keep_argument("keep_days", keep_days)?,
    ];
    let dimensions = Dimensions::of(dimensions)?;
    let row = rights::administering(c"create_metric()", project, |sql, project_id, _| {
        if let Some(value) = value {
            check_path(sql, "value", "a JSON path such as '$.amount', or NULL", value)?;
        }
        for path in dimensions.paths.iter().flatten() {
            check_path(sql, "dimensions", DIMENSIONS_TAKES, path)?;
        }
        let Dimensions { given, names, paths } = dimensions;
        let [minutes, five_minutes, hours, days] = keep;
        let args: [DatumWithOid; 12] = [
            project_id.into(),
            name.into(),
            event_type.into(),
            value.into(),
            given.into(),
            names.into(),
            paths.into(),
            filter.into(),
            minutes.into(),
            five_minutes.into(),
            hours.into(),
            days.into(),
        ];
        let made = sql.run(include_str!("../../sql/steps/metrics_create.sql"), &args)?.one::<i32>()?;
        let metric_id = made.ok_or_else(|| Error::MetricExists(name.to_owned()))?;
        super::backfill(sql, project_id, metric_id)
    })?;
    Ok(TableIterator::once(row))
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_metric(name: Option<&str>, project: default!(Option<&str>, "'default'")) -> Result<(), ErrorReport> {
    let name = name_argument(name)?;
    rights::administering(c"drop_metric()", project, |sql, project_id, _| {
        let find = "SELECT id FROM journey_stitch.metric_definitions WHERE project_id = $1 AND name = $2";
        let args: [DatumWithOid; 2] = [project_id.into(), name.into()];
        let found = sql.run(find, &args)?.one::<i32>()?;
        let metric_id = found.ok_or_else(|| Error::UnknownMetric(name.to_owned()))?;
        sql.run(include_str!("../../sql/steps/metrics_drop.sql"), &[metric_id.into()]).map(drop)
    })?;
    Ok(())
}

pub(super) fn name_argument(name: Option<&str>) -> Result<&str, Error> {
    name.filter(|name| (1..=200).contains(&name.len())).ok_or_else(|| Error::InvalidArgument {
        argument: "name",
        problem: name.map_or("it is NULL".to_owned(), |name| format!("it has {} bytes", name.len())),
        takes: "a name of 1 to 200 bytes",
    })
}

fn event_type_argument(event_type: Option<&str>) -> Result<(), Error> {
    if event_type != Some("") {
        return Ok(());
    }
    Err(Error::InvalidArgument {
        argument: "event_type",
        problem: "it is empty".to_owned(),
        takes: "an event type, or NULL for any",
    })
}

fn keep_argument(argument: &'static str, keep: Option<Interval>) -> Result<Interval, Error> {
    const MOST_MICROS: i128 = 900 * 365 * DAY_MICROS as i128;
    // Months have 30 days there. Infinity is more than anything.
    let is_fine = |keep: &Interval| (1..=MOST_MICROS).contains(&keep.as_micros());
    keep.filter(is_fine).ok_or_else(|| Error::InvalidArgument {
        argument,
        problem: if keep.is_none() { "it is NULL".to_owned() } else { "it is out of range".to_owned() },
        takes: "an interval of more than 0 and at most 900 years",
    })
}

/// What windows are told apart by: a column, or a path into properties.
struct Dimensions {
    given: Vec<String>,
    names: Vec<String>,
    /// `None`: a column.
    paths: Vec<Option<String>>,
}

impl Dimensions {
    fn of(given: Option<Vec<Option<String>>>) -> Result<Self, Error> {
        let invalid = |problem: String| Error::InvalidArgument {
            argument: "dimensions",
            problem,
            takes: DIMENSIONS_TAKES,
        };
        let given = given.ok_or_else(|| invalid("it is NULL".to_owned()))?;
        if given.len() > MOST_DIMENSIONS {
            return Err(invalid(format!("there are {} of them", given.len())));
        }
        let mut dimensions = Dimensions { given: Vec::new(), names: Vec::new(), paths: Vec::new() };
        for dimension in given {
            let dimension = dimension.ok_or_else(|| invalid("one of them is NULL".to_owned()))?;
            let is_path = path::is_path(&dimension);
            if !is_path && !COLUMNS.contains(&dimension.as_str()) {
                return Err(invalid(format!("there is no dimension \"{dimension}\"")));
            }
            let name = if is_path { path::name(&dimension) } else { &dimension };
            if dimensions.names.iter().any(|other| other == name) {
                return Err(invalid(format!("two of them are called \"{name}\"")));
            }
            dimensions.names.push(name.to_owned());
            dimensions.paths.push(is_path.then(|| dimension.clone()));
            dimensions.given.push(dimension);
        }
        Ok(dimensions)
    }
}
