//! Rows of a table that has triggers, or constraints that need them: written one by one, as the executor does it.

use pgrx::prelude::*;

pub struct OneByOne {
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    /// For triggers that look at all rows of a statement together.
    capture: *mut pg_sys::TransitionCaptureState,
}

impl OneByOne {
    /// `None`: the table needs none of this.
    ///
    /// # Safety
    /// The table and its indexes are open, and stay so until [`OneByOne::end`].
    pub unsafe fn begin(estate: *mut pg_sys::EState, result: *mut pg_sys::ResultRelInfo) -> Option<Self> {
        // SAFETY: the table's own structures; a statement of triggers begins here, and ends in end().
        unsafe {
            let triggers = (*result).ri_TrigDesc;
            let mut indexes = 0..(*result).ri_NumIndices as usize;
            let is_checked_later = indexes.any(|n| {
                let index = *(*result).ri_IndexRelationDescs.add(n);
                let info = *(*result).ri_IndexRelationInfo.add(n);
                !(*info).ii_ExclusionOps.is_null() || !(*(*index).rd_index).indimmediate
            });
            if triggers.is_null() && !is_checked_later {
                return None;
            }
            pg_sys::AfterTriggerBeginQuery();
            let table = (*(*result).ri_RelationDesc).rd_id;
            let capture = pg_sys::MakeTransitionCaptureState(triggers, table, pg_sys::CmdType::CMD_INSERT);
            pg_sys::ExecBSInsertTriggers(estate, result);
            Some(OneByOne { estate, result, capture })
        }
    }

    /// Writes a row with its index entries; a trigger may change it, or keep it out.
    ///
    /// # Safety
    /// The slot holds a row of the table.
    pub unsafe fn insert(&self, slot: *mut pg_sys::TupleTableSlot, command: pg_sys::CommandId) {
        let Self { estate, result, capture } = *self;
        // SAFETY: see begin().
        unsafe {
            let relation = (*result).ri_RelationDesc;
            let triggers = (*result).ri_TrigDesc;
            let has_before_row = !triggers.is_null() && (*triggers).trig_insert_before_row;
            if has_before_row && !pg_sys::ExecBRInsertTriggers(estate, result, slot) {
                return;
            }
            if !(*(*relation).rd_att).constr.is_null() {
                pg_sys::ExecConstraints(result, slot, estate);
            }
            let (no_conflict, all_indexes) = (std::ptr::null_mut(), std::ptr::null_mut());
            pg_sys::table_tuple_insert(relation, slot, command, 0, std::ptr::null_mut());
            let recheck = pg_sys::ExecInsertIndexTuples(
                result,
                slot,
                estate,
                false,
                false,
                no_conflict,
                all_indexes,
                false,
            );
            pg_sys::ExecARInsertTriggers(estate, result, slot, recheck, capture);
            let context = (*estate).es_per_tuple_exprcontext;
            if !context.is_null() {
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
        }
    }

    /// Fires what waits for the statement's end.
    ///
    /// # Safety
    /// The table is still open.
    pub unsafe fn end(self) {
        // SAFETY: see begin().
        unsafe {
            pg_sys::ExecASInsertTriggers(self.estate, self.result, self.capture);
            pg_sys::AfterTriggerEndQuery(self.estate);
            // What the triggers' statement has opened by itself.
            pg_sys::ExecCloseResultRelations(self.estate);
        }
    }
}
