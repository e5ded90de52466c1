//! One error type for all of the extension, each variant with its SQLSTATE, and with a hint that says
//! what to do. `#[pg_extern]` functions return `Result<_, ErrorReport>`: of all the result types pgrx
//! knows, only that one keeps its SQLSTATE.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::members::MembersError;
use crate::analytics::timeline::TimelineError;
use crate::catalog::LIBRARY_VERSION;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("ingest_events takes a JSON object or an array of objects, not {found}")]
    NotEvents { found: &'static str },
    #[error("{argument} must not be NULL")]
    NullArgument { argument: &'static str },
    #[error("invalid {argument}: {problem}")]
    InvalidArgument { argument: &'static str, problem: String, takes: &'static str },
    #[error("project \"{0}\" does not exist")]
    UnknownProject(String),
    #[error("metric \"{0}\" exists already")]
    MetricExists(String),
    #[error("metric \"{0}\" does not exist")]
    UnknownMetric(String),
    #[error("permission denied for project \"{project}\"")]
    ProjectDenied { project: String, privilege: &'static str, role: String },
    #[error("journey_stitch is not installed in this database")]
    NotInstalled,
    #[error(
        "the library of journey_stitch is of version {LIBRARY_VERSION}, this database's objects are of version {0}"
    )]
    OtherVersion(String),
    #[error("the graph journey_graph is gone, or parts of it are")]
    NoGraph,
    #[error("Apache AGE does not store agtype in the form that journey_stitch writes")]
    OtherAgtype,
    #[error("a rollup row cannot be read: {0}")]
    DamagedRollup(#[from] MembersError),
    #[error("a run of the timeline cannot be read: {0}")]
    DamagedTimeline(#[from] TimelineError),
    #[error("{said} contradicts what was said before")]
    Contradiction { said: String, keys: String },
    #[error("{0}")]
    Cancelled(String),
    #[error("no {0} where one must be")]
    Missing(&'static str),
    #[error("SPI failed with code {0}")]
    Spi(i32),
    #[error(transparent)]
    Type(#[from] pgrx::datum::TryFromDatumError),
}

impl Error {
    fn sqlstate(&self) -> PgSqlErrorCode {
        match self {
            Error::NotEvents { .. } | Error::InvalidArgument { .. } | Error::UnknownProject(_) => {
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE
            }
            Error::MetricExists(_) => PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT,
            Error::UnknownMetric(_) => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            Error::ProjectDenied { .. } => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            Error::NotInstalled | Error::OtherVersion(_) | Error::NoGraph => {
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            Error::OtherAgtype => PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            Error::Contradiction { .. } => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Error::NullArgument { .. } => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Error::DamagedRollup(_) | Error::DamagedTimeline(_) => PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            Error::Cancelled(_) => PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
            Error::Missing(_) | Error::Spi(_) | Error::Type(_) => PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::NotEvents { .. } => {
                Some("Pass one event as an object, several as an array, or {\"events\": [...]}.".into())
            }
            Error::InvalidArgument { argument, takes, .. } => Some(format!("{argument} takes {takes}.")),
            Error::UnknownProject(_) => {
                Some("A project is made by its first call of ingest_events(events, project).".into())
            }
            Error::MetricExists(_) => {
                Some("drop_metric() removes it; a metric cannot be changed, only made anew.".into())
            }
            Error::UnknownMetric(_) => Some("The view journey_stitch.metrics shows what metrics there are.".into()),
            Error::ProjectDenied { project, privilege, role } => {
                let name = |text: &str| text.replace('\'', "''");
                Some(format!(
                    "An administrator can allow it: SELECT journey_stitch.grant_project('{}', '{}', '{privilege}');",
                    name(project),
                    name(role)
                ))
            }
            Error::NotInstalled => Some("CREATE EXTENSION journey_stitch CASCADE makes it.".into()),
            Error::OtherVersion(_) => Some(
                "ALTER EXTENSION journey_stitch UPDATE brings them to the library's; a session that is older than the library must connect anew."
                    .into(),
            ),
            Error::NoGraph => Some("SELECT * FROM journey_stitch.rebuild_graph() makes it from the tables.".into()),
            Error::OtherAgtype => Some("This version of Apache AGE needs another version of journey_stitch.".into()),
            Error::Contradiction { keys, .. } => {
                Some(format!("journey_stitch.identity_words has it; journey_stitch.retract({keys}) takes it back."))
            }
            Error::DamagedRollup(_) | Error::DamagedTimeline(_) => {
                Some("verify() names the rollups that do not match the events.".into())
            }
            _ => None,
        }
    }
}

impl From<Error> for ErrorReport {
    fn from(error: Error) -> Self {
        let report = ErrorReport::new(error.sqlstate(), error.to_string(), "journey_stitch");
        match error.hint() {
            Some(hint) => report.set_hint(hint),
            None => report,
        }
    }
}
