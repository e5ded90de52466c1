use journey_stitch::event::timestamp::{self, TimestampError};
use proptest::prelude::*;

#[test]
fn iso_8601_forms() {
    const DAY: i64 = 86_400_000_000;
    const JAN: i64 = 1_420_070_400_000_000; // 2015-01-01T00:00:00Z
    const HOUR: i64 = DAY / 24;
    for (text, micros) in [
        ("2015-01-01T00:00:00Z", JAN),
        (" 2015-01-01t00:00:00z\n", JAN),
        ("2015-01-01 00:00:00", JAN),
        ("2015-01-01", JAN),
        ("20150101", JAN),
        ("2015-001", JAN),
        ("2015-W01-4", JAN),
        ("2015W014", JAN),
        ("+002015-01-01", JAN),
        ("20150101T000000Z", JAN),
        ("2015-01-01T05:30:00+05:30", JAN),
        ("2015-01-01T05:30+0530", JAN),
        ("20150101T0530+05:30", JAN),
        ("2014-12-31T23-01", JAN),
        ("2015-01-01T12", JAN + 12 * HOUR),
        ("2015-01-01T12.5", JAN + 12 * HOUR + HOUR / 2),
        ("2015-01-01T12:30,25Z", JAN + 12 * HOUR + HOUR / 2 + 15_000_000),
        ("2015-01-01T00:00:00.1234567Z", JAN + 123_456),
        ("2015-01-01T00:00:00.9999999999999999999999999999999999999999999999999Z", JAN + 999_999),
        ("1969-12-31T23:59:59.9999999Z", -1),
        ("2014-12-31T24:00:00Z", JAN),
        ("2014-12-31T24", JAN),
        ("2014-12-31T23:59:60Z", JAN),
        ("2014-12-31T23:59:60.5Z", JAN + 500_000),
        ("2016-02-29", 1_456_704_000_000_000),
        ("0001-01-01", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ] {
        assert_eq!(timestamp::parse(text), Ok(micros), "{text}");
    }
    let invalid = "| |now|infinity|-infinity|NaN|Z|T|10:30|2015-01|2015-13-01|2015-00-01|2015-02-29|\
        2015-04-31|20150229|2015-366|2014-W53-1|9999-W52-7|2015-1-1|2015/01/01|2015-01-01T|2015-01-01T24:00:01|\
        2015-01-01T24:00:00.5|2015-01-01T25:00|2015-01-01T10:60|2015-01-01T10:30:61|2015-01-01T1:30|\
        2015-01-01T10:3|2015-01-01T10:3030|2015-01-01T1030:30|2015-01-01T10:30:00.|\
        2015-01-01T10:30:00.5x|2015-01-01T10:30:00 Z|2015-01-01T10:30:00+|2015-01-01T10:30:00+5|\
        2015-01-01T10:30:00+24|2015-01-01T10:30:00+05:60|2015-01-01T10:30:00+05:30:00|\
        2015-01-01T10:30:00Zulu|2015-01-01  10:30|２０１５-01-01|1.|.5|1e|--1|2015-01-01T+1:30|\
        +012015-01-01x|1 2";
    for text in invalid.split('|') {
        assert_eq!(timestamp::parse(text), Err(TimestampError::Invalid), "{text:?}");
    }
    for text in [
        "0000-12-31",
        "-000001-01-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T24:00:00",
        "9999-12-31T23:59:60Z",
        "+010000-01-01T00:00:00Z",
        "-271821-04-20T00:00:00.000Z",
    ] {
        assert_eq!(timestamp::parse(text), Err(TimestampError::OutOfRange), "{text}");
    }
}

#[test]
fn epoch_forms() {
    for (number, micros) in [
        ("0", 0),
        ("-0.0", 0),
        ("0e999999999999999999999", 0),
        ("1420070400", 1_420_070_400_000_000),
        ("1.4200704e9", 1_420_070_400_000_000),
        ("14200704E+2", 1_420_070_400_000_000),
        ("1420070400.1234567", 1_420_070_400_123_456),
        ("-1.5", -1_500_000),
        ("-0.0000001", -1),
        ("1e-400000000000000000000", 0),
        ("99999999999", 99_999_999_999_000_000),
        ("99999999999.9999999", 99_999_999_999_999_999),
        ("100000000000", 100_000_000_000_000),
        ("1e11", 100_000_000_000_000),
        ("1420070400123.4567", 1_420_070_400_123_456),
        ("-100000000000", -100_000_000_000_000),
        ("00000000000000000000001", 1_000_000),
        ("253402300799999.999", 253_402_300_799_999_999),
        ("-62135596800", -62_135_596_800_000_000),
    ] {
        assert_eq!(timestamp::parse_epoch(number), Ok(micros), "{number}");
        assert_eq!(timestamp::parse(&format!(" {number}")), Ok(micros), "{number}");
    }
    let zeros = format!("1{}", "0".repeat(400));
    for number in [
        "253402300800000",
        "1e400",
        "-1e400",
        "1e999999999999999999999",
        "-62135596801",
        "-62135596800.000001",
        "-99999999999",
        &zeros,
    ] {
        assert_eq!(timestamp::parse_epoch(number), Err(TimestampError::OutOfRange), "{number}");
    }
    // Eight digits are a date as a text, seconds as a number.
    assert_eq!(timestamp::parse_epoch("20150101"), Ok(20_150_101_000_000));
    assert_eq!(timestamp::parse("+20150101"), Ok(20_150_101_000_000));
    assert_eq!(timestamp::parse_epoch("2015-01-01"), Err(TimestampError::Invalid));
}

/// Days since 1970-01-01, counted year by year.
fn days(year: i64, month: usize, day: i64) -> i64 {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let of_years: i64 = (1..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let of_months: i64 = MONTH_DAYS[..month - 1].iter().sum();
    of_years + of_months + i64::from(month > 2 && is_leap(year)) + day - 1 - 719_162
}

const MONTH_DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_a_timestamp_or_an_error(
        text in prop_oneof![
            "\\PC*",
            "[0-9TWZ:.,+ e-]{0,30}",
            "[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-9:.,Zz+-]{0,16}",
        ],
    ) {
        let _ = (timestamp::parse(&text), timestamp::parse_epoch(&text));
    }

    #[test]
    fn all_forms_of_an_instant_agree(
        (year, month, day) in (1i64..=9999, 1usize..=12, 1i64..=31),
        (hour, minute, second) in (0i64..24, 0i64..60, 0i64..60),
        fraction in "[0-9]{0,12}",
        offset in -1439i64..=1439,
        date_separator in prop::sample::select(["-", ""].as_slice()),
        time_separator in prop::sample::select([":", ""].as_slice()),
        designator in prop::sample::select(["T", "t", " "].as_slice()),
    ) {
        prop_assume!(day <= MONTH_DAYS[month - 1]);
        let of_fraction: i64 = format!("{fraction:0<6}")[..6].parse().expect("six digits");
        let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        let micros = (seconds - offset * 60) * 1_000_000 + of_fraction;
        let first_of = |year| days(year, 1, 1) * 86_400_000_000;
        let expected = if (first_of(1)..first_of(10_000)).contains(&micros) {
            Ok(micros)
        } else {
            Err(TimestampError::OutOfRange)
        };
        let (d, t) = (date_separator, time_separator);
        let date = format!("{year:04}{d}{month:02}{d}{day:02}");
        let mut local = format!("{date}{designator}{hour:02}{t}{minute:02}{t}{second:02}");
        if !fraction.is_empty() {
            local = format!("{local}.{fraction}");
        }
        let sign = if offset < 0 { '-' } else { '+' };
        let text = format!("{local}{sign}{:02}{t}{:02}", offset.abs() / 60, offset.abs() % 60);
        prop_assert_eq!(timestamp::parse(&text), expected, "{}", text);
        if offset == 0 {
            prop_assert_eq!(timestamp::parse(&local), expected);
            prop_assert_eq!(timestamp::parse(&format!("{local}Z")), expected);
        }

        prop_assume!(expected.is_ok());
        let minus = if micros < 0 { "-" } else { "" };
        let micros_abs = micros.abs();
        if micros_abs < 100_000_000_000_000_000 {
            let text = format!("{minus}{}.{:06}", micros_abs / 1_000_000, micros_abs % 1_000_000);
            prop_assert_eq!(timestamp::parse_epoch(&text), expected, "{}", text);
            prop_assert_eq!(timestamp::parse_epoch(&format!("{micros}e-6")), expected);
        }
        if micros_abs >= 100_000_000_000_000 {
            let text = format!("{minus}{}.{:03}", micros_abs / 1_000, micros_abs % 1_000);
            prop_assert_eq!(timestamp::parse_epoch(&text), expected, "{}", text);
            prop_assert_eq!(timestamp::parse(&format!("{micros}E-3")), expected);
        }
    }
}
