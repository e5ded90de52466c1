//! How far events get in a chain of steps within a window of time: what ClickHouse's windowFunnel() measures, and
//! by the same rules. Pure.
//!
//! A chain of steps 1 … n are events of which the first meets condition 1, the next condition 2, and so on, in
//! order of time, no later than a window's length after the first. Events of the same time count in the order of
//! the conditions, so that the answer depends on nothing but the events; for the same reason one event may take
//! several steps, unless the mode says otherwise.
//!
//! It is enough to know, for each step, when the latest chain that got there began: nothing else can get further.
//! All events of one time are taken at once, for what some modes ask of a chain (that its times grow, or that no
//! event takes two steps) then concerns only the events of that time, and what was known before it.

use std::ops::ControlFlow;

/// As many conditions as there may be.
pub const MOST_STEPS: usize = 32;

/// Moments between two looks at whether the query was cancelled.
const TICK: usize = 4096;

/// When an event occurred, in whatever unit, and which conditions it meets (bit 0: the first). They are sorted by
/// time and then by conditions, so that their order is a function of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimedEvent {
    pub time: i64,
    pub conditions: u32,
}

impl TimedEvent {
    /// Whether it meets the condition, counted from 0.
    pub fn meets(&self, condition: usize) -> bool {
        self.conditions >> condition & 1 == 1
    }
}

/// What is asked of a chain beyond its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// An event that meets a condition, other than the first, of a step that was taken ends everything.
    pub deduplication: bool,
    /// After the first step an event without a condition ends everything, and so does one whose step is not due yet.
    pub order: bool,
    /// Each step is later than the one before.
    pub increase: bool,
    /// An event takes one step at most.
    pub once: bool,
    /// With `order`: an event whose step is not due yet is left out instead.
    pub reentry: bool,
}

impl Modes {
    /// Reads names of modes, separated by commas or spaces.
    ///
    /// # Errors
    /// What is wrong with them, to be said after "invalid mode:".
    pub fn parse(names: &str) -> Result<Self, String> {
        let mut modes = Self::default();
        for name in names.split([',', ' ']).filter(|name| !name.is_empty()) {
            match name {
                "strict_deduplication" => modes.deduplication = true,
                "strict_order" => modes.order = true,
                "strict_increase" => modes.increase = true,
                "strict_once" => modes.once = true,
                "allow_reentry" => modes.reentry = true,
                _ => return Err(format!("there is no mode \"{name}\"")),
            }
        }
        if modes.reentry && !modes.order {
            return Err("allow_reentry goes with strict_order only".to_owned());
        }
        Ok(modes)
    }
}

/// The most steps of a chain whose last event is at most `window` after its first. `events` are sorted; of 1 to
/// [`MOST_STEPS`] steps. `tick` is called every now and then.
pub fn level(
    events: &[TimedEvent],
    steps: usize,
    window: u64,
    modes: Modes,
    mut tick: impl FnMut(),
) -> usize {
    let mut funnel = Funnel { steps, window, modes, begun: Begun { at: [0; MOST_STEPS], level: 0 } };
    for (n, moment) in events.chunk_by(|a, b| a.time == b.time).enumerate() {
        if n % TICK == 0 {
            tick();
        }
        if funnel.take(moment).is_break() {
            break;
        }
    }
    funnel.begun.level
}

/// For each step up to the level, when the latest chain that got there began.
#[derive(Clone, Copy)]
struct Begun {
    at: [i64; MOST_STEPS],
    level: usize,
}

impl Begun {
    fn get(&self, step: usize) -> Option<i64> {
        (step < self.level).then(|| self.at[step])
    }

    /// A step is reached after the one before it, and by chains that begin later and later.
    fn set(&mut self, step: usize, time: i64) {
        self.at[step] = time;
        self.level = self.level.max(step + 1);
    }
}

struct Funnel {
    steps: usize,
    window: u64,
    modes: Modes,
    begun: Begun,
}

