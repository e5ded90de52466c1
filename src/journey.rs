//! Which keys an event gives, as SQL can ask. Journeys themselves are read by the functions of
//! 50_journeys.sql.

use pgrx::prelude::*;

use crate::event::Json;
use crate::identity::Identifiers;
use crate::jsonb::Jsonb;

/// The keys that an event's identifiers give: what is left when blocked values are taken out.
#[pg_extern(immutable, parallel_safe)]
fn event_keys(
    event_id: &str,
    user_id: Option<&str>,
    session_id: Option<&str>,
    identifiers: Option<Jsonb>,
) -> TableIterator<'static, (name!(kind, String), name!(value, String))> {
    let others = identifier_texts(identifiers);
    let others = others.iter().filter_map(|text| text.split_once(':'));
    let keys = Identifiers { event_id, user_id, session_id, others }.keys();
    let rows: Vec<_> = keys.into_iter().map(|(kind, value)| (kind.to_owned(), value.to_owned())).collect();
    TableIterator::new(rows)
}

/// The texts kind:value of the column events.identifiers. (A kind has no colon.)
pub fn identifier_texts(identifiers: Option<Jsonb>) -> Vec<String> {
    let array = identifiers.and_then(|array| array.root().container());
    let nodes = array.map(|array| array.element_nodes()).unwrap_or_default();
    let texts = nodes.iter().filter_map(|node| match node.json() {
        Json::String(text) => Some(text.into_owned()),
        _ => None,
    });
    texts.collect()
}
