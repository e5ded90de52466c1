//! Runs of the timeline, held against a map of entries, and their bytes, held against the format.

use journey_stitch::analytics::timeline::{Entry, MAX_RUN, TimelineError, decode, encode, for_each, split};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Adds up the allocations of each thread.
struct WatchedAllocator;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: WatchedAllocator = WatchedAllocator;

// SAFETY: hands everything to the system's allocator; the thread local needs no allocation itself.
unsafe impl GlobalAlloc for WatchedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|bytes| bytes.set(bytes.get() + layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    ALLOCATED.set(0);
    let result = work();
    (result, ALLOCATED.get())
}

const fn entry(id: i64, at: i64, user: Option<i64>, journey: i64) -> Entry {
    Entry { id, at, user, journey }
}

/// Entries with the ids from 1 on, a second apart, of one user and journey.
fn plain(count: usize) -> Vec<Entry> {
    (1..=count as i64).map(|id| entry(id, id * 1_000_000, Some(3), 4)).collect()
}

fn visited(bytes: &[u8]) -> Result<Vec<Entry>, TimelineError> {
    let mut entries = Vec::new();
    for_each(bytes, |entry| entries.push(entry))?;
    Ok(entries)
}

/// Reads a valid run bit by bit, as the format's description says it, in integers that nothing overflows.
fn read_plainly(bytes: &[u8]) -> Vec<Entry> {
    let count = usize::from(bytes[1]);
    if count == 0 {
        return Vec::new();
    }
    let unit = [1, 1_000, 1_000_000][usize::from(bytes[2] & 3)];
    let is_steps = bytes[2] & 4 > 0;
    let mut rest = &bytes[7..];
    let mut varint = || {
        let length = rest.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let number = rest[..length].iter().rev().fold(0u128, |n, byte| n * 128 + u128::from(byte % 128));
        rest = &rest[length..];
        if number % 2 == 0 { number as i128 / 2 } else { -(number as i128 / 2) - 1 }
    };
    let first_id = varint();
    let first_time = if is_steps { varint() } else { 0 };
    let least: [i128; 4] = std::array::from_fn(|_| varint());
    let bits: Vec<bool> = rest.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)).collect();
    let mut bits = bits.into_iter();
    let rows = (0..count).map(|_| {
        let number = |column: usize| {
            let digits: Vec<bool> = bits.by_ref().take(usize::from(bytes[3 + column])).collect();
            least[column] + digits.iter().rev().fold(0, |number, &digit| number * 2 + i128::from(digit))
        };
        let columns = [0, 1, 2, 3].map(number);
        columns.map(|number| number as i64)
    });
    let rows: Vec<[i64; 4]> = rows.collect();
    // Sums modulo 2^64 of the steps after the first row.
    let sum = |first: i128, column: usize, row: usize| {
        let steps: i128 = rows[1..=row].iter().map(|row| i128::from(row[column])).sum();
        (first + steps) as i64
    };
    let entries = (0..count).map(|row| {
        let [_, time, user, journey] = rows[row];
        let at = unit * if is_steps { sum(first_time, 1, row) } else { time };
        entry(sum(first_id, 0, row), at, (user != 0).then(|| user.wrapping_sub(1)), journey)
    });
    entries.collect()
}

#[test]
fn bytes_are_the_format() {
    assert_eq!(encode(&[]).unwrap(), [1, 0]);
    // One entry has no steps; 7 s, user 2 (as 3) and journey 5 are doubled in zigzag form.
    assert_eq!(
        encode(&[entry(100, 7_000_000, Some(2), 5)]).unwrap(),
        [1, 1, 2, 0, 0, 0, 0, 0xc8, 1, 0, 14, 6, 10]
    );
    // No user and a time before 1970.
    assert_eq!(encode(&[entry(0, -3_000, None, 0)]).unwrap(), [1, 1, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0]);
    // Id steps (1) 1 3, times 1 3 2 from 1 on, users + 1 0 1 0, journeys 6 6 6. A row has 2 + 2 + 1 bits,
    // the id step first: 00 00 0, 00 10 1, 10 01 0, from the right: 0 0110 11000 00000.
    let three = [entry(1, 1, None, 6), entry(2, 3, Some(0), 6), entry(5, 2, None, 6)];
    assert_eq!(encode(&three).unwrap(), [1, 3, 0, 2, 2, 1, 0, 2, 2, 2, 0, 12, 0x00, 0x1b]);
    // Times as steps, since those are all the same: 10 ms and twice 10 more.
    let steps = [entry(1, 10_000, None, 6), entry(2, 20_000, None, 6), entry(3, 30_000, None, 6)];
    assert_eq!(encode(&steps).unwrap(), [1, 3, 1 + 4, 0, 0, 0, 0, 2, 20, 2, 20, 0, 12]);
}

