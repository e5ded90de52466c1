//! Patterns of events, as ClickHouse's sequenceMatch() and sequenceCount() have them. Pure.
//!
//! ```text
//! (?N)       the next event meets condition N
//! .          the next event, whichever it is
//! .*         any number of events, none included
//! (?t>=N)    any number of events, up to one whose distance in time is as said (>=, >, <=, < or ==) from the
//!            event before; that one is then the next
//! ```
//!
//! A match may begin anywhere. All ways of matching are followed at once, event by event, as one does with
//! regular expressions: the time that takes is at most that of the events times the pattern's length, where
//! trying one way after the other could take for ever. That works with distances too, because of the events from
//! which a distance may be measured only one need be remembered: the earliest for a least distance, the latest for
//! a greatest one. For an exact one it is those that are not too far back.

use std::collections::VecDeque;

use super::window_funnel::TimedEvent;

/// Steps between two looks at whether the query was cancelled: an event's are as many as the pattern has parts.
const TICK: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// An event that meets the condition, counted from 0.
    Condition(usize),
    Any,
    Star,
    /// A distance in time from the event before, in the events' unit.
    Distance(Comparison, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    More,
    AtMost,
    Less,
    Exactly,
}

/// What an event sequence is searched for.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Action>);

/// What is wrong with a pattern, to be said after "invalid pattern:". Positions are characters, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("at position {0} there is none of (?N), (?t>=N), . and .*")]
    Unknown(usize),
    #[error("at position {0} there is no whole number below 2^64")]
    NoNumber(usize),
    #[error("at position {0} a closing parenthesis is missing")]
    NotClosed(usize),
    #[error("(?{number}) is none of the {conditions} conditions")]
    NoCondition { number: u64, conditions: usize },
    #[error("at position {0} a time follows a time")]
    TimeAfterTime(usize),
}

impl Pattern {
    /// Reads a pattern for so many conditions. Its times are in units of `unit` of the events' unit.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str, conditions: usize, unit: u64) -> Result<Self, PatternError> {
        // It may begin anywhere.
        let mut actions = vec![Action::Star];
        let mut rest = text;
        let position = |rest: &str| text.chars().count() - rest.chars().count() + 1;
        while !rest.is_empty() {
            let start = rest;
            let action = if let Some(after) = rest.strip_prefix("(?t") {
                let (comparison, after) =
                    comparison(after).ok_or_else(|| PatternError::Unknown(position(start)))?;
                let (number, after) = number(after).ok_or_else(|| PatternError::NoNumber(position(after)))?;
                rest = after.strip_prefix(')').ok_or_else(|| PatternError::NotClosed(position(after)))?;
                if let Some(Action::Distance(..)) = actions.last() {
                    return Err(PatternError::TimeAfterTime(position(start)));
                }
                Action::Distance(comparison, number.saturating_mul(unit))
            } else if let Some(after) = rest.strip_prefix("(?") {
                let (number, after) = number(after).ok_or_else(|| PatternError::NoNumber(position(after)))?;
                rest = after.strip_prefix(')').ok_or_else(|| PatternError::NotClosed(position(after)))?;
                let condition = number.checked_sub(1).and_then(|n| usize::try_from(n).ok());
                let condition = condition.filter(|condition| *condition < conditions);
                Action::Condition(condition.ok_or(PatternError::NoCondition { number, conditions })?)
            } else if let Some(after) = rest.strip_prefix(".*") {
                rest = after;
                Action::Star
            } else if let Some(after) = rest.strip_prefix('.') {
                rest = after;
                Action::Any
            } else {
                return Err(PatternError::Unknown(position(start)));
            };
            // Two stars are one.
            if action != Action::Star || actions.last() != Some(&Action::Star) {
                actions.push(action);
            }
        }
        Ok(Self(actions))
    }

    /// Whether events match somewhere. They are sorted; no events match nothing. `tick` is called every now and then.
    pub fn matches(&self, events: &[TimedEvent], mut tick: impl FnMut()) -> bool {
        !events.is_empty() && Search::new(&self.0).end(events, 0, &mut tick).is_some()
    }

    /// How often they match, one match beginning where the one before has ended, or one event later if that was
    /// of no event. The match that ends first counts.
    pub fn count(&self, events: &[TimedEvent], mut tick: impl FnMut()) -> u64 {
        let mut search = Search::new(&self.0);
        let (mut count, mut start) = (0, 0);
        while start < events.len() {
            let Some(end) = search.end(events, start, &mut tick) else { break };
            start = end.max(start + 1);
            count += 1;
        }
        count
    }
}

