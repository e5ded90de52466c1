//! Timestamps as clients send them: ISO 8601 texts and epoch numbers, to microseconds since the Unix epoch.
//!
//! An instant has one value however it is written: whatever is finer than a microsecond is dropped towards
//! the past in every form. Nothing here uses floating point.

use time::Date;
use time::format_description::well_known::Iso8601;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 0001-01-01T00:00:00Z.
const MIN: i64 = -62_135_596_800 * SECOND;
/// 10000-01-01T00:00:00Z, the first instant that is not accepted.
const END: i64 = 253_402_300_800 * SECOND;
/// The Julian day number of 1970-01-01.
const EPOCH_JULIAN_DAY: i32 = 2_440_588;

/// Why a timestamp was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// It is neither an ISO 8601 text nor an epoch number.
    #[error("must be an ISO 8601 date or timestamp, or an epoch in seconds or milliseconds")]
    Invalid,
    /// It lies outside the years 1 to 9999, in UTC.
    #[error("must lie in the years 1 to 9999")]
    OutOfRange,
}

/// Reads a text: a decimal number is an epoch (see [`parse_epoch`]), except that exactly eight digits are
/// a date, `20150101`; anything else is ISO 8601.
///
/// Dates are calendar, ordinal or week dates, basic or extended. A time of day may lack its seconds or
/// minutes, its last unit may have a fraction, and a space may stand for the `T`. Without an offset it is
/// UTC; a date alone is its midnight. `24:00:00` is the next day's midnight, and a leap second is the
/// first second of the next minute, as in POSIX and PostgreSQL.
pub fn parse(text: &str) -> Result<i64, TimestampError> {
    let text = text.trim();
    let is_basic_date = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    match Decimal::parse(text) {
        Some(number) if !is_basic_date => number.epoch_micros(),
        _ => parse_iso8601(text),
    }
}

/// Reads a number by its digits: seconds since the Unix epoch below 1e11, else milliseconds. 1e11 seconds
/// is the year 5138, 1e11 milliseconds is 1973-03-03: what clients send as the present is never in doubt.
pub fn parse_epoch(number: &str) -> Result<i64, TimestampError> {
    Decimal::parse(number).ok_or(TimestampError::Invalid)?.epoch_micros()
}

/// A decimal number, cut into its parts.
struct Decimal<'a> {
    negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    /// JSON's grammar, but a plus sign and leading zeros may stand in front.
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, rest) = split_sign(text.as_bytes());
        let (integer, rest) = split_digits(rest)?;
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => split_digits(rest)?,
            _ => (&[][..], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => parse_exponent(rest)?,
            _ => return None,
        };
        Some(Decimal { negative, integer, fraction, exponent })
    }

    fn epoch_micros(&self) -> Result<i64, TimestampError> {
        let digits = || self.integer.iter().chain(self.fraction).map(|digit| i64::from(digit - b'0'));
        let zeros = digits().take_while(|digit| *digit == 0).count();
        let mut significant = digits().skip(zeros).peekable();
        if significant.peek().is_none() {
            return Ok(0);
        }
        // How many digits stand before the decimal point: at most 11 in a number below 1e11.
        let magnitude = (self.integer.len() as i64 - zeros as i64).saturating_add(self.exponent);
        let micros_digits = match magnitude {
            ..=11 => magnitude.saturating_add(6),
            12..=15 => magnitude + 3,
            _ => return Err(TimestampError::OutOfRange),
        };
        let micros = (0..micros_digits).fold(0, |micros, _| micros * 10 + significant.next().unwrap_or(0));
        let finer = significant.any(|digit| digit != 0);
        in_range(if self.negative { -micros - i64::from(finer) } else { micros })
    }
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// The digits in front, at least one, and the rest.
fn split_digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, rest) = split_sign(text);
    let (digits, []) = split_digits(rest)? else { return None };
    let exponent = digits
        .iter()
        .fold(0i64, |exponent, digit| exponent.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if negative { -exponent } else { exponent })
}

