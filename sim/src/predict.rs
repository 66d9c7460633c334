//! What a write must do, told before it is sent, and what it changes, told by the answer.

use engine::{Outcome, Reject};

use crate::{
    client::verdict_of,
    history::Change,
    model::{Effect, Model, Verdict, seen_from},
    operation::{Event, Request, Row, Table, Write},
    schema::{MAX_SKEW_MS, Stream, WINDOW_GROUPS, horizon_ms},
    world::World,
};

/// What must become of each row; where nobody can say, nothing.
#[derive(Debug)]
pub(crate) struct Predicted {
    verdicts: Vec<Option<Verdict>>,
    applied: Applied,
}

/// How many rows must have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applied {
    Exactly(u32),
    /// As many as were accepted.
    Accepted,
    /// So many at least, and at most: entities whose events no window can see may be gone already, or not.
    Between(u32, u32),
}

impl Predicted {
    /// Some row may go either way.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.verdicts.iter().any(Option::is_none)
    }

    /// Compares with what came.
    pub(crate) fn check(&self, came: &[Verdict], outcome: &Outcome) -> Result<(), String> {
        for (row, (should, is)) in self.verdicts.iter().zip(came).enumerate() {
            if should.is_some_and(|should| should != *is) {
                return Err(format!("row {row} is {is:?}, should be {should:?}"));
            }
        }
        let of = |verdict| came.iter().filter(|came| **came == verdict).count();
        let accepted = u32::try_from(of(Verdict::Accepted)).unwrap_or(u32::MAX);
        let is_counted = match self.applied {
            Applied::Exactly(applied) => outcome.applied == applied,
            Applied::Accepted => outcome.applied == accepted,
            Applied::Between(least, most) => (least..=most).contains(&outcome.applied),
        };
        if is_counted { Ok(()) } else { Err(format!("{outcome:?}, should be {self:?}")) }
    }
}

/// Rows, events or entities of a request.
pub(crate) fn rows(request: &Request) -> usize {
    match request {
        Request::Put(rows) => rows.len(),
        Request::Push(_, events) | Request::Retract(events) => events.len(),
        Request::Delete(_, entities) => entities.len(),
    }
}

/// What became of each of `rows`.
pub(crate) fn verdicts(rows: usize, rejects: &[Reject]) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Accepted; rows];
    for reject in rejects {
        let row = verdicts.get_mut(usize::try_from(reject.index).unwrap_or(usize::MAX));
        if let Some(verdict) = row {
            *verdict = verdict_of(reject.kind);
        }
    }
    verdicts
}

/// What `write` must do now, if it is applied.
pub(crate) fn predict(world: &World, write: &Write) -> Predicted {
    let (model, wall_ms) = (&world.model, world.wall_ms());
    let exactly = |count: usize| Applied::Exactly(u32::try_from(count).unwrap_or(u32::MAX));
    let all_accepted = vec![Some(Verdict::Accepted); rows(&write.request)];
    let (verdicts, applied) = match &write.request {
        Request::Put(rows) => {
            let time = |row: &Row| row.time.unwrap_or(wall_ms);
            let applies = |row: &&Row| model.rows.effect(row, time(row)) == Effect::Applied;
            (all_accepted, exactly(rows.iter().filter(applies).count()))
        }
        Request::Delete(Table::Profile, users) => {
            let there = users.iter().filter(|user| model.rows.holds(**user)).count();
            (all_accepted, exactly(there))
        }
        Request::Delete(Table::Windows(group), entities) => {
            (all_accepted, removed(model, *group, entities, wall_ms))
        }
        Request::Push(stream, events) => (push(model, *stream, events, wall_ms), Applied::Accepted),
        Request::Retract(events) => {
            let verdicts = events.iter().map(|event| Some(retraction(model, event, wall_ms)));
            (verdicts.collect(), Applied::Accepted)
        }
    };
    Predicted { verdicts, applied }
}

