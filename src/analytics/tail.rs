//! The tail: events that are committed but not stitched yet. A query adds them to what the rollups say,
//! by planning their stitching without writing it, so that its answer is exact for all that has committed.

use std::collections::{HashMap, HashSet};

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
    merges: Vec<(i64, i64)>,
    ids: HashSet<i64>,
}

/// One event of the tail.
pub struct Activity {
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
        let rows = batch::ids(sql.run(include_str!("../../sql/steps/tail_rows.sql"), &args)?)?;
        if rows.is_empty() {
            return Ok(Tail::default());
        }
        let events = batch::read_events(sql, &rows)?;
        let ids = events.iter().map(|event| event.id).collect();
        let (members, merges) = match identity {
            Identity::User => (user_members(sql, project_id, &events)?, Vec::new()),
            Identity::Journey => journey_members(sql, project_id, &events)?,
        };
        let activity = events
            .into_iter()
            .zip(members)
            .map(|(event, member)| Activity { at: event.occurred_at, event_type: event.event_type, member })
            .collect();
        Ok(Tail { activity, merges, ids })
    }

    /// Whether the event is in the tail.
    pub fn has_event(&self, id: i64) -> bool {
        self.ids.contains(&id)
    }

    /// Makes a set of members what it will be once the tail's merges are done.
    pub fn merge_members(&self, members: &mut MemberSet) {
        for &(absorbed, survivor) in &self.merges {
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

type Members = (Vec<Option<i64>>, Vec<(i64, i64)>);

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
