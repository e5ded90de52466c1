//! What an aggregate has seen of a group: its events, and what is the same for all of its rows.

use std::borrow::Cow;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::CONDITIONS;
use crate::analytics::sequence::Pattern;
use crate::analytics::window_funnel::{Modes, TimedEvent};
use crate::error::Error;

pub const MODES: &str = "strict_deduplication, strict_order, strict_increase, strict_once and, with strict_order, allow_reentry, separated by commas or spaces";
pub const PATTERN: &str = "parts such as (?1) for an event that meets condition 1, . for any event, .* for any number of events, and (?t<=3600) for a time between two events";

/// Bytes of a serialized state: before the text, and an event's.
const HEADER: usize = 3 + 8 + size_of::<usize>();
const EVENT: usize = 8 + 4;
/// As many as PostgreSQL allows a value (MaxAllocSize).
const MOST_BYTES: usize = 0x3fff_ffff;

/// What a group has seen. All of it is in the aggregate's memory context.
#[repr(C)]
pub struct State {
    events: *mut TimedEvent,
    pub length: usize,
    capacity: usize,
    // Parameters.
    kind: Kind,
    pub number: u64,
    text: *const u8,
    text_length: usize,
    pub conditions: usize,
    is_sorted: bool,
    /// Whether events that meet no condition matter.
    pub keeps_all: bool,
}

/// Which aggregate a state is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// window_funnel: the number is the window, the text its mode.
    Funnel,
    /// sequence_match and sequence_count: the number is the unit of the times in the pattern, which is the text.
    Sequence,
}

/// What is the same for all rows of a group.
pub struct Parameters<'a> {
    pub kind: Kind,
    /// In the unit of the times.
    pub number: u64,
    pub text: &'a [u8],
    pub conditions: usize,
}

impl Parameters<'_> {
    /// Whether events that meet no condition matter.
    ///
    /// # Errors
    /// If the mode or the pattern is none.
    pub fn check(&self) -> Result<bool, Error> {
        match self.kind {
            Kind::Funnel => modes(self.text).map(|modes| modes.order),
            Kind::Sequence => pattern(self).map(|_| false),
        }
    }

    /// Fails if another row says something else: the answer would depend on which comes first.
    pub fn same(&self, other: &Parameters<'_>) -> Result<(), Error> {
        let differs = |argument| {
            invalid(argument, "it differs from row to row".to_owned(), "the same in each row of a group")
        };
        if self.conditions != other.conditions {
            // In order, so that it is the same whichever row was the first.
            let (a, b) = (self.conditions.min(other.conditions), self.conditions.max(other.conditions));
            return Err(invalid(
                "conditions",
                format!("there are {a} in one row and {b} in another"),
                CONDITIONS,
            ));
        }
        match self.kind {
            Kind::Funnel if self.number != other.number => Err(differs("window")),
            Kind::Funnel if self.text != other.text => Err(differs("mode")),
            Kind::Sequence if self.text != other.text => Err(differs("pattern")),
            _ => Ok(()),
        }
    }
}

