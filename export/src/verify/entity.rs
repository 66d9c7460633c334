//! One entity of one group: its reads and deletes in the order of the log, and its state between them.

use engine::Lsn;
use engine::replay::{EntityReplay, ReplayMoment};
use model::column::Column;

use crate::Error;

/// What happens to an entity besides changes of its values.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// It is deleted.
    Forget,
    /// It is read: the vector's number, and when it is looked at.
    Read(u32, ReplayMoment),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Watched<'p> {
    /// Each with the record after which it happens, the delete itself included.
    steps: Vec<(Lsn, Step)>,
    /// Of each step the least floor of the reads from there on.
    floors: Vec<i64>,
    /// Steps that are done.
    done: usize,
    /// None before the first change, and when no read is to come.
    state: Option<EntityReplay<'p>>,
}

/// Values of reads, in the order in which they were made.
#[derive(Debug)]
pub(super) struct Values {
    /// The vector of each row.
    pub(super) vectors: Vec<u32>,
    pub(super) columns: Vec<Column>,
}

impl<'p> Watched<'p> {
    /// Vector `vector` read it, with its changes up to `seen`.
    pub(super) fn read(&mut self, vector: u32, seen: Lsn, moment: ReplayMoment) {
        self.steps.push((seen, Step::Read(vector, moment)));
    }

    /// Record `lsn` deletes it.
    pub(super) fn delete(&mut self, lsn: Lsn) {
        self.steps.push((lsn, Step::Forget));
    }

    /// All reads and deletes are known. `entity` is any of the group.
    pub(super) fn close(&mut self, entity: &EntityReplay<'_>) {
        self.steps.sort_by_key(|(lsn, step)| (*lsn, matches!(step, Step::Read(..))));
        let mut floor = i64::MAX;
        self.floors = vec![floor; self.steps.len()];
        for ((_, step), place) in self.steps.iter().zip(&mut self.floors).rev() {
            if let Step::Read(_, moment) = step {
                floor = floor.min(entity.floor_of(moment));
            }
            *place = floor;
        }
    }

    /// The state that a change of record `lsn` finds: everything before it has been done. Beside it the earliest time that is needed
    /// event by event, in ms. Nothing when no read is to come.
    pub(super) fn before(
        &mut self,
        lsn: Lsn,
        fresh: &dyn Fn() -> Result<EntityReplay<'p>, Error>,
        values: &mut Values,
    ) -> Result<Option<(&mut EntityReplay<'p>, i64)>, Error> {
        self.steps_before(lsn, fresh, values)?;
        let floor = self.floors.get(self.done).copied().unwrap_or(i64::MAX);
        if floor == i64::MAX {
            self.state = None;
            return Ok(None);
        }
        if self.state.is_none() {
            self.state = Some(fresh()?);
        }
        Ok(self.state.as_mut().map(|state| (state, floor)))
    }

    /// Does what is left.
    pub(super) fn finish(
        &mut self,
        fresh: &dyn Fn() -> Result<EntityReplay<'p>, Error>,
        values: &mut Values,
    ) -> Result<(), Error> {
        self.steps_before(Lsn(u64::MAX), fresh, values)?;
        self.state = None;
        Ok(())
    }

    fn steps_before(
        &mut self,
        lsn: Lsn,
        fresh: &dyn Fn() -> Result<EntityReplay<'p>, Error>,
        values: &mut Values,
    ) -> Result<(), Error> {
        let next = |steps: &[(Lsn, Step)], done: usize| {
            steps.get(done).filter(|(at, _)| *at < lsn).map(|(_, step)| *step)
        };
        while let Some(step) = next(&self.steps, self.done) {
            match step {
                Step::Forget => self.state = None,
                Step::Read(vector, moment) => {
                    let state = match &mut self.state {
                        Some(state) => state,
                        None => self.state.insert(fresh()?),
                    };
                    state.read(&moment, &mut values.columns)?;
                    values.vectors.push(vector);
                }
            }
            self.done += 1;
        }
        Ok(())
    }
}
