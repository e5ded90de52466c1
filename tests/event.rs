use std::borrow::Cow;
use std::collections::HashSet;

use journey_stitch::event::timestamp::{self, TimestampError};
use journey_stitch::event::{
    Container, Event, Json, Key, Limits, Reason, Rejection, canonicalize, is_event_type, parse_key,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const LIMITS: Limits = Limits { max_id_bytes: 32 };
const ALIASES: [&[&str]; 12] = [
    &["event_id", "eventId", "messageId", "$insert_id", "id", "uuid"],
    &["event_type", "eventType", "type", "event"],
    &["event_name"],
    &["occurred_at", "timestamp", "event_timestamp", "ts", "time"],
    &["user_id", "userId", "distinct_id"],
    &["session_id", "sessionId"],
    &["device_id", "deviceId"],
    &["anonymous_id", "anonymousId"],
    &["source"],
    &["ip_address", "ip"],
    &["user_agent", "userAgent"],
    &["properties", "payload"],
];

#[derive(Clone, Copy)]
struct Node<'a>(&'a Value);

fn view(value: &Value) -> Json<'_, Node<'_>> {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(Cow::Owned(number.to_string())),
        Value::String(text) => Json::String(Cow::Borrowed(text)),
        Value::Array(_) => Json::Array(Node(value)),
        Value::Object(_) => Json::Object(Node(value)),
    }
}

fn members(value: &Value) -> Vec<(&str, Json<'_, Node<'_>>)> {
    let object = value.as_object().expect("an object");
    object.iter().map(|(name, value)| (name.as_str(), view(value))).collect()
}

impl<'a> Container<'a> for Node<'a> {
    fn elements(self) -> Vec<Json<'a, Self>> {
        self.0.as_array().expect("an array").iter().map(view).collect()
    }

    fn members(self) -> Vec<(&'a str, Json<'a, Self>)> {
        members(self.0)
    }
}

/// What becomes of an event: its fields that are there, its keys as `[kind, value]`, its properties.
fn canonical(input: &Value) -> Result<Value, Rejection> {
    canonical_of(&input.as_object().expect("an object").iter().collect::<Vec<_>>())
}

fn canonical_of(input: &[(&String, &Value)]) -> Result<Value, Rejection> {
    let members: Vec<_> = input.iter().map(|(name, value)| (name.as_str(), view(value))).collect();
    let event = canonicalize(&members, &LIMITS)?;
    let texts = [
        ("event_id", &event.event_id),
        ("event_name", &event.event_name),
        ("user_id", &event.user_id),
        ("session_id", &event.session_id),
        ("source", &event.source),
        ("user_agent", &event.user_agent),
    ];
    let mut fields = Map::new();
    fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name.into(), text.as_deref()?.into()))));
    fields.insert("event_type".into(), event.event_type.as_ref().into());
    fields.extend(event.occurred_at.map(|micros| ("occurred_at".into(), micros.into())));
    fields.extend(event.ip_address.map(|ip| ("ip_address".into(), ip.to_string().into())));
    if !event.keys.is_empty() {
        fields.insert("keys".into(), event.keys.iter().map(|key| json!([key.kind, key.value])).collect());
    }
    fields.insert("properties".into(), properties(input, &event).into());
    Ok(fields.into())
}

fn properties(input: &[(&String, &Value)], event: &Event<'_>) -> Map<String, Value> {
    let base = event.properties.base.map(|index| input[index].1.as_object().expect("base is an object"));
    let mut properties = base.cloned().unwrap_or_default();
    for (name, index) in &event.properties.extra {
        let replaced = properties.insert(name.to_string(), input[*index].1.clone());
        assert_eq!(replaced, None, "two properties are called {name}");
    }
    properties
}

/// Checks an event of type `click`, `event_type` being left out on both sides.
#[track_caller]
fn accepts(mut input: Value, mut expected: Value) {
    input["event_type"] = json!("click");
    expected["event_type"] = json!("click");
    assert_eq!(canonical(&input), Ok(expected), "{input}");
}