#[test]
fn a_column_that_is_the_same_in_all_entries_takes_no_space() {
    let bytes = encode(&plain(MAX_RUN)).unwrap();
    assert_eq!(bytes, [1, MAX_RUN as u8, 2 + 4, 0, 0, 0, 0, 2, 2, 2, 2, 8, 8]);
    assert_eq!(decode(&bytes).unwrap(), plain(MAX_RUN));
}

#[test]
fn a_busy_day_takes_under_eight_bytes_an_entry() {
    // Ids 10 apart, times 8 s apart to the millisecond, 100,000 users and 500,000 journeys, all spread out.
    let spread = |n: i64, factor: i64, below: i64| n * factor % below;
    let day: Vec<Entry> = (0..160)
        .map(|n| {
            let at = 1_750_000_000_000 + 8_000 * n + spread(n, 7_919, 8_000);
            let journey = spread(n, 314_159, 500_000);
            entry(10 * n + spread(n, 7, 10), at * 1_000, Some(spread(n, 61_803, 100_000)), journey)
        })
        .collect();
    let bytes = encode(&day).unwrap();
    assert!(bytes.len() < 8 * day.len(), "{} bytes", bytes.len());
    assert_eq!(decode(&bytes).unwrap(), day);
}

#[test]
fn every_number_survives() {
    const FAR: [i64; 6] = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
    let users = [None, Some(0), Some(i64::MAX - 1), Some(i64::MAX), None, Some(1)];
    let journeys = [0, i64::MAX, 1, i64::MAX - 1, 0, 7];
    for turn in 0..6 {
        let entries: Vec<Entry> = (0..6)
            .map(|n| entry(FAR[n], FAR[(n + turn) % 6], users[(n + 2 * turn) % 6], journeys[(n + turn) % 6]))
            .collect();
        for part in 0..6 {
            assert_eq!(decode(&encode(&entries[part..]).unwrap()).unwrap(), entries[part..]);
            assert_eq!(decode(&encode(&entries[..part]).unwrap()).unwrap(), entries[..part]);
        }
    }
}

#[test]
fn times_are_in_the_greatest_unit_that_divides_them() {
    for (at, unit) in [(0, 2), (-5_000_000, 2), (1_999_000, 1), (-1_000, 1), (1_500, 0), (i64::MIN, 0)] {
        assert_eq!(encode(&[entry(1, at, None, 1)]).unwrap()[2], unit);
        let two = [entry(1, 0, None, 1), entry(2, at, None, 1)];
        assert_eq!(encode(&two).unwrap()[2] & 3, unit);
        assert_eq!(decode(&encode(&two).unwrap()).unwrap(), two);
    }
}

#[test]
fn impossible_runs_are_refused() {
    let refused = |entries: &[Entry]| encode(entries).unwrap_err();
    assert_eq!(refused(&[entry(2, 0, None, 0), entry(1, 0, None, 0)]), TimelineError::Unsorted);
    assert_eq!(refused(&[entry(2, 0, None, 0), entry(2, 9, None, 0)]), TimelineError::Unsorted);
    assert_eq!(refused(&[entry(1, 0, Some(-1), 0)]), TimelineError::Negative);
    assert_eq!(refused(&[entry(1, 0, None, 1), entry(2, 0, None, -1)]), TimelineError::Negative);
    assert_eq!(refused(&plain(MAX_RUN + 1)), TimelineError::TooMany);
    assert_eq!(split(vec![entry(9, 0, None, 0), entry(9, 1, None, 0)]), Err(TimelineError::Unsorted));
}

