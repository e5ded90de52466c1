//! journey_stitch: stitches events into user journeys inside PostgreSQL.
//!
//! ```text
//! ingest_events(jsonb) ─▶ event (pure: canonical form) ─▶ ingest ─▶ events, event_ids, pending
//!                                                           │ commit wakes the worker
//! worker ─▶ stitch ─▶ identity, stitch::components (pure) ─▶ keys, journeys, merges
//!                  ├▶ graph: Event, Correlation and Journey vertices with their edges
//!                  └▶ analytics::rollups: sets of active members, counts of events
//! get_journey() ◀─ the graph's tables        dau(), retention(), top_events() ◀─ analytics::active
//! ```
//!
//! Modules that are marked pure import nothing of pgrx and are tested by plain `cargo test`; `#[pg_extern]`
//! functions check their arguments and make one call. What is one set operation is SQL in `sql/steps/`.
//! Plain tables are the truth, and everything that a query sees was committed in one transaction.

pub mod analytics;
pub mod event;
pub mod identity;
pub mod queue;
pub mod stitch;
pub mod worker;

mod config;
mod dead_letters;
mod error;
mod graph;
mod health;
mod ingest;
mod instant;
mod journey;
mod jsonb;
mod project;
mod sequence;
mod sql;
mod subtransaction;
mod users;
mod verify;

#[cfg(any(test, feature = "pg_test"))]
mod pg_tests;

use pgrx::prelude::*;

::pgrx::pg_module_magic!();

// The catalog's objects in the order in which they build on each other.
extension_sql_file!("../sql/10_tables.sql", name = "tables", bootstrap);
extension_sql_file!("../sql/20_rollups.sql", name = "rollups", requires = ["tables"]);
extension_sql_file!("../sql/30_storage.sql", name = "storage", requires = ["rollups"]);
extension_sql_file!("../sql/40_graph.sql", name = "graph", requires = ["storage"]);
extension_sql_file!("../sql/50_journeys.sql", name = "journeys", requires = ["graph"]);
extension_sql_file!("../sql/60_health.sql", name = "health", requires = ["journeys"]);
extension_sql_file!("../sql/90_comments.sql", name = "comments", requires = ["health"], finalize);

/// Called when the library is loaded, by a backend's first use of a function or by the postmaster.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    config::define();
    // SAFETY: a flag that the postmaster sets while it loads libraries.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        worker::reserve();
        worker::launcher::register();
    }
}

#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'journey_stitch'", "journey_stitch.enabled = off"]
    }
}
