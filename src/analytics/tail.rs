//! The tail: events that are committed but not stitched yet. A query adds them to what the rollups say,
//! by planning their stitching without writing it, so that its answer is exact for all that has committed.

use std::collections::HashMap;

use pgrx::datum::DatumWithOid;

use super::members::MemberSet;
use super::rollups::Identity;
use crate::error::Error;
use crate::sql::Sql;
use crate::stitch::batch;
use crate::{identity_rules, users};

/// Members that have no number yet get one from here on; sequences end far below.
const FIRST_NEW_MEMBER: i64 = 1 << 60;

/// The tail of one project, for one identity.
#[derive(Default)]
pub struct Tail {
    pub activity: Vec<Activity>,
    /// Journeys that stitching the tail would merge: absorbed and survivor.
    merges: HashMap<i64, i64>,
}

/// One event of the tail.
pub struct Activity {
    pub id: i64,
    /// Microseconds since the Unix epoch.
    pub at: i64,
    pub event_type: String,
    /// `None`: an event without user_id, when users are counted.
    pub member: Option<i64>,
}

impl Tail {
    /// Reads the tail.
    pub fn read(sql: &Sql, project_id: i32, identity: Identity) -> Result<Self, Error> {
        let args: [DatumWithOid; 1] = [project_id.into()];
        let rows = batch::ids(sql.prepared(include_str!("../../sql/steps/tail_rows.sql"), &args)?)?;
        if rows.is_empty() {
            return Ok(Tail::default());
        }
        let events = batch::read_events(sql, project_id, &rows)?;
        let (members, merges) = match identity {
            Identity::User => (user_members(sql, project_id, &events)?, HashMap::new()),
            Identity::Journey => journey_members(sql, project_id, &events)?,
        };
        let activity = events
            .into_iter()
            .zip(members)
            .map(|(event, member)| Activity {
                id: event.id,
                at: event.occurred_at,
                event_type: event.event_type,
                member,
            })
            .collect();
        Ok(Tail { activity, merges })
    }

    /// The journey that one will be once the tail's merges are done.
    pub fn survivor(&self, journey: i64) -> i64 {
        self.merges.get(&journey).copied().unwrap_or(journey)
    }

    /// The present journeys that will be one with a journey once the tail's merges are done, itself among them.
    pub fn joined(&self, journey: i64) -> Vec<i64> {
        let survivor = self.survivor(journey);
        let absorbed =
            self.merges.iter().filter(|(_, into)| **into == survivor).map(|(absorbed, _)| *absorbed);
        absorbed.chain([survivor]).collect()
    }

    /// Makes a set of members what it will be once the tail's merges are done.
    pub fn merge_members(&self, members: &mut MemberSet) {
        for (&absorbed, &survivor) in &self.merges {
            if members.remove(absorbed) {
                members.insert(survivor);
            }
        }
    }
}

fn user_members(
    sql: &Sql,
    project_id: i32,
    events: &[batch::QueuedEvent],
) -> Result<Vec<Option<i64>>, Error> {
    let known = users::find(sql, project_id, events.iter().filter_map(|event| event.user_id.as_deref()))?;
    let numbers: HashMap<&str, i64> = (FIRST_NEW_MEMBER..)
        .zip(known)
        .map(|(new, (user_id, number))| (user_id, number.unwrap_or(new)))
        .collect();
    Ok(events.iter().map(|event| numbers.get(event.user_id.as_deref()?).copied()).collect())
}

type Members = (Vec<Option<i64>>, HashMap<i64, i64>);

fn journey_members(sql: &Sql, project_id: i32, events: &[batch::QueuedEvent]) -> Result<Members, Error> {
    let rules = identity_rules::in_force(sql, project_id)?;
    let plan = batch::plan(sql, project_id, &rules, events)?.plan;
    let journey = |component: &u32| {
        let component = *component;
        plan.components[component as usize].journey.unwrap_or(FIRST_NEW_MEMBER + i64::from(component))
    };
    let members = plan.component_of_event.iter().map(|component| Some(journey(component))).collect();
    Ok((members, plan.absorptions().collect()))
}
