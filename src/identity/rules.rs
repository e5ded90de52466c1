//! Identity rules: what a value of a kind is as a key, and whether such keys may join journeys.
//!
//! A rule comes from four rows, column by column: the project's row for the kind, the project's row for
//! every kind (`*`), the shipped row for the kind, the shipped row for every kind. The first that says
//! something decides. Priority and normalization are what a kind is rather than what a project wants, so
//! for these two the shipped row for the kind comes before the project's row for every kind: an email does
//! not lose its place when a project limits everything.
//!
//! Pure. Rules are compiled once a batch and asked for every identifier of it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use regex::{RegexBuilder, RegexSet, RegexSetBuilder};

use super::is_blocked;

/// The kind of the row for every kind.
pub const ANY_KIND: &str = "*";
/// The kind of the row whose `max_values` is `max_journey_keys`, the limit for all kinds together.
pub const ALL_KINDS: &str = "";

const SHIPPED_PRIORITY: u32 = 100;
const SHIPPED_MAX_KEYS: u32 = 10_000;
/// The most bytes that the patterns of one rule may take when they are compiled.
const PATTERN_BYTES: usize = 2 * 1024 * 1024;

/// One row of identity_rules, as read. A column that is `None` says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleRow {
    /// Whether it came with the extension, and is not the project's own.
    pub is_shipped: bool,
    /// A kind, [`ANY_KIND`] or [`ALL_KINDS`].
    pub kind: String,
    pub merges: Option<bool>,
    /// 0: no limit.
    pub max_values: Option<u32>,
    pub priority: Option<u32>,
    pub blocked_values: Option<Vec<String>>,
    pub blocked_patterns: Option<Vec<String>>,
    pub normalize: Option<Vec<String>>,
}

/// Why rows do not make rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("the pattern \"{pattern}\" of kind \"{kind}\" is no regular expression")]
    Pattern {
        kind: String,
        pattern: String,
        /// What the regex crate says: several lines that point at the place.
        problem: String,
    },
    #[error("the patterns of kind \"{kind}\" take more than {PATTERN_BYTES} bytes when they are compiled")]
    TooLarge { kind: String },
    #[error("nothing is known of normalizing kind \"{kind}\" by \"{step}\"")]
    Step { kind: String, step: String },
}

/// What is done to a value before it is a key.
#[derive(Debug, Clone, Copy)]
struct Normalize {
    trim: bool,
    lower: bool,
}

impl Normalize {
    const TRIM: Normalize = Normalize { trim: true, lower: false };
    const TRIM_LOWER: Normalize = Normalize { trim: true, lower: true };

    fn new(kind: &str, steps: &[String]) -> Result<Self, RuleError> {
        let mut normalize = Normalize { trim: false, lower: false };
        for step in steps {
            match step.as_str() {
                "trim" => normalize.trim = true,
                "lower" => normalize.lower = true,
                _ => return Err(RuleError::Step { kind: kind.to_owned(), step: step.clone() }),
            }
        }
        Ok(normalize)
    }
}

/// The rule of a kind.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Whether such keys join journeys.
    pub merges: bool,
    /// The most such keys of a journey; `u32::MAX`: no limit.
    pub max_values: u32,
    /// Who yields when a limit is hit: the highest number.
    pub priority: u32,
    normalize: Normalize,
    blocked_values: Option<Arc<HashSet<String>>>,
    blocked_patterns: Option<Arc<RegexSet>>,
}

impl Rule {
    /// The value in normal form: `trim` takes off white space (Unicode's White_Space) at both ends, `lower`
    /// is Unicode's lower case in no particular language, as `str::to_lowercase` has it (that of PostgreSQL's
    /// `lower()` in C.UTF-8 but for a sigma at the end of a word, and İ). Allocates only what differs.
    pub fn normalize<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let value = if self.normalize.trim { value.trim() } else { value };
        if !self.normalize.lower || is_lower(value) {
            return Cow::Borrowed(value);
        }
        Cow::Owned(value.to_lowercase())
    }

    /// The value as a key; `None`: it is blocked, by what is blocked everywhere ([`is_blocked`]) or by the rule.
    pub fn key<'a>(&self, value: &'a str) -> Option<Cow<'a, str>> {
        let value = self.normalize(value);
        (!is_blocked(&value) && !self.blocks(&value)).then_some(value)
    }

    fn blocks(&self, value: &str) -> bool {
        self.blocked_values.as_ref().is_some_and(|values| values.contains(value))
            || self.blocked_patterns.as_ref().is_some_and(|patterns| patterns.is_match(value))
    }
}

