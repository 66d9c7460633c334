//! Looks at the network threads ten times a second, and deals connections anew when more or fewer should be used.

use std::sync::Arc;
use std::time::Duration;

use stdx::clock::Clock;
use tokio::{sync::watch, time::MissedTickBehavior};

use super::{
    machine::Machine,
    plan::{Moment, Plan},
};
use crate::{admission::Admission, shared::Shared};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// One thread that works less than this has little to do whatever the machine does: nobody looks at that.
const WORTH_A_LOOK: f64 = 0.25;

/// Runs until told to stop. With one thread, or connections that stay where they are, it ends at once.
pub(crate) async fn watch(
    shared: Arc<Shared>,
    threads: Vec<Arc<Admission>>,
    mut stop: watch::Receiver<bool>,
) {
    let seats = &shared.seats;
    if threads.len() < 2 || shared.tls.is_some() {
        return;
    }
    let (mut machine, mut plan) = (Machine::new(), Plan::new(seats.threads(), seats.used()));
    let counts = || (shared.metrics.succeeded(), shared.load.has_shed());
    let mut before = counts();
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut worked = Vec::with_capacity(threads.len());
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = period.tick() => {}
        }
        let now_ns = shared.clock.mono_ns();
        worked.clear();
        worked.extend(threads.iter().map(|thread| thread.worked(now_ns)));
        let now = counts();
        let (succeeded, shed) = std::mem::replace(&mut before, now);
        if seats.used() == 1 && worked.iter().sum::<f64>() < WORTH_A_LOOK {
            machine.rests();
            continue;
        }
        let is_first = machine.is_resting();
        let idle = machine.idle(now_ns);
        if is_first && !machine.is_resting() {
            // What has been since then is known the next time.
            continue;
        }
        let answered = now.0.saturating_sub(succeeded) as f64;
        let has_shed = now.1 > shed;
        let used = plan.next(Moment { worked: &worked, idle, answered, has_shed });
        if used != seats.used() {
            tracing::debug!(used, ?worked, ?idle, answered, "network threads");
            seats.deal(used);
        }
    }
}
