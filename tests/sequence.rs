use journey_stitch::analytics::sequence::{Pattern, PatternError};
use journey_stitch::analytics::window_funnel::TimedEvent;
use proptest::prelude::*;

fn parse(text: &str, conditions: usize) -> Pattern {
    Pattern::parse(text, conditions, 1).expect("a pattern")
}

fn events(times_and_conditions: &[(i64, u32)]) -> Vec<TimedEvent> {
    let mut events: Vec<_> =
        times_and_conditions.iter().map(|&(time, conditions)| TimedEvent { time, conditions }).collect();
    events.sort_unstable();
    events
}

#[test]
fn what_is_no_pattern() {
    let error = |text| Pattern::parse(text, 2, 1).expect_err("no pattern");
    assert_eq!(error("x"), PatternError::Unknown(1));
    assert_eq!(error("ä"), PatternError::Unknown(1));
    assert_eq!(error("(?1) (?2)"), PatternError::Unknown(5));
    assert_eq!(error("(?1)(?t=5)"), PatternError::Unknown(5));
    assert_eq!(error("(?1)*"), PatternError::Unknown(5));
    assert_eq!(error("(?)"), PatternError::NoNumber(3));
    assert_eq!(error("(?-1)"), PatternError::NoNumber(3));
    assert_eq!(error("(?1)(?t>)"), PatternError::NoNumber(9));
    assert_eq!(error("(?t>18446744073709551616)"), PatternError::NoNumber(5));
    assert_eq!(error("(?1"), PatternError::NotClosed(4));
    assert_eq!(error("(?1)(?t>=10(?2)"), PatternError::NotClosed(12));
    assert_eq!(error("(?0)"), PatternError::NoCondition { number: 0, conditions: 2 });
    assert_eq!(error("(?3)"), PatternError::NoCondition { number: 3, conditions: 2 });
    assert_eq!(error("(?1)(?t>1)(?t<9)(?2)"), PatternError::TimeAfterTime(11));
}

#[test]
fn times_are_in_units() {
    let minute_apart = events(&[(0, 1), (60_000_000, 2)]);
    let matches = |text| Pattern::parse(text, 2, 1_000_000).expect("a pattern").matches(&minute_apart, || {});
    assert!(matches("(?1)(?t==60)(?2)"));
    assert!(matches("(?1)(?t<61)(?2)"));
    assert!(!matches("(?1)(?t<60)(?2)"));
    assert!(!matches("(?1)(?t>18446744073710)(?2)"), "more than 64 bits of microseconds");
}

#[test]
fn no_events_match_nothing() {
    for pattern in ["", ".*", "(?t<5)", "(?1)"] {
        assert!(!parse(pattern, 1).matches(&[], || {}), "{pattern}");
        assert_eq!(parse(pattern, 1).count(&[], || {}), 0, "{pattern}");
    }
}

/// What takes for ever where one way is tried after the other.
#[test]
fn many_ways_are_no_trouble() {
    let many: Vec<_> = (0..20_000).map(|time| (time, 1)).collect();
    let pattern = parse(&format!("{}(?2)", "(?1).*(?t>=1)".repeat(30)), 2);
    assert!(!pattern.matches(&events(&many), || {}));
    assert_eq!(parse("(?1)", 1).count(&events(&many), || {}), 20_000);
    assert!(
        !parse(&"(?t<9)(?1)".repeat(100_000), 1).matches(&events(&many[..2]), || {}),
        "nor is a long one"
    );
    let pattern = parse("(?1)(?t==10)(?1)", 1);
    assert_eq!(pattern.count(&events(&many), || {}), 20_000 / 11 + u64::from(20_000 % 11 == 11));
}

/// A query that takes long can be cancelled: by what the tick does.
#[test]
fn it_looks_up_every_now_and_then() {
    let many: Vec<_> = (0..20_000).map(|time| (time, 1)).collect();
    let mut ticks = 0;
    parse(&".*(?1)".repeat(500), 1).count(&events(&many), || ticks += 1);
    assert!((10..1000).contains(&ticks), "{ticks} ticks");
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Condition(usize),
    Any,
    Star,
    Distance(&'static str, u64),
}

fn text(parts: &[Part]) -> String {
    let text = |part: &Part| match part {
        Part::Condition(n) => format!("(?{})", n + 1),
        Part::Any => ".".to_owned(),
        Part::Star => ".*".to_owned(),
        Part::Distance(sign, length) => format!("(?t{sign}{length})"),
    };
    parts.iter().map(text).collect()
}

/// Where the first match ends that is found by trying one way after the other, those first that take fewer events.
/// `before`: the event that a distance is measured from.
fn first_end(parts: &[Part], events: &[TimedEvent], position: usize, before: Option<usize>) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else { return Some(position) };
    let here = events.get(position);
    match part {
        Part::Condition(n) => here
            .filter(|event| event.conditions >> n & 1 == 1)
            .and_then(|_| first_end(rest, events, position + 1, Some(position))),
        Part::Any => here.and_then(|_| first_end(rest, events, position + 1, Some(position))),
        Part::Star => (position..=events.len()).find_map(|stop| first_end(rest, events, stop, Some(stop))),
        Part::Distance(sign, length) if here.is_none() => {
            let can_still_be = matches!((*sign, *length), ("<=", _) | ("<", 1..) | (">=", 0));
            if can_still_be { first_end(rest, events, position, None) } else { None }
        }
        Part::Distance(sign, length) => (position..events.len()).find_map(|stop| {
            let distance = events[stop].time - events[before.expect("an event before")].time;
            let (distance, length) = (distance, *length as i64);
            let holds = match *sign {
                ">=" => distance >= length,
                ">" => distance > length,
                "<=" => distance <= length,
                "<" => distance < length,
                _ => distance == length,
            };
            if holds { first_end(rest, events, stop, Some(stop)) } else { None }
        }),
    }
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => (0usize..3).prop_map(Part::Condition),
        1 => Just(Part::Any),
        1 => Just(Part::Star),
        3 => (prop_oneof![Just(">="), Just(">"), Just("<="), Just("<"), Just("==")], 0u64..6)
            .prop_map(|(sign, length)| Part::Distance(sign, length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8000))]

    #[test]
    fn as_if_one_way_was_tried_after_the_other(
        drawn in proptest::collection::vec((0i64..12, 1u32..8), 0..9),
        mut parts in proptest::collection::vec(part(), 0..7),
    ) {
        let mut follows_time = false;
        parts.retain(|part| {
            let is_time = matches!(part, Part::Distance(..));
            !(std::mem::replace(&mut follows_time, is_time) && is_time)
        });
        let events = events(&drawn);
        let pattern = parse(&text(&parts), 3);
        parts.insert(0, Part::Star);
        let (mut count, mut start) = (0, 0);
        while start < events.len() && let Some(end) = first_end(&parts, &events, start, None) {
            start = end.max(start + 1);
            count += 1;
        }
        prop_assert_eq!(pattern.count(&events, || {}), count, "{} {:?}", text(&parts[1..]), events);
        prop_assert_eq!(pattern.matches(&events, || {}), count > 0);
    }
}
