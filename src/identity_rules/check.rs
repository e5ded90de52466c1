//! What is no rule: refused before it is stored, with a hint at what was probably meant.

use std::collections::BTreeSet;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::{OwnRules, RuleSets};
use crate::error::Error;
use crate::identity::EVENT_KEY_KIND;
use crate::identity::rules::{ALL_KINDS, ANY_KIND, RuleError, RuleRow, Rules, nearest};
use crate::sql::Sql;

const MOST_VALUES: i32 = 1_000_000;
const LEAST_PRIORITY: i32 = 1000;
/// The kinds that ingest_events() makes keys of by itself, and those that every project has use for.
const COMMON_KINDS: [&str; 8] =
    ["user_id", "session_id", "device_id", "anonymous_id", "email", "phone", "correlation", EVENT_KEY_KIND];

/// Why a change of rules is refused.
pub enum Refusal {
    Argument { argument: &'static str, problem: String, detail: Option<String>, hint: String },
    NoRule { project: String, kind: String, hint: String },
    Other(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Other(error)
    }
}

impl From<Refusal> for ErrorReport {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Argument { argument, problem, detail, hint } => {
                let code = PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE;
                let message = format!("invalid {argument}: {problem}");
                let report = ErrorReport::new(code, message, "journey_stitch").set_hint(hint);
                match detail {
                    Some(detail) => report.set_detail(detail),
                    None => report,
                }
            }
            Refusal::NoRule { project, kind, hint } => {
                let code = PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT;
                let message = format!("project \"{project}\" has no rule for kind \"{kind}\"");
                ErrorReport::new(code, message, "journey_stitch").set_hint(hint)
            }
            Refusal::Other(error) => error.into(),
        }
    }
}

fn refuse<T>(
    argument: &'static str,
    problem: impl Into<String>,
    hint: impl Into<String>,
) -> Result<T, Refusal> {
    Err(Refusal::Argument { argument, problem: problem.into(), detail: None, hint: hint.into() })
}

pub fn profile(name: Option<&str>) -> Result<OwnRules, Refusal> {
    let row = |kind: &str, max_values, priority| RuleRow {
        kind: kind.to_owned(),
        max_values: Some(max_values),
        priority,
        ..RuleRow::default()
    };
    let rows = match name {
        Some("default") => Vec::new(),
        // As Segment ships it.
        Some("people") => vec![row(ANY_KIND, 5, None), row("user_id", 1, Some(1)), row("email", 5, Some(2))],
        other => {
            let problem =
                other.map_or("it is NULL".to_owned(), |name| format!("there is no profile \"{name}\""));
            let takes = "profile takes 'default' (every shared key joins) or 'people' (one user_id a journey, \
                         five of any other kind).";
            return refuse("profile", problem, takes);
        }
    };
    Ok(rows.into_iter().map(|row| (row.kind.clone(), row)).collect())
}

pub fn max_journey_keys(max_keys: Option<i32>) -> Result<Option<u32>, Refusal> {
    match max_keys {
        Some(max) if max == 1 || max < 0 => refuse(
            "max_keys",
            format!("it is {max}"),
            "max_keys takes a number of keys from 2 on, 0 for no limit, or NULL for the shipped one.",
        ),
        max => Ok(max.map(i32::unsigned_abs)),
    }
}

/// The arguments of set_identity_rule(), as far as they can be judged by themselves.
pub struct Wish<'a> {
    pub kind: Option<&'a str>,
    pub merges: Option<bool>,
    pub max_values: Option<i32>,
    pub priority: Option<i32>,
    pub blocked_values: Option<Vec<Option<String>>>,
    pub blocked_patterns: Option<Vec<Option<String>>>,
    pub normalize: Option<Vec<Option<String>>>,
}

impl Wish<'_> {
    pub fn row(self) -> Result<RuleRow, Refusal> {
        let kind = not_null(self.kind)?;
        let row = RuleRow {
            is_shipped: false,
            kind: kind.to_owned(),
            merges: self.merges,
            max_values: number(
                "max_values",
                self.max_values,
                0,
                MOST_VALUES,
                "max_values takes a number of keys from 1 to 1000000, 0 for no limit, or NULL for what \"*\" says.",
            )?,
            priority: number(
                "priority",
                self.priority,
                1,
                LEAST_PRIORITY,
                "priority takes a number from 1 (the last to yield) to 1000, or NULL for what \"*\" says.",
            )?,
            blocked_values: texts("blocked_values", self.blocked_values)?,
            blocked_patterns: texts("blocked_patterns", self.blocked_patterns)?,
            normalize: texts("normalize", self.normalize)?.map(steps).transpose()?,
        };
        if kind == EVENT_KEY_KIND && row.max_values.is_some_and(|max| max > 0) {
            return refuse(
                "max_values",
                "the kind event_id is not limited",
                "Each event without other keys has one of its own; max_values takes 0 or NULL here.",
            );
        }
        Rules::new(vec![row.clone()]).map_err(pattern)?;
        Ok(row)
    }
}

fn not_null(kind: Option<&str>) -> Result<&str, Refusal> {
    match kind {
        Some(kind) => Ok(kind),
        None => refuse("kind", "it is NULL", "kind takes the name of a kind of keys, or '*' for every kind."),
    }
}

