//! The canonical event: what a client sent, under the names that this extension uses, or the reason why
//! it was rejected. Nothing here knows PostgreSQL.
//!
//! Each field has aliases, the names that other systems send it under. The first of them that is present
//! is the field; the others, and whatever is not recognised, stay in the event's properties under their
//! own names, so that nothing is dropped. JSON null is an absent field.

mod correlation;
mod field;
pub mod timestamp;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;

pub use correlation::{Key, parse_key};
use field::{Field, recognise};
use timestamp::TimestampError;

/// A read-only view of a JSON value.
#[derive(Debug, Clone)]
pub enum Json<'a, C> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, by its digits: identifiers beyond 2^64 must stay distinct.
    Number(Cow<'a, str>),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(C),
    /// An object.
    Object(C),
}

impl<'a, C> Json<'a, C> {
    /// The text of a string, a number or a boolean.
    fn scalar(&self) -> Option<Cow<'a, str>> {
        match self {
            Json::String(text) | Json::Number(text) => Some(text.clone()),
            Json::Bool(true) => Some(Cow::Borrowed("true")),
            Json::Bool(false) => Some(Cow::Borrowed("false")),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

/// What holds the values of an array or an object.
pub trait Container<'a>: Copy {
    /// The elements of an array.
    fn elements(self) -> Vec<Json<'a, Self>>;

    /// The members of an object, in any order; each name occurs once.
    fn members(self) -> Vec<(&'a str, Json<'a, Self>)>;

    /// The names of an object's members, for an implementation that has them for less.
    fn names(self) -> Vec<&'a str> {
        self.members().into_iter().map(|(name, _)| name).collect()
    }
}

/// What an event may not exceed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest identifier, event type, key kind or key value, in bytes.
    pub max_id_bytes: usize,
}

/// An accepted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The client's id of the event, which deduplicates it.
    pub event_id: Option<Cow<'a, str>>,
    /// What happened; never empty.
    pub event_type: Cow<'a, str>,
    /// A name for people.
    pub event_name: Option<Cow<'a, str>>,
    /// When it happened, in microseconds since the Unix epoch.
    pub occurred_at: Option<i64>,
    /// Who did it.
    pub user_id: Option<Cow<'a, str>>,
    /// The client's session.
    pub session_id: Option<Cow<'a, str>>,
    /// The system that sent it.
    pub source: Option<Cow<'a, str>>,
    /// The client's address.
    pub ip_address: Option<IpAddr>,
    /// The client's browser or library.
    pub user_agent: Option<Cow<'a, str>>,
    /// The identifiers beside user_id and session_id (device_id, anonymous_id, correlations): sorted, each
    /// of them once.
    pub keys: Vec<Key<'a>>,
    /// All the rest.
    pub properties: Properties<'a>,
}

/// Which members make up the properties, by index into the slice given to [`canonicalize`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    /// The object whose members are the properties.
    pub base: Option<usize>,
    /// Members to add to them, and the name to keep each one under.
    pub extra: Vec<(Cow<'a, str>, usize)>,
}

/// Why an event was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It is not a JSON object; raised by the caller.
    NotAnObject,
    /// It has no event type, or an empty one.
    MissingEventType,
    /// A text field holds an array or an object.
    InvalidField,
    /// The timestamp cannot be read.
    InvalidTimestamp,
    /// The timestamp is outside the years 1 to 9999.
    TimestampOutOfRange,
    /// An identifier is longer than the limit.
    IdTooLong,
    /// The correlations are not of the form that is documented.
    InvalidCorrelation,
    /// It nests too deep; raised by the caller.
    TooDeep,
    /// It is too large; raised by the caller.
    TooLarge,
}

impl Reason {
    /// The code that is stored with a dead letter.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::NotAnObject => "not_an_object",
            Reason::MissingEventType => "missing_event_type",
            Reason::InvalidField => "invalid_field",
            Reason::InvalidTimestamp => "invalid_timestamp",
            Reason::TimestampOutOfRange => "timestamp_out_of_range",
            Reason::IdTooLong => "id_too_long",
            Reason::InvalidCorrelation => "invalid_correlation",
            Reason::TooDeep => "too_deep",
            Reason::TooLarge => "too_large",
        }
    }
}

