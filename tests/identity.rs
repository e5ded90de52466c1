//! Which identifiers of an event become keys. (What rules other than the shipped ones do: tests/rules.rs.)

use std::borrow::Cow;

use journey_stitch::identity::rules::{RuleRow, Rules};
use journey_stitch::identity::{EVENT_KEY_KIND, Identifiers, is_blocked};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const BLOCKED: [&str; 20] = [
    "",
    "null",
    "nil",
    "none",
    "n/a",
    "na",
    "undefined",
    "unknown",
    "anonymous",
    "anon",
    "guest",
    "nan",
    "-1",
    "0",
    "true",
    "false",
    "[]",
    "{}",
    "[object object]",
    "00000000-0000-0000-0000-000000000000",
];

#[test]
fn placeholders_are_blocked_in_any_case_and_with_white_space() {
    for value in BLOCKED {
        assert!(is_blocked(value), "{value:?}");
        assert!(is_blocked(&value.to_ascii_uppercase()), "upper case {value:?}");
        assert!(is_blocked(&format!(" \t\r\n{value}\u{a0} ")), "padded {value:?}");
    }
    for value in ["NaN", "[object Object]", "Unknown", "-", "---", "00", "0-0", " 000 ", "N/A"] {
        assert!(is_blocked(value), "{value:?}");
    }
    assert!(is_blocked(&"0".repeat(1_000_000)));
    assert!(is_blocked(&format!("{}null", " ".repeat(1_000_000))));
}

#[test]
fn identifiers_are_not_blocked() {
    for value in [
        "1",
        "-2",
        "10",
        "01",
        "-10",
        "nulls",
        "xnull",
        "n a",
        "nulL0",
        "a",
        "[ ]",
        "guest1",
        "anonymous_7",
        "[object object]]",
        "00000000-0000-0000-0000-000000000001",
        "０",
        "ＮＵＬＬ",
        "undefıned",
        "ſ",
        "用户",
    ] {
        assert!(!is_blocked(value), "{value:?}");
    }
    assert!(!is_blocked(&format!("{}1", "0".repeat(1_000_000))));
}

/// The keys of event e1 by the shipped rules.
fn keys<'a>(
    user_id: Option<&'a str>,
    session_id: Option<&'a str>,
    others: &[(&'a str, &'a str)],
) -> Vec<(&'a str, Cow<'a, str>)> {
    keys_by(&Rules::default(), user_id, session_id, others)
}

fn keys_by<'a>(
    rules: &Rules,
    user_id: Option<&'a str>,
    session_id: Option<&'a str>,
    others: &[(&'a str, &'a str)],
) -> Vec<(&'a str, Cow<'a, str>)> {
    Identifiers { event_id: "e1", user_id, session_id, others: others.iter().copied() }.keys(rules)
}

