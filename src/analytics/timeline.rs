//! Runs of events in compact form, as the rows of the table `timeline` store them: when, by which user and
//! in which journey, and nothing else.
//!
//! A run is at most [`MAX_RUN`] entries with ascending ids. Its bytes are a header and then the entries, one
//! after the other, each of so many bits as the header says: every column of a run has one width, that of
//! the greatest number in it. So a column that is the same in all entries takes no space, and reading takes
//! no decisions: 5 ns and 7.4 bytes an entry of a busy day, where varints took 8 ns and 9.2 bytes.
//!
//! ```text
//! byte    version: 1
//! byte    how many entries, 0 to MAX_RUN; nothing follows 0
//! byte    unit of times: 0 µs, 1 ms, 2 s (the greatest that divides all times); + 4 if times are steps
//! bytes   widths in bits, 0 to 64: id, time, user, journey
//! varint  first id
//! varint  first time in units, if times are steps
//! varint  least step from an id to the next
//! varint  least step from a time to the next, or else the least time, in units
//! varint  least user + 1, 0 being no user
//! varint  least journey
//! bits    for each entry id step, time or time step, user + 1 and journey, each less the least one;
//!         the lowest bits come first, and the last byte is filled up with zeros
//! ```
//!
//! Varints are LEB128 of the zigzag form. Ids, and times where that is smaller, are stored as steps from
//! the entry before; the first entry's are the least steps. All of it is arithmetic modulo 2^64, so that
//! any `i64` fits.

/// The most entries of a run. So many of a busy day are 1.2 kB; from 2 kB on PostgreSQL stores values
/// elsewhere.
pub const MAX_RUN: usize = 160;

/// An event as the timeline keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The event's id (`events.id`), in order of arrival.
    pub id: i64,
    /// When it occurred, in microseconds since the Unix epoch. Any `i64`.
    pub at: i64,
    /// The user it was sent with, 0 or greater.
    pub user: Option<i64>,
    /// The journey it was stitched into, 0 or greater.
    pub journey: i64,
}

/// What is wrong with a stored run, or with the request to make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimelineError {
    /// The bytes are not a run's: damaged, cut off, followed by others, or of another format.
    #[error("undecodable run of the timeline: {0}")]
    Undecodable(String),
    /// Ids do not ascend, or one of them is there twice.
    #[error("ids of a run of the timeline do not ascend")]
    Unsorted,
    /// A user or a journey is below 0.
    #[error("negative user or journey in the timeline")]
    Negative,
    /// More than [`MAX_RUN`] entries in one run.
    #[error("too many entries for one run of the timeline")]
    TooMany,
}

/// The units that times are stored in, in microseconds.
const UNITS: [i64; 3] = [1, 1_000, 1_000_000];
const VERSION: u8 = 1;
/// Set in the byte of the unit if times are stored as steps.
const STEPS: u8 = 4;
const COLUMNS: usize = 4;

/// The bytes of a run. No entries make two bytes.
///
/// # Errors
/// [`TimelineError::Unsorted`] unless ids strictly ascend; `Negative`, `TooMany`.
pub fn encode(entries: &[Entry]) -> Result<Vec<u8>, TimelineError> {
    if entries.len() > MAX_RUN {
        return Err(TimelineError::TooMany);
    }
    if !entries.is_sorted_by(|a, b| a.id < b.id) {
        return Err(TimelineError::Unsorted);
    }
    if entries.iter().any(|entry| entry.journey < 0 || entry.user.is_some_and(|user| user < 0)) {
        return Err(TimelineError::Negative);
    }
    let mut bytes = vec![VERSION, entries.len() as u8];
    let Some(first) = entries.first() else { return Ok(bytes) };

    let divides = |unit: &i64| entries.iter().all(|entry| entry.at % unit == 0);
    let unit = UNITS.into_iter().rev().find(divides).unwrap_or(1);
    let times = entries.iter().map(|entry| entry.at / unit);
    let (standing, steps) = (Column::of(times.clone()), Column::of_steps(times));
    let first_time = (steps.width < standing.width).then_some(first.at / unit);
    let columns = [
        Column::of_steps(entries.iter().map(|entry| entry.id)),
        if first_time.is_some() { steps } else { standing },
        Column::of(entries.iter().map(|entry| entry.user.map_or(0, |user| user.wrapping_add(1)))),
        Column::of(entries.iter().map(|entry| entry.journey)),
    ];
    let header = Header {
        count: entries.len(),
        unit,
        widths: columns.each_ref().map(|column| column.width),
        first_id: first.id,
        first_time,
        least: columns.each_ref().map(|column| column.least),
    };
    header.write(&mut bytes);
    pack(&columns, entries.len(), &mut bytes);
    Ok(bytes)
}

