//! Correlations: the identifiers that an event carries beside those that have a field of their own.

use std::borrow::Cow;

use super::{Container, Json, Reason, Rejection};

/// The kind of an identifier that does not say its kind.
const DEFAULT_KIND: &str = "correlation";

/// An identifier: events that share one belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<'a> {
    /// What sort of identifier it is, such as `device_id` or `order_id`.
    pub kind: Cow<'a, str>,
    /// The identifier itself.
    pub value: Cow<'a, str>,
}

impl Key<'_> {
    /// The key with texts of its own.
    pub fn into_owned(self) -> Key<'static> {
        Key { kind: Cow::Owned(self.kind.into_owned()), value: Cow::Owned(self.value.into_owned()) }
    }
}

/// Reads `kind:value`. A text whose part before the first colon is no name, or that has nothing behind
/// it, is a value of kind `correlation`.
pub fn parse_key(text: &str) -> Key<'_> {
    match text.split_once(':') {
        Some((kind, value)) if is_name(kind) && !value.is_empty() => {
            Key { kind: Cow::Borrowed(kind), value: Cow::Borrowed(value) }
        }
        _ => Key { kind: Cow::Borrowed(DEFAULT_KIND), value: Cow::Borrowed(text) },
    }
}

/// Whether a text matches `[A-Za-z_][A-Za-z0-9_]*`.
fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The keys that a `correlations` member gives: an array of texts, one text, or an object of kinds.
pub(super) fn keys<'a, C: Container<'a>>(correlations: &Json<'a, C>) -> Result<Vec<Key<'a>>, Rejection> {
    match correlations {
        Json::String(text) => Ok(vec![key(text.clone())]),
        Json::Array(array) => Ok(scalars(*array)?.into_iter().map(key).collect()),
        Json::Object(object) => {
            let mut keys = Vec::new();
            for (kind, value) in object.members() {
                keys_of_kind(kind, &value, &mut keys)?;
            }
            Ok(keys)
        }
        other => Err(invalid(format!("not {}", other.type_name()))),
    }
}

fn keys_of_kind<'a, C: Container<'a>>(
    kind: &'a str,
    value: &Json<'a, C>,
    keys: &mut Vec<Key<'a>>,
) -> Result<(), Rejection> {
    let values = match value {
        Json::Null => return Ok(()),
        Json::Array(array) => scalars(*array)?,
        _ => vec![scalar(value)?],
    };
    if kind.is_empty() || kind.contains(':') {
        return Err(invalid("a kind is not empty and has no colon".to_owned()));
    }
    keys.extend(values.into_iter().map(|value| Key { kind: Cow::Borrowed(kind), value }));
    Ok(())
}

fn scalars<'a, C: Container<'a>>(array: C) -> Result<Vec<Cow<'a, str>>, Rejection> {
    array.elements().iter().filter(|element| !matches!(element, Json::Null)).map(scalar).collect()
}

fn scalar<'a, C>(value: &Json<'a, C>) -> Result<Cow<'a, str>, Rejection> {
    value.scalar().ok_or_else(|| invalid(format!("a value cannot be {}", value.type_name())))
}

fn key(text: Cow<'_, str>) -> Key<'_> {
    match text {
        Cow::Borrowed(text) => parse_key(text),
        Cow::Owned(text) => parse_key(&text).into_owned(),
    }
}

fn invalid(problem: String) -> Rejection {
    Rejection {
        reason: Reason::InvalidCorrelation,
        message: format!("correlations must be an array of strings or an object {{kind: value}}: {problem}"),
    }
}
