//! One group of the target: its changes and the reads of its entities, dealt out to partitions until both come together.

use engine::replay::{ReplayGroup, ReplayPlan, StoredEvent};
use stdx::sync::atomic::AtomicU64;

use super::{
    entry::Entry,
    memory::Memory,
    record::{Shape, Told},
    store::Store,
    wanted::Wanted,
};
use crate::Error;

/// Since when a group is observed.
#[derive(Debug, Clone)]
pub(super) enum Since {
    /// Always the same, in ms.
    At(i64),
    /// As the earliest event was known: from each order on, in ms.
    Known(Vec<(i64, i64)>),
}

impl Since {
    /// For a read that looks at `order`, in ms; `i64::MAX` where nothing was known then.
    pub(super) fn at(&self, order: i64) -> i64 {
        match self {
            Self::At(since) => *since,
            Self::Known(steps) => {
                let after = steps.partition_point(|(from, _)| *from <= order);
                after
                    .checked_sub(1)
                    .and_then(|last| steps.get(last))
                    .map_or(i64::MAX, |last| last.1)
            }
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct GroupStore<'p> {
    pub(super) group: ReplayGroup<'p>,
    /// Its place among the groups of the plan.
    pub(super) place: usize,
    pub(super) shape: Shape,
    pub(super) changes: Store,
    pub(super) reads: Store,
    /// What a read's order is less than its as-of, in ms.
    pub(super) behind_ms: i64,
    pub(super) exclusive: bool,
    pub(super) since: Since,
    pub(super) wanted: Wanted,
    /// Changes outside of this are seen by no read: orders of changes, and times.
    pub(super) last_order: i64,
    pub(super) first_time: i64,
    pub(super) applied: AtomicU64,
    /// There were rows that are not there: an entity without any may have had some.
    pub(super) is_incomplete: bool,
}

impl<'p> GroupStore<'p> {
    /// A group whose reads see changes up to `behind_ms` before their as-of.
    pub(super) fn new(
        (place, group): (usize, ReplayGroup<'p>),
        shape: Shape,
        (behind_ms, exclusive): (i64, bool),
        (bits, memory): (u32, &Memory),
    ) -> Self {
        Self {
            group,
            place,
            shape,
            changes: Store::new(bits, memory),
            reads: Store::new(bits, memory),
            behind_ms,
            exclusive,
            since: Since::At(i64::MAX),
            wanted: Wanted::default(),
            last_order: i64::MIN,
            first_time: i64::MAX,
            applied: AtomicU64::new(0),
            is_incomplete: false,
        }
    }

    /// Notes a read of row `row` of the spine.
    ///
    /// # Errors
    /// [`Error::Io`] when memory is full and the file cannot be written.
    pub(super) fn read(&mut self, key: &[u8], as_of: i64, row: u32) -> Result<(), Error> {
        let (entity, order) = (Entry::entity_of(key), as_of.saturating_sub(self.behind_ms));
        self.last_order = self.last_order.max(order);
        // Until all are known: the earliest as-of.
        self.first_time = self.first_time.min(as_of);
        self.reads.add_number(entity, order, row)
    }

    /// All reads are noted: what no read sees need not be kept.
    ///
    /// # Errors
    /// [`Error::Engine`] never, since the plan has the group.
    pub(super) fn close_reads(&mut self, plan: &ReplayPlan) -> Result<(), Error> {
        let floor = self.first_time;
        self.first_time = plan.entity(self.group.index)?.late_before(floor);
        self.wanted = Wanted::of(&self.reads);
        Ok(())
    }

    /// Adds an event that takes effect at `order`.
    ///
    /// # Errors
    /// As [`GroupStore::read`].
    pub(super) fn event(
        &mut self,
        key: &[u8],
        order: i64,
        event: StoredEvent<'_>,
        told: Told,
    ) -> Result<(), Error> {
        if order > self.last_order || event.time < self.first_time {
            return Ok(());
        }
        let entity = Entry::entity_of(key);
        if !self.wanted.has(entity) {
            return Ok(());
        }
        let shape = self.shape;
        self.changes.add(entity, order, |out| shape.write_event(event, told, out))
    }

    /// Adds a packed row that takes effect at `order`.
    ///
    /// # Errors
    /// As [`GroupStore::read`].
    pub(super) fn row(
        &mut self,
        key: &[u8],
        (order, event_time): (i64, i64),
        row: &[u8],
    ) -> Result<(), Error> {
        let shape = self.shape;
        self.change(key, order, |out| shape.write_row(event_time, row, out))
    }

    /// Changes may be undone: said before the first of them.
    pub(super) fn expect_undoing(&mut self) {
        self.shape.has_kind = true;
    }

    /// Takes back the events of this time, in ms, and id: from `order` on, or in order of events, where that is their time, those that
    /// came before.
    ///
    /// # Errors
    /// As [`GroupStore::read`].
    pub(super) fn retract(
        &mut self,
        key: &[u8],
        order: i64,
        event: (i64, &[u8]),
    ) -> Result<(), Error> {
        let shape = self.shape;
        self.change(key, order, |out| shape.write_retraction(event, out))
    }

    /// Forgets the entity: from `order` on, or in order of events, where that is before all else, what came before.
    ///
    /// # Errors
    /// As [`GroupStore::read`].
    pub(super) fn delete(&mut self, key: &[u8], order: i64) -> Result<(), Error> {
        let shape = self.shape;
        self.change(key, order, |out| shape.write_delete(out))
    }

    fn change(
        &mut self,
        key: &[u8],
        order: i64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Error> {
        let entity = Entry::entity_of(key);
        if order > self.last_order || !self.wanted.has(entity) {
            return Ok(());
        }
        self.changes.add(entity, order, write)
    }

    /// Number of partitions.
    pub(super) fn partitions(&self) -> usize {
        self.reads.partitions()
    }
}

#[cfg(test)]
mod tests {
    use engine::replay::ReplayTarget;

    use super::*;

    const DEFINITIONS: &str = r#"
[entity.card]
key = "i64"
[stream.payments]
event_time = "ts"
retract = true
event_id = "id"
[stream.payments.fields]
id = "i64"
card = "i64"
ts = "timestamp"
[group.spend]
entity = "card"
stream = "payments"
key = "card"
windows = ["5m"]
features = { n = "count(*)" }
"#;

    #[test]
    fn what_undoes_changes_is_spilled_beyond_the_limit_as_changes_are() {
        let plan = ReplayPlan::new("test.toml", DEFINITIONS, ReplayTarget::Features(&["spend:*"]))
            .expect("valid");
        let (limit, look) = (500_000, 1 << 20);
        for has_time in [false, true] {
            let memory = Memory::new(limit, &std::env::temp_dir());
            let group = plan.groups().next().expect("one");
            let shape = Shape { has_time, has_kind: true, ..Shape::default() };
            let mut store = GroupStore::new((0, group), shape, (0, false), (4, &memory));
            store.read(b"card", 1_000_000, 0).expect("noted");
            store.close_reads(&plan).expect("the plan has it");
            for number in 0..100_000_i64 {
                store.retract(b"card", number, (number, b"some id")).expect("kept");
                store.delete(b"card", if has_time { number } else { i64::MIN }).expect("kept");
                let held = store.changes.held() as u64;
                assert!(held < limit + look + 100, "{held} bytes in memory after {number}");
            }
            assert!(memory.spilled() > 4_000_000, "{}", memory.spilled());
        }
    }
}