/// The entries of a run, ascending by id. At most [`MAX_RUN`], whatever the bytes are.
///
/// # Errors
/// If `bytes` are not a valid run; every byte is checked.
pub fn decode(bytes: &[u8]) -> Result<Vec<Entry>, TimelineError> {
    // A run's second byte says how many there are.
    let count = bytes.get(1).map_or(0, |&count| usize::from(count).min(MAX_RUN));
    let mut entries = Vec::with_capacity(count);
    for_each(bytes, |entry| entries.push(entry))?;
    Ok(entries)
}

/// Shows the entries of a run one by one, ascending by id, without allocating anything.
///
/// # Errors
/// As [`decode`]. What `visit` was shown before is then to be discarded: some damages are only found out at
/// the end.
#[inline]
pub fn for_each(bytes: &[u8], mut visit: impl FnMut(Entry)) -> Result<(), TimelineError> {
    let Some((header, rows)) = Header::read(bytes)? else { return Ok(()) };
    let masks = header.widths.map(mask);
    let [least_id_step, least_time, least_user, least_journey] = header.least;
    // A time is the one before and a step, or else stands alone.
    let kept = if header.first_time.is_some() { -1 } else { 0 };
    let mut id = header.first_id.wrapping_sub(least_id_step);
    let mut time = header.first_time.unwrap_or(0).wrapping_sub(least_time);
    let mut last_id = None;
    let mut is_sound = true;
    let mut bit = 0;
    for _ in 0..header.count {
        let mut numbers = [0; COLUMNS];
        for column in 0..COLUMNS {
            let width = header.widths[column];
            numbers[column] = (bits_at(rows, bit, width) & masks[column]) as i64;
            bit += width as usize;
        }
        id = id.wrapping_add(least_id_step).wrapping_add(numbers[0]);
        time = (time & kept).wrapping_add(least_time).wrapping_add(numbers[1]);
        let (at, is_too_far) = time.overflowing_mul(header.unit);
        // i64::MAX + 1 is the smallest i64, and the only negative one that there is.
        let user = least_user.wrapping_add(numbers[2]);
        let journey = least_journey.wrapping_add(numbers[3]);
        is_sound &= !is_too_far & (user >= 0 || user == i64::MIN) & (journey >= 0) & (last_id < Some(id));
        last_id = Some(id);
        visit(Entry { id, at, user: (user != 0).then(|| user.wrapping_sub(1)), journey });
    }
    if is_sound { Ok(()) } else { Err(undecodable("impossible numbers")) }
}

/// Cuts entries, in any order, into the fewest runs, ascending and filled evenly: the numbers of their
/// entries differ by one at most.
///
/// # Errors
/// [`TimelineError::Unsorted`] if an id is there twice.
pub fn split(mut entries: Vec<Entry>) -> Result<Vec<Vec<Entry>>, TimelineError> {
    // Stable, as it is quickest where much is in order already: a run and what came after it.
    entries.sort_by_key(|entry| entry.id);
    if !entries.is_sorted_by(|a, b| a.id < b.id) {
        return Err(TimelineError::Unsorted);
    }
    let mut rest = entries.as_slice();
    let mut runs = Vec::with_capacity(rest.len().div_ceil(MAX_RUN));
    while !rest.is_empty() {
        let (run, after) = rest.split_at(rest.len().div_ceil(rest.len().div_ceil(MAX_RUN)));
        runs.push(run.to_vec());
        rest = after;
    }
    Ok(runs)
}

/// What a run says before its entries. The columns are id, time, user + 1 and journey.
struct Header {
    count: usize,
    /// In microseconds.
    unit: i64,
    widths: [u32; COLUMNS],
    first_id: i64,
    /// Only if times are stored as steps.
    first_time: Option<i64>,
    /// What was subtracted from all numbers of a column.
    least: [i64; COLUMNS],
}

impl Header {
    fn write(&self, bytes: &mut Vec<u8>) {
        let unit = UNITS.iter().position(|&unit| unit == self.unit).unwrap_or(0) as u8;
        bytes.push(if self.first_time.is_some() { unit | STEPS } else { unit });
        bytes.extend(self.widths.map(|width| width as u8));
        put_varint(self.first_id, bytes);
        if let Some(first_time) = self.first_time {
            put_varint(first_time, bytes);
        }
        for least in self.least {
            put_varint(least, bytes);
        }
    }

