//! Sends writes to an open database, checks each answer, and keeps account of what was promised.

use engine::{
    CommitTicket, Database, Outcome, ProducerId, PushRequest, PutRequest, PutRowRequest,
    RejectKind, RetractRequest, SyncLevel, WriteOptions, Written,
};
use storage::{Lsn, fs::SimFs};

use crate::{
    failure::Failure,
    handles::Handles,
    history::{Change, Record},
    operation::{Event, Request, Table, Write},
    predict::{self, Predicted},
    schema::{Entity, Stream, WINDOW_GROUPS, key_bytes},
    world::World,
};

/// A write that waits for its promise.
struct Pending {
    write: Write,
    lsn: u64,
    ticket: CommitTicket,
}

/// The clients of one life of the database.
#[derive(Default)]
pub(crate) struct Clients {
    pending: Vec<Pending>,
}

impl Clients {
    /// Sends `write`; true when it was taken, false when it was refused for a reason that the disk explains.
    ///
    /// # Errors
    /// When the answer is not what it must be.
    pub(crate) fn send(
        &mut self,
        world: &mut World,
        database: &Database<SimFs>,
        handles: &Handles,
        write: Write,
    ) -> Result<bool, Failure> {
        let predicted = predict::predict(world, &write);
        let answered = call(database, handles, &write);
        let (Lsn(appended), known) = (database.wal().appended_lsn(), world.history.appended());
        let written = match answered {
            Ok(written) => written,
            Err(error) => {
                world.trace.note(format_args!("refused: {error}"));
                world.tolerate(error.into())?;
                if appended != known {
                    return Err(Failure::new(format!("{write:?} was refused and is in the log")));
                }
                world.keep_for_later(write);
                return Ok(false);
            }
        };
        world.trace.note(format_args!(
            "{:?} {:?} at {:?}",
            written.repeated, written.outcome, written.lsn
        ));
        let recorded = check(world, &write, predicted, &written)?;
        if appended != known + u64::from(recorded.is_some()) {
            return Err(Failure::new(format!("{write:?} left {} records", appended - known)));
        }
        if let Some(change) = recorded {
            world.record(change, &write, written.outcome);
        }
        let lsn = written.lsn.0;
        self.pending.push(Pending { write, lsn, ticket: written.ticket });
        Ok(true)
    }

    /// Notes every promise that has come; who is told that there will be none sends again.
    ///
    /// # Errors
    /// When a promise is for less than was asked.
    pub(crate) fn hear(&mut self, world: &mut World) -> Result<(), Failure> {
        for pending in std::mem::take(&mut self.pending) {
            match pending.ticket.try_done() {
                None => self.pending.push(pending),
                Some(Err(_)) => world.keep_for_later(pending.write),
                Some(Ok(durable)) => {
                    if pending.write.sync.is_some_and(|asked| durable.level < asked) {
                        let (write, level) = (&pending.write, durable.level);
                        return Err(Failure::new(format!("{write:?} was promised {level:?} only")));
                    }
                    match durable.level {
                        SyncLevel::Durable => world.history.promise_durable(pending.lsn),
                        SyncLevel::Written => world.history.promise_written(pending.lsn),
                        SyncLevel::Memory => {}
                    }
                    // Some answers are lost on their way.
                    if world.prng.chance(0.1) {
                        world.keep_for_later(pending.write);
                    }
                }
            }
        }
        Ok(())
    }

    /// The database is gone: nobody who still waits will hear of it.
    pub(crate) fn give_up(self, world: &mut World) {
        for pending in self.pending {
            world.keep_for_later(pending.write);
        }
    }
}

impl World {
    /// The sender of a numbered write sends it again some time.
    fn keep_for_later(&mut self, write: Write) {
        if write.producer != 0 {
            self.unanswered.push(write);
        }
    }

    /// A record was appended.
    fn record(&mut self, change: Change, write: &Write, outcome: Outcome) {
        let writer = (write.producer != 0).then_some(((write.producer, write.sequence), outcome));
        let record = Record { change, writer };
        self.model.apply(self.history.appended() + 1, &record);
        self.history.records.push(record);
    }

    /// Definitions were applied.
    pub(crate) fn defined(&mut self, version: u64) {
        let change = Change::Define(version, self.wall_ms());
        let record = Record { change, writer: None };
        self.model.apply(self.history.appended() + 1, &record);
        self.history.records.push(record);
        self.coverage.definitions_grown += 1;
    }
}

