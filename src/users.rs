//! Users: every distinct user_id that an event was sent with, and its number in the rollups' sets.

use std::collections::HashMap;

use pgrx::datum::DatumWithOid;

use crate::error::Error;
use crate::sequence::Sequence;
use crate::sql::Sql;
use crate::stitch::batch;

/// The number of each user; users that are new are made.
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
        sql.run(include_str!("../sql/steps/users_insert.sql"), &args)?;
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
    for row in sql.run(include_str!("../sql/steps/users_find.sql"), &args)? {
        users.insert(names[batch::ordinal(&row)?], Some(row.get(2)?));
    }
    Ok(users)
}
