//! Who did what to journeys and to the rules that make them.

use pgrx::datum::DatumWithOid;

use crate::error::Error;
use crate::sql::Sql;

/// Writes it down; answers the entry's id.
pub fn record(
    sql: &Sql,
    project_id: i32,
    action: &str,
    arguments: &serde_json::Value,
    made_by: &str,
) -> Result<i64, Error> {
    let args: [DatumWithOid; 4] =
        [project_id.into(), action.into(), arguments.to_string().into(), made_by.into()];
    let statement = "INSERT INTO journey_stitch.identity_log (project_id, action, arguments, made_by)
                     VALUES ($1, $2, $3::jsonb, $4::text::name) RETURNING id";
    sql.run(statement, &args)?.one()?.ok_or(Error::Missing("id of a log entry"))
}
