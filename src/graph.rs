//! The graph: the only module that knows Apache AGE. Its label tables are written in the stitcher's transaction,
//! new entries in [`bulk`], changes by plain SQL, set by set; Cypher's own CREATE and MERGE are a hundred times slower,
//! and MERGE makes duplicates when two run at once.

mod entries;
pub mod properties;

use std::cell::RefCell;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use self::entries::{Edges, Label, Properties};
use crate::catalog::{self, relation};
use crate::error::Error;
use crate::sequence::Blocks;
use crate::sql::{self, Row, Sql};
use crate::stitch::batch::QueuedEvent;

/// An AGE graphid is a label's number in the upper 16 bits and an entry id in the lower 48.
const ENTRY_ID_BITS: u32 = 48;

/// Declared in 40_graph.sql, because its argument is AGE's type.
#[pg_extern(immutable, parallel_safe, sql = false)]
fn graph_entry_id(graphid: i64) -> i64 {
    graphid & ((1 << ENTRY_ID_BITS) - 1)
}

thread_local! {
    /// The labels' numbers that were found, and with which state of the catalog.
    static NUMBERS: RefCell<(u64, Vec<(String, i32)>)> = const { RefCell::new((0, Vec::new())) };
}

/// Declared in 40_graph.sql, too. The label's number is looked up once for as long as the catalog stays as it is.
#[pg_extern(stable, parallel_safe, sql = false)]
fn vertex_id(label: &str, entry: i64) -> Result<Option<i64>, ErrorReport> {
    let changes = catalog::changes();
    let known = NUMBERS.with_borrow_mut(|(at, numbers)| {
        if *at != changes {
            (*at, *numbers) = (changes, Vec::new());
        }
        numbers.iter().find(|(of, _)| of == label).map(|(_, number)| *number)
    });
    let number = match known {
        Some(number) => Some(number),
        None => {
            let number: Option<i32> = sql::reading(|sql| {
                sql.prepared("SELECT journey_stitch.graph_label_id($1)", &[label.into()])?.one()
            })?;
            NUMBERS.with_borrow_mut(|(_, numbers)| {
                numbers.extend(number.map(|number| (label.to_owned(), number)));
            });
            number
        }
    };
    Ok(number.map(|number| i64::from(number) << ENTRY_ID_BITS | entry))
}

/// Whether the graph's tables are there, from the catalog caches: no stitched event without them. Somebody
/// else's do not count, because statements on them could run that role's triggers with our rights; a
/// superuser's do, which a restored dump may have brought.
pub fn exists() -> bool {
    let labels = [c"Event", c"Correlation", c"Journey", c"HAS_KEY", c"PART_OF"];
    let Some(owner) = catalog::owner_of_any_version() else { return false };
    // SAFETY: asks the catalog cache.
    let is_trusted = |role| role == owner || unsafe { pg_sys::superuser_arg(role) };
    let tables =
        labels.iter().map(|label| relation(c"journey_graph", label).and_then(catalog::relation_owner));
    [catalog::schema_owner(c"journey_graph")]
        .into_iter()
        .chain(tables)
        .all(|owner| owner.is_some_and(is_trusted))
}

/// The same, for functions in SQL.
#[pg_extern(stable, parallel_safe)]
fn has_graph() -> bool {
    exists()
}

/// The labels of the graph.
pub struct Graph {
    event: Label,
    correlation: Label,
    journey: Label,
    has_key: Label,
    part_of: Label,
    has_key_ids: Blocks,
    part_of_ids: Blocks,
}

