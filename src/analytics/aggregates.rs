//! The aggregates window_funnel(), sequence_match() and sequence_count(), over any table: what PostgreSQL calls for
//! each row, for partial results of parallel workers, and at the end of a group. sql/58_aggregates.sql declares them.
//!
//! A group's state is the list of its events, in the aggregate's memory context: it grows there, counts for work_mem,
//! and goes with the context, with no Rust object to be dropped. Final functions leave it as it is, so that more rows
//! may follow (in a window) and several aggregates may share it.

mod state;

use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::varlena::varlena_to_byte_slice;

use self::state::{Kind, MODES, PATTERN, Parameters, State, invalid, modes, pattern};
use super::window_funnel::{self, MOST_STEPS, TimedEvent};
use crate::error::Error;

const MICROSECONDS: u64 = 1_000_000;
const DAY: i64 = 86_400 * MICROSECONDS as i64;
const WINDOW: &str =
    "a length of time such as '1 hour', without months; or, with times that are numbers, a number; 0 or more";
const CONDITIONS: &str = "1 to 32 conditions, as many in each row";

/// A call of one of the functions below.
struct Call(pg_sys::FunctionCallInfo);

impl Call {
    /// An argument, counted from 0; `None`: NULL.
    fn argument(&self, n: usize) -> Option<pg_sys::Datum> {
        // SAFETY: PostgreSQL passes as many arguments as the function is declared with, and n is one of those.
        let argument = unsafe { (*self.0).args.as_slice(n + 1)[n] };
        (!argument.isnull).then_some(argument.value)
    }

    fn last(&self) -> usize {
        // SAFETY: the call is PostgreSQL's; these functions have arguments.
        usize::from(unsafe { (*self.0).nargs }.unsigned_abs()).saturating_sub(1)
    }

    /// The memory context that lives as long as the aggregate's state.
    fn context(&self) -> Result<pg_sys::MemoryContext, Error> {
        let mut context = std::ptr::null_mut();
        // SAFETY: asks who calls, and answers 0 if that is no aggregate.
        match unsafe { pg_sys::AggCheckCallContext(self.0, &mut context) } {
            0 => Err(Error::Missing("aggregate")),
            _ => Ok(context),
        }
    }

    /// The state that an argument is; `None` where no row was seen.
    fn state<'a>(&self, n: usize) -> Option<&'a mut State> {
        // SAFETY: arguments of type internal come from State::create(), by way of PostgreSQL, which has them in no
        // two places at the same time.
        self.argument(n).map(|datum| unsafe { &mut *datum.cast_mut_ptr::<State>() })
    }

    /// An argument of type text or bytea.
    fn bytes(&self, n: usize) -> Option<&[u8]> {
        // SAFETY: the argument is a varlena; what is detoasted lives until the next row.
        self.argument(n).map(|datum| unsafe {
            varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()))
        })
    }

    /// The conditions, the last argument: how many, and which are true.
    fn conditions(&self) -> Result<(usize, u32), Error> {
        let invalid = |problem: String| invalid("conditions", problem, CONDITIONS);
        // SAFETY: the last argument of all aggregates is boolean[].
        let array = self.argument(self.last()).and_then(|datum| unsafe {
            Array::<bool>::from_polymorphic_datum(datum, false, pg_sys::BOOLARRAYOID)
        });
        let array = array.ok_or_else(|| invalid("they are NULL".to_owned()))?;
        if !(1..=MOST_STEPS).contains(&array.len()) {
            return Err(invalid(format!("there are {}", array.len())));
        }
        let bits = array.iter().enumerate().map(|(n, is_met)| u32::from(is_met == Some(true)) << n);
        Ok((array.len(), bits.fold(0, |bits, bit| bits | bit)))
    }

    /// Adds the row to the group's state, which the first row makes.
    fn add(&self, kind: Kind, number: u64, text: &[u8], time: Option<i64>) -> Result<pg_sys::Datum, Error> {
        let (conditions, met) = self.conditions()?;
        let parameters = Parameters { kind, number, text, conditions };
        let state = match self.state(0) {
            Some(state) => {
                state.parameters().same(&parameters)?;
                state
            }
            None => State::create(self.context()?, &parameters, parameters.check()?, 4),
        };
        if let Some(time) = time.filter(|_| met != 0 || state.keeps_all) {
            state.add(&[TimedEvent { time, conditions: met }]);
        }
        Ok(state.datum())
    }
}

/// The times that a row may have.
#[derive(Clone, Copy)]
enum Unit {
    /// timestamptz and timestamp, which are microseconds both.
    Microseconds,
    /// date: taken for its midnight.
    Days,
    /// bigint.
    Number,
}

impl Unit {
    fn time(self, datum: pg_sys::Datum) -> i64 {
        match self {
            Unit::Microseconds | Unit::Number => datum.value() as i64,
            // -infinity and infinity stay what they are.
            Unit::Days => match datum.value() as i32 {
                i32::MIN => i64::MIN,
                i32::MAX => i64::MAX,
                days => i64::from(days).saturating_mul(DAY),
            },
        }
    }

