//! Analytics: who was active, who comes back, what is done one after the other. The stitcher keeps rollups in its
//! own transactions ([`rollups`]), and answers come from them and from what is not stitched yet ([`reader`]), so
//! that they are exact for all that has committed, and move with journeys.
//!
//! - [`members`]: sets of users or journeys, a row a UTC day and event type, for whatever counts distinct persons.
//! - [`timeline`]: the events themselves in few bytes each, for days of other time zones and for sequences.
//! - The events' properties are in no rollup: filters and breakdowns look at the events.
//!
//! [`calendar`], [`units`], [`members`], [`timeline`], [`funnel`], [`paths`], [`sessions`],
//! [`sequence`], [`window_funnel`] and [`svg`] are pure.

mod aggregates;
pub(crate) mod arguments;
pub mod calendar;
pub(crate) mod expression;
pub(crate) mod functions;
pub mod funnel;
pub mod members;
pub(crate) mod numbers;
pub mod path;
pub mod paths;
pub(crate) mod reader;
pub(crate) mod rollups;
pub mod sequence;
pub mod sessions;
pub mod svg;
pub(crate) mod tail;
pub mod timeline;
pub mod units;
pub mod window_funnel;