#[test]
fn damaged_bytes_are_refused() {
    let refused = |bytes: &[u8], says: &str| {
        let message = decode(bytes).unwrap_err().to_string();
        assert!(message.contains(says), "{message} for {bytes:?}");
        assert_eq!(visited(bytes).unwrap_err().to_string(), message);
    };
    refused(&[], "cut off");
    refused(&[1], "cut off");
    refused(&[1, 1, 0, 0, 0, 0], "cut off");
    refused(&[1, 0, 0], "more bytes than announced");
    refused(&[0, 0], "of another version");
    refused(&[2, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0], "of another version");
    // This is the event with id 1, and a piece of it at a time made impossible.
    assert_eq!(decode(&[1, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]).unwrap(), [entry(1, 0, None, 0)]);
    refused(&[1, 1, 3, 0, 0, 0, 0, 2, 0, 0, 0, 0], "unknown unit");
    refused(&[1, 1, 8, 0, 0, 0, 0, 2, 0, 0, 0, 0], "unknown unit");
    refused(&[1, 1, 4, 0, 0, 0, 0, 2, 0, 0, 0, 0], "cut off");
    refused(&[1, 161, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0], "impossible header");
    refused(&[1, 1, 0, 65, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "impossible header");
    refused(&[1, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0], "more or fewer bytes");
    refused(&[1, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0], "more or fewer bytes");
    refused(&[1, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], "bits after the last entry");
    refused(&[1, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 128], "bits after the last entry");
    // Varints that are not the shortest, or have more than 64 bits.
    refused(&[1, 1, 0, 0, 0, 0, 0, 0x82, 0, 0, 0, 0, 0], "impossible header");
    refused(
        &[1, 1, 0, 0, 0, 0, 0, 0x82, 128, 128, 128, 128, 128, 128, 128, 128, 2, 0, 0, 0, 0],
        "impossible header",
    );
    refused(
        &[1, 1, 0, 0, 0, 0, 0, 0x82, 128, 128, 128, 128, 128, 128, 128, 128, 129, 0, 0, 0, 0],
        "impossible header",
    );
    // Numbers below 0 (zigzag 1 is -1): user + 1, journey, and the step to the second id; a step of 0.
    refused(&[1, 1, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0], "impossible numbers");
    refused(&[1, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1], "impossible numbers");
    refused(&[1, 2, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0], "impossible numbers");
    refused(&[1, 2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0], "impossible numbers");
    // 2^62 seconds.
    let mut seconds = vec![1, 1, 2, 0, 0, 0, 0, 2, 0];
    seconds.extend([128, 128, 128, 128, 128, 128, 128, 128, 128, 1, 0, 0]);
    refused(&seconds, "impossible numbers");
}

#[test]
fn one_more_than_fits_makes_two_even_runs() {
    assert_eq!(split(plain(MAX_RUN)).unwrap(), [plain(MAX_RUN)]);
    let all = plain(MAX_RUN + 1);
    assert_eq!(split(all.clone()).unwrap(), [&all[..81], &all[81..]]);
    assert_eq!(split(Vec::new()).unwrap(), Vec::<Vec<Entry>>::new());
}

/// Numbers that are wide or narrow, near an end or near each other.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..20i64,
        1_000_000..1_100_000i64,
        (0..64u32, any::<i64>()).prop_map(|(bits, number)| number >> bits),
        select(vec![i64::MIN, -1, 0, i64::MAX]),
    ]
}

fn natural() -> impl Strategy<Value = i64> {
    number().prop_map(|number| if number < 0 { !number } else { number })
}

fn time() -> impl Strategy<Value = i64> {
    let unit = select(vec![1i64, 1_000, 1_000_000]);
    (number(), unit).prop_map(|(number, unit)| number.checked_mul(unit).unwrap_or(number))
}

/// How much the columns of a run vary: each is of the given strategy, or the same in all entries.
fn run(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    let ids = prop_oneof![
        btree_set(number(), 0..=most),
        (number(), vec(1..40i64, 0..=most)).prop_map(|(first, steps)| {
            let ids = steps.iter().scan(first, |id, step| {
                *id = id.checked_add(*step)?;
                Some(*id)
            });
            ids.collect()
        }),
    ];
    let user = proptest::option::of(natural());
    let columns = vec((time(), user, natural()), most..=most);
    (ids, columns, any::<[bool; 3]>(), any::<bool>()).prop_map(|(ids, columns, same, is_rising)| {
        let mut entries: Vec<Entry> = ids
            .into_iter()
            .enumerate()
            .map(|(n, id)| {
                let of = |column: usize| &columns[if same[column] { 0 } else { n }];
                entry(id, of(0).0, of(1).1, of(2).2)
            })
            .collect();
        if is_rising {
            let mut times: Vec<i64> = entries.iter().map(|entry| entry.at).collect();
            times.sort_unstable();
            entries.iter_mut().zip(times).for_each(|(entry, at)| entry.at = at);
        }
        entries
    })
}

