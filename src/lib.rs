//! journey_stitch: stitches events into user journeys inside PostgreSQL.
//!
//! ```text
//! ingest_events(jsonb) ─▶ event (pure: canonical form) ─▶ ingest ─▶ events, event_ids, pending
//!                                                           │ commit wakes the worker
//! worker ─▶ stitch ─▶ identity, stitch::components (pure) ─▶ keys, journeys, merges
//!                  ├▶ graph: Event, Correlation and Journey vertices with their edges
//!                  ├▶ analytics::rollups: sets of active members, counts of events, the timeline
//!                  └▶ users: running totals        metrics: windows
//! get_journey() ◀─ the graph's tables        dau(), retention(), funnel(), … ◀─ analytics::reader
//! ```
//!
//! Every function of the SQL surface goes through `rights`, which finds out whether its caller may do that to
//! that project, and then works as the extension's owner. `catalog` sees to it that library and objects are of
//! one version. What is seen from outside is in `monitoring` and `progress`.
//!
//! Modules that are marked pure import nothing of pgrx and are tested by plain `cargo test`; `#[pg_extern]`
//! functions check their arguments and make one call. What is one set operation is SQL in `sql/steps/`; ingest adds
//! its rows without statements, through `table`, and the stitcher new vertices, edges and keys, through `bulk`.
//! Plain tables are the truth, and everything that a query sees was committed in one transaction.

pub mod analytics;
pub mod event;
pub mod graph;
pub mod identity;
pub mod metrics;
pub mod queue;
pub mod stitch;
pub mod worker;

mod answer;
mod bulk;
mod catalog;
mod config;
mod dead_letters;
mod error;
mod events;
mod forget;
mod history;
mod identity_log;
mod identity_rules;
mod ingest;
mod instant;
mod journey;
mod jsonb;
mod monitoring;
mod progress;
mod project;
mod restitch;
mod rights;
mod sequence;
mod simulate;
mod sql;
mod subtransaction;
mod table;
mod users;
mod verify;
#[cfg(feature = "waitpoints")]
mod waitpoint;
mod words;

#[cfg(any(test, feature = "pg_test"))]
mod pg_tests;

use pgrx::prelude::*;

::pgrx::pg_module_magic!();

// The catalog's objects in the order in which they build on each other.
extension_sql_file!("../sql/10_tables.sql", name = "tables", bootstrap);
extension_sql_file!("../sql/15_identity.sql", name = "identity", requires = ["tables"]);
extension_sql_file!("../sql/20_rollups.sql", name = "rollups", requires = ["identity"]);
extension_sql_file!("../sql/25_metrics.sql", name = "metrics", requires = ["rollups"]);
extension_sql_file!("../sql/30_storage.sql", name = "storage", requires = ["metrics"]);
extension_sql_file!("../sql/40_graph.sql", name = "graph", requires = ["storage"]);
extension_sql_file!("../sql/45_rebuild.sql", name = "rebuild", requires = ["graph"]);
extension_sql_file!("../sql/46_graph_check.sql", name = "graph_check", requires = ["rebuild"]);
extension_sql_file!(
    "../sql/50_journeys.sql",
    name = "journeys",
    requires = ["graph_check", journey::keys_of_event]
);
extension_sql_file!("../sql/52_history.sql", name = "history", requires = ["journeys"]);
extension_sql_file!("../sql/54_journey_graph.sql", name = "journey_graph", requires = ["history"]);
extension_sql_file!("../sql/55_events.sql", name = "events", requires = ["journey_graph"]);
extension_sql_file!("../sql/56_identity.sql", name = "identity_surface", requires = ["events"]);
extension_sql_file!(
    "../sql/57_analytics.sql",
    name = "analytics",
    requires = [
        "identity_surface",
        analytics::functions::active_users::daily_active,
        analytics::functions::active_users::lifecycle,
        analytics::functions::active_users::mau,
        analytics::functions::active_users::stickiness,
        analytics::functions::active_users::wau,
        analytics::functions::breakdown::dau_by,
        analytics::functions::breakdown::top_events_by,
        analytics::functions::funnel::funnel,
        analytics::functions::funnel::funnel_by,
        analytics::functions::paths::paths,
        analytics::functions::pictures::dau_svg,
        analytics::functions::pictures::retention_svg,
        analytics::functions::retention::retention_of_cohort,
        analytics::functions::retention::retention_matrix,
        analytics::functions::sessions::sessions,
        analytics::functions::top_events::top_event_types,
    ]
);
extension_sql_file!("../sql/58_aggregates.sql", name = "aggregates", requires = ["analytics"]);
extension_sql_file!(
    "../sql/60_monitoring.sql",
    name = "monitoring",
    requires = ["aggregates", monitoring::launcher_pid, monitoring::worker_slots, progress::progress_slots]
);
extension_sql_file!("../sql/65_health.sql", name = "health", requires = ["monitoring"]);
extension_sql_file!(
    "../sql/70_rights.sql",
    name = "rights",
    requires = [
        "health",
        analytics::rollups::members_ids,
        analytics::rollups::timeline_events,
        dead_letters::retry_dead_letters,
        forget::forget,
        identity_rules::functions::drop_identity_rule,
        identity_rules::functions::set_identity_rule,
        identity_rules::functions::set_max_journey_keys,
        identity_rules::functions::use_identity_profile,
        journey::find_journey,
        journey::journey_graph,
        journey::journey_of,
        metrics::define::create_metric,
        metrics::define::drop_metric,
        monitoring::is_preloaded,
        monitoring::library_version,
        restitch::restitch,
        restitch::simulate_rules,
        rights::granted_projects,
        simulate::simulate,
        stitch::stitch_pending,
        verify::verify,
        words::link,
        words::never_link,
        words::retract,
        words::unmerge,
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