impl State {
    /// A new state without events, which PostgreSQL frees with the context.
    pub fn create<'a>(
        context: pg_sys::MemoryContext,
        parameters: &Parameters<'_>,
        keeps_all: bool,
        capacity: usize,
    ) -> &'a mut State {
        let Parameters { kind, number, text, conditions } = *parameters;
        // SAFETY: the context is PostgreSQL's own, which answers with memory of the size that is asked for, or
        // raises an error. All of the state is written before it is referred to.
        unsafe {
            let copy = pg_sys::MemoryContextAllocHuge(context, text.len().max(1)).cast::<u8>();
            copy.copy_from_nonoverlapping(text.as_ptr(), text.len());
            let events =
                pg_sys::MemoryContextAllocHuge(context, capacity.max(1) * size_of::<TimedEvent>()).cast();
            let state = pg_sys::MemoryContextAlloc(context, size_of::<State>()).cast::<State>();
            state.write(State {
                events,
                length: 0,
                capacity: capacity.max(1),
                kind,
                number,
                text: copy,
                text_length: text.len(),
                conditions,
                is_sorted: true,
                keeps_all,
            });
            &mut *state
        }
    }

    pub fn datum(&mut self) -> pg_sys::Datum {
        pg_sys::Datum::from(std::ptr::from_mut(self))
    }

    pub fn parameters(&self) -> Parameters<'_> {
        // SAFETY: create() has copied as many bytes.
        let text = unsafe { std::slice::from_raw_parts(self.text, self.text_length) };
        Parameters { kind: self.kind, number: self.number, text, conditions: self.conditions }
    }

    pub fn events(&self) -> &[TimedEvent] {
        // SAFETY: so many have been written by add().
        unsafe { std::slice::from_raw_parts(self.events, self.length) }
    }

    /// Adds events in the order they come in.
    pub fn add(&mut self, events: &[TimedEvent]) {
        let needed = self.length + events.len();
        // SAFETY: events is memory from the context for as many as capacity says; repalloc_huge keeps it there. What
        // is added comes from elsewhere.
        unsafe {
            if needed > self.capacity {
                self.capacity = needed.max(2 * self.capacity);
                let bytes = self.capacity * size_of::<TimedEvent>();
                self.events = pg_sys::repalloc_huge(self.events.cast(), bytes).cast();
            }
            self.events.add(self.length).copy_from_nonoverlapping(events.as_ptr(), events.len());
        }
        let seam = self.length.saturating_sub(1);
        self.length = needed;
        self.is_sorted = self.is_sorted && self.events()[seam..].is_sorted();
    }

    /// The events in order, and what is made of them.
    pub fn with_sorted<T>(&self, body: impl FnOnce(&[TimedEvent]) -> T) -> T {
        if self.is_sorted {
            return body(self.events());
        }
        // SAFETY: a copy, which nobody else has, freed when nothing refers to it any more. On an error it goes with
        // its context, which is that of the group's result.
        unsafe {
            let bytes = self.length * size_of::<TimedEvent>();
            let copy =
                pg_sys::MemoryContextAllocHuge(pg_sys::CurrentMemoryContext, bytes).cast::<TimedEvent>();
            copy.copy_from_nonoverlapping(self.events, self.length);
            let sorted = std::slice::from_raw_parts_mut(copy, self.length);
            let mut comparisons = 0_u32;
            sorted.sort_unstable_by(|a, b| {
                comparisons = comparisons.wrapping_add(1);
                if comparisons.trailing_zeros() >= 20 {
                    check_for_interrupts!();
                }
                a.cmp(b)
            });
            let result = body(sorted);
            pg_sys::pfree(copy.cast());
            result
        }
    }

    /// The bytes of a state, as a bytea: kind, whether it keeps all, number, conditions, the text with its length, and
    /// the events. The server that writes them reads them, so that they need be neither portable nor lasting.
    ///
    /// # Errors
    /// If they are more than a bytea may have.
    pub fn serialize(&self) -> Result<pg_sys::Datum, ErrorReport> {
        let Parameters { kind, number, text, conditions } = self.parameters();
        let size = pg_sys::VARHDRSZ + HEADER + text.len() + self.length * EVENT;
        if size > MOST_BYTES {
            return Err(too_large(self.length));
        }
        // SAFETY: palloc0 answers with as many bytes, which nobody else has.
        let bytes = unsafe {
            let varlena = pg_sys::palloc0(size).cast::<pg_sys::varlena>();
            pgrx::set_varsize_4b(varlena, size as i32);
            std::slice::from_raw_parts_mut(varlena.cast::<u8>(), size)
        };
        let result = pg_sys::Datum::from(bytes.as_mut_ptr());
        let mut rest = &mut bytes[pg_sys::VARHDRSZ..];
        let mut put = |part: &[u8]| {
            let (head, tail) = std::mem::take(&mut rest).split_at_mut(part.len());
            head.copy_from_slice(part);
            rest = tail;
        };
        put(&[u8::from(kind == Kind::Sequence), u8::from(self.keeps_all), conditions as u8]);
        put(&number.to_ne_bytes());
        put(&text.len().to_ne_bytes());
        put(text);
        for event in self.events() {
            put(&event.time.to_ne_bytes());
            put(&event.conditions.to_ne_bytes());
        }
        Ok(result)
    }

    /// The state of such bytes, in the current memory context; `None` if they are no state's.
    pub fn deserialize<'a>(mut rest: &[u8]) -> Option<&'a mut State> {
        let [is_sequence, keeps_all, conditions] = take(&mut rest)?;
        let number = u64::from_ne_bytes(take(&mut rest)?);
        let text_length = usize::from_ne_bytes(take(&mut rest)?);
        let (text, mut rest) = rest.split_at_checked(text_length)?;
        let kind = if is_sequence == 1 { Kind::Sequence } else { Kind::Funnel };
        let parameters = Parameters { kind, number, text, conditions: usize::from(conditions) };
        // SAFETY: PostgreSQL's own.
        let context = unsafe { pg_sys::CurrentMemoryContext };
        let state = State::create(context, &parameters, keeps_all == 1, rest.len() / EVENT);
        while let Some(time) = take(&mut rest) {
            let conditions = u32::from_ne_bytes(take(&mut rest)?);
            state.add(&[TimedEvent { time: i64::from_ne_bytes(time), conditions }]);
        }
        Some(state)
    }
}

pub fn invalid(argument: &'static str, problem: String, takes: &'static str) -> Error {
    Error::InvalidArgument { argument, problem, takes }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

pub fn modes(names: &[u8]) -> Result<Modes, Error> {
    Modes::parse(&text(names)).map_err(|problem| invalid("mode", problem, MODES))
}

pub fn pattern(parameters: &Parameters<'_>) -> Result<Pattern, Error> {
    Pattern::parse(&text(parameters.text), parameters.conditions, parameters.number)
        .map_err(|error| invalid("pattern", error.to_string(), PATTERN))
}

/// The next bytes.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn too_large(events: usize) -> ErrorReport {
    let message = format!("a group of {events} events is too large for parallel aggregation");
    ErrorReport::new(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, message, "journey_stitch")
        .set_hint("SET max_parallel_workers_per_gather = 0 aggregates without.")
}