    /// Reads the header of a run, and gives the bytes of its entries, which are as many as the header says;
    /// None if there are no entries.
    fn read(bytes: &[u8]) -> Result<Option<(Header, &[u8])>, TimelineError> {
        let (count, flags, widths, mut rest) = match bytes {
            [VERSION, 0] => return Ok(None),
            [VERSION, 0, ..] => return Err(undecodable("more bytes than announced")),
            [VERSION, count, flags, id, time, user, journey, rest @ ..] => {
                (usize::from(*count), *flags, [*id, *time, *user, *journey].map(u32::from), rest)
            }
            [] | [VERSION, ..] => return Err(undecodable("cut off")),
            _ => return Err(undecodable("of another version")),
        };
        let Some(&unit) = UNITS.get(usize::from(flags & !STEPS)) else {
            return Err(undecodable("unknown unit"));
        };
        if count > MAX_RUN || widths.iter().any(|&width| width > u64::BITS) {
            return Err(undecodable("impossible header"));
        }
        let first_id = take_varint(&mut rest)?;
        let first_time = if flags & STEPS == 0 { None } else { Some(take_varint(&mut rest)?) };
        let mut least = [0; COLUMNS];
        for number in &mut least {
            *number = take_varint(&mut rest)?;
        }
        let bits = count * widths.iter().sum::<u32>() as usize;
        if rest.len() != bits.div_ceil(8) {
            return Err(undecodable("more or fewer bytes than announced"));
        }
        if !bits.is_multiple_of(8) && rest.last().is_some_and(|last| last >> (bits % 8) != 0) {
            return Err(undecodable("bits after the last entry"));
        }
        Ok(Some((Header { count, unit, widths, first_id, first_time, least }, rest)))
    }
}

/// The numbers of a column of a run, less the least one.
struct Column {
    least: i64,
    rest: Vec<u64>,
    width: u32,
}

impl Column {
    fn of(numbers: impl Iterator<Item = i64> + Clone) -> Column {
        let least = numbers.clone().min().unwrap_or(0);
        let rest: Vec<u64> = numbers.map(|number| number.wrapping_sub(least) as u64).collect();
        let width = u64::BITS - rest.iter().fold(0, |all, number| all | number).leading_zeros();
        Column { least, rest, width }
    }

    /// The steps from each number to the next, after the least one for the first number.
    fn of_steps(numbers: impl Iterator<Item = i64> + Clone) -> Column {
        let steps = numbers.clone().zip(numbers.skip(1)).map(|(number, next)| next.wrapping_sub(number));
        let mut column = Column::of(steps);
        column.rest.insert(0, 0);
        column
    }
}

/// Appends the numbers row by row.
fn pack(columns: &[Column; COLUMNS], count: usize, bytes: &mut Vec<u8>) {
    let (mut bits, mut held) = (0u128, 0);
    for row in 0..count {
        for column in columns {
            bits |= u128::from(column.rest[row]) << held;
            held += column.width;
            while held >= 8 {
                bytes.push(bits as u8);
                bits >>= 8;
                held -= 8;
            }
        }
    }
    if held > 0 {
        bytes.push(bits as u8);
    }
}

/// The bits from `bit` on, of which only the lowest `width` (64 at most) are of use.
#[inline(always)]
fn bits_at(bytes: &[u8], bit: usize, width: u32) -> u64 {
    let (byte, shift) = (bit / 8, bit % 8);
    let low = match bytes.get(byte..).and_then(<[u8]>::first_chunk) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => {
            let end = bytes.get(byte..).unwrap_or(&[]);
            end.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
        }
    };
    if width as usize + shift <= 64 {
        return low >> shift;
    }
    // Of nine bytes; shift is 1 at least.
    low >> shift | bytes.get(byte + 8).map_or(0, |&ninth| u64::from(ninth) << (64 - shift))
}

/// The lowest bits set.
fn mask(width: u32) -> u64 {
    u64::MAX.checked_shr(u64::BITS - width).unwrap_or(0)
}

/// Appends a number as LEB128 of its zigzag form, in which numbers near 0 are short whatever their sign.
fn put_varint(number: i64, bytes: &mut Vec<u8>) {
    let mut rest = (number << 1 ^ number >> 63) as u64;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// Takes such a number off the bytes.
fn take_varint(bytes: &mut &[u8]) -> Result<i64, TimelineError> {
    let mut number = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let Some((&byte, rest)) = bytes.split_first() else { return Err(undecodable("cut off")) };
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        // Written the shortest way; the tenth byte is 1.
        if byte == 0 && shift > 0 || byte > 1 && shift == 63 {
            break;
        }
        if byte < 0x80 {
            return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    Err(undecodable("impossible header"))
}

fn undecodable(reason: &str) -> TimelineError {
    TimelineError::Undecodable(reason.to_owned())
}