#[track_caller]
fn rejects(mut input: Value, reason: Reason, names: &str) {
    input["event_type"] = json!("click");
    let rejection = canonical(&input).expect_err("a rejection");
    assert_eq!(rejection.reason, reason, "{input}");
    assert!(rejection.message.contains(names), "{:?} does not name {names}", rejection.message);
}

#[test]
fn first_alias_is_the_field_and_the_others_are_kept() {
    for aliases in ALIASES {
        for (rank, winner) in aliases.iter().enumerate() {
            for loser in &aliases[rank + 1..] {
                let (kept, lost) = match aliases[0] {
                    "occurred_at" => (json!(1), json!(2)),
                    "ip_address" => (json!("10.0.0.1"), json!("10.0.0.2")),
                    "properties" => (json!({"a": 1}), json!({"b": 2})),
                    _ => (json!("kept"), json!("lost")),
                };
                let mut input = json!({(*winner): kept, (*loser): lost});
                let mut expected = json!({"properties": {(*loser): lost}});
                match aliases[0] {
                    "event_type" => {}
                    "occurred_at" => expected["occurred_at"] = json!(1_000_000),
                    "properties" => expected["properties"]["a"] = json!(1),
                    "device_id" | "anonymous_id" => expected["keys"] = json!([[aliases[0], kept]]),
                    field => expected[field] = kept,
                }
                let event_type = if aliases[0] == "event_type" { "kept" } else { "click" };
                expected["event_type"] = json!(event_type);
                if aliases[0] != "event_type" {
                    input["event_type"] = json!(event_type);
                }
                assert_eq!(canonical(&input), Ok(expected), "{input}");
                // A null alias is no alias.
                input[*winner] = Value::Null;
                let fallback = canonical(&input).expect("an event");
                assert!(!fallback["properties"].as_object().expect("an object").contains_key(*loser));
            }
        }
    }
    assert!(["event_type", "eventType", "type", "event"].into_iter().all(is_event_type));
    assert!(!is_event_type("event_name"));
}

#[test]
fn scalars_become_texts() {
    accepts(
        json!({"id": 12345678901234567890123u128, "userId": true, "session_id": 1.5, "source": ""}),
        json!({"event_id": "12345678901234567890123", "user_id": "true", "session_id": "1.5", "source": "",
            "properties": {}}),
    );
    accepts(
        json!({"user_id": "", "device_id": ""}),
        json!({"user_id": "", "keys": [["device_id", ""]], "properties": {}}),
    );
    assert_eq!(canonical(&json!({"event": 7})), Ok(json!({"event_type": "7", "properties": {}})));
}

#[test]
fn empty_event_ids_and_types_are_absent() {
    accepts(json!({"event_id": ""}), json!({"properties": {}}));
    accepts(json!({"event_id": "", "uuid": "u"}), json!({"event_id": "u", "properties": {}}));
    for input in [json!({}), json!({"event_type": null}), json!({"type": ""}), json!({"event_name": "x"})] {
        assert_eq!(canonical(&input).expect_err("a rejection").reason, Reason::MissingEventType, "{input}");
    }
    assert_eq!(
        canonical(&json!({"event_type": "", "event": "view"})),
        Ok(json!({"event_type": "view", "properties": {}}))
    );
}

#[test]
fn containers_in_text_fields_are_rejected() {
    for container in [json!([]), json!({"a": 1})] {
        for name in ALIASES[1] {
            let rejection = canonical(&json!({(*name): container})).expect_err("a rejection");
            assert_eq!(rejection.reason, Reason::InvalidField);
        }
        for field in [0, 2, 4, 5, 6, 7, 8, 10] {
            for name in ALIASES[field] {
                rejects(json!({(*name): container}), Reason::InvalidField, name);
                rejects(json!({(*name): container}), Reason::InvalidField, ALIASES[field][0]);
            }
        }
    }
    // One that lost to an earlier alias is no field.
    accepts(json!({"type": {"a": 1}}), json!({"properties": {"type": {"a": 1}}}));
}

