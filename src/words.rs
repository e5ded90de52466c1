//! A person's word about keys: that two are one person's, that they never are, or that a key ties nothing
//! together. It stands above every rule, until it is taken back; what follows from it is done in the same
//! transaction, or only shown (dry_run).

use petgraph::unionfind::UnionFind;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::json;

use crate::analytics::rollups::Rollups;
use crate::error::Error;
use crate::event::parse_key;
use crate::graph::Graph;
use crate::identity::rules::Rules;
use crate::rights;
use crate::sql::{self, Sql};
use crate::stitch::batch;
use crate::stitch::region::{Becomes, Cause, Region, Seeds};
use crate::{identity_log, identity_rules, subtransaction};

/// What goes from one journey to another: journey_id, becomes, events, keys.
type Moved = (pgrx::Uuid, Option<pgrx::Uuid>, i64, i64);

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn link(
    a: Option<&str>,
    b: Option<&str>,
    project: default!(Option<&str>, "'default'"),
    dry_run: default!(bool, "false"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(journey_id, pgrx::Uuid),
            name!(becomes, Option<pgrx::Uuid>),
            name!(events, i64),
            name!(keys, i64),
        ),
    >,
    ErrorReport,
> {
    let moved = rights::administering(c"link()", project, |sql, project_id, role| {
        Speech::new(sql, project_id, role, dry_run)?.say(Word::Link, ("a", a), Some(("b", b)))
    })?;
    Ok(TableIterator::new(moved))
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn never_link(
    a: Option<&str>,
    b: Option<&str>,
    project: default!(Option<&str>, "'default'"),
    dry_run: default!(bool, "false"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(journey_id, pgrx::Uuid),
            name!(becomes, Option<pgrx::Uuid>),
            name!(events, i64),
            name!(keys, i64),
        ),
    >,
    ErrorReport,
> {
    let moved = rights::administering(c"never_link()", project, |sql, project_id, role| {
        Speech::new(sql, project_id, role, dry_run)?.say(Word::NeverLink, ("a", a), Some(("b", b)))
    })?;
    Ok(TableIterator::new(moved))
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn unmerge(
    key: Option<&str>,
    other: default!(Option<&str>, "NULL"),
    project: default!(Option<&str>, "'default'"),
    dry_run: default!(bool, "true"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(journey_id, pgrx::Uuid),
            name!(becomes, Option<pgrx::Uuid>),
            name!(events, i64),
            name!(keys, i64),
        ),
    >,
    ErrorReport,
> {
    let moved = rights::administering(c"unmerge()", project, |sql, project_id, role| {
        let speech = Speech::new(sql, project_id, role, dry_run)?;
        match other {
            Some(_) => speech.take_back("unmerge", &[Word::Link], ("key", key), Some(("other", other))),
            None => speech.say(Word::Unmerge, ("key", key), None),
        }
    })?;
    Ok(TableIterator::new(moved))
}

#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // the shape is what pgrx reads the declaration from
fn retract(
    a: Option<&str>,
    b: default!(Option<&str>, "NULL"),
    project: default!(Option<&str>, "'default'"),
    dry_run: default!(bool, "false"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(journey_id, pgrx::Uuid),
            name!(becomes, Option<pgrx::Uuid>),
            name!(events, i64),
            name!(keys, i64),
        ),
    >,
    ErrorReport,
> {
    let moved = rights::administering(c"retract()", project, |sql, project_id, role| {
        let speech = Speech::new(sql, project_id, role, dry_run)?;
        match b {
            Some(_) => speech.take_back("retract", &[Word::Link, Word::NeverLink], ("a", a), Some(("b", b))),
            None => speech.take_back("retract", &[Word::Unmerge], ("a", a), None),
        }
    })?;
    Ok(TableIterator::new(moved))
}

/// What can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Link,
    NeverLink,
    Unmerge,
}

impl Word {
    /// As identity_words has it.
    fn code(self) -> &'static str {
        match self {
            Word::Link => "link",
            Word::NeverLink => "never_link",
            Word::Unmerge => "unmerge",
        }
    }
}

/// An argument that names a key, as it is called and as it was given.
type Argument<'a> = (&'static str, Option<&'a str>);

/// A key, as a word names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    kind: String,
    value: String,
}

impl Name {
    fn text(&self) -> String {
        format!("{}:{}", self.kind, self.value)
    }
}

/// Somebody says something about keys of a project, whose lock is held.
struct Speech<'a> {
    sql: &'a Sql,
    project_id: i32,
    role: &'a str,
    rules: Rules,
    graph: Graph,
    is_dry_run: bool,
}

impl<'a> Speech<'a> {
    fn new(sql: &'a Sql, project_id: i32, role: &'a str, is_dry_run: bool) -> Result<Self, Error> {
        let rules = identity_rules::in_force(sql, project_id)?;
        Ok(Speech { sql, project_id, role, rules, graph: Graph::open(sql)?, is_dry_run })
    }

    fn say(self, word: Word, one: Argument<'_>, other: Option<Argument<'_>>) -> Result<Vec<Moved>, Error> {
        let names = self.names(one, other, true)?;
        if word == Word::Unmerge && self.key(&names[0])?.is_none() {
            return Err(Error::InvalidArgument {
                argument: "key",
                problem: format!("no stitched event has the key \"{}\"", names[0].text()),
                takes: "kind:value of a key that is in a journey; see journey_stitch.keys",
            });
        }
        if let Some(present) = self.present(&names)? {
            if present == word.code() {
                notice!("nothing to do: {} is in force already", self.in_words(word, &names));
                return Ok(Vec::new());
            }
            return Err(self.contradiction(word, &names, &names));
        }
        if word != Word::Unmerge {
            self.refuse_contradiction(word, &names)?;
        }
        self.change(word.code(), word, &names, || {
            let mut args: Vec<DatumWithOid> = self.word_args(&names).into();
            args.extend([word.code().into(), self.role.into()]);
            let said = "INSERT INTO journey_stitch.identity_words
                            (project_id, kind, value, other_kind, other_value, word, made_by)
                        VALUES ($1, $2, $3, $4, $5, $6, $7::text::name)";
            self.sql.run(said, &args).map(drop)
        })
    }

    fn take_back(
        self,
        action: &'static str,
        words: &[Word],
        one: Argument<'_>,
        other: Option<Argument<'_>>,
    ) -> Result<Vec<Moved>, Error> {
        let argument = one.0;
        let names = self.names(one, other, false)?;
        let present = self.present(&names)?;
        let Some(word) = words.iter().copied().find(|word| present.as_deref() == Some(word.code())) else {
            let texts: Vec<String> = names.iter().map(Name::text).collect();
            let problem = format!("nobody has said anything to take back of {}", texts.join(" and "));
            if action == "unmerge" {
                notice!("nothing to do: {problem}");
                return Ok(Vec::new());
            }
            return Err(Error::InvalidArgument {
                argument,
                problem,
                takes: "a key of a row of journey_stitch.identity_words; to keep two keys apart, call never_link()",
            });
        };
        self.change(action, word, &names, || {
            let unsaid = "DELETE FROM journey_stitch.identity_words
                          WHERE project_id = $1 AND kind = $2 AND value = $3
                            AND other_kind IS NOT DISTINCT FROM $4 AND other_value IS NOT DISTINCT FROM $5";
            self.sql.run(unsaid, &self.word_args(&names)).map(drop)
        })
    }

    /// Changes what is said, and the journeys of the keys with it; a dry run is undone.
    fn change(
        &self,
        action: &'static str,
        word: Word,
        names: &[Name],
        say: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Vec<Moved>, Error> {
        if self.is_dry_run {
            return subtransaction::undone(|| {
                say()?;
                moves(self.sql, &self.region(names)?, &[])
            });
        }
        say()?;
        let region = self.region(names)?;
        let texts: Vec<String> = names.iter().map(Name::text).collect();
        let arguments = json!({ "word": word.code(), "keys": texts });
        let log = identity_log::record(self.sql, self.project_id, action, &arguments, self.role)?;
        let mut rollups = Rollups::default();
        let cause = Cause { rule: action, log: Some(log) };
        let new_ids = sql::for_lookups(|| {
            let new_ids = region.apply(self.sql, &self.graph, &cause, &mut rollups)?.new;
            rollups.write(self.sql, self.project_id)?;
            Ok::<_, Error>(new_ids)
        })?;
        moves(self.sql, &region, &new_ids)
    }

    /// The keys that the arguments name; of two, the lesser first.
    fn names(
        &self,
        one: Argument<'_>,
        other: Option<Argument<'_>>,
        are_keys: bool,
    ) -> Result<Vec<Name>, Error> {
        let mut names = vec![self.name(one, are_keys)?];
        if let Some(other) = other {
            let name = self.name(other, are_keys)?;
            if name == names[0] {
                return Err(Error::InvalidArgument {
                    argument: other.0,
                    problem: "both keys are the same".to_owned(),
                    takes: "another key, as kind:value",
                });
            }
            names.push(name);
            names.sort();
        }
        Ok(names)
    }

    /// What was said of a value that is blocked since can still be taken back.
    fn name(&self, (argument, text): Argument<'_>, is_key: bool) -> Result<Name, Error> {
        let text = text.ok_or(Error::NullArgument { argument })?;
        let mut key = parse_key(text);
        // A kind that is no name, as correlations may have it, is one if there is such a key.
        if let Some((kind, value)) = text.split_once(':')
            && kind != key.kind
            && self.key(&Name { kind: kind.to_owned(), value: value.to_owned() })?.is_some()
        {
            (key.kind, key.value) = (kind.into(), value.into());
        }
        if is_key && self.rules.key(&key.kind, &key.value).is_none() {
            return Err(Error::InvalidArgument {
                argument,
                problem: format!("\"{text}\" is blocked, and so no key"),
                takes: "a key, as kind:value",
            });
        }
        let value = self.rules.rule(&key.kind).normalize(&key.value).into_owned();
        Ok(Name { kind: key.kind.into_owned(), value })
    }

    fn word_args(&self, names: &[Name]) -> [DatumWithOid<'static>; 5] {
        let other = names.get(1);
        [
            self.project_id.into(),
            names[0].kind.clone().into(),
            names[0].value.clone().into(),
            other.map(|name| name.kind.clone()).into(),
            other.map(|name| name.value.clone()).into(),
        ]
    }

    /// What was said of the keys before.
    fn present(&self, names: &[Name]) -> Result<Option<String>, Error> {
        let said = "SELECT word FROM journey_stitch.identity_words
                    WHERE project_id = $1 AND kind = $2 AND value = $3
                      AND other_kind IS NOT DISTINCT FROM $4 AND other_value IS NOT DISTINCT FROM $5";
        self.sql.run(said, &self.word_args(names))?.one()
    }

    /// The id of a key.
    fn key(&self, name: &Name) -> Result<Option<i64>, Error> {
        let args: [DatumWithOid; 3] =
            [self.project_id.into(), name.kind.as_str().into(), name.value.as_str().into()];
        let key = "SELECT id FROM journey_stitch.keys WHERE project_id = $1 AND kind = $2 AND value = $3";
        self.sql.run(key, &args)?.one()
    }

    /// Links make one of all that they connect; no two of those may be said to be two.
    fn refuse_contradiction(&self, word: Word, names: &[Name]) -> Result<(), Error> {
        let said = "SELECT word, kind, value, other_kind, other_value FROM journey_stitch.identity_words
                    WHERE project_id = $1 AND word <> 'unmerge'";
        let mut keys: Vec<Name> = names.to_vec();
        let mut number = |name: Name| match keys.iter().position(|key| *key == name) {
            Some(number) => number,
            None => {
                keys.push(name);
                keys.len() - 1
            }
        };
        let (mut links, mut never_links) = (Vec::new(), Vec::new());
        for row in self.sql.run(said, &[self.project_id.into()])? {
            let one = number(Name { kind: row.get(2)?, value: row.get(3)? });
            let other = number(Name { kind: row.get(4)?, value: row.get(5)? });
            let pairs = if row.get::<&str>(1)? == "link" { &mut links } else { &mut never_links };
            pairs.push((one, other));
        }
        if word == Word::Link { &mut links } else { &mut never_links }.push((0, 1));
        let mut sets = UnionFind::<usize>::new(keys.len());
        links.iter().for_each(|&(one, other)| {
            sets.union(one, other);
        });
        match never_links.iter().find(|&&(one, other)| sets.equiv(one, other)) {
            // What can be taken back is the word never_link or, where that is the new one, a link on the way.
            Some(_) if word == Word::NeverLink => {
                let on_the_way = links.iter().find(|(one, other)| *one == 0 || *other == 0);
                let &(one, other) = on_the_way.unwrap_or(&(0, 1));
                let (one, other) = if keys[one] < keys[other] { (one, other) } else { (other, one) };
                Err(self.contradiction(word, names, &[keys[one].clone(), keys[other].clone()]))
            }
            Some(&(one, other)) => {
                Err(self.contradiction(word, names, &[keys[one].clone(), keys[other].clone()]))
            }
            None => Ok(()),
        }
    }

    fn contradiction(&self, word: Word, names: &[Name], by: &[Name]) -> Error {
        let texts: Vec<String> =
            by.iter().map(|name| format!("'{}'", name.text().replace('\'', "''"))).collect();
        Error::Contradiction { said: self.in_words(word, names), keys: texts.join(", ") }
    }

    fn in_words(&self, word: Word, names: &[Name]) -> String {
        let texts: Vec<String> = names.iter().map(Name::text).collect();
        format!("{} of {}", word.code(), texts.join(" and "))
    }

    /// The journeys that the keys are in, or that they were refused to.
    fn region(&self, names: &[Name]) -> Result<Region, Error> {
        let (kinds, values): (Vec<&str>, Vec<&str>) =
            names.iter().map(|name| (name.kind.as_str(), name.value.as_str())).unzip();
        let args: [DatumWithOid; 3] = [self.project_id.into(), kinds.into(), values.into()];
        let journeys = batch::ids(self.sql.run(include_str!("../sql/steps/words_journeys.sql"), &args)?)?;
        let seeds = Seeds { journeys, ..Seeds::default() };
        sql::for_lookups(|| Region::read(self.sql, self.project_id, &self.rules, seeds))
    }
}

/// What goes where, by the journeys' public ids; `new_ids`: the new journeys, if they have been made.
fn moves(sql: &Sql, region: &Region, new_ids: &[i64]) -> Result<Vec<Moved>, Error> {
    let mut new_uuids = vec![None; new_ids.len()];
    let uuids = "SELECT n::integer, j.uuid FROM unnest($1::bigint[]) WITH ORDINALITY AS u (id, n)
                 JOIN journey_stitch.journeys j ON j.id = u.id";
    for row in sql.run(uuids, &[new_ids.to_vec().into()])? {
        new_uuids[batch::ordinal(&row)?] = Some(row.get::<pgrx::Uuid>(2)?);
    }
    let uuid = |id: i64| region.uuid(id).ok_or(Error::Missing("journey of a region"));
    let mut rows = Vec::new();
    for moved in region.moves() {
        let becomes = match moved.to {
            Becomes::Present(id) => Some(uuid(id)?),
            Becomes::New(number) => new_uuids.get(number as usize).copied().flatten(),
        };
        rows.push((uuid(moved.from)?, becomes, moved.events, moved.keys));
    }
    Ok(rows)
}
