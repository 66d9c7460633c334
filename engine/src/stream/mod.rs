//! What a stream remembers between events: its clock, and the ids that arrived lately.

pub(crate) mod admission;
mod dedup;

use std::sync::atomic::{AtomicI64, Ordering};

use model::definition::{Stream, StreamClock};
use stdx::mutant::{Mutant, is_planted};

use crate::tally::Tally;

pub(crate) use dedup::{Dedup, DedupGuards, STRIPES, fingerprint, stripe_of};

/// What a stream's clock shows at one moment, in ms; `i64::MIN` where nothing is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockReading {
    /// Largest event time accepted.
    newest: i64,
    /// Latest "now" that events were applied under.
    applied: i64,
}

impl ClockReading {
    /// See [`StreamState::now`].
    pub(crate) fn now(self, stream: &Stream, wall_ms: i64) -> Option<i64> {
        let now = match stream.clock {
            StreamClock::Wall => Some(wall_ms),
            StreamClock::Event => Some(self.newest).filter(|newest| *newest != i64::MIN),
        };
        now.map(|now| now.max(self.applied))
    }

    /// When an event arrives on the stream's clock, in ms: now, or its own time when that moves the event clock.
    pub(crate) fn arrival(self, stream: &Stream, wall_ms: i64, event_time: i64) -> i64 {
        match stream.clock {
            StreamClock::Wall if is_planted(Mutant::IdsArriveByWallClock) => wall_ms,
            // As recovery finds it in the log, also when the machine's clock was set back.
            StreamClock::Wall => wall_ms.max(self.applied),
            StreamClock::Event => self.newest.max(event_time),
        }
    }

    /// Ids that arrived at this time or earlier, in ms, are duplicates of none that comes now.
    pub(crate) fn before(self, stream: &Stream, wall_ms: i64) -> i64 {
        let span_ms = stream.dedup_ms.unwrap_or(0);
        self.arrival(stream, wall_ms, i64::MIN).saturating_sub(span_ms)
    }

    /// With an event of this time accepted.
    pub(crate) fn advance(&mut self, event_time: i64) {
        self.newest = self.newest.max(event_time);
    }
}

/// Clock and duplicates of one stream.
#[derive(Debug)]
pub(crate) struct StreamState {
    /// Largest event time accepted; `i64::MIN` before the first event.
    newest: AtomicI64,
    /// Latest "now" that events were applied under; `i64::MIN` before the first.
    applied: AtomicI64,
    /// Ids seen lately.
    pub(crate) dedup: Dedup,
    /// What became of its events.
    pub(crate) tally: Tally,
}

impl Default for StreamState {
    fn default() -> Self {
        let never = || AtomicI64::new(i64::MIN);
        Self { newest: never(), applied: never(), dedup: Dedup::default(), tally: Tally::default() }
    }
}

impl StreamState {
    /// "Now" of the stream, in ms: the wall clock given, or the largest event time accepted so far (`None` before the
    /// first event). Never before one that events were applied under, even when the machine's clock was set back: what was
    /// folded under it stays folded.
    pub(crate) fn now(&self, stream: &Stream, wall_ms: i64) -> Option<i64> {
        self.clock().now(stream, wall_ms)
    }

    /// See [`ClockReading::arrival`].
    pub(crate) fn arrival(&self, stream: &Stream, wall_ms: i64, event_time: i64) -> i64 {
        self.clock().arrival(stream, wall_ms, event_time)
    }

    /// What the clock shows. Arrivals of ids never go back when it is asked for while their stripes are locked.
    pub(crate) fn clock(&self) -> ClockReading {
        let (newest, applied) = self.clocks();
        ClockReading { newest, applied }
    }

    /// Events were logged that move the clock so far, and are about to be applied under `now`.
    pub(crate) fn moves(&self, to: ClockReading, now: i64) {
        self.advance(to.newest);
        self.applies(now);
    }

    /// Events are about to be applied under this "now".
    pub(crate) fn applies(&self, now: i64) {
        self.applied.fetch_max(now, Ordering::AcqRel);
    }

    /// An event of this time was accepted.
    pub(crate) fn advance(&self, event_time: i64) {
        self.newest.fetch_max(event_time, Ordering::AcqRel);
    }

    /// Largest event time accepted and latest "now" applied under, as a snapshot keeps them.
    pub(crate) fn clocks(&self) -> (i64, i64) {
        (self.newest.load(Ordering::Acquire), self.applied.load(Ordering::Acquire))
    }

    /// Largest event time accepted, in ms; `None` before the first event.
    pub(crate) fn newest(&self) -> Option<i64> {
        Some(self.newest.load(Ordering::Acquire)).filter(|newest| *newest != i64::MIN)
    }
}
