//! Properties of vertices, byte by byte. That Apache AGE lays them out so is a test inside the server (`src/pg_tests`).

use journey_stitch::graph::properties::{write_map, write_time};
use proptest::prelude::*;

fn map(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = b"what was there before".to_vec();
    write_map(pairs, &mut bytes);
    bytes
}

fn time(micros: i64) -> String {
    let mut text = Vec::new();
    write_time(micros, &mut text);
    String::from_utf8(text).expect("digits and marks")
}

#[test]
fn an_empty_map_is_a_word() {
    assert_eq!(map(&[]), 0x2000_0000u32.to_ne_bytes());
}

#[test]
fn keys_come_first_then_values() {
    let words = [0x2000_0002, 0x8000_0002, 4, 3, 0];
    let mut expected: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
    expected.extend(b"idkinde-1");
    assert_eq!(map(&[("id", "e-1"), ("kind", "")]), expected);
}

#[test]
fn times_have_six_decimals_and_four_digits_of_the_year() {
    assert_eq!(time(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(time(-1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(time(1_709_164_800_000_000), "2024-02-29T00:00:00.000000Z");
    assert_eq!(time(-62_135_596_800_000_000), "0001-01-01T00:00:00.000000Z");
    assert_eq!(time(253_402_300_799_999_999), "9999-12-31T23:59:59.999999Z");
}

/// What a map says, read back by the layout alone.
fn read(bytes: &[u8]) -> Vec<(String, String)> {
    let word = |n: usize| u32::from_ne_bytes(bytes[n * 4..n * 4 + 4].try_into().expect("four bytes"));
    let pairs = (word(0) & 0x0FFF_FFFF) as usize;
    let mut at = (1 + pairs * 2) * 4;
    let mut texts = (0..pairs * 2).map(|n| {
        let length = (word(1 + n) & 0x0FFF_FFFF) as usize;
        at += length;
        String::from_utf8(bytes[at - length..at].to_vec()).expect("a text")
    });
    let keys: Vec<String> = texts.by_ref().take(pairs).collect();
    let values: Vec<String> = texts.collect();
    assert_eq!(at, bytes.len());
    keys.into_iter().zip(values).collect()
}

proptest! {
    #[test]
    fn a_map_says_what_was_written(id in ".{0,300}", ts in ".{0,40}", kind in ".{0,80}") {
        let pairs = [("id", id.as_str()), ("ts", ts.as_str()), ("type", kind.as_str())];
        let expected: Vec<(String, String)> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        prop_assert_eq!(read(&map(&pairs)), expected);
    }

    #[test]
    fn times_sort_as_texts(a in -62_135_596_800_000_000i64..253_402_300_800_000_000, b in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
        prop_assert_eq!(time(a).cmp(&time(b)), a.cmp(&b));
    }
}
