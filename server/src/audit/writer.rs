//! The thread that writes the log: takes what has come, ten times a second, and has it on the disk once a second.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::limits::AUDIT_STRANGERS_TOLD_MAX;
use stdx::clock::Clock;
use tokio::{sync::watch, time::MissedTickBehavior};

use super::{
    Audit, DENIED, DROPPED, Writing,
    event::{End, Event},
};
use crate::shared::Shared;

/// Between two looks at what has come: whoever hands over wakes nobody.
const TICK: Duration = Duration::from_millis(100);
/// Looks between two times that counts are told and the file is synced.
const TICKS_A_SECOND: u32 = 10;

/// Writes until told to stop.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut writing: Writing,
    mut stop: watch::Receiver<bool>,
) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut until_second = TICKS_A_SECOND;
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {
                until_second -= 1;
                let is_second = until_second == 0;
                if is_second {
                    until_second = TICKS_A_SECOND;
                }
                // After a write that failed all of the last file is read again: once a second is enough for a disk that is full.
                if is_second || !shared.audit.is_failing.load(Ordering::Relaxed) {
                    shared.audit.turn(&mut writing, shared.clock.wall_ms(), is_second, Vec::new());
                }
            }
        }
    }
    *shared.audit.rest.lock() = Some(writing);
}

/// Writes what is left and that the server stopped, once nothing can happen any more. `error`: how it stopped, when not well.
pub(crate) fn at_stop(shared: &Shared, error: Option<String>) {
    let Some(mut writing) = shared.audit.rest.lock().take() else { return };
    let now_ms = shared.clock.wall_ms();
    let end = error.map_or(End::Ok, End::Failed);
    // As often as the queue could have been filled.
    while !writing.arriving.is_empty() {
        shared.audit.turn(&mut writing, now_ms, false, Vec::new());
    }
    let stop = Event::new(now_ms, "stop").ended(end);
    shared.audit.turn(&mut writing, now_ms, true, vec![stop]);
}

impl Audit {
    /// Writes what has come, and `last` behind it. Once a second also counts, and then everything is synced.
    pub(super) fn turn(
        &self,
        writing: &mut Writing,
        now_ms: i64,
        is_second: bool,
        last: Vec<Event>,
    ) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        let untold = dropped - self.dropped_told.load(Ordering::Relaxed);
        let mut events = Vec::new();
        if untold > 0 {
            events.push(Event::new(now_ms, DROPPED).with("count", untold));
        }
        let mut told = 0;
        while let Ok(event) = writing.arriving.try_recv() {
            events.push(event);
            told += 1;
            if events.len() > model::limits::AUDIT_WAITING_MAX {
                break;
            }
        }
        if is_second {
            let counted = self.counted(now_ms);
            told += counted.len() as u64;
            events.extend(counted);
        }
        told += last.len() as u64;
        events.extend(last);
        for event in &mut events {
            event.hash_keys(writing.key.as_ref());
        }
        let count = events.len() as u64;
        let written = writing.log.append(events);
        match &written {
            Ok(()) => {
                self.lines.fetch_add(count, Ordering::Relaxed);
                self.dropped_told.fetch_add(untold, Ordering::Relaxed);
                *self.last.lock() = writing.log.link();
            }
            // Some of them may be in the file: too many are told of rather than too few.
            Err(_) => _ = self.dropped.fetch_add(told, Ordering::Relaxed),
        }
        let synced = if is_second { writing.log.sync() } else { Ok(()) };
        match written.and(synced) {
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::error!(%error, "the audit log cannot be written: lines are lost; serving goes on");
            }
            Ok(()) if count > 0 && self.is_failing.swap(false, Ordering::Relaxed) => {
                tracing::info!(
                    "the audit log is written again; it says how many lines are missing"
                );
            }
            _ => {}
        }
    }

    /// What connections did in the last second. Those that are gone are forgotten.
    fn counted(&self, now_ms: i64) -> Vec<Event> {
        let tallies = self.tallies.lock().clone();
        let mut events: Vec<_> = tallies.iter().flat_map(|tally| tally.take(now_ms)).collect();
        let strangers = self.strangers.swap(0, Ordering::Relaxed);
        let more = strangers.saturating_sub(AUDIT_STRANGERS_TOLD_MAX);
        if more > 0 {
            events.push(Event::new(now_ms, DENIED).with("requests", more));
        }
        drop(tallies);
        // Whoever goes between the two looks has nothing left, or is looked at once more: his counts are taken by then.
        self.tallies.lock().retain(|tally| Arc::strong_count(tally) > 1 || !tally.is_empty());
        events
    }
}