/// What the write changed, when it is in the log.
fn check(
    world: &mut World,
    write: &Write,
    predicted: Predicted,
    written: &Written,
) -> Result<Option<Change>, Failure> {
    let writer = (write.producer, write.sequence);
    if let Some((lsn, outcome)) = world.model.done.get(&writer).copied() {
        world.coverage.retries_of_applied += 1;
        let got = (written.repeated, written.lsn, written.outcome);
        return if got == (true, Lsn(lsn), outcome) {
            Ok(None)
        } else {
            Err(Failure::new(format!(
                "{write:?} was applied at {lsn} with {outcome:?}, and then {got:?}"
            )))
        };
    }
    if let Some((life, outcome)) = world.unlogged.get(&writer).copied() {
        if written.repeated && written.outcome == outcome {
            return Ok(None);
        }
        if life == world.life {
            return Err(Failure::new(format!(
                "{write:?} was answered {outcome:?}, and then {written:?}"
            )));
        }
    }
    if written.repeated {
        return Err(Failure::new(format!(
            "{write:?} was never applied, and answered so: {written:?}"
        )));
    }
    let verdicts = predict::verdicts(predict::rows(&write.request), &written.rejects);
    predicted
        .check(&verdicts, &written.outcome)
        .map_err(|what| Failure::new(format!("{write:?}: {what}")))?;
    world.is_ambiguous |= predicted.is_ambiguous();
    let change = predict::change(world, write, &verdicts);
    count(world, write, &written.outcome);
    if change.is_none() && write.producer != 0 {
        world.unlogged.insert(writer, (world.life, written.outcome));
    }
    Ok(change)
}

fn count(world: &mut World, write: &Write, outcome: &Outcome) {
    let coverage = &mut world.coverage;
    let rows = predict::rows(&write.request);
    coverage.multi_entity_writes += u64::from(rows > 1);
    coverage.wide_writes += u64::from(rows > 100);
    match write.request {
        Request::Push(..) => {
            coverage.duplicates += u64::from(outcome.duplicate);
            coverage.late_events += u64::from(outcome.late);
        }
        Request::Retract(_) => coverage.retractions += u64::from(outcome.applied),
        Request::Put(_) | Request::Delete(..) => {}
    }
    // It was sent before, and is not known.
    let next = world.sequences.get(usize::from(write.producer)).copied().unwrap_or(0);
    coverage.retries_of_lost += u64::from(write.producer != 0 && write.sequence + 1 < next);
}

/// Sends the write as an engine's caller does.
pub(crate) fn call(
    database: &Database<SimFs>,
    handles: &Handles,
    write: &Write,
) -> Result<Written, engine::Error> {
    let producer = ProducerId(write.producer.into());
    let options = WriteOptions { producer, sequence: write.sequence, sync: write.sync };
    match &write.request {
        Request::Put(rows) => {
            let packed: Vec<_> = rows
                .iter()
                .map(|row| {
                    (key_bytes(Entity::User, row.user), row.time, handles.pack_row(&row.cells))
                })
                .collect();
            let rows = packed.iter().map(|(key, event_time, row)| PutRowRequest {
                key,
                event_time: *event_time,
                row,
            });
            let group = handles.group(Table::Profile);
            let request = PutRequest { group, features: write.width, rows: rows.collect() };
            database.put(&request, &options)
        }
        Request::Push(stream, events) => {
            let packed = pack_events(handles, *stream, events, write.width);
            let events = packed.iter().map(Vec::as_slice).collect();
            let stream = handles.stream(*stream);
            database.push(&PushRequest { stream, fields: write.width, events }, &options)
        }
        Request::Delete(table, entities) => {
            let entity = match table {
                Table::Profile => Entity::User,
                Table::Windows(group) => {
                    WINDOW_GROUPS.get(*group).map_or(Entity::User, |group| group.entity)
                }
            };
            let keys: Vec<_> = entities.iter().map(|number| key_bytes(entity, *number)).collect();
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            database.delete(handles.group(*table), &keys, &options)
        }
        Request::Retract(events) => {
            let packed = pack_events(handles, Stream::Orders, events, write.width);
            let events = packed.iter().map(Vec::as_slice).collect();
            let stream = handles.stream(Stream::Orders);
            database.retract(&RetractRequest { stream, fields: write.width, events }, &options)
        }
    }
}

fn pack_events(handles: &Handles, stream: Stream, events: &[Event], width: usize) -> Vec<Vec<u8>> {
    events.iter().map(|event| handles.pack_event(stream, event, width)).collect()
}

/// What a refusal of one row means.
pub(crate) fn verdict_of(kind: RejectKind) -> crate::model::Verdict {
    use crate::model::Verdict;
    match kind {
        RejectKind::Duplicate => Verdict::Duplicate,
        RejectKind::Late => Verdict::Late,
        RejectKind::Rejected => Verdict::Rejected,
    }
}