/// A rejected event: the reason, and a message that names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// Why it was rejected.
    pub reason: Reason,
    /// What to put right.
    pub message: String,
}

/// Whether a member of that name can be an event's type.
pub fn is_event_type(name: &str) -> bool {
    matches!(recognise(name), Some((Field::EventType, _)))
}

/// Turns the members of an object into the event that they describe.
pub fn canonicalize<'a, C: Container<'a>>(
    members: &[(&'a str, Json<'a, C>)],
    limits: &Limits,
) -> Result<Event<'a>, Rejection> {
    let (fields, mut extra) = Fields::choose(members, limits);
    let event_id = fields.id(Field::EventId)?;
    let event_type = fields.id(Field::EventType)?.ok_or_else(|| Rejection {
        reason: Reason::MissingEventType,
        message: "an event needs an event_type (or eventType, type, event)".to_owned(),
    })?;

    let ip_address = fields.value(Field::IpAddress).and_then(ip_address_of);
    if ip_address.is_none() {
        extra.extend(fields.index(Field::IpAddress));
    }
    let user_agent = fields.text(Field::UserAgent)?;
    // The context serves where the event itself is silent, and is kept whole.
    extra.extend(fields.index(Field::Context));
    let context = match fields.value(Field::Context) {
        Some(Json::Object(context)) if ip_address.is_none() || user_agent.is_none() => context.members(),
        _ => Vec::new(),
    };
    let in_context = |name: &str| context.iter().find(|(n, _)| *n == name).map(|(_, value)| value);

    let base = match fields.value(Field::Properties) {
        Some(Json::Object(object)) => Some(*object),
        _ => {
            extra.extend(fields.index(Field::Properties));
            None
        }
    };
    Ok(Event {
        event_id,
        event_type,
        event_name: fields.text(Field::EventName)?,
        occurred_at: fields.occurred_at()?,
        user_id: fields.id(Field::UserId)?,
        session_id: fields.id(Field::SessionId)?,
        source: fields.text(Field::Source)?,
        ip_address: ip_address.or_else(|| in_context("ip").and_then(ip_address_of)),
        user_agent: user_agent
            .or_else(|| ["userAgent", "user_agent"].into_iter().find_map(|name| in_context(name)?.scalar())),
        keys: fields.keys()?,
        properties: Properties {
            base: base.and(fields.index(Field::Properties)),
            extra: extra_names(members, extra, base),
        },
    })
}

