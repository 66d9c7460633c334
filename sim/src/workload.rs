//! What clients do next, at random: few entities, so that writes meet; times around now, so that all verdicts occur.

use model::value::Value;
use stdx::prng::Prng;
use storage::SyncLevel;

use crate::{
    operation::{Event, Given, Request, Row, Table, Write},
    schema::{Entity, PROFILE_TYPES, Stream, WINDOW_GROUPS, order_fields, profile_features},
    world::{PRODUCERS, World},
};

impl World {
    /// A write of somebody who knows `version` of the definitions.
    pub(crate) fn new_write(&mut self, version: u64) -> Write {
        // A client that does not know the newest version sends rows of fewer fields.
        let version = if self.prng.chance(0.2) { 1 } else { version };
        let (request, width) = match self.prng.below(20) {
            0..=5 => (self.put(version), profile_features(version)),
            6..=12 => (self.orders(), order_fields(version)),
            13..=15 => (self.clicks(), 3),
            16..=17 => (self.retraction(), order_fields(version)),
            _ => (self.deletion(version), 0),
        };
        let producer = u8::try_from(self.prng.below(u64::from(PRODUCERS) + 1)).unwrap_or(0);
        let sequence = self.sequences.get_mut(usize::from(producer)).map_or(0, |next| {
            *next += 1;
            *next - 1
        });
        let sync = match self.prng.below(8) {
            0 => Some(SyncLevel::Durable),
            1 => Some(SyncLevel::Written),
            _ => None,
        };
        Write { producer, sequence, sync, width, request }
    }

    /// Different entities: mostly few, seldom all.
    fn entities(&mut self, entity: Entity) -> Vec<u16> {
        let all = self.scale.of(entity);
        let mut entities: Vec<u16> = (0..all).collect();
        if !self.prng.chance(0.03) {
            self.prng.shuffle(&mut entities);
            let few = 1 + self.prng.below(4);
            entities.truncate(usize::try_from(few).unwrap_or(1));
        }
        entities
    }

    fn put(&mut self, version: u64) -> Request {
        let wall_ms = self.wall_ms();
        let users = self.entities(Entity::User);
        let prng = &mut self.prng;
        let row = |user| {
            let time = (!prng.chance(0.2)).then(|| wall_ms + prng.between(-3_000_000, 60_000));
            let width = profile_features(version);
            let mut cells: Vec<Given> =
                PROFILE_TYPES.iter().take(width).map(|kind| given(prng, *kind)).collect();
            // A row of nothing is refused.
            if cells.iter().all(Option::is_none)
                && let Some(first) = cells.first_mut()
            {
                *first = Some(None);
            }
            Row { user, time, cells }
        };
        Request::Put(users.into_iter().map(row).collect())
    }

    fn orders(&mut self) -> Request {
        // They differ where the clock was set back: then what is now to the stream is ahead of the clock.
        let wall_ms = self.wall_ms();
        let is_by_wall = self.prng.chance(0.5);
        let now = if is_by_wall { wall_ms } else { self.model.clock.orders_now(wall_ms) };
        let count = if self.scale.users > 100 && self.prng.chance(0.1) {
            200
        } else {
            1 + self.prng.below(4)
        };
        let (scale, prng) = (self.scale, &mut self.prng);
        let events = (0..count).map(|_| {
            let time = match prng.below(20) {
                0 => now - prng.between(86_000_000, 95_000_000),
                1 => now + prng.between(0, 10_000),
                2..=5 => now - prng.between(0, 86_000_000),
                _ => now - prng.between(0, 700_000),
            };
            // Some come again.
            let id = if prng.chance(0.2) {
                prng.between(0, self.next_order)
            } else {
                self.next_order += 1;
                self.next_order
            };
            let price = (!prng.chance(0.1)).then(|| prng.between(-500, 100_000));
            let user = (!prng.chance(0.1)).then(|| below(prng, scale.users));
            let object = (!prng.chance(0.1)).then(|| below(prng, scale.shops));
            Event { time, id, user, object, price }
        });
        Request::Push(Stream::Orders, events.collect())
    }

    fn clicks(&mut self) -> Request {
        let newest = self.model.clock.newest.unwrap_or(self.wall_ms());
        let (count, users, prng) = (1 + self.prng.below(3), self.scale.users, &mut self.prng);
        let events = (0..count).map(|_| {
            let time = match prng.below(20) {
                0 => newest - prng.between(3_000_000, 5_000_000),
                1 => newest + prng.between(0, 4_000_000),
                _ => newest + prng.between(-600_000, 20_000),
            };
            let (user, page) = (Some(below(prng, users)), Some(below(prng, 6)));
            Event { time, id: 0, user, object: page, price: None }
        });
        Request::Push(Stream::Clicks, events.collect())
    }

    /// Takes back events that are there, and some that are not.
    fn retraction(&mut self) -> Request {
        let mut known = Vec::new();
        for (_, windows) in self.model.groups_of(Stream::Orders) {
            known.extend(windows.entities().flat_map(|(_, events)| events.iter().copied()));
        }
        known.sort_unstable_by_key(|event| (event.time, event.id));
        known.dedup_by_key(|event| (event.time, event.id));
        // Old ones are before the floor: mostly one of the newest is meant.
        let newest = known.len().saturating_sub(8);
        if self.prng.chance(0.8) {
            known.drain(..newest);
        }
        self.prng.shuffle(&mut known);
        known.truncate(1 + usize::try_from(self.prng.below(2)).unwrap_or(0));
        if known.is_empty() || self.prng.chance(0.1) {
            let (time, id) = (self.wall_ms() - 1000, self.prng.between(0, self.next_order));
            known.push(Event { time, id, user: Some(0), object: Some(0), price: None });
        }
        known.sort_unstable();
        known.dedup_by_key(|event| (event.time, event.id));
        Request::Retract(known)
    }

    fn deletion(&mut self, version: u64) -> Request {
        let defined = WINDOW_GROUPS.iter().filter(|group| group.since <= version).count();
        let group = usize::try_from(self.prng.below(defined as u64 + 1)).unwrap_or(0);
        let (table, entity) = match WINDOW_GROUPS.get(group).filter(|group| group.since <= version)
        {
            Some(windows) => (Table::Windows(group), windows.entity),
            None => (Table::Profile, Entity::User),
        };
        let mut entities = self.entities(entity);
        entities.truncate(3);
        Request::Delete(table, entities)
    }
}

fn below(prng: &mut Prng, bound: u16) -> u16 {
    u16::try_from(prng.below(u64::from(bound))).unwrap_or(0)
}

/// Absent, null or a value.
fn given(prng: &mut Prng, kind: model::value::DataType) -> Given {
    use model::value::DataType;
    match prng.below(10) {
        0..=2 => return None,
        3 => return Some(None),
        _ => {}
    }
    let number = prng.between(-1000, 1000);
    let value = match kind {
        DataType::String => Value::String(format!("c{number}").into()),
        DataType::I64 => Value::I64(number),
        DataType::Bool => Value::Bool(number > 0),
        DataType::Decimal(scale) => Value::Decimal(number, scale),
        DataType::Bytes => {
            let length = usize::try_from(prng.below(40)).unwrap_or(0);
            Value::Bytes(vec![u8::try_from(number & 0xff).unwrap_or(0); length].into())
        }
        _ => Value::F64(prng.unit()),
    };
    Some(Some(value))
}
