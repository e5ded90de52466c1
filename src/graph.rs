//! The graph: the only module that knows Apache AGE. Its label tables are written by plain SQL in the
//! stitcher's transaction, set by set; Cypher's own CREATE and MERGE are a hundred times slower, and
//! MERGE makes duplicates when two run at once.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::error::Error;
use crate::sequence::relation;
use crate::sql::Sql;

/// An AGE graphid is a label's number in the upper 16 bits and an entry id in the lower 48.
const ENTRY_ID_BITS: u32 = 48;

/// Declared in 40_graph.sql, because its argument is AGE's type.
#[pg_extern(immutable, parallel_safe, sql = false)]
fn graph_entry_id(graphid: i64) -> i64 {
    graphid & ((1 << ENTRY_ID_BITS) - 1)
}

/// Whether the graph is there, from the catalog cache: no stitched event without it.
pub fn exists() -> bool {
    relation(c"journey_graph", c"PART_OF").is_some()
}

/// Makes the graph where it is missing, or where it is left over from an extension that was dropped.
pub fn ensure(sql: &Sql) -> Result<(), Error> {
    let probe = "SELECT EXISTS (SELECT FROM journey_stitch.journeys)";
    if !exists() || sql.run(probe, &[])?.one::<bool>()? != Some(true) {
        sql.run("SELECT journey_stitch.ensure_graph()", &[])?;
    }
    Ok(())
}

/// Vertices for the events of queue rows.
pub fn add_events(sql: &Sql, queue_rows: &[i64]) -> Result<(), Error> {
    let args: [DatumWithOid; 1] = [queue_rows.to_vec().into()];
    sql.run(include_str!("../sql/steps/graph_events.sql"), &args)?;
    Ok(())
}

/// Vertices for new journeys.
pub fn add_journeys(sql: &Sql, ids: Vec<i64>) -> Result<(), Error> {
    let args: [DatumWithOid; 1] = [ids.into()];
    sql.run(include_str!("../sql/steps/graph_journeys.sql"), &args)?;
    Ok(())
}

/// Vertices for new keys, and the edges to their journeys.
pub fn add_keys(
    sql: &Sql,
    ids: Vec<i64>,
    kinds: Vec<&str>,
    values: Vec<&str>,
    journeys: Vec<i64>,
) -> Result<(), Error> {
    let args: [DatumWithOid; 3] = [ids.clone().into(), kinds.into(), values.into()];
    sql.run(include_str!("../sql/steps/graph_keys.sql"), &args)?;
    let args: [DatumWithOid; 2] = [ids.into(), journeys.into()];
    sql.run(include_str!("../sql/steps/graph_part_of.sql"), &args)?;
    Ok(())
}

/// Edges from events to their keys.
pub fn add_has_key(sql: &Sql, events: Vec<i64>, keys: Vec<i64>) -> Result<(), Error> {
    let args: [DatumWithOid; 2] = [events.into(), keys.into()];
    sql.run(include_str!("../sql/steps/graph_has_key.sql"), &args)?;
    Ok(())
}