#[test]
fn long_identifiers_are_rejected() {
    let (fits, long) = ("é".repeat(16), format!("{}x", "é".repeat(16)));
    for name in ["event_id", "user_id", "session_id", "device_id", "anonymous_id"] {
        assert!(canonical(&json!({"event_type": "click", (name): fits})).is_ok());
        rejects(
            json!({(name): long}),
            Reason::IdTooLong,
            &format!("{name} is 33 bytes long, the limit is 32"),
        );
    }
    rejects(json!({"messageId": long}), Reason::IdTooLong, "messageId (event_id)");
    let rejection = canonical(&json!({"event_type": long})).expect_err("a rejection");
    assert_eq!(rejection.reason, Reason::IdTooLong);
    assert!(!rejection.message.contains("éé"));
    for correlations in [json!([long]), json!({(&long): 1}), json!({"a": [1, long]}), json!(long)] {
        rejects(json!({"correlations": correlations}), Reason::IdTooLong, "correlation");
    }
    for name in ["event_name", "source", "user_agent"] {
        accepts(json!({(name): long}), json!({(name): long, "properties": {}}));
    }
}

#[test]
fn properties_keep_all_the_rest() {
    for (input, expected) in [
        (json!({"page": 1, "nothing": null, "user_id": null}), json!({"page": 1, "nothing": null})),
        (json!({"properties": {"a": null}, "page": [1]}), json!({"a": null, "page": [1]})),
        (json!({"properties": "text", "a": 1}), json!({"properties": "text", "a": 1})),
        (json!({"properties": null, "payload": {"a": 1}}), json!({"a": 1})),
        (json!({"payload": 7}), json!({"payload": 7})),
        (json!({"properties": {"a": 1}, "payload": {"a": 2}}), json!({"a": 1, "payload": {"a": 2}})),
        (json!({"properties": 7, "payload": {"a": 2}}), json!({"properties": 7, "payload": {"a": 2}})),
        (json!({"properties": {}, "context": {"a": 1}}), json!({"context": {"a": 1}})),
        (json!({"context": null, "correlations": null}), json!({})),
        // Names that are taken.
        (json!({"properties": {"page": 1}, "page": 2}), json!({"page": 1, "$page": 2})),
        (
            json!({"properties": {"page": 1, "$page": 2}, "page": 3}),
            json!({"page": 1, "$page": 2, "$$page": 3}),
        ),
        (
            json!({"properties": {"page": 1}, "page": 2, "$page": 3}),
            json!({"page": 1, "$$page": 2, "$page": 3}),
        ),
        (
            json!({"properties": {"context": 1, "eventType": 2}, "context": 3, "eventType": 4}),
            json!({"context": 1, "eventType": 2, "$context": 3, "$eventType": 4}),
        ),
    ] {
        accepts(input, json!({"properties": expected}));
    }
}

#[test]
fn addresses_are_parsed_or_kept() {
    accepts(json!({"ip": "2001:DB8::1"}), json!({"ip_address": "2001:db8::1", "properties": {}}));
    for (name, value) in [("ip", json!("10.0.0.256")), ("ip_address", json!(1)), ("ip", json!(["10.0.0.1"]))]
    {
        accepts(json!({(name): value}), json!({"properties": {(name): value}}));
    }
}

#[test]
fn context_serves_where_the_event_is_silent() {
    let context = json!({"ip": "10.0.0.1", "userAgent": "curl", "user_agent": "wget"});
    accepts(
        json!({"context": context}),
        json!({"ip_address": "10.0.0.1", "user_agent": "curl", "properties": {"context": context}}),
    );
    accepts(
        json!({"context": context, "ip": "10.0.0.2"}),
        json!({"ip_address": "10.0.0.2", "user_agent": "curl", "properties": {"context": context}}),
    );
    accepts(
        json!({"context": context, "userAgent": "own", "ip": "?"}),
        json!({"ip_address": "10.0.0.1", "user_agent": "own", "properties": {"context": context, "ip": "?"}}),
    );
    let odd = json!({"ip": "?", "userAgent": {}, "user_agent": "wget"});
    accepts(json!({"context": odd}), json!({"user_agent": "wget", "properties": {"context": odd}}));
    accepts(json!({"context": "text"}), json!({"properties": {"context": "text"}}));
}