fn number(
    argument: &'static str,
    number: Option<i32>,
    least: i32,
    most: i32,
    takes: &str,
) -> Result<Option<u32>, Refusal> {
    match number {
        Some(number) if !(least..=most).contains(&number) => {
            refuse(argument, format!("it is {number}"), takes)
        }
        number => Ok(number.map(i32::unsigned_abs)),
    }
}

/// An array as a set: without repetitions, in byte order.
fn texts(argument: &'static str, array: Option<Vec<Option<String>>>) -> Result<Option<Vec<String>>, Refusal> {
    let Some(array) = array else { return Ok(None) };
    let mut set = BTreeSet::new();
    for text in array {
        let Some(text) = text else {
            return refuse(argument, "it holds a NULL", format!("{argument} takes an array of texts."));
        };
        if text.trim().is_empty() {
            let hint = match argument {
                "blocked_values" => "An empty value is blocked anyway.".to_owned(),
                "blocked_patterns" => "An empty pattern would block every value.".to_owned(),
                _ => format!("{argument} takes an array without empty texts."),
            };
            return refuse(argument, "it holds an empty text", hint);
        }
        set.insert(text);
    }
    Ok(Some(set.into_iter().collect()))
}

/// The steps of normalization in the order in which they are made.
fn steps(wanted: Vec<String>) -> Result<Vec<String>, Refusal> {
    const STEPS: [&str; 2] = ["trim", "lower"];
    if let Some(other) = wanted.iter().find(|step| !STEPS.contains(&step.as_str())) {
        return refuse(
            "normalize",
            format!("there is no step \"{other}\""),
            "normalize takes an array of 'trim' (white space at both ends) and 'lower' (case), or '{}' for values \
             as sent.",
        );
    }
    Ok(STEPS.into_iter().filter(|step| wanted.iter().any(|own| own == step)).map(str::to_owned).collect())
}

fn pattern(error: RuleError) -> Refusal {
    let problem = error.to_string();
    let detail = match error {
        RuleError::Pattern { problem, .. } => Some(problem),
        RuleError::TooLarge { .. } | RuleError::Step { .. } => None,
    };
    Refusal::Argument {
        argument: "blocked_patterns",
        problem,
        detail,
        hint: "blocked_patterns takes regular expressions as Rust's crate regex has them: no look-around, no back \
               references."
            .to_owned(),
    }
}

/// Whether a kind is one that keys may have. One that looks like a slip of the pen is refused, unless the project
/// has keys or a rule of it.
pub fn kind(sql: &Sql, project_id: i32, sets: &RuleSets, kind: &str) -> Result<(), Refusal> {
    if kind == ANY_KIND {
        return Ok(());
    }
    let query = include_str!("../../sql/steps/rules_kinds.sql");
    let used: Vec<String> =
        sql.prepared(query, &[project_id.into()])?.map(|row| row.get(1)).collect::<Result<_, Error>>()?;
    let ruled = sets.shipped.iter().map(|row| &row.kind).chain(sets.wanted().keys());
    let ruled = ruled.map(String::as_str).filter(|kind| *kind != ANY_KIND && *kind != ALL_KINDS);
    let known = || COMMON_KINDS.into_iter().chain(ruled.clone()).chain(used.iter().map(String::as_str));
    if known().any(|known| known == kind) {
        return Ok(());
    }
    if !is_name(kind) {
        let takes = "kind takes a name (letters, digits and _, no digit first), or '*' for every kind.";
        return match nearest(kind, known()) {
            Some(meant) => {
                refuse("kind", format!("\"{kind}\" is no name"), format!("Did you mean \"{meant}\"?"))
            }
            None => refuse("kind", format!("\"{kind}\" is no name"), takes),
        };
    }
    match nearest(kind, known()) {
        Some(meant) => refuse(
            "kind",
            format!("the project has no keys of kind \"{kind}\""),
            format!("Did you mean \"{meant}\"? If not, ingest an event with such a key first."),
        ),
        None => Ok(()),
    }
}

/// Whether a text matches `[A-Za-z_][A-Za-z0-9_]*`.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Values that are not in normal form would never be met.
pub fn blocked_values(sets: &RuleSets, own: &OwnRules, row: &RuleRow) -> Result<(), Refusal> {
    let rules = sets.rules(own).map_err(pattern)?;
    let rule = rules.rule(&row.kind);
    for value in row.blocked_values.iter().flatten() {
        let normal = rule.normalize(value);
        if normal != value.as_str() {
            return refuse(
                "blocked_values",
                format!("\"{value}\" is not in the normal form of kind \"{}\"", row.kind),
                format!("Did you mean \"{normal}\"?"),
            );
        }
    }
    Ok(())
}

/// Whether there is a rule of the project for the kind.
pub fn rule_exists(own: &OwnRules, project: &str, kind: Option<&str>) -> Result<(), Refusal> {
    let kind = not_null(kind)?;
    if own.contains_key(kind) && kind != ALL_KINDS {
        return Ok(());
    }
    let kinds: Vec<&str> = own.keys().map(String::as_str).filter(|kind| *kind != ALL_KINDS).collect();
    let hint = match nearest(kind, kinds.iter().copied()) {
        Some(meant) => format!("Did you mean \"{meant}\"?"),
        None if kinds.is_empty() => "It has no rules of its own, and the shipped ones stay.".to_owned(),
        None => format!("It has rules of its own for: {}.", kinds.join(", ")),
    };
    Err(Refusal::NoRule { project: project.to_owned(), kind: kind.to_owned(), hint })
}
