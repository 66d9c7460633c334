//! Events of one stream on their way to the groups that they change: in order of their times, or as they arrived.

use engine::RejectKind;
use engine::replay::{DirectFields, EventIntake, EventOrigin, ReplayPlan, TakenEvent};
use model::{definition::StreamClock, packed_row::Cell, time, value::ValueRef};

use super::{
    Direct, Refused, ReplayCounts, ReplayOrder, Verdict,
    group::{GroupStore, Since},
    marks::Marks,
    memory::Memory,
    record::Told,
    store::Store,
};
use crate::Error;

/// See the module.
#[derive(Debug)]
pub(super) struct Feed<'p> {
    pub(super) stream: usize,
    intake: EventIntake<'p>,
    order: ReplayOrder,
    /// Ids of all events, where some may repeat and order of arrival is not known.
    ids: Option<Store>,
    /// Events so far: the number of the next one.
    number: u64,
    last_arrival: i64,
    /// For each group of the target, when its earliest event was known, and its time; only the last where it is always known.
    observed: Vec<Vec<(i64, i64)>>,
    pub(super) counts: ReplayCounts,
    /// Since when all events are there, in ms, where that is known.
    pub(super) complete_since: Option<i64>,
}

impl<'p> Feed<'p> {
    /// Events of `stream` for a target of `groups` groups.
    ///
    /// # Errors
    /// [`Error::Engine`] never, since the plan has the stream.
    pub(super) fn new(
        plan: &'p ReplayPlan,
        stream: usize,
        (order, groups): (ReplayOrder, usize),
        (bits, memory): (u32, &Memory),
    ) -> Result<Self, Error> {
        let intake = plan.intake(stream)?;
        let is_guessed = matches!(order, ReplayOrder::Event { .. });
        let ids = is_guessed && intake.stream().dedup_ms.is_some();
        Ok(Self {
            stream,
            intake,
            order,
            ids: ids.then(|| Store::new(bits, memory)),
            number: 0,
            last_arrival: i64::MIN,
            observed: vec![Vec::new(); groups],
            counts: ReplayCounts::default(),
            complete_since: None,
        })
    }

    /// True where events are known by their numbers: see [`Marks`].
    pub(super) fn has_numbers(&self) -> bool {
        self.ids.is_some()
    }