#[test]
fn correlations_become_keys() {
    for (correlations, keys) in [
        (
            json!(["order_id:7", "plain", 8, true, null]),
            json!([
                ["correlation", "8"],
                ["correlation", "plain"],
                ["correlation", "true"],
                ["order_id", "7"]
            ]),
        ),
        (json!("order_id:7"), json!([["order_id", "7"]])),
        (
            json!({"b": [2, "x:y", null], "a-1": false, "c": null}),
            json!([["a-1", "false"], ["b", "2"], ["b", "x:y"]]),
        ),
        (json!(["device_id:d", "user_id:u", "device_id:d"]), json!([["device_id", "d"], ["user_id", "u"]])),
    ] {
        accepts(json!({"correlations": correlations}), json!({"keys": keys, "properties": {}}));
    }
    accepts(
        json!({"correlations": ["device_id:d", "a:1"], "deviceId": "d", "anonymous_id": 1}),
        json!({"keys": [["a", "1"], ["anonymous_id", "1"], ["device_id", "d"]], "properties": {}}),
    );
    for empty in [json!([]), json!({}), json!([null])] {
        accepts(json!({"correlations": empty}), json!({"properties": {}}));
    }
    for bad in [
        json!(1),
        json!(true),
        json!([[1]]),
        json!([{}]),
        json!({"a": {}}),
        json!({"a": [[]]}),
        json!({"": 1}),
        json!({"a:b": 1}),
    ] {
        rejects(json!({"correlations": bad}), Reason::InvalidCorrelation, "correlations");
    }
}

#[test]
fn key_texts_have_a_kind_or_get_one() {
    for (text, kind, value) in [
        ("order_id:7", "order_id", "7"),
        ("_:x", "_", "x"),
        ("url:http://x", "url", "http://x"),
        ("a1: ", "a1", " "),
        ("1a:x", "correlation", "1a:x"),
        ("a-b:x", "correlation", "a-b:x"),
        ("é:x", "correlation", "é:x"),
        (":x", "correlation", ":x"),
        ("a:", "correlation", "a:"),
        ("", "correlation", ""),
        ("plain", "correlation", "plain"),
    ] {
        assert_eq!(parse_key(text), Key { kind: kind.into(), value: value.into() });
        assert_eq!(parse_key(text).into_owned(), parse_key(text));
    }
}

#[test]
fn reasons_have_codes() {
    let codes = [
        (Reason::NotAnObject, "not_an_object"),
        (Reason::MissingEventType, "missing_event_type"),
        (Reason::InvalidField, "invalid_field"),
        (Reason::InvalidTimestamp, "invalid_timestamp"),
        (Reason::TimestampOutOfRange, "timestamp_out_of_range"),
        (Reason::IdTooLong, "id_too_long"),
        (Reason::InvalidCorrelation, "invalid_correlation"),
        (Reason::TooDeep, "too_deep"),
        (Reason::TooLarge, "too_large"),
    ];
    assert!(codes.iter().all(|(reason, code)| reason.code() == *code));
}

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

#[test]
fn timestamps_of_events() {
    accepts(json!({"ts": 20150101}), json!({"occurred_at": 20_150_101_000_000i64, "properties": {}}));
    accepts(json!({"time": "20150101"}), json!({"occurred_at": 1_420_070_400_000_000i64, "properties": {}}));
    for bad in [json!(true), json!([]), json!({}), json!("yesterday"), json!("")] {
        rejects(json!({"ts": bad}), Reason::InvalidTimestamp, "ts (occurred_at)");
    }
    let huge: Value = serde_json::from_str("1e400").expect("a number");
    rejects(json!({"occurred_at": huge}), Reason::TimestampOutOfRange, "occurred_at");
}

/// JSON of any shape whose names are mostly those that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "-?[1-9][0-9]{0,25}(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?"
            .prop_map(|number| serde_json::from_str(&number).expect("a number")),
        "\\PC{0,12}".prop_map(Value::from),
        "[a-z]{0,3}:?[a-z0-9]{0,3}".prop_map(Value::from),
        Just(json!("10.1.2.3")),
    ];
    scalar.prop_recursive(4, 48, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            any_object(inner).prop_map(Value::from),
        ]
    })
}

