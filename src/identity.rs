//! Which identifiers of an event become keys, the values that stitch events into journeys.
//!
//! Pure: what the strings and the [`rules`] say decides, nothing is read or written. A blocked value stays on
//! the event; it is only no key, because a value that everyone sends would stitch everyone into one journey.

pub mod rules;

use std::borrow::Cow;
use std::collections::HashSet;

use self::rules::Rules;

/// The kind of the key that an event without any usable identifier gets, so that it has a journey too.
pub const EVENT_KEY_KIND: &str = "event_id";

/// The longest value on the list of [`is_blocked`] (`[object Object]`), in bytes. Longer values can
/// only be blocked as zeros and dashes.
const LONGEST_BLOCKED: usize = 15;

/// So many keys of an event are compared with one another, before it pays to hash them.
const COMPARED_KEYS: usize = 16;

/// Whether a value says that the sender knew no better, so that it must not become a key of any kind.
///
/// White space around the value and the case of ASCII letters do not matter. Blocked are the empty
/// value, `null`, `nil`, `none`, `n/a`, `na`, `undefined`, `unknown`, `anonymous`, `anon`, `guest`,
/// `NaN`, `-1`, `true`, `false`, `[]`, `{}`, `[object Object]`, and whatever consists of zeros and
/// dashes alone (`0`, the zero UUID). Allocates nothing, however long the value is.
pub fn is_blocked(value: &str) -> bool {
    let value = value.trim().as_bytes();
    if value.iter().all(|byte| matches!(byte, b'0' | b'-')) {
        return true;
    }
    let mut buffer = [0; LONGEST_BLOCKED];
    let Some(lowered) = buffer.get_mut(..value.len()) else { return false };
    lowered.copy_from_slice(value);
    lowered.make_ascii_lowercase();
    matches!(
        &*lowered,
        b"null"
            | b"nil"
            | b"none"
            | b"n/a"
            | b"na"
            | b"undefined"
            | b"unknown"
            | b"anonymous"
            | b"anon"
            | b"guest"
            | b"nan"
            | b"-1"
            | b"true"
            | b"false"
            | b"[]"
            | b"{}"
            | b"[object object]"
    )
}

/// The identifiers that an event came with, as sent.
#[derive(Debug, Clone, Copy)]
pub struct Identifiers<'a, Others> {
    /// The event's own id, unique in its project.
    pub event_id: &'a str,
    /// The `user_id`, which becomes a key of the kind `user_id`.
    pub user_id: Option<&'a str>,
    /// The `session_id`, which becomes a key of the kind `session_id`.
    pub session_id: Option<&'a str>,
    /// The others (device_id, anonymous_id, correlations): anything that yields (kind, value).
    pub others: Others,
}

impl<'a, Others: IntoIterator<Item = (&'a str, &'a str)>> Identifiers<'a, Others> {
    /// The event's keys as (kind, value): `user_id`, `session_id`, then the others in their order.
    ///
    /// Values are normalized by the rule of their kind; then blocked ones and repetitions are left out. There
    /// is at least one key: if nothing is left, it is ([`EVENT_KEY_KIND`], the event's id) as it is, whatever
    /// the id looks like, because it belongs to this event alone.
    pub fn keys(self, rules: &Rules) -> Vec<(&'a str, Cow<'a, str>)> {
        let mut keys = Vec::new();
        self.append_keys(rules, &mut keys);
        keys
    }

    /// Appends the event's [`keys`](Self::keys) to those of the events before it, which are left as
    /// they are. A batch thus needs one vector, not one for each event.
    pub fn append_keys(self, rules: &Rules, keys: &mut Vec<(&'a str, Cow<'a, str>)>) {
        let start = keys.len();
        let own = [("user_id", self.user_id), ("session_id", self.session_id)];
        let own = own.into_iter().filter_map(|(kind, value)| Some((kind, value?)));
        let usable = own.chain(self.others);
        let mut usable = usable.filter_map(|(kind, value)| Some((kind, rules.key(kind, value)?)));

        for key in usable.by_ref().take(COMPARED_KEYS) {
            if !keys[start..].contains(&key) {
                keys.push(key);
            }
        }
        // An event may come with thousands of correlations: comparing all with all would never end.
        if let Some(key) = usable.next() {
            let mut seen: HashSet<_> = keys[start..].iter().cloned().collect();
            keys.extend(std::iter::once(key).chain(usable).filter(|key| seen.insert(key.clone())));
        }
        if keys.len() == start {
            keys.push((EVENT_KEY_KIND, Cow::Borrowed(self.event_id)));
        }
    }
}
