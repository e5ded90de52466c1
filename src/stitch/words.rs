//! What a person said of keys, as stitching heeds it: links before all events, the others above every rule.

use std::collections::HashSet;

use super::batch::{Hold, Key};
use crate::error::Error;
use crate::sql::Sql;

/// What a person said of keys of a project.
#[derive(Debug, Default)]
pub struct Words {
    pub links: Vec<Pair>,
    pub never_links: Vec<Pair>,
    unmerged: HashSet<(String, String)>,
}

/// Two keys that a word is about.
#[derive(Debug)]
pub struct Pair {
    pub one: Named,
    pub other: Named,
}

/// A key by its name.
#[derive(Debug)]
pub struct Named {
    pub kind: String,
    pub value: String,
    pub id: Option<i64>,
    pub journey: Option<i64>,
}

impl Pair {
    pub fn keys(&self) -> [&Named; 2] {
        [&self.one, &self.other]
    }
}

/// The words about keys of a project.
pub fn read(sql: &Sql, project_id: i32) -> Result<Words, Error> {
    let mut words = Words::default();
    for row in sql.prepared(include_str!("../../sql/steps/words_find.sql"), &[project_id.into()])? {
        let named = |kind: i32, id: i32| {
            let (value, journey) = (row.get(kind + 1)?, row.nullable(id + 1)?);
            Ok::<_, Error>(Named { kind: row.get(kind)?, value, id: row.nullable(id)?, journey })
        };
        match row.get::<&str>(2)? {
            "unmerge" => {
                words.unmerged.insert((row.get(3)?, row.get(4)?));
            }
            word => {
                let pair = Pair { one: named(3, 7)?, other: named(5, 9)? };
                if word == "link" { words.links.push(pair) } else { words.never_links.push(pair) }
            }
        }
    }
    Ok(words)
}

impl Words {
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.never_links.is_empty() && self.unmerged.is_empty()
    }

    /// Whether a person has taken the key out of all journeys.
    pub fn is_unmerged(&self, kind: &str, value: &str) -> bool {
        !self.unmerged.is_empty() && self.unmerged.contains(&(kind.to_owned(), value.to_owned()))
    }

    /// Also keys that are new may have been taken out, if there were such before.
    pub fn mark_unmerged(&self, keys: &mut [Key<'_>]) {
        if !self.unmerged.is_empty() {
            for key in keys.iter_mut().filter(|key| self.is_unmerged(key.kind, &key.value)) {
                key.hold = Some(Hold::Unmerged);
            }
        }
    }

    /// The kind and the value of each key that a word is about, with those of the other one, if there is one.
    pub fn names(&self) -> impl Iterator<Item = ((&str, &str), Option<(&str, &str)>)> {
        fn name(named: &Named) -> (&str, &str) {
            (&named.kind, &named.value)
        }
        let of_pairs = self.pairs().map(|pair| (name(&pair.one), Some(name(&pair.other))));
        of_pairs.chain(self.unmerged.iter().map(|(kind, value)| ((kind.as_str(), value.as_str()), None)))
    }

    /// The words that are about two keys.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.links.iter().chain(&self.never_links)
    }
}
