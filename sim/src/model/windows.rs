//! Window groups as the model keeps them: every event, and each value computed from all of them.

use std::collections::{BTreeMap, BTreeSet};

use model::{status::Status, value::Value};

use super::Answer;
use crate::{
    operation::Event,
    schema::{Aggregate, Entity, Window, WindowGroup, horizon_ms, price},
};

/// The events of one group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Windows {
    /// By entity, in the order of time and id.
    events: BTreeMap<u16, Vec<Event>>,
    /// Since when events are observed, in ms; `None` before the group or its first event.
    pub(crate) observed: Option<i64>,
    /// The definitions have it.
    pub(crate) is_defined: bool,
}

impl Windows {
    pub(crate) fn new() -> Self {
        Self { events: BTreeMap::new(), observed: None, is_defined: false }
    }

    /// The entity that `event` describes.
    pub(crate) fn entity_of(group: &WindowGroup, event: &Event) -> Option<u16> {
        match group.entity {
            Entity::User => event.user,
            Entity::Shop => event.object,
        }
    }

    pub(crate) fn push(&mut self, group: &WindowGroup, event: &Event) {
        let Some(entity) = Self::entity_of(group, event) else { return };
        let events = self.events.entry(entity).or_default();
        let at = events.partition_point(|known| (known.time, known.id) <= (event.time, event.id));
        events.insert(at, *event);
    }

    pub(crate) fn delete(&mut self, entity: u16) -> bool {
        self.events.remove(&entity).is_some()
    }

    /// True when the entity that `event` names has one of its time and id.
    pub(crate) fn holds(&self, group: &WindowGroup, event: &Event) -> bool {
        let entity = Self::entity_of(group, event);
        let events = entity.and_then(|entity| self.events.get(&entity));
        events.is_some_and(|events| events.iter().any(|known| is_same(known, event)))
    }

    pub(crate) fn retract(&mut self, group: &WindowGroup, event: &Event) {
        let entity = Self::entity_of(group, event);
        if let Some(events) = entity.and_then(|entity| self.events.get_mut(&entity)) {
            events.retain(|known| !is_same(known, event));
        }
    }

    /// What a read of all events before `x` answers, in ms.
    pub(crate) fn read(&self, entity: u16, window: Window, aggregate: Aggregate, x: i64) -> Answer {
        let start = start(window, x);
        let all = self.events.get(&entity).map(Vec::as_slice).unwrap_or_default();
        let inside = |event: &&Event| start <= event.time && event.time < x;
        let value = evaluate(aggregate, all.iter().filter(inside));
        let reaches_back = self.observed.is_none_or(|since| start < since);
        match value {
            None => (Status::Null, None),
            Some(value) if window.is_some() && reaches_back => (Status::Partial, Some(value)),
            Some(value) => (Status::Present, Some(value)),
        }
    }

    /// Entities that ever had an event and were not deleted since.
    pub(crate) fn entities(&self) -> impl Iterator<Item = (u16, &[Event])> {
        self.events.iter().map(|(entity, events)| (*entity, events.as_slice()))
    }
}

fn is_same(known: &Event, event: &Event) -> bool {
    (known.time, known.id) == (event.time, event.id)
}

/// The first time inside a window that ends before `x`, in ms.
fn start(window: Window, x: i64) -> i64 {
    window.map_or(i64::MIN, |(length, hop)| (x - length).div_euclid(hop) * hop)
}

/// The first time that some window of `group` can still see, in ms, as long as reads of the past are exact.
pub(crate) fn seen_from(group: &WindowGroup, now: i64) -> i64 {
    let floor = now - horizon_ms(group.stream);
    group.windows.iter().map(|window| start(*window, floor)).min().unwrap_or(i64::MIN)
}

fn evaluate<'a>(
    aggregate: Aggregate,
    events: impl Iterator<Item = &'a Event> + Clone,
) -> Option<Value> {
    let number = |count: usize| Some(Value::I64(i64::try_from(count).unwrap_or(i64::MAX)));
    let prices = events.clone().filter_map(|event| event.price);
    let objects = || events.clone().filter_map(|event| event.object).collect::<BTreeSet<_>>();
    match aggregate {
        Aggregate::Count => number(events.count()),
        Aggregate::Sum => Some(price(prices.sum())),
        Aggregate::Min => prices.min().map(price),
        Aggregate::Max => prices.max().map(price),
        Aggregate::Last => prices.last().map(price),
        Aggregate::DistinctShops | Aggregate::DistinctPages => number(objects().len()),
    }
}
