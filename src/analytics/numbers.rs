//! Numbers in events' properties.

use pgrx::direct_function_call;
use pgrx::prelude::*;

use crate::event::Json;
use crate::jsonb::Jsonb;

/// Longer numbers are none: sums of them could overflow.
const MOST_CHARACTERS: usize = 1_000;

/// The number that a JSON value is: a number, or a text that is one ("19.90", " -3e2 "). NULL for everything
/// else, also for NaN and infinity, and for a text of more than 1,000 characters or with an exponent beyond
/// ±999.
#[pg_extern(immutable, parallel_safe, strict)]
fn json_number(value: Jsonb) -> Option<AnyNumeric> {
    match value.root().json() {
        // SAFETY: the function is jsonb's cast to numeric, which takes a jsonb that is a number.
        Json::Number(digits) if digits.len() <= MOST_CHARACTERS => unsafe {
            direct_function_call(pg_sys::jsonb_numeric, &[value.into_datum()])
        },
        Json::String(text) if is_decimal(text.trim()) => AnyNumeric::try_from(text.trim()).ok(),
        _ => None,
    }
}

/// Whether a text is a decimal number: digits with at most one point, a sign before and an exponent after.
fn is_decimal(text: &str) -> bool {
    let unsigned = |text: &str| text.strip_prefix(['-', '+']).unwrap_or(text).to_owned();
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let mantissa = unsigned(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    text.len() <= MOST_CHARACTERS
        && is_digits(whole)
        && is_digits(fraction)
        && whole.len() + fraction.len() > 0
        && exponent.is_none_or(|exponent| {
            let digits = unsigned(exponent);
            is_digits(&digits) && (1..=3).contains(&digits.len())
        })
}
