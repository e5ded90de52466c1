use std::borrow::Cow;
use std::collections::HashSet;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_object_is_an_event_or_a_rejection(object in any_object(any_json())) {
        let _ = canonical(&object.into());
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
}
