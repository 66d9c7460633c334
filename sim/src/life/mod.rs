//! One life of a database: opened on what the last one left, checked, used until something fails or it ends.

mod actions;
mod disk;
mod promises;

use engine::{Database, Error};
use storage::{Lsn, fs::SimFs, wal::Work};

use crate::{
    check::Check,
    client::Clients,
    failure::Failure,
    handles::Handles,
    world::{Faults, World},
};

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was synced and the log sealed.
    Closed,
    /// With the process or the power: whoever waited was told nothing.
    Abandoned,
}

/// A database that is open, with its clients.
pub(crate) struct Life<'a> {
    world: &'a mut World,
    database: Database<SimFs>,
    handles: Option<Handles>,
    clients: Clients,
    /// On the monotonic clock, in ms: since when something is written and not synced.
    unsynced_since_ms: Option<u64>,
}

/// Opens the database, lives, and lets it go.
///
/// # Errors
/// What must not be.
pub(crate) fn live(world: &mut World) -> Result<End, Failure> {
    world.coverage.lives += 1;
    plan_faults(world);
    let config = world.config();
    let opened = Database::open_stepped(world.fs.clone(), &config, world.clock.clone());
    let database = match opened {
        Ok(database) => database,
        Err(error) => {
            world.trace.note(format_args!("does not open: {error}"));
            world.coverage.failed_recoveries += 1;
            world.coverage.power_cuts_in_recovery += u64::from(world.is_off());
            world.tolerate(Failure::from(error).during("open"))?;
            return Ok(End::Abandoned);
        }
    };
    let mut life = Life {
        world,
        database,
        handles: None,
        clients: Clients::default(),
        unsynced_since_ms: None,
    };
    let lived = life.recovered().and_then(|()| life.work());
    let Life { world, database, clients, .. } = life;
    clients.give_up(world);
    database.abandon();
    lived
}

fn plan_faults(world: &mut World) {
    world.faults = Faults::default();
    let prng = &mut world.prng;
    if prng.chance(0.75) {
        // Recovery has few operations, a checkpoint has some, a whole life has a hundred.
        let within = [6, 20, 60, 120][usize::try_from(prng.below(4)).unwrap_or(0)];
        let at = 1 + prng.below(within);
        world.fs.power_off_at(at);
        world.faults = Faults { disk: true, power_off_at: Some(at), ..world.faults };
        world.trace.note(format_args!("power off at operation {at}"));
    }
    if world.prng.chance(0.2) {
        let at = 1 + world.prng.below(80);
        world.fs.fail_at(at);
        world.faults.disk = true;
        world.trace.note(format_args!("operation {at} fails"));
    }
}

impl Life<'_> {
    /// What recovery brought back is a prefix of the history with all that was promised.
    fn recovered(&mut self) -> Result<(), Failure> {
        let report = self.database.recovery();
        self.world.coverage.torn_tails += u64::from(report.torn_tail.is_some());
        let Lsn(left) = self.database.wal().appended_lsn();
        let world = &mut *self.world;
        world.trace.note(format_args!("life {} begins at {left}", world.life));
        let lost = world.history.appended().saturating_sub(left);
        world.history.recovered(left)?;
        world.coverage.lost_records += lost;
        if lost > 0 {
            let mut model = world.history.model();
            model.clock.inherit(&world.model.clock);
            world.model = model;
        }
        self.handles = Handles::of(&self.database)?;
        self.check()
    }

    /// Everything is as the model has it.
    fn check(&self) -> Result<(), Failure> {
        match self.judge() {
            Some(check) => check.everything().map_err(|failure| failure.during("everything")),
            None if self.world.model.version == 0 => Ok(()),
            None => Err(Failure::new("the definitions are gone".to_owned())),
        }
    }

    fn judge(&self) -> Option<Check<'_>> {
        Some(Check {
            database: &self.database,
            handles: self.handles.as_ref()?,
            model: &self.world.model,
            scale: self.world.scale,
            wall_ms: self.world.wall_ms(),
        })
    }

    /// Some actions, then an end.
    fn work(&mut self) -> Result<End, Failure> {
        let actions = self.world.prng.below(24);
        for _ in 0..actions {
            self.act()?;
            self.clients.hear(self.world)?;
            self.hear_positions()?;
            if self.database.wal().poisoned().is_some() || self.world.is_off() {
                self.check_poisoned()?;
                return Ok(End::Abandoned);
            }
        }
        if self.world.prng.chance(0.1) {
            self.check()?;
        }
        if self.world.prng.chance(0.25) {
            return self.close();
        }
        Ok(End::Abandoned)
    }

    fn act(&mut self) -> Result<(), Failure> {
        let choice = self.world.prng.below(100);
        match choice {
            0..=44 => self.write(),
            45..=64 => self.step(Work::Write),
            65..=68 => self.step(Work::Idle),
            69..=70 => self.step(Work::Sync),
            71..=76 => self.retry(),
            77..=80 => self.define(),
            81..=85 => self.read(),
            86..=90 => {
                let ms = u32::try_from(self.world.prng.below(40_000)).unwrap_or(0);
                self.world.clock.advance_ms(ms);
                Ok(())
            }
            91..=92 => {
                self.set_clock();
                Ok(())
            }
            93 => self.fill_disk(),
            94 => {
                self.sweep();
                Ok(())
            }
            95 => self.back_up(),
            _ => self.checkpoint(),
        }
    }

    fn step_log(&self, work: Work) -> Result<(), Error> {
        Ok(self.database.wal().step(work)?)
    }

    /// Newest record appended, written, durable.
    fn positions(&self) -> (u64, u64, u64) {
        let wal = self.database.wal();
        (wal.appended_lsn().0, wal.written_lsn().0, wal.durable_lsn().0)
    }

    /// Everything is safe when this succeeds.
    fn close(&mut self) -> Result<End, Failure> {
        self.world.trace.note(format_args!("close"));
        match self.database.close() {
            Ok(()) => {
                let appended = self.world.history.appended();
                self.world.history.promise_durable(appended);
                self.clients.hear(self.world)?;
                self.hear_positions()?;
                Ok(End::Closed)
            }
            Err(error) => {
                self.world.tolerate(Failure::from(error).during("close"))?;
                Ok(End::Abandoned)
            }
        }
    }
}