impl Funnel {
    /// Goes on by all events of one time. Breaks when no later event can change the level.
    fn take(&mut self, moment: &[TimedEvent]) -> ControlFlow<()> {
        let met = moment.iter().fold(0, |met, event| met | event.conditions);
        if self.modes.order && self.begun.level > 0 && moment.iter().any(|event| event.conditions == 0) {
            return ControlFlow::Break(());
        }
        let before = self.begun;
        // Of many events that meet the same conditions, chains in which an event takes one step need only a few.
        let candidates =
            if self.modes.once && moment.len() > 1 { few(moment, self.steps) } else { Vec::new() };
        for step in (0..self.steps).filter(|step| met >> step & 1 == 1) {
            if step > 0 && self.modes.deduplication && self.begun.level > step {
                return ControlFlow::Break(());
            }
            if self.modes.order && self.begun.level > 0 && self.begun.level < step {
                if self.modes.reentry {
                    continue;
                }
                return ControlFlow::Break(());
            }
            let (begun, used) = self.chain(step, moment[0].time, &candidates, &before);
            if let Some(begun) = begun.filter(|begun| moment[0].time.abs_diff(*begun) <= self.window) {
                self.begun.set(step, begun);
            }
            let is_over = self.begun.level == self.steps;
            if is_over || step > 0 && self.modes.deduplication && self.repeats(step, moment, used) {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// When the latest chain began that takes the step at this time, whatever the window; and how many of the
    /// events that meet the step's condition it needs.
    fn chain(
        &self,
        step: usize,
        now: i64,
        candidates: &[TimedEvent],
        before: &Begun,
    ) -> (Option<i64>, usize) {
        let (first, used) = match self.modes {
            Modes { increase: true, .. } => (step, 1),
            Modes { once: true, .. } if !candidates.is_empty() => run_of_steps(candidates, step),
            Modes { once: true, .. } => (step, 1),
            _ => return (if step == 0 { Some(now) } else { self.begun.get(step - 1) }, 1),
        };
        (if first == 0 { Some(now) } else { before.get(first - 1) }, used)
    }

    /// Whether an event of the moment meets the condition of a step that was taken without it.
    fn repeats(&self, step: usize, moment: &[TimedEvent], used: usize) -> bool {
        self.begun.level > step && moment.iter().filter(|event| event.meets(step)).count() > used
    }
}

/// For each condition as many of the events that meet it as there are steps: enough, because the other steps
/// cannot take them all.
fn few(moment: &[TimedEvent], steps: usize) -> Vec<TimedEvent> {
    let mut missing = [steps; MOST_STEPS];
    let is_wanted = |event: &&TimedEvent| {
        let mut is_wanted = false;
        for (step, missing) in missing.iter_mut().enumerate().filter(|(step, _)| event.meets(*step)) {
            is_wanted |= step < steps && *missing > 0;
            *missing = missing.saturating_sub(1);
        }
        is_wanted
    };
    moment.iter().filter(is_wanted).copied().collect()
}

/// The first step from which on events of one time can take all steps up to `last`, each by an event of its own, and
/// how many of those events meet the condition of the last. One event at least meets that.
///
/// Steps are added backwards. One more can be had if and only if the steps there are can be moved to other events
/// so that one comes free for it (an augmenting path).
fn run_of_steps(moment: &[TimedEvent], last: usize) -> (usize, usize) {
    let mut taken = vec![None; moment.len()];
    let mut first = last + 1;
    while first > 0 && find_event(moment, first - 1, &mut taken, &mut vec![false; moment.len()]) {
        first -= 1;
    }
    let is_used = |(event, step): &(&TimedEvent, &Option<usize>)| step.is_some() && event.meets(last);
    (first, moment.iter().zip(&taken).filter(is_used).count())
}

/// Gives the step an event, moving other steps where need be. `taken`: the step that each event has.
fn find_event(moment: &[TimedEvent], step: usize, taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for n in 0..moment.len() {
        if moment[n].meets(step) && !seen[n] {
            seen[n] = true;
            if taken[n].is_none_or(|other| find_event(moment, other, taken, seen)) {
                taken[n] = Some(step);
                return true;
            }
        }
    }
    false
}