fn is(keys: &[(&str, Cow<'_, str>)], expected: &[(&str, &str)]) {
    let keys: Vec<(&str, &str)> = keys.iter().map(|(kind, value)| (*kind, value.as_ref())).collect();
    assert_eq!(keys, expected);
}

#[test]
fn keys_come_in_the_listed_order_and_normalized() {
    is(
        &keys(
            Some(" Ann "),
            Some("s1\n"),
            &[("device_id", "d1"), ("anonymous_id", "a1"), ("email", "\tA@B\u{a0}"), ("Email", " A@B ")],
        ),
        &[
            ("user_id", "Ann"),
            ("session_id", "s1"),
            ("device_id", "d1"),
            ("anonymous_id", "a1"),
            ("email", "a@b"),
            ("Email", "A@B"), // a kind of its own
        ],
    );
}

#[test]
fn blocked_values_become_no_keys() {
    is(
        &keys(Some("null"), Some("s1"), &[("device_id", "0"), ("order", "7")]),
        &[("session_id", "s1"), ("order", "7")],
    );
    is(&keys(Some("u1"), Some(" "), &[("device_id", "unknown")]), &[("user_id", "u1")]);
}

#[test]
fn repeated_keys_are_dropped_but_kinds_are_kept_apart() {
    is(
        &keys(Some("x"), Some("x"), &[("order", "x"), ("order", "x"), ("user_id", "x"), ("order", "X")]),
        &[("user_id", "x"), ("session_id", "x"), ("order", "x"), ("order", "X")],
    );
}

#[test]
fn what_is_the_same_in_normal_form_is_one_key() {
    is(
        &keys(Some("x "), None, &[("user_id", " x"), ("email", "A@b"), ("email", "a@B "), ("email", "a@b")]),
        &[("user_id", "x"), ("email", "a@b")],
    );
    // Also among so many that they are hashed.
    let padded: Vec<String> = (0..100).map(|n| format!("{}V{}", " ".repeat(n), n % 20)).collect();
    let others: Vec<(&str, &str)> = padded.iter().map(|value| ("email", value.as_str())).collect();
    let found = keys(None, None, &others);
    let expected: Vec<String> = (0..20).map(|n| format!("v{n}")).collect();
    is(&found, &expected.iter().map(|value| ("email", value.as_str())).collect::<Vec<_>>());
}

#[test]
fn an_event_that_nothing_identifies_has_a_key_of_its_own() {
    is(&keys(None, None, &[]), &[(EVENT_KEY_KIND, "e1")]);
    is(&keys(Some("anonymous"), Some(""), &[("device_id", "0000")]), &[(EVENT_KEY_KIND, "e1")]);
    // Even if its id looks like a placeholder, or is not in normal form: it is unique as it is.
    for event_id in ["0", " E ", "null"] {
        let event = Identifiers { event_id, user_id: None, session_id: None, others: [] };
        is(&event.keys(&Rules::default()), &[("event_id", event_id)]);
    }
    // No rule takes it away, not even one that blocks everything.
    let all = RuleRow { kind: "*".into(), blocked_patterns: Some(vec![".".into()]), ..RuleRow::default() };
    let rules = Rules::new(vec![all]).unwrap();
    is(&keys_by(&rules, Some("u1"), Some("s1"), &[("event_id", "e2")]), &[(EVENT_KEY_KIND, "e1")]);
}

#[test]
fn appending_leaves_the_keys_of_earlier_events_alone() {
    let rules = Rules::default();
    let mut all = Vec::new();
    let mut ends = Vec::new();
    for (event_id, user_id) in [("e1", Some("u1")), ("e2", Some("u1")), ("e3", None), ("e4", Some("u2"))] {
        let others = [("order", "7")];
        Identifiers { event_id, user_id, session_id: None, others }.append_keys(&rules, &mut all);
        Identifiers { event_id, user_id: None, session_id: None, others: [] }.append_keys(&rules, &mut all);
        ends.push(all.len());
    }
    assert_eq!(ends, [3, 6, 8, 11]);
    is(&all[3..6], &[("user_id", "u1"), ("order", "7"), ("event_id", "e2")]);
    is(&all[6..8], &[("order", "7"), ("event_id", "e3")]);
    // Also with so many that they are hashed.
    let values: Vec<String> = (1..=50).map(|n| n.to_string()).collect();
    for n in 1..=2 {
        let others = values.iter().map(|value| ("order", value.as_str()));
        Identifiers { event_id: "e5", user_id: None, session_id: None, others }.append_keys(&rules, &mut all);
        assert_eq!(all.len(), 11 + 50 * n);
    }
}

#[test]
fn thousands_of_correlations_are_no_problem() {
    let values: Vec<String> = (1..=100_000).map(|n| (n % 40_000).to_string()).collect();
    let others: Vec<(&str, &str)> = values.iter().map(|value| ("order", value.as_str())).collect();
    let keys = keys(Some("u1"), None, &others);
    assert_eq!(keys.len(), 1 + 40_000 - 1); // "0" is blocked
    is(&keys[1..4], &[("order", "1"), ("order", "2"), ("order", "3")]);
}

/// The rule, said the slow way.
fn is_blocked_by_definition(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    BLOCKED.contains(&value.as_str()) || value.chars().all(|c| c == '0' || c == '-')
}

fn near_miss() -> impl Strategy<Value = String> {
    let noise = select(vec!["", " ", "0", "-", "N", "é", "\u{a0}", "\n", "]"]);
    (noise.clone(), select(&BLOCKED[..]), any::<bool>(), noise).prop_map(|(before, value, upper, after)| {
        let value = if upper { value.to_uppercase() } else { value.to_owned() };
        format!("{before}{value}{after}")
    })
}

fn short_value() -> impl Strategy<Value = String> {
    vec(select("00--1naNAulLi [](){}/é".chars().collect::<Vec<_>>()), 0..5).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn blocked_is_what_the_definition_says(
        value in prop_oneof![near_miss(), short_value(), any::<String>()],
    ) {
        prop_assert_eq!(is_blocked(&value), is_blocked_by_definition(&value));
    }

    #[test]
    fn keys_are_the_distinct_usable_identifiers_in_order(
        user_id in proptest::option::of(short_value()),
        session_id in proptest::option::of(short_value()),
        others in vec((select(vec!["device_id", "email", "user_id"]), short_value()), 0..60),
    ) {
        let mut expected: Vec<(&str, Cow<'_, str>)> = Vec::new();
        let listed = user_id.iter().map(|v| ("user_id", v.as_str()))
            .chain(session_id.iter().map(|v| ("session_id", v.as_str())))
            .chain(others.iter().map(|(kind, v)| (*kind, v.as_str())));
        for (kind, value) in listed {
            let lowered = if kind == "email" { value.to_lowercase() } else { value.to_owned() };
            let key = (kind, Cow::Owned(lowered.trim().to_owned()));
            if !is_blocked_by_definition(value) && !expected.contains(&key) {
                expected.push(key);
            }
        }
        if expected.is_empty() {
            expected.push(("event_id", Cow::Borrowed("e1")));
        }
        let others: Vec<(&str, &str)> = others.iter().map(|(kind, v)| (*kind, v.as_str())).collect();
        prop_assert_eq!(keys(user_id.as_deref(), session_id.as_deref(), &others), expected);
    }
}
