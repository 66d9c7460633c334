//! One simulation: lives on one disk, from a seed, until something is wrong or it has been enough.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::Database;

use crate::{
    coverage::Coverage,
    damage,
    failure::Failure,
    life::{End, live},
    twin,
    world::{Faults, World},
};

/// Lives that share one disk.
pub const LIVES: u64 = 12;

/// How a simulation is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Print what happens to standard error.
    pub is_shown: bool,
    /// The judge believes that more was promised than was: the simulation must fail, else failures are not reported.
    pub is_canary: bool,
}

/// What a simulation that found nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// What happened in it.
    pub coverage: Coverage,
    /// Of all that happened: the same for the same seed.
    pub trace_hash: u64,
}

/// What a simulation found that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `LARDER_SEED` of it.
    pub seed: u64,
    /// The life in which it was found.
    pub life: u64,
    /// What it is.
    pub what: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, life, what } = self;
        write!(f, "seed {seed}, life {life}: {what}; replay it with LARDER_SEED={seed}")
    }
}

/// Runs the simulation of `seed`.
///
/// # Errors
/// What was found.
pub fn run(seed: u64, options: Options) -> Result<Passed, Box<Found>> {
    let mut world = World::new(seed, options.is_shown);
    let found = |world: &World, what: String| Box::new(Found { seed, life: world.life, what });
    let lived = catch_unwind(AssertUnwindSafe(|| run_lives(&mut world, options)));
    match lived {
        Ok(Ok(())) => {
            let trace_hash = world.trace.hash();
            Ok(Passed { coverage: world.coverage, trace_hash })
        }
        Ok(Err(failure)) => Err(found(&world, failure.to_string())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(found(&world, format!("panic: {}", text.unwrap_or("without words"))))
        }
    }
}

fn run_lives(world: &mut World, options: Options) -> Result<(), Failure> {
    for life in 0..LIVES {
        world.life = life;
        if options.is_canary && life == LIVES / 2 {
            world.history.durable = world.history.appended() + 1;
        }
        let end = live(world)?;
        world.fs.set_capacity(None);
        if end == End::Closed && world.prng.chance(0.15) {
            damage::try_some(world).map_err(|failure| failure.during("damage"))?;
        }
        depart(world, end);
    }
    world.life = LIVES;
    world.faults = Faults::default();
    last(world)
}

/// What becomes of the disk between two lives.
fn depart(world: &mut World, end: End) {
    if end == End::Closed {
        world.coverage.clean_closes += 1;
    }
    if world.prng.chance(0.3) {
        world.trace.note(format_args!("killed"));
        world.coverage.kills += u64::from(end != End::Closed);
        world.fs.kill();
    } else {
        world.trace.note(format_args!("power cut"));
        world.coverage.power_cuts += u64::from(end != End::Closed);
        world.fs.crash(&mut world.prng);
        world.history.power_cut();
    }
}

/// Opens once more, without faults, and compares with a database that had the same history and none of the trouble.
fn last(world: &mut World) -> Result<(), Failure> {
    let config = world.config();
    let database = Database::open_stepped(world.fs.clone(), &config, world.clock.clone())?;
    let left = database.wal().appended_lsn().0;
    world.history.recovered(left)?;
    let mut model = world.history.model();
    model.clock.inherit(&world.model.clock);
    world.model = model;
    twin::compare(world, &database).map_err(|failure| failure.during("twin"))?;
    database.abandon();
    Ok(())
}
