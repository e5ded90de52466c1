//! The paths that members take from event to event, added up by edges.
//!
//! Edge n of a path goes from its n-th event to the one after. A path is followed for so many edges at
//! most; one that ends before has a last edge, out of its last event: it drops off. So the members of all
//! edges of step 1 are all the members, and those who arrive somewhere at step n are those who leave it at
//! step n + 1.

use std::cmp::Reverse;
use std::collections::HashMap;

/// What is shown as the target of the edges on which paths end, and what they are sorted by.
pub const DROP_OFF: &str = "(drop-off)";

/// An edge, and the members that took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Which edge of their paths it is, from 1 on.
    pub step_no: u32,
    /// The type of the event that it leaves.
    pub source: u32,
    /// The type of the event that it comes to; None where paths end.
    pub target: Option<u32>,
    /// How many members took it at this step.
    pub members: u64,
    /// How long they took together, in microseconds; 0 where paths end.
    pub total_micros: i128,
}

/// Adds up the paths of members.
#[derive(Debug)]
pub struct Paths {
    max_steps: usize,
    /// Members and their microseconds, by step from 1 on, source and target.
    edges: HashMap<(u32, u32, Option<u32>), (u64, i128)>,
}

impl Paths {
    /// No paths yet; they will be followed for at most so many edges.
    pub fn new(max_steps: usize) -> Self {
        Paths { max_steps, edges: HashMap::new() }
    }

    /// Adds a member's path: the time (in microseconds) and the type of each of its events, in order, from
    /// the one that paths begin with. It may go on for longer than it is followed. No events are no path.
    pub fn add(&mut self, path: &[(i64, u32)]) {
        for (n, &(at, source)) in path.iter().enumerate().take(self.max_steps) {
            let next = path.get(n + 1);
            let micros = next.map_or(0, |&(next_at, _)| i128::from(next_at) - i128::from(at));
            let step = (n as u32 + 1, source, next.map(|&(_, target)| target));
            let edge = self.edges.entry(step).or_default();
            edge.0 += 1;
            edge.1 += micros;
        }
    }

    /// The edges that most members took, at most `max_edges`. Of those taken by as many, the ones with the
    /// lower step come first, then by the names of source and target, bytewise. They are sorted by step,
    /// then by members, most first, then by the names.
    pub fn into_edges<'a>(self, max_edges: usize, name: impl Fn(u32) -> &'a str) -> Vec<Edge> {
        let mut edges: Vec<Edge> = self
            .edges
            .into_iter()
            .map(|((step_no, source, target), (members, total_micros))| Edge {
                step_no,
                source,
                target,
                members,
                total_micros,
            })
            .collect();
        // An event type may be called as the end of paths is; then that goes first.
        let names = |edge: &Edge| (name(edge.source), edge.target.map_or(DROP_OFF, &name), edge.target);
        edges.sort_unstable_by_key(|edge| (Reverse(edge.members), edge.step_no, names(edge)));
        edges.truncate(max_edges);
        edges.sort_by_key(|edge| edge.step_no);
        edges
    }
}
