//! Projects (tenants), their lock, and the partitions that all of them share.

use std::ffi::CString;

use pgrx::spi::SpiClient;

use crate::error::Error;
use crate::sequence::relation;

const PARTITION_EVENTS: i64 = 10_000_000;

/// The project's id.
pub fn find(client: &SpiClient<'_>, name: &str) -> Result<i32, Error> {
    let query = "SELECT id FROM journey_stitch.projects WHERE name = $1";
    first(client.select(query, Some(1), &[name.into()])?)?.ok_or_else(|| Error::UnknownProject(name.to_owned()))
}

/// The project's id; a project that is new is made.
pub fn find_or_create(client: &mut SpiClient<'_>, name: &str) -> Result<i32, Error> {
    match find(client, name) {
        Err(Error::UnknownProject(_)) if (1..=200).contains(&name.len()) => {
            // A concurrent call may make it too: the second waits for the first and finds its row.
            let create = "INSERT INTO journey_stitch.projects (name) VALUES ($1)
                          ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name RETURNING id";
            first(client.update(create, Some(1), &[name.into()])?)?.ok_or(Error::Missing("id of a new project"))
        }
        Err(Error::UnknownProject(_)) => Err(Error::InvalidArgument {
            argument: "project",
            problem: format!("its name has {} bytes", name.len()),
            takes: "a name of 1 to 200 bytes",
        }),
        found => found,
    }
}

/// Locks the project for stitching until the transaction ends, waiting if another has it. Raising the
/// version makes a stale REPEATABLE READ caller fail (40001) where it would write a wrong answer.
pub fn lock(client: &mut SpiClient<'_>, project_id: i32) -> Result<(), Error> {
    let lock = "UPDATE journey_stitch.projects SET version = version + 1 WHERE id = $1";
    client.update(lock, None, &[project_id.into()])?;
    Ok(())
}

/// Locks the project for stitching unless another has it.
pub fn try_lock(client: &mut SpiClient<'_>, project_id: i32) -> Result<bool, Error> {
    let probe = "SELECT id FROM journey_stitch.projects WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED";
    let free = !client.update(probe, Some(1), &[project_id.into()])?.is_empty();
    if free {
        lock(client, project_id)?;
    }
    Ok(free)
}

/// Projects that have events due for stitching, in order of id: whoever locks several takes them in it.
pub fn due(client: &SpiClient<'_>) -> Result<Vec<i32>, Error> {
    let query = "SELECT p.id FROM journey_stitch.projects p
                 WHERE EXISTS (SELECT FROM journey_stitch.pending q
                               WHERE q.project_id = p.id AND q.next_attempt_at <= clock_timestamp())
                 ORDER BY p.id";
    client.select(query, None, &[])?.map(|row| row.get(1)?.ok_or(Error::Missing("id of a project"))).collect()
}

/// Makes sure that an event with this id has a partition to go to. The common case is one look into the
/// catalog cache; setup() and the stitchers make partitions ahead of need.
pub fn ensure_partition(client: &mut SpiClient<'_>, id: i64) -> Result<(), Error> {
    let name = CString::new(format!("events_p{}", id / PARTITION_EVENTS)).unwrap_or_default();
    if relation(c"journey_stitch", &name).is_none() {
        client.update("SELECT journey_stitch.ensure_event_partitions($1)", None, &[id.into()])?;
    }
    Ok(())
}

/// Called while stitching: the next partition is made when this one is half full.
pub fn ensure_partition_ahead(client: &mut SpiClient<'_>, id: i64) -> Result<(), Error> {
    ensure_partition(client, id + PARTITION_EVENTS / 2)
}

fn first(mut rows: pgrx::spi::SpiTupleTable<'_>) -> Result<Option<i32>, Error> {
    match rows.next() {
        Some(row) => Ok(row.get(1)?),
        None => Ok(None),
    }
}
