//! One error type for all of the extension, each variant with its SQLSTATE, and with a hint that says
//! what to do. `#[pg_extern]` functions return `Result<_, ErrorReport>`: of all the result types pgrx
//! knows, only that one keeps its SQLSTATE.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::analytics::members::MembersError;

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
    #[error("a rollup row cannot be read: {0}")]
    DamagedRollup(#[from] MembersError),
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
            Error::NullArgument { .. } => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Error::DamagedRollup(_) => PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
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
            Error::DamagedRollup(_) => {
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
