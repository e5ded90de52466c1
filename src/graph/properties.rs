//! Pure: properties of vertices, in the form in which Apache AGE stores an agtype map of texts. Called for each of
//! millions of events, AGE's own function takes several times as long; [`Graph::open`](super::Graph::open) compares
//! what both make.
//!
//! An agtype map is laid out as PostgreSQL's jsonb objects are: a word with the number of pairs and a flag, a word for
//! each key and then for each value with its length, and then the bytes of all keys and all values. The first word of
//! an object holds an offset instead of a length, which is the same number there, and a flag for that. (Each 32nd word
//! does; no map here is as long.)

/// Flag of a map, beside the number of its pairs.
const OBJECT: u32 = 0x2000_0000;
/// Flag of a word that holds an offset.
const HAS_OFFSET: u32 = 0x8000_0000;
/// Every so many words one holds an offset.
const OFFSET_STRIDE: usize = 32;

/// Writes a map of texts, without varlena header, in place of what `bytes` held. The keys are in AGE's order: the
/// shorter before the longer, those of one length by their bytes.
pub fn write_map(pairs: &[(&str, &str)], bytes: &mut Vec<u8>) {
    debug_assert!(pairs.len() * 2 < OFFSET_STRIDE);
    debug_assert!(pairs.is_sorted_by_key(|(key, _)| (key.len(), *key)));
    bytes.clear();
    bytes.extend((pairs.len() as u32 | OBJECT).to_ne_bytes());
    let texts = || pairs.iter().map(|(key, _)| *key).chain(pairs.iter().map(|(_, value)| *value));
    for (n, text) in texts().enumerate() {
        // Texts that come from columns are no longer than 2^30.
        let flag = if n == 0 { HAS_OFFSET } else { 0 };
        bytes.extend((text.len() as u32 | flag).to_ne_bytes());
    }
    texts().for_each(|text| bytes.extend(text.as_bytes()));
}

/// Writes a time, in microseconds since the Unix epoch, as in `2026-03-02T09:00:00.000000Z`, in place of what `text`
/// held. Of the years 1 to 9999, which is where the times of events are.
pub fn write_time(micros: i64, text: &mut Vec<u8>) {
    const SECOND: i64 = 1_000_000;
    let (seconds, micros) = (micros.div_euclid(SECOND), micros.rem_euclid(SECOND));
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    text.clear();
    let parts = [
        (year as u32, 4, b'-'),
        (u8::from(month).into(), 2, b'-'),
        (day.into(), 2, b'T'),
        (hour.into(), 2, b':'),
        (minute.into(), 2, b':'),
        (second.into(), 2, b'.'),
        (micros as u32, 6, b'Z'),
    ];
    for (number, width, after) in parts {
        push_digits(number, width, text);
        text.push(after);
    }
}

/// Appends a number in so many decimal digits.
fn push_digits(number: u32, width: u32, text: &mut Vec<u8>) {
    for place in (0..width).rev() {
        text.push(b'0' + (number / 10u32.pow(place) % 10) as u8);
    }
}
