//! `user_stats`: running totals, and what follows from them now.

use crate::answer::{Answer, Arguments, set_returning};
use crate::error::Error;
use crate::rights;

macro_rules! stats_of {
    ($users:literal) => {
        concat!(
            include_str!(concat!("../../../sql/steps/user_stats_of_", $users, ".sql")),
            include_str!("../../../sql/steps/user_stats.sql")
        )
    };
}

const OF_ONE: &str = stats_of!("one");
const OF_ALL: &str = stats_of!("all");

set_returning!(user_stats, pg_finfo_user_stats, stats);
fn stats(arguments: &Arguments, answer: &Answer) -> Result<(), Error> {
    // SAFETY: declared with two arguments of type text.
    let (user_id, project) = unsafe { (arguments.get::<&str>(0), arguments.get(1)) };
    rights::reading(project, |sql, project_id| {
        answer.add(match user_id {
            Some(user_id) => sql.prepared(OF_ONE, &[project_id.into(), user_id.into()])?,
            None => sql.prepared(OF_ALL, &[project_id.into()])?,
        })
    })
}
