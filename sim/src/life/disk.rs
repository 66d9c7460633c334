//! The work of the log's thread, and a disk that is full.

use engine::{Error, StorageError};
use storage::wal::Work;

use super::Life;
use crate::failure::Failure;

impl Life<'_> {
    /// The flusher's work.
    pub(super) fn step(&mut self, work: Work) -> Result<(), Failure> {
        match self.step_log(work) {
            Ok(()) => Ok(()),
            Err(Error::Storage(StorageError::Full(why))) => {
                let failure = Failure::from(Error::Storage(StorageError::Full(why)));
                self.world.tolerate(failure.during("step"))?;
                self.refused_until_there_is_space()
            }
            Err(error) => self.world.tolerate(Failure::from(error).during("step")),
        }
    }

    /// The disk is full: writes are refused, reads go on, and writes too as soon as there is space.
    pub(super) fn refused_until_there_is_space(&mut self) -> Result<(), Failure> {
        self.world.coverage.full_disks += 1;
        let Some(handles) = &self.handles else { return Ok(()) };
        let write = self.world.new_write(handles.version);
        if self.clients.send(self.world, &self.database, handles, write)? {
            return Err(Failure::new("a write was taken while the disk is full".to_owned()));
        }
        self.check()?;
        self.world.fs.set_capacity(None);
        for work in [Work::Write, Work::Idle] {
            if let Err(error) = self.step_log(work) {
                return self.world.tolerate(Failure::from(error).during("space is back"));
            }
        }
        let Some(handles) = &self.handles else { return Ok(()) };
        let write = self.world.new_write(handles.version);
        let is_taken = self.clients.send(self.world, &self.database, handles, write)?;
        if !is_taken && self.database.wal().poisoned().is_none() && !self.world.is_off() {
            return Err(Failure::new("a write was refused although space is back".to_owned()));
        }
        self.world.coverage.returned_space += 1;
        Ok(())
    }

    pub(super) fn fill_disk(&mut self) -> Result<(), Failure> {
        self.world.faults.full = true;
        let room = self.world.prng.below(6_000);
        let used = self.world.used_bytes();
        self.world.fs.set_capacity(Some(used + room));
        self.world.trace.note(format_args!("room for {room} bytes"));
        for _ in 0..8 {
            self.write()?;
            self.step(Work::Write)?;
            if self.world.is_off() {
                break;
            }
        }
        if self.world.prng.chance(0.3) {
            self.checkpoint()?;
        }
        self.world.fs.set_capacity(None);
        // The flusher notices by itself.
        self.step(Work::Idle)
    }
}