    fn window(self, datum: Option<pg_sys::Datum>) -> Result<u64, Error> {
        let invalid = |problem: &str| invalid("window", problem.to_owned(), WINDOW);
        let datum = datum.ok_or_else(|| invalid("it is NULL"))?;
        let length = match self {
            Unit::Number => i128::from(datum.value() as i64),
            Unit::Microseconds | Unit::Days => {
                // SAFETY: with these times the first argument is an interval, which is passed by reference.
                let interval = unsafe { *datum.cast_mut_ptr::<pg_sys::Interval>() };
                if interval.month.unsigned_abs() >= i32::MAX.unsigned_abs() {
                    return Err(invalid("it is infinite"));
                }
                if interval.month != 0 {
                    return Err(invalid("it has months, which differ in length"));
                }
                i128::from(interval.day) * i128::from(DAY) + i128::from(interval.time)
            }
        };
        if length < 0 {
            return Err(invalid("it is negative"));
        }
        Ok(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

/// What a function answers; `None`: NULL.
type Answer = Result<Option<pg_sys::Datum>, ErrorReport>;

/// window_funnel(window, [mode,] timestamp, conditions): the next row.
fn window_funnel_row(call: &Call, unit: Unit) -> Answer {
    let window = unit.window(call.argument(1))?;
    let mode = match call.last() {
        4 => call.bytes(2).ok_or_else(|| invalid("mode", "it is NULL".to_owned(), MODES))?,
        _ => &[],
    };
    let time = call.argument(call.last() - 1).map(|datum| unit.time(datum));
    Ok(Some(call.add(Kind::Funnel, window, mode, time)?))
}

/// sequence_match(pattern, timestamp, conditions) and sequence_count: the next row.
fn sequence_row(call: &Call, unit: Unit) -> Answer {
    let pattern = call.bytes(1).ok_or_else(|| invalid("pattern", "it is NULL".to_owned(), PATTERN))?;
    let second = if matches!(unit, Unit::Number) { 1 } else { MICROSECONDS };
    let time = call.argument(2).map(|datum| unit.time(datum));
    Ok(Some(call.add(Kind::Sequence, second, pattern, time)?))
}

fn window_funnel_level(call: &Call) -> Answer {
    let Some(state) = call.state(0) else { return Ok(0_i32.into_datum()) };
    let modes = modes(state.parameters().text)?;
    let level = state.with_sorted(|events| {
        window_funnel::level(events, state.conditions, state.number, modes, look_for_interrupts)
    });
    Ok((level as i32).into_datum())
}

fn sequence_is_found(call: &Call) -> Answer {
    let Some(state) = call.state(0) else { return Ok(false.into_datum()) };
    let pattern = pattern(&state.parameters())?;
    let is_found = state.with_sorted(|events| pattern.matches(events, look_for_interrupts));
    Ok(is_found.into_datum())
}

fn sequences_found(call: &Call) -> Answer {
    let Some(state) = call.state(0) else { return Ok(0_i64.into_datum()) };
    let pattern = pattern(&state.parameters())?;
    let count = state.with_sorted(|events| pattern.count(events, look_for_interrupts));
    Ok((count as i64).into_datum())
}

/// Adds the second state to the first, which PostgreSQL keeps.
fn combined(call: &Call) -> Answer {
    let Some(other) = call.state(1) else { return Ok(call.argument(0)) };
    let state = match call.state(0) {
        Some(state) => {
            state.parameters().same(&other.parameters())?;
            state
        }
        None => State::create(call.context()?, &other.parameters(), other.keeps_all, other.length),
    };
    state.add(other.events());
    Ok(Some(state.datum()))
}

fn serialized(call: &Call) -> Answer {
    let state = call.state(0).ok_or(Error::Missing("state"))?;
    state.serialize().map(Some)
}

fn deserialized(call: &Call) -> Answer {
    let state = call.bytes(0).and_then(State::deserialize).ok_or(Error::Missing("whole state"))?;
    Ok(Some(state.datum()))
}

fn look_for_interrupts() {
    check_for_interrupts!();
}

/// Defines the C functions that CREATE FUNCTION names, each with the record that PostgreSQL looks for.
macro_rules! support_functions {
    ($($symbol:ident $record:ident = $body:ident($($unit:path)?);)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $record() -> &'static pg_sys::Pg_finfo_record {
            const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }

        #[pg_guard]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            let answer = $body(&Call(fcinfo), $($unit)?).unwrap_or_report();
            // SAFETY: PostgreSQL calls it as what the CREATE FUNCTION in sql/ declares, and reads this field.
            unsafe { (*fcinfo).isnull = answer.is_none() };
            answer.unwrap_or(pg_sys::Datum::from(0))
        }
    )*};
}

support_functions! {
    window_funnel_add pg_finfo_window_funnel_add = window_funnel_row(Unit::Microseconds);
    window_funnel_add_date pg_finfo_window_funnel_add_date = window_funnel_row(Unit::Days);
    window_funnel_add_number pg_finfo_window_funnel_add_number = window_funnel_row(Unit::Number);
    window_funnel_result pg_finfo_window_funnel_result = window_funnel_level();
    sequence_add pg_finfo_sequence_add = sequence_row(Unit::Microseconds);
    sequence_add_date pg_finfo_sequence_add_date = sequence_row(Unit::Days);
    sequence_add_number pg_finfo_sequence_add_number = sequence_row(Unit::Number);
    sequence_match_result pg_finfo_sequence_match_result = sequence_is_found();
    sequence_count_result pg_finfo_sequence_count_result = sequences_found();
    timed_events_combine pg_finfo_timed_events_combine = combined();
    timed_events_serialize pg_finfo_timed_events_serialize = serialized();
    timed_events_deserialize pg_finfo_timed_events_deserialize = deserialized();
}