/// How many of `entities` a delete from a window group removes.
fn removed(model: &Model, group: usize, entities: &[u16], wall_ms: i64) -> Applied {
    let Some((group, windows)) = WINDOW_GROUPS.get(group).zip(model.windows.get(group)) else {
        return Applied::Between(0, 0);
    };
    let seen_from = model.now(group.stream, wall_ms).map_or(i64::MIN, |now| seen_from(group, now));
    let is_there = |(_, events): &(u16, &[Event])| !events.is_empty();
    let is_seen = |(_, events): &(u16, &[Event])| events.iter().any(|one| one.time >= seen_from);
    let named = || windows.entities().filter(|(entity, _)| entities.contains(entity));
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Applied::Between(
        count(named().filter(is_seen).count()),
        count(named().filter(is_there).count()),
    )
}

fn push(model: &Model, stream: Stream, events: &[Event], wall_ms: i64) -> Vec<Option<Verdict>> {
    let mut newest = model.clock.newest;
    let mut ids = Vec::new();
    let mut verdicts = Vec::with_capacity(events.len());
    for event in events {
        let now = match stream {
            Stream::Orders => Some(model.clock.orders_now(wall_ms)),
            Stream::Clicks => newest,
        };
        let is_late = now.is_some_and(|now| event.time < model.late_before(stream, event, now));
        let is_ahead = stream == Stream::Orders && event.time - wall_ms > MAX_SKEW_MS;
        let has_key = model
            .groups_of(stream)
            .any(|(group, _)| crate::model::Windows::entity_of(group, event).is_some());
        let verdict = if !has_key || is_ahead {
            Some(Verdict::Rejected)
        } else if is_late {
            Some(Verdict::Late)
        } else if stream == Stream::Clicks {
            Some(Verdict::Accepted)
        } else {
            let known = now.and_then(|now| model.clock.is_duplicate(event.id, now));
            let known = if ids.contains(&event.id) { Some(true) } else { known };
            known.map(|known| if known { Verdict::Duplicate } else { Verdict::Accepted })
        };
        if verdict == Some(Verdict::Accepted) {
            newest = newest.max(Some(event.time));
            ids.push(event.id);
        }
        verdicts.push(verdict);
    }
    verdicts
}

fn retraction(model: &Model, event: &Event, wall_ms: i64) -> Verdict {
    let floor = model.clock.orders_now(wall_ms) - horizon_ms(Stream::Orders);
    let mut groups = model.groups_of(Stream::Orders);
    if event.time < floor {
        Verdict::Late
    } else if groups.any(|(group, windows)| windows.holds(group, event)) {
        Verdict::Accepted
    } else {
        Verdict::Rejected
    }
}

/// What `write` changes when this became of its rows; nothing when there is no record of it.
pub(crate) fn change(world: &World, write: &Write, verdicts: &[Verdict]) -> Option<Change> {
    let wall_ms = world.wall_ms();
    let accepted = |events: &[Event]| -> Vec<Event> {
        let each = events.iter().zip(verdicts);
        each.filter(|(_, verdict)| **verdict == Verdict::Accepted)
            .map(|(event, _)| *event)
            .collect()
    };
    if !verdicts.contains(&Verdict::Accepted) {
        return None;
    }
    Some(match &write.request {
        Request::Put(rows) => {
            let at = |row: &Row| Row { time: row.time.or(Some(wall_ms)), ..row.clone() };
            Change::Put(rows.iter().map(at).collect())
        }
        Request::Delete(table, entities) => Change::Delete(*table, entities.clone()),
        Request::Retract(events) => Change::Retract(accepted(events)),
        Request::Push(stream, events) => {
            let events = accepted(events);
            let newest = events.iter().map(|event| event.time).max();
            let now = match stream {
                Stream::Orders => world.model.clock.orders_now(wall_ms),
                Stream::Clicks => world.model.clock.newest.max(newest).unwrap_or(wall_ms),
            };
            Change::Push(*stream, now, events)
        }
    })
}