    /// Takes an event; `values` is memory to be used again.
    ///
    /// # Errors
    /// [`Error::Usage`] when events do not come in order of arrival, though that is asked for; [`Error::Io`].
    pub(super) fn event<'a>(
        &mut self,
        groups: &mut [GroupStore<'_>],
        cells: &[Cell<'a>],
        arrival_ms: Option<i64>,
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<Verdict, Error> {
        let number = self.number;
        self.number += 1;
        let origin = EventOrigin { sequence: number, ..EventOrigin::default() };
        match self.intake.take(cells, origin, values) {
            Ok(taken) => match self.judge(groups, taken, (number, arrival_ms)) {
                Ok(None) => Ok(Verdict::Accepted),
                Ok(Some(refused)) => Ok(Verdict::Refused(refused.0, refused.1)),
                Err(error) => Err(*error),
            },
            Err(error) => {
                self.counts.rejected += 1;
                Ok(Verdict::Refused(RejectKind::Rejected, error.to_string()))
            }
        }
    }

    /// As [`Feed::event`], of an event as [`EventIntake::take_direct`] takes it.
    #[inline]
    pub(super) fn event_direct<'a>(
        &mut self,
        groups: &mut [GroupStore<'_>],
        fields: &impl DirectFields<'a>,
        arrival_ms: Option<i64>,
    ) -> Result<Direct, Box<Error>> {
        let number = self.number;
        let origin = EventOrigin { sequence: number, ..EventOrigin::default() };
        let Some(taken) = self.intake.take_direct(fields, origin) else {
            return Ok(Direct::Other);
        };
        self.number += 1;
        let refused = self.judge(groups, taken, (number, arrival_ms))?;
        Ok(refused.map_or(Direct::Accepted, Direct::Refused))
    }

    /// Decides about the event that was taken last, and hands on what counts; why it is refused, where it is.
    fn judge(
        &mut self,
        groups: &mut [GroupStore<'_>],
        taken: TakenEvent,
        (number, arrival_ms): (u64, Option<i64>),
    ) -> Result<Option<Refused>, Box<Error>> {
        let number = match u32::try_from(number) {
            Ok(number) => number,
            // Nobody asks for it.
            Err(_) if self.ids.is_none() => u32::MAX,
            Err(_) => {
                return Err(Box::new(Error::Usage(format!(
                    "at most {} events of a stream with event ids: replay them in parts",
                    u32::MAX
                ))));
            }
        };
        let order = match self.order {
            ReplayOrder::Event { .. } => {
                self.remember(taken, number)?;
                taken.event_time
            }
            ReplayOrder::Arrival => {
                let arrival = self.in_order(arrival_ms)?;
                if let Some(refusal) = self.intake.admit(taken, arrival) {
                    match refusal.0 {
                        RejectKind::Duplicate => self.counts.duplicate += 1,
                        RejectKind::Late => self.counts.late += 1,
                        RejectKind::Rejected => self.counts.rejected += 1,
                    }
                    return Ok(Some(Box::new(refusal)));
                }
                arrival
            }
        };
        // Nothing takes it back: its id is not asked for.
        self.hand_on(groups, (order, taken.event_time), Told { number, id: 0 })?;
        Ok(None)
    }

    /// Hands the event that was taken last on to the groups that it changes.
    fn hand_on(
        &mut self,
        groups: &mut [GroupStore<'_>],
        (order, event_time): (i64, i64),
        told: Told,
    ) -> Result<(), Error> {
        self.counts.accepted += 1;
        let known = self.known(order);
        for part in self.intake.parts() {
            if let Some(steps) = self.observed.get_mut(part.place) {
                observe(steps, known, event_time);
            }
            if let (Some(event), Some(group)) = (part.event, groups.get_mut(part.place)) {
                group.event(part.key, order, event, told)?;
            }
        }
        Ok(())
    }

    /// From which order on reads know of an event that takes effect at `order`, so that it may be the earliest. In order of events,
    /// and on the wall clock, all of them do: then the earliest is one, and not a row of steps as long as a file sorted backwards.
    fn known(&self, order: i64) -> i64 {
        let is_event_clock = self.intake.stream().clock == StreamClock::Event;
        if self.order == ReplayOrder::Arrival && is_event_clock { order } else { i64::MIN }
    }

    /// Takes an event that was accepted, and arrived at this time, in ms.
    ///
    /// # Errors
    /// [`Error::Model`] when it cannot have been; [`Error::Io`].
    pub(super) fn accepted<'a>(
        &mut self,
        groups: &mut [GroupStore<'_>],
        cells: &[Cell<'a>],
        (origin, arrival_ms): (EventOrigin, i64),
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<(), Error> {
        let taken = self.intake.take_accepted(cells, origin, usize::MAX, values)?;
        let order = if self.order == ReplayOrder::Arrival { arrival_ms } else { taken.event_time };
        // No number: accepted events repeat none.
        let told = Told { number: u32::MAX, id: taken.id.map_or(0, Told::short) };
        self.hand_on(groups, (order, taken.event_time), told)
    }

    /// Takes a retraction that arrived at this time, in ms: in order of arrival it takes effect then, in order of events what it takes
    /// back never was.
    ///
    /// # Errors
    /// As [`Feed::accepted`].
    pub(super) fn retract<'a>(
        &mut self,
        groups: &mut [GroupStore<'_>],
        cells: &[Cell<'a>],
        arrival_ms: i64,
        values: &mut Vec<Option<ValueRef<'a>>>,
    ) -> Result<(), Error> {
        let (time, id) = self.intake.take_retraction(cells, values)?;
        let order = if self.order == ReplayOrder::Arrival { arrival_ms } else { time };
        for part in self.intake.parts() {
            if let Some(group) = groups.get_mut(part.place) {
                group.retract(part.key, order, (time, &id))?;
            }
        }
        Ok(())
    }

    fn remember(&mut self, taken: TakenEvent, number: u32) -> Result<(), Error> {
        let (Some(ids), Some(id)) = (&mut self.ids, taken.id) else { return Ok(()) };
        if number == u32::MAX {
            let name = self.intake.stream().name.as_str();
            return Err(Error::Usage(format!(
                "stream {name} has more than {} events and declares dedup: replay it in parts",
                u32::MAX
            )));
        }
        let hash = u64::try_from(id >> 64).unwrap_or(0);
        let check = u32::try_from(id >> 32 & u128::from(u32::MAX)).unwrap_or(0);
        ids.add_number((hash, check), taken.event_time, number)
    }

    fn in_order(&mut self, arrival_ms: Option<i64>) -> Result<i64, Error> {
        let name = self.intake.stream().name.as_str();
        let Some(arrival) = arrival_ms else {
            return Err(Error::Usage(format!(
                "stream {name}: event {} has no time of arrival: its file needs a column for it (`arrival`, or the one that --arrival-column \
                 names), a history has it by itself, and --order event needs none",
                self.number
            )));
        };
        if arrival < self.last_arrival {
            return Err(Error::Usage(format!(
                "stream {name}: event {} arrived at {}, before the one in front of it ({}): sort its files by arrival",
                self.number,
                time::format_timestamp(arrival),
                time::format_timestamp(self.last_arrival)
            )));
        }
        self.last_arrival = arrival;
        Ok(arrival)
    }

    /// All events were taken: says of every group of the stream since when it is observed, and which events repeat others.
    ///
    /// # Errors
    /// [`Error::Io`] when what was spilled cannot be read.
    pub(super) fn close(
        &mut self,
        plan: &ReplayPlan,
        groups: &mut [GroupStore<'_>],
        observed_since: Option<i64>,
    ) -> Result<Marks, Error> {
        let stream = self.intake.stream();
        for (group, steps) in groups.iter_mut().zip(&self.observed) {
            if group.group.source != engine::replay::ReplaySource::Stream(self.stream) {
                continue;
            }
            let earliest = steps.iter().map(|(_, time)| *time).min().unwrap_or(i64::MAX);
            let defined = plan.defined_at(group.group.index)?.filter(|at| *at != i64::MIN);
            let since = observed_since.or(self.complete_since).or(defined);
            group.since = match (since, self.order, stream.clock) {
                (Some(since), ..) => Since::At(since),
                (None, ReplayOrder::Arrival, StreamClock::Event) => Since::Known(steps.clone()),
                (None, ..) => Since::At(earliest),
            };
        }
        let (Some(ids), Some(dedup_ms)) = (self.ids.take(), stream.dedup_ms) else {
            return Ok(Marks::default());
        };
        let marks = Marks::of(&ids, dedup_ms)?;
        self.counts.duplicate += marks.count();
        self.counts.accepted = self.counts.accepted.saturating_sub(marks.count());
        Ok(marks)
    }
}

/// Notes an event of `time`, known from `order` on, where it is earlier than all before.
fn observe(steps: &mut Vec<(i64, i64)>, order: i64, time: i64) {
    if steps.last().is_some_and(|(_, earliest)| *earliest <= time) {
        return;
    }
    match steps.last_mut() {
        Some(last) if last.0 == order => last.1 = time,
        _ => steps.push((order, time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_events_known_always_only_the_earliest_is_kept() {
        let (mut always, mut by_arrival) = (Vec::new(), Vec::new());
        // As of a file sorted backwards.
        for (order, time) in (0..1000).zip((0..1000).rev()) {
            observe(&mut always, i64::MIN, time);
            observe(&mut by_arrival, order, time);
        }
        assert_eq!(always, [(i64::MIN, 0)]);
        assert_eq!(by_arrival.len(), 1000, "each was the earliest for reads of its time");
    }
}
