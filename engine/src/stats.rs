//! Counters declared beside what they count, and one list of everything an operator asks for.

use std::sync::atomic::{AtomicU64, Ordering};

use storage::Vfs;

use crate::{Database, Swept, producer::Outcome, shard::SHARD_COUNT, tally};

macro_rules! counters {
    ($($name:ident: $what:literal),* $(,)?) => {
        /// What the database counts since it was opened.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(#[doc = $what] pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            fn list(&self) -> Vec<(String, StatValue)> {
                vec![$((stringify!($name).to_owned(), StatValue::Number(self.$name.load(Ordering::Relaxed)))),*]
            }
        }
    };
}

counters! {
    rows_put_count: "Rows of which at least one feature was stored.",
    rows_stale_count: "Rows with nothing newer than what is stored.",
    rows_rejected_count: "Rows refused.",
    events_accepted_count: "Events accepted.",
    events_duplicate_count: "Events whose id had arrived lately.",
    events_late_count: "Events too old for every window.",
    events_rejected_count: "Events refused.",
    events_retracted_count: "Events retracted.",
    retractions_refused_count: "Retractions refused: no such event, or one before the floor.",
    vectors_read_count: "Vectors read.",
    swept_entities_count: "Entities of window groups that the sweep has looked at.",
    swept_retired_count: "Entities forgotten because no window can see any of their events.",
    swept_bytes_freed: "Bytes of window groups that sweeping gave back.",
    sweep_rounds_count: "Sweeps of all window groups.",
}

impl Counters {
    pub(crate) fn rows(&self, applied: u32, stale: u32, rejected: u32) {
        self.rows_put_count.fetch_add(applied.into(), Ordering::Relaxed);
        self.rows_stale_count.fetch_add(stale.into(), Ordering::Relaxed);
        self.rows_rejected_count.fetch_add(rejected.into(), Ordering::Relaxed);
    }

    pub(crate) fn events(&self, outcome: &Outcome) {
        self.events_accepted_count.fetch_add(outcome.applied.into(), Ordering::Relaxed);
        self.events_duplicate_count.fetch_add(outcome.duplicate.into(), Ordering::Relaxed);
        self.events_late_count.fetch_add(outcome.late.into(), Ordering::Relaxed);
        self.events_rejected_count.fetch_add(outcome.rejected.into(), Ordering::Relaxed);
    }

    pub(crate) fn retractions(&self, outcome: &Outcome) {
        self.events_retracted_count.fetch_add(outcome.applied.into(), Ordering::Relaxed);
        let refused = u64::from(outcome.late) + u64::from(outcome.rejected);
        self.retractions_refused_count.fetch_add(refused, Ordering::Relaxed);
    }

    pub(crate) fn swept(&self, swept: &Swept) {
        self.swept_entities_count.fetch_add(swept.entities, Ordering::Relaxed);
        self.swept_retired_count.fetch_add(swept.retired, Ordering::Relaxed);
        self.swept_bytes_freed.fetch_add(swept.bytes_freed, Ordering::Relaxed);
        self.sweep_rounds_count.fetch_add(swept.is_round_over.into(), Ordering::Relaxed);
    }

    pub(crate) fn reads(&self, vectors: usize) {
        self.vectors_read_count.fetch_add(vectors as u64, Ordering::Relaxed);
    }
}

/// A figure or a word of the statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatValue {
    /// A count, bytes, a position; the name says the unit.
    Number(u64),
    /// A word.
    Text(String),
}

/// Memory of one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupMemory {
    /// Entities.
    pub entities: u64,
    /// Bytes of rows or window states, keys and index.
    pub bytes: u64,
}

impl<V: Vfs> Database<V> {
    /// Entities and bytes of every group, by group index.
    #[must_use]
    pub fn group_memory(&self) -> Vec<GroupMemory> {
        let catalog = self.catalog.read();
        let mut groups = vec![GroupMemory::default(); catalog.groups.len()];
        for shard in 0..SHARD_COUNT {
            let shard = self.shards.read(shard);
            for (index, memory) in groups.iter_mut().enumerate() {
                let (entities, bytes) =
                    shard.table(index).map_or((0, 0), |table| (table.len(), table.bytes()));
                memory.entities += entities as u64;
                memory.bytes += bytes as u64;
            }
        }
        groups
    }

