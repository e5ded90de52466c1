//! Identity rules as they are stored: those that are in force, and those that wait for `restitch()` because
//! the project has a history that they would change. What rules mean is in [`crate::identity::rules`].

pub mod functions;

mod change;
mod check;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use pgrx::prelude::*;

use crate::error::Error;
use crate::identity::rules::{ALL_KINDS, RuleError, RuleRow, Rules};
use crate::sql::{self, Row, Sql};

/// A project's own rows, by kind.
pub type OwnRules = BTreeMap<String, RuleRow>;

/// All rows that concern a project.
pub struct RuleSets {
    shipped: Vec<RuleRow>,
    in_force: OwnRules,
    /// All rows as they will be after restitch(); `None`: nothing waits. (That there will be none at all is
    /// stored as one row of kind "" that says nothing.)
    waiting: Option<OwnRules>,
}

impl RuleSets {
    pub fn read(sql: &Sql, project_id: i32) -> Result<Self, Error> {
        let mut sets = RuleSets { shipped: Vec::new(), in_force: OwnRules::new(), waiting: None };
        for row in sql.prepared(include_str!("../sql/steps/rules_read.sql"), &[project_id.into()])? {
            let (rule, is_in_force) = (rule(&row)?, row.get::<bool>(2)?);
            if rule.is_shipped {
                sets.shipped.push(rule);
                continue;
            }
            let own = match is_in_force {
                true => &mut sets.in_force,
                false => sets.waiting.get_or_insert_default(),
            };
            if !says_nothing(&rule) {
                own.insert(rule.kind.clone(), rule);
            }
        }
        Ok(sets)
    }

    /// The project's own rows that will be in force after restitch().
    pub fn wanted(&self) -> &OwnRules {
        self.waiting.as_ref().unwrap_or(&self.in_force)
    }

    /// The rules that a project's own rows make with the shipped ones.
    fn rules(&self, own: &OwnRules) -> Result<Rules, RuleError> {
        Rules::new(self.shipped.iter().chain(own.values()).cloned().collect())
    }
}

/// Whether a row is there only so that there is one.
fn says_nothing(row: &RuleRow) -> bool {
    row.kind == ALL_KINDS && row.max_values.is_none()
}

fn rule(row: &Row<'_>) -> Result<RuleRow, Error> {
    let number = |column| row.nullable::<i32>(column).map(|number| number.map(i32::unsigned_abs));
    Ok(RuleRow {
        is_shipped: row.get(1)?,
        kind: row.get(3)?,
        merges: row.nullable(4)?,
        max_values: number(5)?,
        priority: number(6)?,
        blocked_values: row.nullable(7)?,
        blocked_patterns: row.nullable(8)?,
        normalize: row.nullable(9)?,
    })
}

/// The rules by which the project's events are stitched.
pub fn in_force(sql: &Sql, project_id: i32) -> Result<Rules, Error> {
    let sets = RuleSets::read(sql, project_id)?;
    compiled(sets.shipped.into_iter().chain(sets.in_force.into_values()).collect())
}

/// The rules by which they will be after restitch(): the same, if none wait.
pub fn wanted(sql: &Sql, project_id: i32) -> Result<Rules, Error> {
    let sets = RuleSets::read(sql, project_id)?;
    let own = sets.waiting.unwrap_or(sets.in_force);
    compiled(sets.shipped.into_iter().chain(own.into_values()).collect())
}

/// Whether rules wait for restitch().
pub fn waiting(sql: &Sql, project_id: i32) -> Result<bool, Error> {
    Ok(RuleSets::read(sql, project_id)?.waiting.is_some())
}

/// Puts the rules that wait in force, if any do; answers whether. For restitch(), which holds the project's lock
/// and stitches the history anew by them in the same transaction.
pub fn put_in_force(sql: &Sql, project_id: i32) -> Result<bool, Error> {
    let Some(waiting) = RuleSets::read(sql, project_id)?.waiting else { return Ok(false) };
    change::write(sql, project_id, true, &waiting)?;
    change::forget_waiting(sql, project_id)?;
    Ok(true)
}

thread_local! {
    /// The last rows that were compiled: one batch after another has the same, and patterns take their time.
    static COMPILED: RefCell<Option<(Vec<RuleRow>, Rules)>> = const { RefCell::new(None) };
}

fn compiled(mut rows: Vec<RuleRow>) -> Result<Rules, Error> {
    rows.sort_unstable_by(|a, b| (a.is_shipped, &a.kind).cmp(&(b.is_shipped, &b.kind)));
    COMPILED.with_borrow_mut(|last| match last {
        Some((of, rules)) if *of == rows => Ok(rules.clone()),
        _ => {
            let rules = Rules::new(rows.clone()).map_err(unreadable)?;
            *last = Some((rows, rules.clone()));
            Ok(rules)
        }
    })
}

/// set_identity_rule() lets no such row in; but a later library may read patterns differently.
fn unreadable(error: RuleError) -> Error {
    Error::InvalidArgument {
        argument: "identity_rules",
        problem: error.to_string(),
        takes: "what set_identity_rule() stores; drop_identity_rule() takes a rule away",
    }
}

/// What a query sees of the tables. Two queries of one session see the same if all of this is the same:
///
/// - Which transactions have ended. Only those below xmax are seen, and every one of them had begun before xmax
///   became what it is. So with one xmax the set of those that still run can only shrink, and where as many run,
///   the same do.
/// - What the own transaction did, which is not counted among the running: hence `top`, and the command up to which
///   it is seen.
/// - What of that was undone. Undoing a subtransaction does not set the commands back; but what a query in
///   it has seen is asked for in another subtransaction afterwards, since none is ever current again.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sight {
    xmin: pg_sys::TransactionId,
    xmax: pg_sys::TransactionId,
    running: u32,
    running_sub: i32,
    command: pg_sys::CommandId,
    top: pg_sys::TransactionId,
    subtransaction: pg_sys::SubTransactionId,
}

impl Sight {
    fn current() -> Self {
        // SAFETY: a function that SQL calls has an active snapshot; the others ask about the transaction.
        unsafe {
            let snapshot = &*pg_sys::GetActiveSnapshot();
            Sight {
                xmin: snapshot.xmin,
                xmax: snapshot.xmax,
                running: snapshot.xcnt,
                running_sub: snapshot.subxcnt,
                command: snapshot.curcid,
                top: pg_sys::GetTopTransactionIdIfAny(),
                subtransaction: pg_sys::GetCurrentSubTransactionId(),
            }
        }
    }
}

/// Rules by project, as they are seen.
type Seen = (Sight, HashMap<i32, Rc<Rules>>);

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// The rules in force as the calling query sees them, for functions that it calls once a row: they are read
/// once a query and project.
pub fn cached_in_force(project_id: i32) -> Result<Rc<Rules>, Error> {
    let sight = Sight::current();
    let known = SEEN.with_borrow(|seen| match seen {
        Some((at, rules)) if *at == sight => rules.get(&project_id).map(Rc::clone),
        _ => None,
    });
    if let Some(rules) = known {
        return Ok(rules);
    }
    let rules = Rc::new(sql::reading(|sql| in_force(sql, project_id))?);
    SEEN.with_borrow_mut(|seen| match seen {
        Some((at, known)) if *at == sight => {
            known.insert(project_id, Rc::clone(&rules));
        }
        _ => *seen = Some((sight, HashMap::from([(project_id, Rc::clone(&rules))]))),
    });
    Ok(rules)
}
