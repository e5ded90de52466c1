//! What events are broken down by: a column, or a path into their properties.

use pgrx::datum::DatumWithOid;

use super::path;
use crate::error::Error;
use crate::sql::Sql;

/// Columns that a breakdown may name.
const COLUMNS: [&str; 4] = ["event_type", "event_name", "source", "user_agent"];

const TAKES: &str =
    "'event_type', 'event_name', 'source', 'user_agent', or a JSON path into properties such as '$.plan'";

pub enum Expression {
    Column(String),
    /// A JSON path.
    Path(String),
}

impl Expression {
    /// What an argument names.
    pub fn check(sql: &Sql, argument: &'static str, given: Option<&str>) -> Result<Self, Error> {
        let invalid = |problem: String| Error::InvalidArgument { argument, problem, takes: TAKES };
        let given = given.ok_or_else(|| invalid("it is NULL".to_owned()))?;
        if COLUMNS.contains(&given) {
            return Ok(Expression::Column(given.to_owned()));
        }
        if !path::is_path(given) {
            return Err(invalid(format!("events have no \"{given}\" to be broken down by")));
        }
        check_path(sql, argument, TAKES, given)?;
        Ok(Expression::Path(given.to_owned()))
    }

    /// The two parameters of a statement: the column and the path.
    pub fn columns(expression: Option<&Self>) -> [DatumWithOid<'_>; 2] {
        match expression {
            None => [None::<&str>.into(), None::<&str>.into()],
            Some(Expression::Column(column)) => [column.as_str().into(), None::<&str>.into()],
            Some(Expression::Path(path)) => [None::<&str>.into(), path.as_str().into()],
        }
    }
}

/// Refuses what is no JSON path, and paths that could raise an error where events are looked at.
pub fn check_path(sql: &Sql, argument: &'static str, takes: &'static str, given: &str) -> Result<(), Error> {
    let invalid = |problem: String| Error::InvalidArgument { argument, problem, takes };
    if !path::is_path(given) {
        return Err(invalid(format!("\"{given}\" does not begin with $")));
    }
    let why = "SELECT message FROM pg_input_error_info($1, 'jsonpath')";
    if let Some(why) = sql.run(why, &[given.into()])?.one::<String>()? {
        return Err(invalid(format!("\"{given}\" is no JSON path: {why}")));
    }
    let written = sql.run("SELECT $1::jsonpath::text", &[given.into()])?.one::<String>()?;
    match written.as_deref().and_then(path::problem) {
        Some(problem) => Err(invalid(format!("\"{given}\" is refused: {problem}"))),
        None => Ok(()),
    }
}
