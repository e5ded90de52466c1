//! Events lose whatever could tell whose they were, and are counted as before.

use std::collections::{HashMap, HashSet};

use pgrx::datum::DatumWithOid;

use super::Forgetting;
use crate::analytics::rollups::{Identity, Rollups};
use crate::error::Error;
use crate::identity::is_blocked;
use crate::jsonb::{self, Jsonb};
use crate::sql;
use crate::stitch::batch::QueuedEvent;
use crate::users;

/// What stands in for each identifier, by kind and value in normal form: the same for the same.
#[derive(Default)]
struct Tokens(HashMap<(String, String), String>);

impl Tokens {
    fn of(&mut self, kind: &str, value: &str) -> String {
        let token = self.0.entry((kind.to_owned(), value.to_owned()));
        token.or_insert_with(|| format!("forgotten-{}", crate::ingest::random_uuid())).clone()
    }
}

impl Forgetting<'_> {
    pub(super) fn anonymize(&self) -> Result<(), Error> {
        let mut rollups = Rollups::default();
        sql::for_lookups(|| self.remove_activity(&mut rollups))?;
        let mut tokens = Tokens::default();
        let person = self.person;
        let before: Vec<&QueuedEvent> = person.stitched.iter().chain(&person.pending).collect();
        let after: Vec<Anonymous> = before.iter().map(|event| self.anonymous(event, &mut tokens)).collect();
        self.write(&before, &after)?;
        self.copy_words(&tokens)?;

        let stitched = &after[..person.stitched.len()];
        let names: HashSet<&str> = stitched.iter().filter_map(|event| event.user_id.as_deref()).collect();
        let numbers =
            sql::for_lookups(|| users::find_or_create(self.sql, self.project_id, names.iter().copied()))?;
        for (event, anonymous) in person.stitched.iter().zip(stitched) {
            let user = anonymous.user_id.as_deref().and_then(|name| numbers.get(name)).copied();
            if let Some(user) = user {
                rollups.add(Identity::User, user, &event.event_type, event.occurred_at);
            }
            rollups.set_user(&event.event_type, event.occurred_at, event.id, user);
        }
        self.recompute(HashSet::new(), &mut rollups)?;
        let ids: Vec<i64> = person.stitched.iter().map(|event| event.id).collect();
        self.graph.rewrite_events(self.sql, ids)?;
        self.recount(names.into_iter().collect())?;
        self.recompute_metrics()?;
        self.sweep()
    }

    /// The event's identifiers, replaced. What says nothing about anybody stays; what only a rule blocks goes, but
    /// for a user_id, by which users are counted.
    fn anonymous(&self, event: &QueuedEvent, tokens: &mut Tokens) -> Anonymous {
        let mut token = |kind: &str, value: &str| match self.rules.key(kind, value) {
            Some(value) => Some(tokens.of(kind, &value)),
            None => is_blocked(value).then(|| value.to_owned()),
        };
        let mut others = Vec::with_capacity(event.others.len());
        for (kind, value) in event.others.iter().filter_map(|text| text.split_once(':')) {
            others.extend(token(kind, value).map(|value| format!("{kind}:{value}")));
        }
        let session_id = event.session_id.as_deref().and_then(|value| token("session_id", value));
        let user_id = event.user_id.as_deref().map(|value| (token("user_id", value), value));
        let user_id = user_id.map(|(token, value)| token.unwrap_or_else(|| tokens.of("user_id", value)));
        Anonymous {
            event_id: format!("forgotten-{}", crate::ingest::random_uuid()),
            user_id,
            session_id,
            identifiers: (!others.is_empty()).then(|| jsonb::strings(others.iter().map(String::as_str))),
        }
    }

    /// What was said of keys holds for what stands in for them.
    fn copy_words(&self, tokens: &Tokens) -> Result<(), Error> {
        let (names, tokens): (Vec<(&str, &str)>, Vec<&str>) = tokens
            .0
            .iter()
            .map(|((kind, value), token)| ((kind.as_str(), value.as_str()), token.as_str()))
            .unzip();
        let (kinds, values): (Vec<&str>, Vec<&str>) = names.into_iter().unzip();
        let args: [DatumWithOid; 4] = [self.project_id.into(), kinds.into(), values.into(), tokens.into()];
        self.sql.run(include_str!("../../sql/steps/forget_copy_words.sql"), &args).map(drop)
    }

    fn write(&self, before: &[&QueuedEvent], after: &[Anonymous]) -> Result<(), Error> {
        let args: [DatumWithOid; 6] = [
            self.project_id.into(),
            before.iter().map(|event| event.id).collect::<Vec<i64>>().into(),
            after.iter().map(|event| event.event_id.as_str()).collect::<Vec<_>>().into(),
            after.iter().map(|event| event.user_id.as_deref()).collect::<Vec<_>>().into(),
            after.iter().map(|event| event.session_id.as_deref()).collect::<Vec<_>>().into(),
            after.iter().map(|event| event.identifiers).collect::<Vec<Option<Jsonb>>>().into(),
        ];
        self.sql.run(include_str!("../../sql/steps/forget_identifiers.sql"), &args).map(drop)
    }
}

/// An event that could be anybody's.
struct Anonymous {
    event_id: String,
    user_id: Option<String>,
    session_id: Option<String>,
    identifiers: Option<Jsonb>,
}
