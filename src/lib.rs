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
//! Every function of the SQL surface goes through `rights`, which finds out whether its caller may do that to
//! that project, and then works as the extension's owner. `catalog` sees to it that library and objects are of
//! one version. What is seen from outside is in `monitoring` and `progress`.
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

mod answer;
mod catalog;
mod config;
mod dead_letters;
mod error;
mod events;
mod graph;
mod ingest;
mod instant;
mod journey;
mod jsonb;
mod monitoring;
mod progress;
mod project;
mod rights;
mod sequence;
mod sql;
mod subtransaction;
mod users;
mod verify;
#[cfg(feature = "waitpoints")]
mod waitpoint;

#[cfg(any(test, feature = "pg_test"))]
mod pg_tests;

use pgrx::prelude::*;

::pgrx::pg_module_magic!();

// The catalog's objects in the order in which they build on each other.
extension_sql_file!("../sql/10_tables.sql", name = "tables", bootstrap);
extension_sql_file!("../sql/20_rollups.sql", name = "rollups", requires = ["tables"]);
extension_sql_file!("../sql/30_storage.sql", name = "storage", requires = ["rollups"]);
extension_sql_file!("../sql/40_graph.sql", name = "graph", requires = ["storage"]);
extension_sql_file!("../sql/45_rebuild.sql", name = "rebuild", requires = ["graph"]);
extension_sql_file!("../sql/50_journeys.sql", name = "journeys", requires = ["rebuild"]);
extension_sql_file!("../sql/55_events.sql", name = "events", requires = ["journeys"]);
extension_sql_file!(
    "../sql/60_monitoring.sql",
    name = "monitoring",
    requires = ["events", monitoring::launcher_pid, monitoring::worker_slots, progress::progress_slots]
);
extension_sql_file!("../sql/65_health.sql", name = "health", requires = ["monitoring"]);
extension_sql_file!(
    "../sql/70_rights.sql",
    name = "rights",
    requires = [
        "health",
        analytics::dau,
        analytics::retention,
        analytics::top_events::top_events,
        analytics::rollups::members_ids,
        dead_letters::retry_dead_letters,
        ingest::ingest_events,
        journey::find_journey,
        journey::journey_of,
        monitoring::is_preloaded,
        monitoring::library_version,
        rights::granted_projects,
        stitch::stitch_pending,
        verify::verify,
    ]
);
extension_sql_file!("../sql/80_comments.sql", name = "comments", requires = ["rights"], finalize);

/// Called when the library is loaded, by a backend's first use of a function or by the postmaster.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    config::define();
    #[cfg(feature = "waitpoints")]
    waitpoint::define();
    // SAFETY: a flag that the postmaster sets while it loads libraries.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        worker::reserve();
        progress::reserve();
        // SAFETY: a flag of the command line. In pg_upgrade's server nothing may happen by itself.
        if unsafe { !pg_sys::IsBinaryUpgrade } {
            worker::launcher::register();
        }
    }
}

#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'journey_stitch'", "journey_stitch.enabled = off"]
    }
}