/// Whether lower case is what it is in.
fn is_lower(value: &str) -> bool {
    match value.is_ascii() {
        true => !value.bytes().any(|byte| byte.is_ascii_uppercase()),
        false => value.chars().all(|c| c.to_lowercase().eq([c])),
    }
}

/// A row, compiled.
#[derive(Default)]
struct Columns {
    merges: Option<bool>,
    max_values: Option<u32>,
    priority: Option<u32>,
    normalize: Option<Normalize>,
    blocked_values: Option<Arc<HashSet<String>>>,
    blocked_patterns: Option<Arc<RegexSet>>,
}

impl Columns {
    fn new(row: RuleRow) -> Result<Self, RuleError> {
        let normalize = row.normalize.map(|steps| Normalize::new(&row.kind, &steps)).transpose()?;
        let patterns = row.blocked_patterns.map(|patterns| compile(&row.kind, &patterns)).transpose()?;
        Ok(Columns {
            merges: row.merges,
            max_values: row.max_values,
            priority: row.priority,
            normalize,
            blocked_values: row.blocked_values.map(|values| Arc::new(values.into_iter().collect())),
            blocked_patterns: patterns.map(Arc::new),
        })
    }
}

fn compile(kind: &str, patterns: &[String]) -> Result<RegexSet, RuleError> {
    let limited = RegexSetBuilder::new(patterns).size_limit(PATTERN_BYTES).build();
    limited.map_err(|_| {
        // The error of a set does not say which pattern it is.
        let alone = |pattern: &String| RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build().err();
        let found = patterns.iter().find_map(|pattern| Some((pattern, alone(pattern)?)));
        match found {
            Some((pattern, error)) => RuleError::Pattern {
                kind: kind.to_owned(),
                pattern: pattern.clone(),
                problem: error.to_string(),
            },
            None => RuleError::TooLarge { kind: kind.to_owned() },
        }
    })
}

/// Rows by kind.
type Layer = HashMap<String, Columns>;

/// The rules of a project.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Kinds with a rule of their own, in order of [`order`].
    kinds: Vec<(String, Rule)>,
    others: Rule,
    max_keys: u32,
}

/// Lengths first: kinds mostly differ in them.
fn order(known: &str, kind: &str) -> std::cmp::Ordering {
    known.len().cmp(&kind.len()).then_with(|| known.cmp(kind))
}

impl Rules {
    /// The rules that shipped rows and a project's own make together.
    pub fn new(rows: Vec<RuleRow>) -> Result<Rules, RuleError> {
        let (mut shipped, mut own) = (Layer::new(), Layer::new());
        for row in rows {
            let layer = if row.is_shipped { &mut shipped } else { &mut own };
            layer.insert(row.kind.clone(), Columns::new(row)?);
        }
        Ok(Self::layered(&own, &shipped))
    }

    fn layered(own: &Layer, shipped: &Layer) -> Rules {
        let kinds: HashSet<&String> = own.keys().chain(shipped.keys()).collect();
        let kinds = kinds.into_iter().filter(|kind| *kind != ANY_KIND && *kind != ALL_KINDS);
        let mut kinds: Vec<_> = kinds.map(|kind| (kind.clone(), layered_rule(kind, own, shipped))).collect();
        kinds.sort_unstable_by(|(a, _), (b, _)| order(a, b));
        let max_keys = [own, shipped].into_iter().find_map(|layer| layer.get(ALL_KINDS)?.max_values);
        Rules {
            kinds,
            others: layered_rule(ANY_KIND, own, shipped),
            max_keys: limit(max_keys.unwrap_or(SHIPPED_MAX_KEYS)),
        }
    }

    /// The rule of a kind: that of `*` where the kind has none of its own.
    pub fn rule(&self, kind: &str) -> &Rule {
        match self.kinds.binary_search_by(|(known, _)| order(known, kind)) {
            Ok(n) => &self.kinds[n].1,
            Err(_) => &self.others,
        }
    }

