//! Where the rows of a partitioned table go.

use pgrx::prelude::*;

use super::{Shape, is_plain};

/// A partitioned table, to find the partitions of new rows.
pub struct Partitions(pg_sys::Relation);

impl Partitions {
    /// Opens a table that is partitioned by ranges of its first column, a bigint, until the transaction ends;
    /// `None`: adding to this one takes a statement.
    pub fn open(table: pg_sys::Oid, shape: &Shape) -> Option<Self> {
        // SAFETY: what is opened is closed by close(), or by the abort of the transaction.
        unsafe {
            let relation = pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32);
            let partitions = Partitions(relation);
            if (*(*relation).rd_rel).relkind == pg_sys::RELKIND_PARTITIONED_TABLE as i8
                && is_plain(relation, shape)
            {
                return Some(partitions);
            }
            partitions.close();
            None
        }
    }

    /// The partition of a value, and the first value beyond it; `None`: there is none that is a table.
    pub fn find(&self, value: i64) -> Option<(pg_sys::Oid, i64)> {
        // SAFETY: the arrays have the lengths that the descriptor says; a bound of one column has one datum, which
        // is set where its kind says so.
        unsafe {
            let partitions = &*pg_sys::RelationGetPartitionDesc(self.0, true);
            if partitions.nparts == 0 {
                return None;
            }
            let bounds = &*partitions.boundinfo;
            let count = bounds.ndatums as usize;
            let kinds = std::slice::from_raw_parts(bounds.kind, count);
            let datums = std::slice::from_raw_parts(bounds.datums, count);
            let bound = |n: usize| match *kinds[n] {
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MINVALUE => i64::MIN,
                pg_sys::PartitionRangeDatumKind::PARTITION_RANGE_DATUM_MAXVALUE => i64::MAX,
                _ => (*datums[n]).value() as i64,
            };
            let after = (0..count).find(|&n| bound(n) > value)?;
            let partition = usize::try_from(*bounds.indexes.add(after)).ok()?;
            (*partitions.is_leaf.add(partition)).then(|| (*partitions.oids.add(partition), bound(after)))
        }
    }

    /// Closes the table; the lock stays.
    pub fn close(self) {
        // SAFETY: pairs with open().
        unsafe { pg_sys::table_close(self.0, pg_sys::NoLock as i32) }
    }
}
