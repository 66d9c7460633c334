//! One life of a database: opened on what the last one left, checked, used until something fails or it ends.

use engine::{Database, Error, StorageError};
use storage::{Lsn, SyncPolicy, fs::SimFs, wal::Work};

use crate::{
    check::Check,
    client::Clients,
    copy,
    failure::Failure,
    handles::Handles,
    history::History,
    schema::{self, Stream, VERSIONS},
    world::{Faults, World},
};

/// Longest time that the interval policy leaves written records unsynced, in ms.
const INTERVAL_MS: u64 = 50;

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
            91 => {
                self.set_clock();
                Ok(())
            }
            92..=93 => self.fill_disk(),
            94 => {
                self.sweep();
                Ok(())
            }
            _ => self.checkpoint(),
        }
    }

    fn write(&mut self) -> Result<(), Failure> {
        let Some(handles) = &self.handles else { return self.define() };
        let write = self.world.new_write(handles.version);
        self.world.trace.note(format_args!("{write:?}"));
        self.clients.send(self.world, &self.database, handles, write)?;
        Ok(())
    }

    /// A client that heard nothing sends its write again.
    fn retry(&mut self) -> Result<(), Failure> {
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
    fn define(&mut self) -> Result<(), Failure> {
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
    fn read(&mut self) -> Result<(), Failure> {
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
    fn set_clock(&mut self) {
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

    /// The flusher's work.
    fn step(&mut self, work: Work) -> Result<(), Failure> {
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
    fn refused_until_there_is_space(&mut self) -> Result<(), Failure> {
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

    fn fill_disk(&mut self) -> Result<(), Failure> {
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

    /// Nothing of a sweep can be seen. Only under a now that the log has: else a crash takes it back.
    fn sweep(&mut self) {
        let wall_ms = self.world.wall_ms();
        if self.world.model.clock.has_applied(wall_ms) {
            self.world.coverage.sweeps += 1;
            self.world.trace.note(format_args!("sweep"));
            self.world.model.clock.look(wall_ms);
            self.database.sweep(usize::MAX);
        }
    }

    /// A checkpoint, while clients go on.
    fn checkpoint(&mut self) -> Result<(), Failure> {
        let Self { world, database, handles: Some(handles), clients, .. } = self else {
            return Ok(());
        };
        world.trace.note(format_args!("checkpoint"));
        let was_on = !world.is_off();
        let mut failed = Ok(());
        let done = database.checkpoint(&mut |_| {
            if failed.is_ok() && world.prng.chance(0.03) {
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

    /// What the database says of itself is a promise too.
    fn hear_positions(&mut self) -> Result<(), Failure> {
        let (appended, written, durable) = self.positions();
        let History { durable: known_durable, written: known_written, .. } = self.world.history;
        if appended < written
            || written < durable
            || durable < known_durable
            || written < known_written
        {
            return Err(Failure::new(format!(
                "{appended} appended, {written} written, {durable} durable, after {known_written} and {known_durable}"
            )));
        }
        self.world.history.promise_written(written);
        self.world.history.promise_durable(durable);
        self.hear_interval(written, durable)
    }

    /// Under the interval policy nothing written stays unsynced for longer than it says, while the flusher works.
    fn hear_interval(&mut self, written: u64, durable: u64) -> Result<(), Failure> {
        use stdx::clock::Clock as _;
        let now_ms = self.world.clock.mono_ns() / 1_000_000;
        if written == durable || self.world.policy != SyncPolicy::Interval {
            self.unsynced_since_ms = None;
            return Ok(());
        }
        let since = *self.unsynced_since_ms.get_or_insert(now_ms);
        if now_ms - since < INTERVAL_MS {
            return Ok(());
        }
        self.unsynced_since_ms = None;
        self.step(Work::Idle)?;
        let (_, written, durable) = self.positions();
        if written != durable && self.database.wal().poisoned().is_none() {
            let what = format!("records after {durable} are unsynced since {} ms", now_ms - since);
            return Err(Failure::new(what));
        }
        self.world.history.promise_durable(durable);
        Ok(())
    }

    /// After a failed write or sync nothing is promised any more, and reads go on.
    fn check_poisoned(&mut self) -> Result<(), Failure> {
        if self.database.wal().poisoned().is_some() {
            self.world.coverage.poisonings += 1;
            let before = self.positions();
            for work in [Work::Write, Work::Sync, Work::Idle] {
                if self.step_log(work).is_ok() {
                    return Err(Failure::new(format!("{work:?} works after the log failed")));
                }
            }
            self.write()?;
            let after = self.positions();
            if after != before {
                return Err(Failure::new(format!("positions move from {before:?} to {after:?}")));
            }
        }
        self.clients.hear(self.world)?;
        self.check()
    }
}

/// A client writes, or the flusher works, while a checkpoint is taken.
fn write_meanwhile(
    world: &mut World,
    database: &Database<SimFs>,
    handles: &Handles,
    clients: &mut Clients,
) -> Result<(), Failure> {
    if world.prng.chance(0.3) {
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
