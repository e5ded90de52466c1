//! How far a member gets through the steps of a funnel, and the numbers of many members.
//!
//! A member's window opens at one event inside the entry range and closes `window` later, inclusive. Events
//! that come later in the range do not open another one, and events of the window may lie after the range.
//! No event serves two steps. Events are in order of time, then of arrival, so that events of the same time
//! have an order.
//!
//! - Ordered: the window opens at the first event of step 1. After it comes the earliest event of step 2,
//!   after that the earliest of step 3, and so on, with any events between them. No other choice gets
//!   further, or anywhere earlier.
//! - Strict: the same, but each step must be the event right after the step before, of all events there are.
//! - Unordered: the window opens at the first event that fits any step. The steps completed at a moment are
//!   as many as can be given an event each, of those that were until then.
//!
//! Times and lengths of time are in microseconds.

/// The most steps of a funnel.
pub const MOST_STEPS: usize = 32;

/// In which order the steps must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordering {
    /// One after the other; anything may come between them.
    Ordered,
    /// One after the other; nothing may come between them.
    Strict,
    /// In any order.
    Unordered,
}

/// An event, as a funnel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// When it occurred.
    pub at: i64,
    /// Its number in order of arrival.
    pub id: i64,
    /// Bit n: it fits step n + 1. Bits of steps that the funnel does not have are ignored. Events without
    /// any matter to strict funnels only.
    pub steps: u32,
}

/// What members are asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funnel {
    /// How many steps there are, 1 to [`MOST_STEPS`].
    pub steps: usize,
    /// Windows open at this time or later,
    pub from: i64,
    /// and before this one.
    pub until: i64,
    /// How long a window is; an event exactly that long after the first is inside.
    pub window: i64,
    /// In which order the steps must come.
    pub ordering: Ordering,
}

impl Funnel {
    /// The index of the event that opens the member's window; None if nothing does. The actions are one
    /// member's, ascending by (at, id).
    pub fn entry(&self, actions: &[Action]) -> Option<usize> {
        let steps = match self.ordering {
            Ordering::Ordered | Ordering::Strict => self.all_steps() & 1,
            Ordering::Unordered => self.all_steps(),
        };
        let first = actions.partition_point(|action| action.at < self.from);
        let in_range = actions[first..].iter().take_while(|action| action.at < self.until);
        in_range.zip(first..).find_map(|(action, index)| (action.steps & steps != 0).then_some(index))
    }

    /// When the member completed each step: `times[n]` is when that was step n + 1, or in an unordered
    /// funnel the (n + 1)-th of any steps; there are no more times than steps completed. The actions are one
    /// member's, ascending by (at, id). What was in `times` is gone.
    pub fn reached(&self, actions: &[Action], times: &mut Vec<i64>) {
        times.clear();
        let Some(entry) = self.entry(actions) else { return };
        let closes = actions[entry].at.saturating_add(self.window);
        let inside = actions[entry..].iter().take_while(|action| action.at <= closes);
        let mut matching = Matching::default();
        for action in inside {
            let completes = match self.ordering {
                Ordering::Ordered | Ordering::Strict => fits(action, times.len()),
                Ordering::Unordered => matching.add(action.steps & self.all_steps()),
            };
            if completes {
                times.push(action.at);
            }
            if times.len() == self.steps || self.ordering == Ordering::Strict && !completes {
                break;
            }
        }
    }

    /// A bit for each step that there is.
    fn all_steps(&self) -> u32 {
        (0..self.steps.min(MOST_STEPS)).fold(0, |steps, step| steps | 1 << step)
    }
}

fn fits(action: &Action, step: usize) -> bool {
    action.steps.checked_shr(step as u32).is_some_and(|steps| steps & 1 == 1)
}

/// The greatest number of events that can be given a step each, one to one, as events are added one by one.
/// Only the events that have a step need be remembered: one that could not be given a step when it came could
/// not be given one later either.
#[derive(Default)]
struct Matching {
    /// The steps that the event of each step fits; 0 if the step has no event.
    events: [u32; MOST_STEPS],
}

impl Matching {
    /// Adds an event; true if one more step has an event now.
    fn add(&mut self, steps: u32) -> bool {
        self.place(steps, &mut 0)
    }

    /// Gives the event one of its steps, and the event that had it another one if needed (an augmenting
    /// path). Steps that were tried once lead nowhere.
    fn place(&mut self, steps: u32, tried: &mut u32) -> bool {
        while steps & !*tried != 0 {
            let step = (steps & !*tried).trailing_zeros();
            *tried |= 1 << step;
            let other = self.events[step as usize];
            if other == 0 || self.place(other, tried) {
                self.events[step as usize] = steps;
                return true;
            }
        }
        false
    }
}

/// A step of a funnel, over all members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// How many members reached it.
    pub users: u64,
    /// The median of the time that they took from the step before; None for the first step, and if nobody is.
    pub median_micros: Option<i64>,
}

/// Counts the members that reached each step of a funnel, and keeps their times: 8 bytes for each member and
/// step after the first.
#[derive(Debug)]
pub struct Tally {
    entered: u64,
    /// For each step after the first, how long each member took from the step before.
    durations: Vec<Vec<i64>>,
}

impl Tally {
    /// Nobody yet, in a funnel of so many steps.
    pub fn new(steps: usize) -> Self {
        Tally { entered: 0, durations: vec![Vec::new(); steps.saturating_sub(1)] }
    }

    /// Adds a member, who reached the steps at these times ([`Funnel::reached`]); nobody if there are none.
    pub fn add(&mut self, times: &[i64]) {
        self.entered += u64::from(!times.is_empty());
        for (durations, pair) in self.durations.iter_mut().zip(times.windows(2)) {
            durations.push(pair[1].saturating_sub(pair[0]));
        }
    }

    /// How many members there are.
    pub fn entered(&self) -> u64 {
        self.entered
    }

    /// The rows, one for each step.
    pub fn rows(self) -> Vec<Row> {
        let first = Row { users: self.entered, median_micros: None };
        let others = self.durations.into_iter().map(|mut durations| Row {
            users: durations.len() as u64,
            median_micros: median(&mut durations),
        });
        std::iter::once(first).chain(others).collect()
    }
}

/// The median; of an even number of values the lower one of the middle two plus half their distance. Half
/// of an odd distance is rounded to the even neighbour, as PostgreSQL's `percentile_cont` of intervals
/// does.
fn median(values: &mut [i64]) -> Option<i64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let is_even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable(middle);
    let lower = if is_even { below.iter().copied().max().unwrap_or(upper) } else { upper };
    let distance = i128::from(upper) - i128::from(lower);
    // 3 is 1.5 twice, and so 2; 5 is 2.5 twice, and so 2 too.
    let half = distance / 2 + i128::from(distance % 4 == 3);
    Some((i128::from(lower) + half) as i64)
}