/// Bytes of any kind, and those of runs with a few of them changed, cut off or added.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<u8>(), 0..4u8);
    prop_oneof![
        1 => vec(any::<u8>(), 0..60),
        1 => vec(0..4u8, 0..60).prop_map(|mut bytes| { bytes.insert(0, 1); bytes }),
        4 => (run(12), vec(change, 1..4)).prop_map(|(entries, changes)| {
            let mut bytes = encode(&entries).unwrap();
            for (place, byte, kind) in changes {
                match (kind, place.index(bytes.len().max(1))) {
                    (0, place) => bytes.truncate(place),
                    (1, place) => bytes.insert(place, byte),
                    (2, place) if place < bytes.len() => bytes[place] ^= 1 << (byte % 8),
                    (_, place) if place < bytes.len() => bytes[place] = byte,
                    _ => bytes.push(byte),
                }
            }
            bytes
        }),
    ]
}

proptest! {
    #[test]
    fn runs_keep_their_entries(entries in run(MAX_RUN)) {
        let bytes = encode(&entries).unwrap();
        prop_assert_eq!(&decode(&bytes).unwrap(), &entries);
        prop_assert_eq!(&read_plainly(&bytes), &entries);
        let mut sum = 0i64;
        let (result, allocated) = allocated(|| for_each(&bytes, |entry| sum = sum.wrapping_add(entry.at)));
        prop_assert_eq!((result, allocated), (Ok(()), 0));
        prop_assert_eq!(sum, entries.iter().fold(0i64, |sum, entry| sum.wrapping_add(entry.at)));
        // Never much longer than the numbers themselves.
        prop_assert!(bytes.len() <= 70 + 32 * entries.len());
    }

    #[test]
    fn entries_are_cut_into_runs(
        stored in run(MAX_RUN),
        batch in run(2 * MAX_RUN + 50).prop_shuffle(),
        size in 0..2 * MAX_RUN + 50,
    ) {
        let mut expected: BTreeMap<i64, Entry> = stored.iter().map(|entry| (entry.id, *entry)).collect();
        let fresh: Vec<Entry> =
            batch.into_iter().filter(|entry| !expected.contains_key(&entry.id)).take(size).collect();
        expected.extend(fresh.iter().map(|entry| (entry.id, *entry)));
        let expected: Vec<Entry> = expected.into_values().collect();

        let mut all = fresh;
        all.extend(stored);
        let runs = split(all).unwrap();
        // All of them, in order, in the fewest runs, and as even as can be.
        prop_assert_eq!(&runs.concat(), &expected);
        prop_assert_eq!(runs.len(), expected.len().div_ceil(MAX_RUN));
        let lengths: Vec<usize> = runs.iter().map(Vec::len).collect();
        prop_assert!(lengths.iter().max() <= lengths.iter().min().map(|least| least + 1).as_ref());
        prop_assert!(lengths.iter().all(|&length| 0 < length && length <= MAX_RUN));
    }

    #[test]
    fn cut_off_or_lengthened_bytes_are_refused(
        entries in run(20),
        place in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let bytes = encode(&entries).unwrap();
        prop_assert!(decode(&bytes[..place.index(bytes.len())]).is_err());
        let longer = [bytes, vec![byte]].concat();
        prop_assert!(decode(&longer).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn forged_bytes_are_an_error_or_a_run(bytes in forged()) {
        let (decoded, allocated) = allocated(|| decode(&bytes));
        prop_assert!(allocated <= MAX_RUN * size_of::<Entry>() + 100, "{} bytes", allocated);
        prop_assert_eq!(&visited(&bytes), &decoded);
        if let Ok(entries) = decoded {
            prop_assert!(entries.len() <= MAX_RUN && entries.is_sorted_by(|a, b| a.id < b.id));
            prop_assert!(entries.iter().all(|entry| entry.user.is_none_or(|user| user >= 0)));
            prop_assert!(entries.iter().all(|entry| entry.journey >= 0));
            prop_assert_eq!(decode(&encode(&entries).unwrap()).unwrap(), entries);
        }
    }
}