fn ip_address_of<C>(value: &Json<'_, C>) -> Option<IpAddr> {
    match value {
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Gives each extra member a name that no member of `base` and no other extra member has: its own, or its
/// own behind as many `$` as it takes.
fn extra_names<'a, C: Container<'a>>(
    members: &[(&'a str, Json<'a, C>)],
    extra: Vec<usize>,
    base: Option<C>,
) -> Vec<(Cow<'a, str>, usize)> {
    let mut extra: Vec<_> = extra.into_iter().map(|index| (Cow::Borrowed(members[index].0), index)).collect();
    let Some(base) = base.filter(|_| !extra.is_empty()) else { return extra };
    let mut names = base.names();
    names.sort_unstable();
    if extra.iter().all(|(name, _)| names.binary_search(&name.as_ref()).is_err()) {
        return extra;
    }
    // In the order of the names, so that the outcome does not depend on the order of the members.
    extra.sort_unstable();
    let mut taken: BTreeSet<Cow<'a, str>> = extra.iter().map(|(name, _)| name.clone()).collect();
    taken.extend(names.iter().copied().map(Cow::Borrowed));
    for (name, _) in &mut extra {
        if names.binary_search(&name.as_ref()).is_ok() {
            while !taken.insert(name.clone()) {
                name.to_mut().insert(0, '$');
            }
        }
    }
    extra
}

/// The member that each field was taken from.
struct Fields<'m, 'a, C> {
    members: &'m [(&'a str, Json<'a, C>)],
    /// The member's place among the aliases, and its index.
    chosen: [Option<(u8, usize)>; Field::COUNT],
    max_id_bytes: usize,
}

impl<'m, 'a, C: Container<'a>> Fields<'m, 'a, C> {
    /// Chooses a member for each field; answers also the members that are no field.
    fn choose(members: &'m [(&'a str, Json<'a, C>)], limits: &Limits) -> (Self, Vec<usize>) {
        let mut chosen = [None; Field::COUNT];
        let mut others = Vec::new();
        for (index, (name, value)) in members.iter().enumerate() {
            let Some((field, rank)) = recognise(name) else {
                others.push(index);
                continue;
            };
            let is_absent = match value {
                Json::Null => true,
                // An empty text identifies no event and is no type; elsewhere it is a value.
                Json::String(text) => text.is_empty() && matches!(field, Field::EventId | Field::EventType),
                _ => false,
            };
            if is_absent {
                continue;
            }
            match &mut chosen[field as usize] {
                Some((best, _)) if *best <= rank => others.push(index),
                slot => others.extend(slot.replace((rank, index)).map(|(_, index)| index)),
            }
        }
        (Fields { members, chosen, max_id_bytes: limits.max_id_bytes }, others)
    }

    fn index(&self, field: Field) -> Option<usize> {
        self.chosen[field as usize].map(|(_, index)| index)
    }

    fn value(&self, field: Field) -> Option<&'m Json<'a, C>> {
        self.index(field).map(|index| &self.members[index].1)
    }

    /// The field for a message: its name as it was sent, and the name that the documentation uses.
    fn label(&self, field: Field) -> String {
        let name = field.name();
        match self.index(field).map(|index| self.members[index].0) {
            Some(sent) if sent != name => format!("{sent} ({name})"),
            _ => name.to_owned(),
        }
    }

    fn text(&self, field: Field) -> Result<Option<Cow<'a, str>>, Rejection> {
        let Some(value) = self.value(field) else { return Ok(None) };
        let text = value.scalar().ok_or_else(|| Rejection {
            reason: Reason::InvalidField,
            message: format!("{} must be a string, not {}", self.label(field), value.type_name()),
        })?;
        Ok(Some(text))
    }

    fn id(&self, field: Field) -> Result<Option<Cow<'a, str>>, Rejection> {
        let id = self.text(field)?;
        if let Some(id) = &id {
            self.check_length(id, || self.label(field))?;
        }
        Ok(id)
    }

    fn check_length(&self, id: &str, label: impl FnOnce() -> String) -> Result<(), Rejection> {
        if id.len() <= self.max_id_bytes {
            return Ok(());
        }
        Err(Rejection {
            reason: Reason::IdTooLong,
            message: format!("{} is {} bytes long, the limit is {}", label(), id.len(), self.max_id_bytes),
        })
    }

    fn occurred_at(&self) -> Result<Option<i64>, Rejection> {
        let instant = match self.value(Field::OccurredAt) {
            None => return Ok(None),
            Some(Json::String(text)) => timestamp::parse(text),
            Some(Json::Number(number)) => timestamp::parse_epoch(number),
            Some(_) => Err(TimestampError::Invalid),
        };
        instant.map(Some).map_err(|error| Rejection {
            reason: match error {
                TimestampError::Invalid => Reason::InvalidTimestamp,
                TimestampError::OutOfRange => Reason::TimestampOutOfRange,
            },
            message: format!("{} {error}", self.label(Field::OccurredAt)),
        })
    }

    fn keys(&self) -> Result<Vec<Key<'a>>, Rejection> {
        let mut keys = Vec::new();
        for field in [Field::DeviceId, Field::AnonymousId] {
            if let Some(value) = self.id(field)? {
                keys.push(Key { kind: Cow::Borrowed(field.name()), value });
            }
        }
        if let Some(correlations) = self.value(Field::Correlations) {
            let given = correlation::keys(correlations)?;
            for key in &given {
                self.check_length(&key.kind, || "the kind of a correlation".to_owned())?;
                self.check_length(&key.value, || "the value of a correlation".to_owned())?;
            }
            keys.extend(given);
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}