impl Graph {
    /// The graph; it is made where it is missing, and emptied where it is left over from an extension
    /// that was dropped.
    pub fn open(sql: &Sql) -> Result<Self, Error> {
        let has_journeys = "SELECT EXISTS (SELECT FROM journey_stitch.journeys)";
        let is_left_over = "SELECT EXISTS (SELECT FROM journey_graph.\"Journey\")
                                OR EXISTS (SELECT FROM journey_graph.\"Event\")";
        let is_there = exists();
        if sql.prepared(has_journeys, &[])?.one()? == Some(true) {
            if !is_there {
                return Err(Error::NoGraph);
            }
        } else if !is_there || sql.run(is_left_over, &[])?.one()? == Some(true) {
            // It locks a table until the transaction ends, so only where there is something to do.
            sql.run("SELECT journey_stitch.ensure_graph()", &[])?;
        }
        let mut rows = sql.prepared(include_str!("../sql/steps/graph_labels.sql"), &[])?;
        let row = rows.next().ok_or(Error::Missing("labels of journey_graph"))?;
        let label = |column, name| {
            let number = row.nullable(column)?.ok_or(Error::NoGraph)?;
            let table = relation(c"journey_graph", name).ok_or(Error::NoGraph)?;
            Ok::<_, Error>(Label { number, table })
        };
        let blocks = |column, name| {
            let sequence = relation(c"journey_graph", name).ok_or(Error::NoGraph)?;
            Ok::<_, Error>(Blocks::of(sequence, row.nullable(column)?.ok_or(Error::NoGraph)?))
        };
        let graph = Graph {
            event: label(1, c"Event")?,
            correlation: label(2, c"Correlation")?,
            journey: label(3, c"Journey")?,
            has_key: label(4, c"HAS_KEY")?,
            part_of: label(5, c"PART_OF")?,
            has_key_ids: blocks(6, c"HAS_KEY_id_seq")?,
            part_of_ids: blocks(7, c"PART_OF_id_seq")?,
        };
        entries::check_format(sql)?;
        Ok(graph)
    }

    /// The number of the label Event.
    pub fn event(&self) -> i32 {
        self.event.number
    }

    /// The number of the label Journey.
    pub fn journey(&self) -> i32 {
        self.journey.number
    }

    /// Vertices for events.
    pub fn add_events(&self, events: &[QueuedEvent]) -> Result<(), Error> {
        let mut properties = Properties::default();
        let mut ts = Vec::new();
        self.event.insert_vertices(events.iter().map(|event| {
            properties::write_time(event.occurred_at, &mut ts);
            let ts = std::str::from_utf8(&ts).unwrap_or_default();
            (event.id, properties.map(&[("id", &event.event_id), ("ts", ts), ("type", &event.event_type)]))
        }))
    }

    /// Vertices for new journeys.
    pub fn add_journeys(&self, sql: &Sql, ids: Vec<i64>) -> Result<(), Error> {
        let args: [DatumWithOid; 2] = [self.journey.number.into(), ids.into()];
        sql.prepared(include_str!("../sql/steps/graph_journeys.sql"), &args).map(drop)
    }

    /// Vertices for new keys: id, kind and value.
    pub fn add_keys<'a>(&self, keys: impl Iterator<Item = (i64, &'a str, &'a str)>) -> Result<(), Error> {
        let mut properties = Properties::default();
        self.correlation.insert_vertices(
            keys.map(|(id, kind, value)| (id, properties.map(&[("kind", kind), ("value", value)]))),
        )
    }

    /// Edges from keys to their journeys.
    pub fn add_part_of(&self, keys: &[i64], journeys: &[i64]) -> Result<(), Error> {
        let (label, ids) = (&self.part_of, &self.part_of_ids);
        Edges { label, ids, from: &self.correlation, to: &self.journey }.insert(keys, journeys)
    }

    /// Edges from events to their keys.
    pub fn add_has_key(&self, events: &[i64], keys: &[i64]) -> Result<(), Error> {
        let (label, ids) = (&self.has_key, &self.has_key_ids);
        Edges { label, ids, from: &self.event, to: &self.correlation }.insert(events, keys)
    }

    /// Makes the vertices of events say again what the events say.
    pub fn rewrite_events(&self, sql: &Sql, ids: Vec<i64>) -> Result<(), Error> {
        change(sql, include_str!("../sql/steps/graph_rewrite_events.sql"), self.event.number, ids)
    }

    /// Takes journeys' vertices out; their edges are gone or moved.
    pub fn remove_journeys(&self, sql: &Sql, ids: Vec<i64>) -> Result<(), Error> {
        change(sql, include_str!("../sql/steps/graph_remove_journeys.sql"), self.journey.number, ids)
    }