fn parse_iso8601(text: &str) -> Result<i64, TimestampError> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let day = match Date::parse(date, &Iso8601::PARSING) {
        Ok(date) => i64::from(date.to_julian_day() - EPOCH_JULIAN_DAY),
        Err(_) if has_expanded_year(date) => return Err(TimestampError::OutOfRange),
        Err(_) => return Err(TimestampError::Invalid),
    };
    let since_midnight = match time {
        Some(time) => parse_time(time).ok_or(TimestampError::Invalid)?,
        None => 0,
    };
    in_range(day * DAY + since_midnight)
}

/// Whether the year is written `±YYYYYY`, as JavaScript does beyond the year 9999, where `time` stops.
fn has_expanded_year(date: &str) -> bool {
    match date.as_bytes() {
        [b'+' | b'-', year @ .., b'-', _, _, b'-', _, _] => {
            year.len() == 6 && year.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// Microseconds since midnight UTC of `hh[:mm[:ss]][.f+][Z|±hh[:mm]]`. Not left to `time`, which reads
/// fractions as floating point (`59.9999999999` is an error to it) and knows no `24:00`.
fn parse_time(text: &str) -> Option<i64> {
    let (clock, offset) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => (&text[..at], parse_offset(&text.as_bytes()[at..])?),
        None => (text, 0),
    };
    let (clock, fraction) = match clock.split_once(['.', ',']) {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let clock = Clock::parse(clock.as_bytes())?;
    let mut micros = (clock.hour * 3_600 + clock.minute * 60 + clock.second) * SECOND;
    if let Some(fraction) = fraction {
        micros += parse_fraction(fraction.as_bytes(), clock.unit * SECOND)?;
    }
    let is_day_end = micros == DAY && clock.hour == 24;
    let is_time = clock.hour <= 23 && clock.minute <= 59 && clock.second <= 60;
    (is_time || is_day_end).then_some(micros - offset)
}

fn parse_offset(text: &[u8]) -> Option<i64> {
    let (b'+' | b'-', clock) = text.split_first()? else {
        return text.eq_ignore_ascii_case(b"Z").then_some(0);
    };
    let clock = Clock::parse(clock).filter(|c| c.hour <= 23 && c.minute <= 59 && c.unit > 1)?;
    let micros = (clock.hour * 3_600 + clock.minute * 60) * SECOND;
    Some(if text.starts_with(b"-") { -micros } else { micros })
}

/// The part of a unit that `.digits` is, rounded down.
fn parse_fraction(digits: &[u8], unit: i64) -> Option<i64> {
    let (digits, []) = split_digits(digits)? else { return None };
    let (mut numerator, mut denominator) = (0i128, 1i128);
    // Eighteen digits of an hour are far below a microsecond.
    for digit in digits.iter().take(18) {
        numerator = numerator * 10 + i128::from(digit - b'0');
        denominator *= 10;
    }
    i64::try_from(numerator * i128::from(unit) / denominator).ok()
}

/// `hh`, `hh:mm`, `hh:mm:ss`, with or without colons; the numbers are not checked.
struct Clock {
    hour: i64,
    minute: i64,
    second: i64,
    /// The seconds in its last unit, which is what a fraction is a fraction of.
    unit: i64,
}

impl Clock {
    fn parse(text: &[u8]) -> Option<Self> {
        let (hour, minute, second, unit) = match *text {
            [a, b] => ([a, b], [b'0'; 2], [b'0'; 2], 3_600),
            [a, b, c, d] | [a, b, b':', c, d] => ([a, b], [c, d], [b'0'; 2], 60),
            [a, b, c, d, e, f] | [a, b, b':', c, d, b':', e, f] => ([a, b], [c, d], [e, f], 1),
            _ => return None,
        };
        Some(Clock {
            hour: two_digits(hour)?,
            minute: two_digits(minute)?,
            second: two_digits(second)?,
            unit,
        })
    }
}

fn two_digits(pair: [u8; 2]) -> Option<i64> {
    let [tens, ones] = pair;
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

fn in_range(micros: i64) -> Result<i64, TimestampError> {
    if (MIN..END).contains(&micros) { Ok(micros) } else { Err(TimestampError::OutOfRange) }
}