fn comparison(text: &str) -> Option<(Comparison, &str)> {
    let signs = [
        (">=", Comparison::AtLeast),
        (">", Comparison::More),
        ("<=", Comparison::AtMost),
        ("<", Comparison::Less),
        ("==", Comparison::Exactly),
    ];
    signs.into_iter().find_map(|(sign, comparison)| Some((comparison, text.strip_prefix(sign)?)))
}

fn number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(digits);
    Some((digits.parse().ok()?, rest))
}

/// The ways of matching that are open before an event: `open[n]` if action n is the next to be done.
struct Search<'a> {
    actions: &'a [Action],
    open: Vec<bool>,
    open_next: Vec<bool>,
    /// For each distance the times it is measured from.
    times: Vec<VecDeque<i64>>,
    /// Done since the last look at whether the query was cancelled.
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(actions: &'a [Action]) -> Self {
        let open = vec![false; actions.len() + 1];
        Search {
            actions,
            open_next: open.clone(),
            open,
            times: vec![VecDeque::new(); actions.len()],
            steps: 0,
        }
    }

    /// The position after the last event of the match that ends first, of those that begin at `start` or later.
    fn end(&mut self, events: &[TimedEvent], start: usize, tick: &mut impl FnMut()) -> Option<usize> {
        self.open.fill(false);
        self.open[0] = true;
        self.times.iter_mut().for_each(VecDeque::clear);
        for position in start..=events.len() {
            self.steps += self.actions.len();
            if self.steps >= TICK {
                self.steps = 0;
                tick();
            }
            self.open_next.fill(false);
            for n in 0..self.actions.len() {
                self.follow(n, events, position);
            }
            if self.open[self.actions.len()] {
                return Some(position);
            }
            std::mem::swap(&mut self.open, &mut self.open_next);
        }
        None
    }

    /// Does one action before the event at `position`, or at the end of all events.
    fn follow(&mut self, n: usize, events: &[TimedEvent], position: usize) {
        let event = events.get(position);
        let is_open = self.open[n];
        match self.actions[n] {
            Action::Star => {
                self.open_next[n] |= is_open;
                self.open[n + 1] |= is_open;
            }
            Action::Condition(condition) => {
                self.open_next[n + 1] |= is_open && event.is_some_and(|event| event.meets(condition));
            }
            Action::Any => self.open_next[n + 1] |= is_open && event.is_some(),
            Action::Distance(comparison, length) => {
                self.open[n + 1] |= match event {
                    Some(event) => {
                        if is_open {
                            // After a star the event before is the one that the star has stopped at.
                            let is_after_star = self.actions[n - 1] == Action::Star;
                            let before = if is_after_star { event } else { &events[position - 1] };
                            remember(&mut self.times[n], comparison, before.time);
                        }
                        holds(&mut self.times[n], comparison, length, event.time)
                    }
                    None => is_open && holds_at_end(comparison, length),
                }
            }
        }
    }
}

/// Keeps a time that a distance is measured from. They come in order.
fn remember(times: &mut VecDeque<i64>, comparison: Comparison, time: i64) {
    match comparison {
        Comparison::AtLeast | Comparison::More if !times.is_empty() => return,
        Comparison::AtMost | Comparison::Less => times.clear(),
        _ => {}
    }
    if times.back() != Some(&time) {
        times.push_back(time);
    }
}

/// Whether one of the times is at the distance from now.
fn holds(times: &mut VecDeque<i64>, comparison: Comparison, length: u64, now: i64) -> bool {
    if comparison == Comparison::Exactly {
        while times.front().is_some_and(|time| now.abs_diff(*time) > length) {
            times.pop_front();
        }
    }
    let Some(distance) = times.front().map(|time| now.abs_diff(*time)) else { return false };
    match comparison {
        Comparison::AtLeast => distance >= length,
        Comparison::More => distance > length,
        Comparison::AtMost => distance <= length,
        Comparison::Less => distance < length,
        Comparison::Exactly => distance == length,
    }
}

/// With no event to come, a distance holds that could still have become 0.
fn holds_at_end(comparison: Comparison, length: u64) -> bool {
    match comparison {
        Comparison::AtMost => true,
        Comparison::Less => length > 0,
        Comparison::AtLeast => length == 0,
        Comparison::More | Comparison::Exactly => false,
    }
}
