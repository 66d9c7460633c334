//! The timer of verification: every block of the snapshot that is served from is read and checked once, at a bounded rate, so that
//! damage is known before somebody needs what is damaged. A checkpoint that is served from brings new blocks.

use std::sync::Arc;
use std::time::Duration;

use engine::Remedy;
use stdx::clock::Clock;
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::shared::Shared;

/// Between two steps.
const TICK: Duration = Duration::from_millis(25);
/// Steps of a second.
const STEPS: u64 = 40;
/// With nothing left to verify, only each so many-th step looks whether there is a new snapshot.
const IDLE_STEPS: u64 = 40;
/// Bytes of a block of a snapshot (docs/formats/snapshot.md).
const BLOCK_BYTES: u64 = 64 << 10;

/// Verifies at `bytes_per_second` until the server stops.
pub(crate) async fn run(
    shared: Arc<Shared>,
    bytes_per_second: u64,
    mut stop: watch::Receiver<bool>,
) {
    let blocks = usize::try_from(blocks_of_a_step(bytes_per_second)).unwrap_or(usize::MAX);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut round, mut idle) = (Round::default(), 0);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        if idle > 0 {
            idle -= 1;
            continue;
        }
        if round.step(&shared, blocks) {
            idle = IDLE_STEPS;
        }
    }
}

/// The verification of one snapshot.
#[derive(Debug, Default)]
struct Round {
    /// When it began, on the monotonic clock.
    started_ns: Option<u64>,
    /// The damage that was told already.
    damage: Option<String>,
}

impl Round {
    /// Verifies some blocks; true when there is nothing to do for now.
    fn step(&mut self, shared: &Shared, blocks: usize) -> bool {
        let now_ns = shared.clock.mono_ns();
        match shared.database.verify_step(blocks) {
            Ok(verified) if verified.done < verified.total => {
                self.started_ns.get_or_insert(now_ns);
                return false;
            }
            Ok(verified) => {
                let started_ns = self.started_ns.take();
                if let Some(started_ns) = started_ns.filter(|_| self.damage.is_none()) {
                    let took_ms = now_ns.saturating_sub(started_ns) / 1_000_000;
                    let blocks = verified.total;
                    tracing::info!(
                        blocks,
                        took_ms,
                        "every block of the snapshot is as it was written"
                    );
                }
            }
            Err(error) => {
                // File and offset stand in the error; it is the same until there is another snapshot.
                let error = error.to_string();
                if self.damage.as_ref() != Some(&error) {
                    tracing::error!(
                        error,
                        remedy = Remedy::Snapshot.as_str(),
                        "THE SNAPSHOT IS DAMAGED: everything else is served"
                    );
                    self.damage = Some(error);
                }
            }
        }
        true
    }
}

/// At least one: a rate of next to nothing comes to an end as well.
fn blocks_of_a_step(bytes_per_second: u64) -> u64 {
    (bytes_per_second / STEPS / BLOCK_BYTES).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up_to_the_rate() {
        assert_eq!(u128::from(STEPS) * TICK.as_millis(), 1000);
        assert_eq!(blocks_of_a_step(256 << 20), 102);
        assert_eq!(blocks_of_a_step(0), 1);
    }
}
