//! The same history once more, into a new database on an empty disk that nothing ever happens to: both must be equal.

use std::sync::Arc;

use engine::Database;
use stdx::clock::ManualClock;
use storage::fs::SimFs;

use crate::{
    check::Check,
    client::call,
    failure::Failure,
    handles::Handles,
    history::Change,
    operation::{Request, Write},
    schema::{START_MS, Stream, definitions, order_fields},
    world::World,
};

/// Replays the history of `world` from nothing and compares digests with `database`.
///
/// # Errors
/// When they differ.
pub(crate) fn compare(world: &mut World, database: &Database<SimFs>) -> Result<(), Failure> {
    if world.is_ambiguous {
        return Ok(());
    }
    let clock = Arc::new(ManualClock::at(START_MS));
    let twin = Database::open_stepped(SimFs::new(), &world.config(), clock.clone())?;
    let (mut handles, mut applied) = (None, i64::MIN);
    for record in &world.history.records {
        let request = match &record.change {
            Change::Define(version, at) => {
                clock.set_wall_ms(*at);
                twin.apply("sim.toml", &definitions(*version), false)?;
                handles = Handles::of(&twin)?;
                continue;
            }
            Change::Put(rows) => Request::Put(rows.clone()),
            Change::Push(stream, now, events) => {
                if *stream == Stream::Orders {
                    clock.set_wall_ms(*now);
                    applied = applied.max(*now);
                }
                Request::Push(*stream, events.clone())
            }
            Change::Delete(table, entities) => Request::Delete(*table, entities.clone()),
            Change::Retract(events) => {
                // No record says under which now it was accepted: no earlier one than its events were.
                if applied > i64::MIN {
                    clock.set_wall_ms(applied);
                }
                Request::Retract(events.clone())
            }
        };
        let Some(handles) = &handles else {
            return Err(Failure::new("a write before the definitions".to_owned()));
        };
        let write = Write {
            producer: 0,
            sequence: 0,
            sync: None,
            width: width(handles, &request),
            request,
        };
        call(&twin, handles, &write)?;
    }
    // Later than anything was applied under.
    let now = world.model.clock.orders_now(world.wall_ms());
    clock.set_wall_ms(now);
    world.clock.set_wall_ms(now);
    // What differs is told better by the model.
    for (database, name) in [(database, "recovered"), (&twin, "replayed")] {
        if let Some(handles) = Handles::of(database)? {
            let (model, scale, wall_ms) = (&world.model, world.scale, world.wall_ms());
            let check = Check { database, handles: &handles, model, scale, wall_ms };
            check.everything().map_err(|failure| failure.during(name))?;
        }
    }
    let (ours, its) = (database.digest()?, twin.digest()?);
    twin.abandon();
    world.coverage.twins += 1;
    if ours == its {
        Ok(())
    } else {
        Err(Failure::new(format!("digest {ours:x}, replayed {its:x}")))
    }
}

/// How many cells the rows of a request have, when all are given.
fn width(handles: &Handles, request: &Request) -> usize {
    match request {
        Request::Put(rows) => rows.first().map_or(0, |row| row.cells.len()),
        Request::Push(Stream::Clicks, _) => 3,
        Request::Push(Stream::Orders, _) | Request::Retract(_) => order_fields(handles.version),
        Request::Delete(..) => 0,
    }
}
