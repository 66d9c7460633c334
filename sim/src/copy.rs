//! Opens a copy of the disk and judges what it holds.

use engine::Database;
use storage::fs::SimFs;

use crate::{check::Check, failure::Failure, handles::Handles, world::World};

/// A start on `copy` finds a prefix of the history that holds everything up to `least`, and every value of it.
///
/// # Errors
/// What is wrong, and whatever keeps it from starting or reading.
pub(crate) fn check(world: &World, copy: &SimFs, least: u64) -> Result<(), Failure> {
    let database = Database::open_stepped(copy.clone(), &world.config(), world.clock.clone())?;
    let left = database.wal().appended_lsn().0;
    let checked = judge(world, &database, left, least);
    database.abandon();
    checked
}

fn judge(world: &World, database: &Database<SimFs>, left: u64, least: u64) -> Result<(), Failure> {
    if left < least || left > world.history.appended() {
        let appended = world.history.appended();
        return Err(Failure::new(format!("{left} records, should be {least} to {appended}")));
    }
    let mut model = world.history.model_at(left);
    model.clock.inherit(&world.model.clock);
    match Handles::of(database)? {
        None if model.version == 0 => Ok(()),
        None => Err(Failure::new("the definitions are gone".to_owned())),
        Some(handles) => {
            let (scale, wall_ms) = (world.scale, world.wall_ms());
            Check { database, handles: &handles, model: &model, scale, wall_ms }.everything()
        }
    }
}
