//! Whom to forget: the events that an id leads to.

use std::collections::HashSet;

use pgrx::datum::DatumWithOid;

use crate::error::Error;
use crate::identity::rules::Rules;
use crate::sql::{self, Sql};
use crate::stitch::batch::{self, QueuedEvent};

/// What there is of somebody.
#[derive(Default)]
pub struct Person {
    /// The keys that lead to the events: one, or those of a journey.
    pub keys: Vec<(String, String)>,
    pub stitched: Vec<QueuedEvent>,
    /// The journeys of the stitched events.
    pub journeys: Vec<i64>,
    pub pending: Vec<QueuedEvent>,
    pub dead_letters: Vec<i64>,
}

impl Person {
    /// Finds the events that an id leads to: that of a journey, a key kind:value, or a user_id.
    pub fn find(sql: &Sql, project_id: i32, rules: &Rules, id: &str) -> Result<Self, Error> {
        let mut person = Person::default();
        let args: [DatumWithOid; 2] = [project_id.into(), id.into()];
        let journey = sql.run(include_str!("../../sql/steps/forget_journey.sql"), &args)?.one::<i64>()?;
        let rows = match journey {
            Some(journey) => {
                let keys = "SELECT kind, value FROM journey_stitch.keys WHERE journey_id = $1";
                let rows = sql::for_joins(|| sql.run(keys, &[journey.into()]))?;
                person.keys = rows.map(|row| Ok((row.get(1)?, row.get(2)?))).collect::<Result<_, Error>>()?;
                sql.run(include_str!("../../sql/steps/forget_of_journey.sql"), &[journey.into()])?
            }
            None => {
                let as_key =
                    id.split_once(':').and_then(|(kind, value)| Some((kind, rules.key(kind, value)?)));
                let as_user = rules.key("user_id", id).map(|value| ("user_id", value));
                person.keys = as_key
                    .into_iter()
                    .chain(as_user)
                    .map(|(kind, value)| (kind.to_owned(), value.into_owned()))
                    .collect();
                if person.keys.is_empty() {
                    return Err(Error::InvalidArgument {
                        argument: "id",
                        problem: format!("\"{id}\" is blocked, and so no key that leads to events"),
                        takes: "a key kind:value, a user_id, or a journey's id",
                    });
                }
                let (kinds, values): (Vec<&str>, Vec<&str>) =
                    person.keys.iter().map(|(kind, value)| (kind.as_str(), value.as_str())).unzip();
                let args: [DatumWithOid; 3] = [project_id.into(), kinds.into(), values.into()];
                sql.run(include_str!("../../sql/steps/forget_of_key.sql"), &args)?
            }
        };
        for row in rows {
            pgrx::check_for_interrupts!();
            person.stitched.push(QueuedEvent::of_row(&row)?);
            person.journeys.extend(row.nullable::<i64>(8)?);
        }
        person.find_pending(sql, project_id, rules)?;
        let (kinds, values): (Vec<&str>, Vec<&str>) =
            person.keys.iter().map(|(kind, value)| (kind.as_str(), value.as_str())).unzip();
        let args: [DatumWithOid; 3] = [project_id.into(), kinds.into(), values.into()];
        let letters = include_str!("../../sql/steps/forget_dead_letters.sql");
        person.dead_letters = batch::ids(sql::for_joins(|| sql.run(letters, &args))?)?;
        Ok(person)
    }

    /// Events that will be theirs once they are stitched.
    fn find_pending(&mut self, sql: &Sql, project_id: i32, rules: &Rules) -> Result<(), Error> {
        let rows = batch::ids(sql.run(include_str!("../../sql/steps/tail_rows.sql"), &[project_id.into()])?)?;
        if rows.is_empty() {
            return Ok(());
        }
        let wanted: HashSet<(&str, &str)> =
            self.keys.iter().map(|(kind, value)| (kind.as_str(), value.as_str())).collect();
        for event in batch::read_events(sql, project_id, &rows)? {
            let keys = event.identifiers().keys(rules);
            if keys.iter().any(|(kind, value)| wanted.contains(&(*kind, value.as_ref()))) {
                self.pending.push(event);
            }
        }
        Ok(())
    }

    pub fn is_nobody(&self) -> bool {
        self.stitched.is_empty() && self.pending.is_empty() && self.dead_letters.is_empty()
    }

    /// How many rows of what there are.
    pub fn entries(&self) -> Vec<(&'static str, i64)> {
        let journeys: HashSet<i64> = self.journeys.iter().copied().collect();
        let users: HashSet<&str> = self.user_ids().collect();
        let count = |n: usize| n as i64;
        vec![
            ("stitched events", count(self.stitched.len())),
            ("pending events", count(self.pending.len())),
            ("dead letters", count(self.dead_letters.len())),
            ("journeys touched", count(journeys.len())),
            ("user_ids of these events", count(users.len())),
        ]
    }

    /// The user_ids of the events, as sent.
    pub fn user_ids(&self) -> impl Iterator<Item = &str> {
        self.stitched.iter().chain(&self.pending).filter_map(|event| event.user_id.as_deref())
    }
}