fn any_object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let names: Vec<&str> = ALIASES.concat().into_iter().chain(["context", "correlations"]).collect();
    let name = prop_oneof![
        4 => prop::sample::select(names).prop_map(str::to_owned),
        2 => "[$]{0,3}(a|page|type|context)",
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec((name, value), 0..9).prop_map(Map::from_iter)
}

/// An event that has to rename members.
fn colliding_event() -> impl Strategy<Value = Map<String, Value>> {
    let object = || prop::collection::btree_map("[$]{0,3}a", any::<u32>().prop_map(Value::from), 0..5);
    (object(), object()).prop_map(|(base, extra)| {
        let mut event = Map::from_iter(extra);
        event.insert("event_type".into(), "click".into());
        event.insert("properties".into(), Map::from_iter(base).into());
        event
    })
}

/// An event that is likely to be accepted, in which no two scalars are equal.
fn likely_event() -> impl Strategy<Value = Map<String, Value>> {
    any_object(any_json()).prop_map(|mut object| {
        object.entry("event_type").or_insert(Value::from("click"));
        let mut serial = 1000;
        for (name, value) in &mut object {
            let is_text_field = ALIASES[..11].iter().any(|aliases| aliases.contains(&name.as_str()));
            if is_text_field && (value.is_array() || value.is_object()) {
                *value = json!(true);
            }
            if ALIASES[3].contains(&name.as_str()) && !value.is_null() {
                *value = json!(0);
            }
            if name == "correlations" && !value.is_null() {
                *value = json!({"a": value["a"].as_bool(), "b": [1, null, "x"]});
            }
            make_distinct(value, &mut serial);
        }
        object
    })
}

fn make_distinct(value: &mut Value, serial: &mut u32) {
    *serial += 1;
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => *value = json!(*serial),
        Value::String(text) if text == "10.1.2.3" => {
            *text = format!("10.1.{}.{}", *serial / 256, *serial % 256)
        }
        Value::String(text) => *text = format!("{}{serial}", text.chars().take(4).collect::<String>()),
        Value::Array(elements) => elements.iter_mut().for_each(|element| make_distinct(element, serial)),
        Value::Object(members) => members.values_mut().for_each(|member| make_distinct(member, serial)),
    }
}

fn leaves(value: &Value, found: &mut HashSet<String>) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => found.extend([value.to_string()]),
        Value::String(text) => found.extend([text.clone()]),
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, found)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, found)),
    }
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
    fn any_object_is_an_event_or_a_rejection(object in any_object(any_json())) {
        let _ = canonical(&object.into());
    }

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
    fn nothing_is_dropped(object in likely_event()) {
        let input = Value::from(object);
        let event = canonical(&input);
        prop_assume!(event.is_ok());
        let event = event.expect("an event");
        let (mut sent, mut kept) = (HashSet::new(), HashSet::new());
        leaves(&input, &mut sent);
        leaves(&event, &mut kept);
        if let Some(micros) = event.get("occurred_at").and_then(Value::as_i64) {
            kept.insert((micros / 1_000_000).to_string());
        }
        prop_assert!(sent.is_subset(&kept), "{input} lost {:?}", sent.difference(&kept));
    }

    #[test]
    fn member_order_does_not_matter(
        (object, order) in prop_oneof![
            likely_event(),
            colliding_event(),
            any_object(any_json()),
        ].prop_flat_map(|object| {
            let order: Vec<usize> = (0..object.len()).collect();
            (Just(object), Just(order).prop_shuffle())
        }),
    ) {
        let members: Vec<_> = object.iter().collect();
        let shuffled: Vec<_> = order.into_iter().map(|index| members[index]).collect();
        prop_assert_eq!(canonical_of(&members), canonical_of(&shuffled));
    }

    #[test]
    fn digits_of_identifiers_survive(
        name in prop::sample::select(["event_id", "user_id", "session_id"].as_slice()),
        digits in "[1-9][0-9]{22}",
    ) {
        let input = format!("{{\"event_type\": 1, \"{name}\": {digits}}}");
        let event = canonical(&serde_json::from_str(&input).expect("an object")).expect("an event");
        prop_assert_eq!(event[name].as_str(), Some(digits.as_str()));
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