    /// Everything an operator asks for: names carry their unit, groups and streams their name after a dot.
    #[must_use]
    pub fn stats(&self) -> Vec<(String, StatValue)> {
        let number = StatValue::Number;
        let mut list = self.counters.list();
        list.push(("producers_count".into(), number(self.producers.len() as u64)));
        self.memory_stats(&mut list);
        let memory = self.group_memory();
        let by_feature: Vec<_> = (0..memory.len())
            .map(|group| self.memory_by_feature(group).unwrap_or_default())
            .collect();
        let catalog = self.catalog.read();
        list.push(("definitions_version".into(), number(catalog.version)));
        for ((group, memory), features) in
            catalog.definitions.groups.iter().zip(memory).zip(by_feature)
        {
            list.push((format!("group_entities_count.{}", group.name), number(memory.entities)));
            list.push((format!("group_bytes.{}", group.name), number(memory.bytes)));
            for (feature, bytes) in features {
                list.push((format!("feature_bytes.{}.{feature}", group.name), number(bytes)));
            }
        }
        for (stream, runtime) in catalog.definitions.streams.iter().zip(&catalog.streams) {
            let (ids, evicted) = runtime.state.dedup.counts();
            list.push((format!("stream_ids_count.{}", stream.name), number(ids as u64)));
            list.push((format!("stream_ids_evicted_count.{}", stream.name), number(evicted)));
            if let Some(newest) = runtime.state.newest() {
                let text = StatValue::Text(model::time::format_timestamp(newest));
                list.push((format!("stream_newest_event_time.{}", stream.name), text));
            }
        }
        tally::stats(&catalog, self.clock.wall_ms(), &mut list);
        drop(catalog);
        self.recovery_stats(&mut list);
        self.wal_stats(&mut list);
        self.checkpoint_stats(&mut list);
        list.push(("history_log_bytes".into(), StatValue::Number(self.history_log_bytes())));
        let history =
            self.history_trouble().map_or_else(|| "ok".to_owned(), |trouble| trouble.to_string());
        list.push(("history_health".into(), StatValue::Text(history)));
        let clock =
            self.clock_trouble().map_or_else(|| "ok".to_owned(), |trouble| trouble.to_string());
        list.push(("clock_health".into(), StatValue::Text(clock)));
        list
    }

    fn checkpoint_stats(&self, list: &mut Vec<(String, StatValue)>) {
        let number = StatValue::Number;
        let (done, failed) = self.checkpoints.counts();
        list.push(("checkpoints_count".into(), number(done)));
        list.push(("checkpoints_failed_count".into(), number(failed)));
        let state = self.checkpoints.state();
        let age_ns = self.clock.mono_ns().saturating_sub(state.last_ns);
        list.push(("checkpoint_age_ms".into(), number(age_ns / 1_000_000)));
        if let Some(last) = state.last {
            list.push(("checkpoint_number".into(), number(last.number)));
            list.push(("checkpoint_lsn".into(), number(last.lsn.0)));
            list.push(("checkpoint_entities_count".into(), number(last.entities)));
            list.push(("checkpoint_bytes".into(), number(last.bytes)));
            list.push(("checkpoint_time_ms".into(), number(last.took_ms)));
        }
        if let Some(running) = state.running {
            list.push(("checkpoint_shards_done_count".into(), number(running.shards_done as u64)));
            list.push(("checkpoint_shards_count".into(), number(running.shards as u64)));
            list.push(("checkpoint_bytes_written".into(), number(running.bytes)));
        }
        list.push(("log_bytes_since_checkpoint".into(), number(self.log_bytes())));
        if let Some(snapshot) = self.snapshot.lock().clone() {
            let (done, total) = snapshot.verified();
            list.push(("snapshot_blocks_verified_count".into(), number(done as u64)));
            list.push(("snapshot_blocks_count".into(), number(total as u64)));
        }
        let health = self
            .checkpoint_trouble()
            .map_or_else(|| "ok".to_owned(), |trouble| trouble.to_string());
        list.push(("checkpoint_health".into(), StatValue::Text(health)));
    }

    fn memory_stats(&self, list: &mut Vec<(String, StatValue)>) {
        self.measure_memory();
        let memory = self.memory_use();
        list.push(("memory_bytes".into(), StatValue::Number(memory.bytes)));
        if let Some(bytes_max) = memory.bytes_max {
            list.push(("memory_bytes_max".into(), StatValue::Number(bytes_max)));
        }
        for (part, bytes) in self.memory_parts().list() {
            list.push((format!("memory_part_bytes.{part}"), StatValue::Number(bytes)));
        }
        list.push(("memory_health".into(), StatValue::Text(memory.to_string())));
        list.push(("memory_refused_count".into(), StatValue::Number(memory.refused_count)));
    }

    fn recovery_stats(&self, list: &mut Vec<(String, StatValue)>) {
        let recovery = self.recovery();
        list.push(("recovery_time_ms".into(), StatValue::Number(recovery.took_ms)));
        list.push(("recovery_records_count".into(), StatValue::Number(recovery.replayed)));
        list.push(("recovery_bytes".into(), StatValue::Number(recovery.bytes)));
    }

    fn wal_stats(&self, list: &mut Vec<(String, StatValue)>) {
        let number = StatValue::Number;
        let wal = self.wal.stats();
        list.push(("wal_sync_policy".into(), StatValue::Text(self.wal.policy().to_string())));
        list.push(("wal_appended_lsn".into(), number(self.wal.appended_lsn().0)));
        list.push(("wal_durable_lsn".into(), number(self.wal.durable_lsn().0)));
        list.push(("wal_bytes_written".into(), number(wal.bytes_written)));
        list.push(("wal_bytes_durable".into(), number(wal.bytes_durable)));
        list.push(("wal_segments_count".into(), number(wal.segments)));
        list.push(("wal_syncs_count".into(), number(wal.syncs)));
        list.push(("wal_sync_time_us_max".into(), number(wal.sync_ns_max / 1000)));
        let health = match self.wal.refusal() {
            Some(storage::Error::Poisoned(why)) => format!("poisoned: {why}"),
            Some(why) => why.to_string(),
            None => "ok".to_owned(),
        };
        list.push(("wal_health".into(), StatValue::Text(health)));
    }
}
