//! Pure: what the launcher, the workers and the committing backends tell each other, as it lies in shared
//! memory. Latches are addresses in shared memory; 0 is none.
//!
//! ```text
//!              want()                      start                    enter()
//!   (no slot) ───────▶ wanted ──launcher──▶ process starts ──worker──▶ working ──┐ want(): wakes the
//!       ▲                 ▲                                                      │ worker itself
//!       └── leave() ──────┴─ leave(), but wanted again meanwhile: refused ◀──────┘
//! ```

/// Databases that can have a slot at once. When more are wanted, the launcher looks everywhere.
pub const SLOTS: usize = 128;

/// One database that has work, or whose worker runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// 0: the slot is free.
    pub database: u32,
    /// A commit has brought work since the worker last looked.
    pub wanted: bool,
    /// The worker's latch while it works.
    pub latch: usize,
    /// The worker's process id while it works.
    pub pid: i32,
    /// How many workers in a row have ended by an error.
    pub failures: u32,
    /// The worker left of its own accord, not by an error.
    pub left: bool,
    /// The worker found nothing of ours in the database.
    pub is_foreign: bool,
    /// When work that failed is due again, in the server's timestamps; `None`: there is none.
    pub retry_at: Option<i64>,
}

/// The shared state.
#[derive(Debug, Clone, Copy)]
pub struct Board {
    /// The launcher's latch while it runs.
    pub launcher: usize,
    /// The launcher's process id while it runs.
    pub launcher_pid: i32,
    /// There was no free slot for a database.
    pub look_everywhere: bool,
    /// Databases wait until a worker of another one ends.
    pub others_wait: bool,
    pub slots: [Slot; SLOTS],
}

impl Default for Board {
    fn default() -> Self {
        Board {
            launcher: 0,
            launcher_pid: 0,
            look_everywhere: false,
            others_wait: false,
            slots: [Slot::default(); SLOTS],
        }
    }
}

impl Board {
    /// The database's slot.
    pub fn slot(&mut self, database: u32) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.database == database && database != 0)
    }

    fn slot_or_new(&mut self, database: u32) -> Option<&mut Slot> {
        let found = self.slots.iter().position(|slot| slot.database == database);
        let index = found.or_else(|| self.slots.iter().position(|slot| slot.database == 0))?;
        let slot = &mut self.slots[index];
        if found.is_none() {
            *slot = Slot { database, ..Slot::default() };
        }
        Some(slot)
    }

    /// The database has work. Answers the latch to set: its worker's, or the launcher's.
    pub fn want(&mut self, database: u32) -> usize {
        let launcher = self.launcher;
        match self.slot_or_new(database) {
            Some(slot) => {
                slot.wanted = true;
                if slot.latch != 0 { slot.latch } else { launcher }
            }
            None => {
                self.look_everywhere = true;
                launcher
            }
        }
    }

    /// A worker begins to work on the database. False: another one does already.
    pub fn enter(&mut self, database: u32, latch: usize, pid: i32) -> bool {
        match self.slot_or_new(database) {
            Some(slot) if slot.latch == 0 => {
                *slot = Slot { database, latch, pid, failures: slot.failures, ..Slot::default() };
                true
            }
            _ => false,
        }
    }

    /// The worker is about to look for work: what is wanted from now on is news.
    pub fn take_wanted(&mut self, database: u32) {
        if let Some(slot) = self.slot(database) {
            slot.wanted = false;
        }
    }

    /// The worker has nothing to do. False: there is news, it must look again.
    pub fn leave(&mut self, database: u32, retry_at: Option<i64>, is_foreign: bool) -> bool {
        match self.slot(database) {
            Some(slot) if slot.wanted && !is_foreign => false,
            Some(slot) => {
                *slot = Slot { database, left: true, is_foreign, retry_at, ..Slot::default() };
                true
            }
            None => true,
        }
    }

    /// The worker leaves though there is work, for another one to go on from `due` on.
    pub fn give_way(&mut self, database: u32, due: i64) -> bool {
        if let Some(slot) = self.slot(database) {
            *slot = Slot { database, left: true, retry_at: Some(due), ..Slot::default() };
        }
        true
    }

    /// The worker's process ends, whyever. One that has not left on its own account leaves work behind:
    /// answers the latch to set then, the launcher's, which may be another one than had started it.
    pub fn abandon(&mut self, database: u32, latch: usize) -> usize {
        let launcher = self.launcher;
        match self.slot(database) {
            Some(slot) if slot.latch == latch => {
                (slot.latch, slot.pid, slot.wanted) = (0, 0, true);
                launcher
            }
            _ => 0,
        }
    }

    /// Frees the database's slot.
    pub fn free(&mut self, database: u32) {
        if let Some(slot) = self.slot(database) {
            *slot = Slot::default();
        }
    }
}
