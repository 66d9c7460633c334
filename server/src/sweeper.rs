//! The timer of the sweep: a little every tenth of a second, all of memory about once a minute, never more than a few percent of
//! one core. Beside it the bytes in use are counted anew, so that the memory limit knows them.

use std::sync::Arc;
use std::time::Duration;

use engine::MemoryHealth;
use stdx::clock::Clock;
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::shared::Shared;

/// Between two turns.
const TICK: Duration = Duration::from_millis(100);
/// From the start of a round to the start of the next, unless memory is full.
const ROUND_NS: u64 = 60_000_000_000;
/// Turns that a round is spread over.
const TURNS: u64 = 500;
/// Entities that a turn looks at, at least.
const LOOKS_MIN: u64 = 2048;
/// Entities looked at between two glances at the clock.
const STEP_LOOKS: u64 = 512;
/// A turn ends after so long, however far it came: 1.5 % of a core.
const TURN_NS: u64 = 1_500_000;

/// Sweeps until told to stop.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pace = Pace::default();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        pace.turn(&shared);
        if let Some(access) = &shared.access {
            access.tick(shared.clock.wall_ms());
        }
        // Behind the turn: what it gave back makes room at once.
        shared.database.measure_memory();
    }
}

/// How far the round is.
#[derive(Debug, Default)]
struct Pace {
    /// Start of the round, on the monotonic clock.
    started_ns: u64,
    is_over: bool,
    /// Entities of this round so far, and of the one before.
    entities: u64,
    last_entities: u64,
}

impl Pace {
    fn turn(&mut self, shared: &Shared) {
        let start = shared.clock.mono_ns();
        if self.is_over {
            let is_urgent = shared.database.memory_use().health == MemoryHealth::Full;
            if !is_urgent && start.saturating_sub(self.started_ns) < ROUND_NS {
                return;
            }
            let last_entities = self.entities;
            *self = Self { started_ns: start, last_entities, ..Self::default() };
        }
        let mut left = LOOKS_MIN.max(self.last_entities / TURNS);
        while left > 0 && shared.clock.mono_ns().saturating_sub(start) < TURN_NS {
            let looks = left.min(STEP_LOOKS);
            let swept = shared.database.sweep(usize::try_from(looks).unwrap_or(usize::MAX));
            left -= looks;
            self.entities += swept.entities;
            if swept.is_round_over {
                self.is_over = true;
                return;
            }
        }
    }
}
