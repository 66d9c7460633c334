//! What is done to an open database: writes, definitions, reads, checkpoints, backups; and to its clock.

use engine::{Database, Error};
use storage::{fs::SimFs, wal::Work};

use super::Life;
use crate::{
    client::Clients,
    copy,
    failure::Failure,
    handles::Handles,
    schema::{self, Stream, VERSIONS},
    world::World,
};

impl Life<'_> {
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        let Some(handles) = &self.handles else { return self.define() };
        let write = self.world.new_write(handles.version);
        self.world.trace.note(format_args!("{write:?}"));
        self.clients.send(self.world, &self.database, handles, write)?;
        Ok(())
    }

    /// A client that heard nothing sends its write again.
    pub(super) fn retry(&mut self) -> Result<(), Failure> {
        let Some(handles) = &self.handles else { return Ok(()) };
        let count = self.world.unanswered.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let at = usize::try_from(self.world.prng.below(count)).unwrap_or(0);
        let write = self.world.unanswered.swap_remove(at);
        if !write.fits(handles.version) {
            // A crash took the definitions that it was made for.
            self.world.unanswered.push(write);
            return Ok(());
        }
        self.world.trace.note(format_args!("again {write:?}"));
        self.clients.send(self.world, &self.database, handles, write)?;
        Ok(())
    }

    /// Applies the next version of the definitions, if there is one.
    pub(super) fn define(&mut self) -> Result<(), Failure> {
        let version = self.world.model.version + 1;
        if version > VERSIONS {
            return Ok(());
        }
        self.world.trace.note(format_args!("define {version}"));
        match self.database.apply("sim.toml", &schema::definitions(version), false) {
            Ok(applied) if applied.version == version => self.world.defined(version),
            Ok(applied) => {
                let got = applied.version;
                return Err(Failure::new(format!("definitions {version} became version {got}")));
            }
            Err(error) => self.world.tolerate(Failure::from(error).during("define"))?,
        }
        self.handles = Handles::of(&self.database)?;
        Ok(())
    }

    /// Reads at some as-of that can be answered exactly, and at one that cannot.
    pub(super) fn read(&mut self) -> Result<(), Failure> {
        self.world.coverage.reads_in_the_past += 1;
        let wall_ms = self.world.wall_ms();
        let now = self.world.model.clock.orders_now(wall_ms);
        let back = self.world.prng.between(0, schema::horizon_ms(Stream::Orders));
        let exclusive = self.world.prng.chance(0.5);
        let newest = self.world.model.clock.newest;
        let Some(check) = self.judge() else { return Ok(()) };
        check.profiles(Some(wall_ms - back))?;
        for (index, group) in schema::WINDOW_GROUPS.iter().enumerate() {
            let as_of = match group.stream {
                Stream::Orders => Some(now - back),
                Stream::Clicks => newest.map(|newest| newest - back / 10),
            };
            check.windows(index, as_of, exclusive)?;
        }
        check.below_the_floor()
    }

    /// Somebody sets the machine's clock: by seconds, by hours, by years.
    pub(super) fn set_clock(&mut self) {
        let world = &mut *self.world;
        let years = 10 * 365 * 86_400_000;
        let by = match world.prng.below(10) {
            0..=4 => world.prng.between(-5_000, 5_000),
            5..=8 => world.prng.between(-7_200_000, 7_200_000),
            _ => world.prng.between(-years, years),
        };
        world.clock.set_wall_ms(world.wall_ms() + by);
        let jumps = if by < 0 {
            &mut world.coverage.clock_jumps_back
        } else {
            &mut world.coverage.clock_jumps_forward
        };
        *jumps += 1;
        world.trace.note(format_args!("the clock is set by {by} ms"));
    }

    /// Nothing of a sweep can be seen. Only under a now that the log has: else a crash takes it back.
    pub(super) fn sweep(&mut self) {
        let wall_ms = self.world.wall_ms();
        if self.world.model.clock.has_applied(wall_ms) {
            self.world.coverage.sweeps += 1;
            self.world.trace.note(format_args!("sweep"));
            self.world.model.clock.look(wall_ms);
            self.database.sweep(usize::MAX);
        }
    }

    /// A checkpoint, while clients go on.
    pub(super) fn checkpoint(&mut self) -> Result<(), Failure> {
        let Self { world, database, handles: Some(handles), clients, .. } = self else {
            return Ok(());
        };
        world.trace.note(format_args!("checkpoint"));
        let was_on = !world.is_off();
        let mut failed = Ok(());
        let done = database.checkpoint(&mut |now| {
            // Towards its end less happens, and more can go wrong.
            let chance = if now.shards_done == now.shards { 0.5 } else { 0.03 };
            if failed.is_ok() && world.prng.chance(chance) {
                failed = write_meanwhile(world, database, handles, clients);
            }
        });
        failed?;
        match done {
            Ok(done) => {
                world.trace.note(format_args!("snapshot {} to {:?}", done.number, done.lsn));
                world.coverage.checkpoints += 1;
                world.coverage.segments_removed += done.segments_removed;
                // It waits for the log.
                world.history.promise_durable(done.lsn.0);
                if world.prng.chance(0.3) {
                    world.coverage.copies += 1;
                    copy::check(world, &world.fs.fork(), done.lsn.0).map_err(|failure| {
                        failure.during("a copy of the disk after a checkpoint")
                    })?;
                }
            }
            Err(error) => {
                world.trace.note(format_args!("no checkpoint: {error}"));
                world.coverage.failed_checkpoints += 1;
                world.coverage.power_cuts_in_checkpoints += u64::from(was_on && world.is_off());
                world.tolerate(Failure::from(error).during("checkpoint"))?;
            }
        }
        Ok(())
    }

    /// A backup is a database of its own, with all that was promised when it was asked for.
    pub(super) fn back_up(&mut self) -> Result<(), Failure> {
        let (target, promised) = (SimFs::new(), self.world.history.durable);
        self.world.trace.note(format_args!("backup"));
        match self.database.backup(&target, &mut |_| ()) {
            Ok(done) => {
                self.world.coverage.backups += 1;
                let least = promised.max(done.checkpoint.lsn.0);
                let checked = copy::check(self.world, &target, least);
                checked.map_err(|failure| failure.during("a backup"))
            }
            Err(error) => self.world.tolerate(Failure::from(error).during("backup")),
        }
    }
}

/// A client writes, or the flusher works, while a checkpoint is taken.
fn write_meanwhile(
    world: &mut World,
    database: &Database<SimFs>,
    handles: &Handles,
    clients: &mut Clients,
) -> Result<(), Failure> {
    if world.prng.chance(0.4) {
        return match database.wal().step(Work::Write) {
            Ok(()) => Ok(()),
            Err(error) => world.tolerate(Failure::from(Error::from(error)).during("step")),
        };
    }
    world.coverage.writes_in_checkpoints += 1;
    let write = world.new_write(handles.version);
    world.trace.note(format_args!("meanwhile {write:?}"));
    clients.send(world, database, handles, write).map(drop)
}