    /// The most keys of a journey; `u32::MAX`: no limit.
    pub fn max_keys(&self) -> u32 {
        self.max_keys
    }

    /// Whether a journey may have only so many keys of some kind.
    pub fn limits_kinds(&self) -> bool {
        self.all().any(|rule| rule.max_values != u32::MAX)
    }

    /// Whether keys of some kind join no journeys.
    pub fn keeps_apart(&self) -> bool {
        self.all().any(|rule| !rule.merges)
    }

    /// Whether keys of all kinds join journeys, any number of each: but for `max_keys`, the journeys are the
    /// connected components.
    pub fn is_plain(&self) -> bool {
        self.all().all(|rule| rule.merges && rule.max_values == u32::MAX)
    }

    fn all(&self) -> impl Iterator<Item = &Rule> {
        self.kinds.iter().map(|(_, rule)| rule).chain([&self.others])
    }

    /// The value of an identifier as a key, normalized; `None`: it is blocked. (The key that an event gets for
    /// lack of others is no identifier, and does not pass here.)
    pub fn key<'a>(&self, kind: &str, value: &'a str) -> Option<Cow<'a, str>> {
        self.rule(kind).key(value)
    }
}

impl Default for Rules {
    /// Those that are shipped.
    fn default() -> Self {
        let user_id = Columns { priority: Some(1), ..Columns::default() };
        let email =
            Columns { priority: Some(2), normalize: Some(Normalize::TRIM_LOWER), ..Columns::default() };
        let shipped = Layer::from([("user_id".to_owned(), user_id), ("email".to_owned(), email)]);
        Self::layered(&Layer::new(), &shipped)
    }
}

fn layered_rule(kind: &str, own: &Layer, shipped: &Layer) -> Rule {
    let (any, shipped_any) = (own.get(ANY_KIND), shipped.get(ANY_KIND));
    let (own, shipped) = (own.get(kind), shipped.get(kind));
    let as_wanted = [own, any, shipped, shipped_any];
    let as_it_is = [own, shipped, any, shipped_any];
    Rule {
        merges: first(as_wanted, |row| row.merges).unwrap_or(true),
        max_values: limit(first(as_wanted, |row| row.max_values).unwrap_or(0)),
        priority: first(as_it_is, |row| row.priority).unwrap_or(SHIPPED_PRIORITY),
        normalize: first(as_it_is, |row| row.normalize).unwrap_or(Normalize::TRIM),
        blocked_values: first(as_wanted, |row| row.blocked_values.clone())
            .filter(|values| !values.is_empty()),
        blocked_patterns: first(as_wanted, |row| row.blocked_patterns.clone())
            .filter(|patterns| !patterns.is_empty()),
    }
}

fn first<T>(layers: [Option<&Columns>; 4], column: impl Fn(&Columns) -> Option<T>) -> Option<T> {
    layers.into_iter().flatten().find_map(column)
}

/// A limit as it is stored has 0 for none.
fn limit(stored: u32) -> u32 {
    if stored == 0 { u32::MAX } else { stored }
}

/// The known kind that a kind is probably a misspelling of; `None` if it is known itself, or unlike all.
///
/// Case, `-`, `_` and spaces do not count. What is left may differ in one letter (left out, put in, changed, or
/// swapped with its neighbour) from four letters on, in two from eight on.
pub fn nearest<'k>(kind: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let wanted = letters(kind);
    let mut best: Option<(usize, &'k str)> = None;
    for candidate in known {
        if candidate == kind {
            return None;
        }
        let letters = letters(candidate);
        let length = wanted.chars().count().max(letters.chars().count());
        let allowed = match length {
            0..4 => 0,
            4..8 => 1,
            _ => 2,
        };
        // Not worth comparing letter by letter.
        if wanted.chars().count().abs_diff(letters.chars().count()) > allowed {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&wanted, &letters);
        // Of two that are equally near always the same one.
        if distance <= allowed && best.is_none_or(|best| (distance, candidate) < best) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// What of a kind counts when two are compared.
fn letters(kind: &str) -> String {
    kind.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}