    /// Takes keys' vertices out; their edges are gone.
    pub fn remove_keys(&self, sql: &Sql, ids: Vec<i64>) -> Result<(), Error> {
        change(sql, include_str!("../sql/steps/graph_remove_keys.sql"), self.correlation.number, ids)
    }

    /// Takes events' vertices out; their edges are gone.
    pub fn remove_events(&self, sql: &Sql, ids: Vec<i64>) -> Result<(), Error> {
        change(sql, include_str!("../sql/steps/graph_remove_events.sql"), self.event.number, ids)
    }

    /// Takes the edges from keys to their journeys out.
    pub fn remove_part_of(&self, sql: &Sql, keys: Vec<i64>) -> Result<(), Error> {
        change(sql, include_str!("../sql/steps/graph_remove_part_of.sql"), self.correlation.number, keys)
    }

    /// Takes edges from events to keys out.
    pub fn remove_has_key(&self, sql: &Sql, events: Vec<i64>, keys: Vec<i64>) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let args: [DatumWithOid; 4] =
            [self.event.number.into(), self.correlation.number.into(), events.into(), keys.into()];
        sql.prepared(include_str!("../sql/steps/graph_remove_has_key.sql"), &args).map(drop)
    }

    /// Hands `visit` each event of journeys that are to be absorbed: journey, time, type. Before
    /// [`Self::move_keys`]. Answers how many there are.
    pub fn each_event_of(
        &self,
        sql: &Sql,
        absorbed: &[i64],
        mut visit: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<i64, Error> {
        let args: [DatumWithOid; 2] = [self.journey.number.into(), absorbed.into()];
        let rows = sql.prepared(include_str!("../sql/steps/merge_activity.sql"), &args)?;
        let count = rows.len() as i64;
        for row in rows {
            pgrx::check_for_interrupts!();
            visit(&row)?;
        }
        Ok(count)
    }

    /// Makes edges of the keys that were refused to events of what is one journey once these are absorbed.
    /// Before [`Self::move_keys`].
    pub fn settle_conflicts(&self, sql: &Sql, absorbed: &[i64], survivors: &[i64]) -> Result<(), Error> {
        let args: [DatumWithOid; 3] = [self.journey.number.into(), absorbed.into(), survivors.into()];
        let statement = include_str!("../sql/steps/merge_conflicts.sql");
        let rows = sql::for_joins(|| sql.prepared(statement, &args))?;
        let pairs =
            rows.map(|row| Ok((row.get(1)?, row.get(2)?))).collect::<Result<Vec<(i64, i64)>, Error>>()?;
        if pairs.is_empty() {
            return Ok(());
        }
        let (events, keys): (Vec<i64>, Vec<i64>) = pairs.into_iter().unzip();
        self.add_has_key(&events, &keys)
    }

    /// Moves the keys of absorbed journeys to their survivors, in the table and in the graph. Answers how
    /// many there are.
    pub fn move_keys(&self, sql: &Sql, absorbed: &[i64], survivors: &[i64]) -> Result<i64, Error> {
        let args: [DatumWithOid; 3] = [self.journey.number.into(), absorbed.into(), survivors.into()];
        let moved = sql.prepared(include_str!("../sql/steps/merge_keys.sql"), &args)?.one()?;
        Ok(moved.unwrap_or(0))
    }
}

/// Hands `visit` the event and the key of every edge from events to their keys, in no order, and the numbers of the labels
/// of both.
pub fn each_has_key(sql: &Sql, mut visit: impl FnMut(i64, i64, (i64, i64))) -> Result<(), Error> {
    sql.each("SELECT h.start_id, h.end_id FROM journey_graph.\"HAS_KEY\" h", &[], |row| {
        let (event, key) = (row.bits(1), row.bits(2));
        visit(graph_entry_id(event), graph_entry_id(key), (event >> ENTRY_ID_BITS, key >> ENTRY_ID_BITS));
        Ok(())
    })
}

/// Runs a statement on entries of a label, if there are any.
fn change(sql: &Sql, statement: &'static str, label: i32, ids: Vec<i64>) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let args: [DatumWithOid; 2] = [label.into(), ids.into()];
    sql.prepared(statement, &args).map(drop)
}
