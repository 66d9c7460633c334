//! How time goes on: steadily, in bursts that stay within the horizon, with gaps after which little is left.

use stdx::prng::Prng;

use super::{Case, choose, event::Spread};

/// Where a history stands.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    pub(crate) now: i64,
    /// What the values of events now are.
    pub(crate) spread: Spread,
    reach_ms: i64,
    horizon_ms: i64,
    step_ms: i64,
    /// Events until things change.
    left: i64,
    last_time: i64,
}

impl Timeline {
    pub(crate) fn new(random: &mut Prng, case: &Case) -> Self {
        // Some before and some around the epoch, one near the end of what is allowed.
        let starts = [0, -3_600_000, 1_700_000_000_000, -5, -(1 << 47), (1 << 48) - (1 << 42)];
        let now = *choose(random, &starts);
        Self {
            now,
            spread: Spread::random(random),
            reach_ms: case.reach_ms(),
            horizon_ms: case.stream.horizon_ms,
            step_ms: 0,
            left: 0,
            last_time: now,
        }
    }

    /// The time of the next event, which may be late, ahead of now, or that of the one before.
    pub(crate) fn next_time(&mut self, random: &mut Prng) -> i64 {
        if self.left == 0 {
            self.change(random);
        }
        self.left -= 1;
        self.now += random.between(0, 2 * self.step_ms);
        let is_hot = self.step_ms * 20 < self.horizon_ms;
        // Exponentially more rarely later, up to beyond what any window can see; a burst has few that are late.
        let least = if is_hot && random.chance(0.95) { 18 } else { 0 };
        let lateness = (self.reach_ms * 2) >> random.between(least, 20);
        let time = match random.below(12) {
            0 => self.last_time,
            1 => (self.now - lateness).div_euclid(1000) * 1000,
            _ => self.now - random.between(-lateness / 40, lateness),
        };
        self.last_time = time;
        time
    }

    /// From now on `events` events within the horizon.
    pub(crate) fn burst(&mut self, events: i64, spread: Spread) {
        (self.left, self.spread) = (events, spread);
        self.step_ms = self.horizon_ms / (2 * events);
    }

    fn change(&mut self, random: &mut Prng) {
        self.spread = Spread::random(random);
        self.left = random.between(10, 150);
        match random.below(10) {
            0 => self.now += random.between(self.reach_ms / 2, self.reach_ms * 3 / 2),
            1 | 2 => self.burst(self.left, self.spread),
            _ => self.step_ms = self.reach_ms / *choose(random, &[30, 300, 3000]),
        }
    }

    /// A time that is read exactly: from the floor to the ms after now.
    pub(crate) fn read_x(&self, random: &mut Prng) -> i64 {
        let floor = self.now - self.horizon_ms;
        match random.below(8) {
            0 => floor,
            1 => self.now + 1,
            2 => self.now,
            // Just after an event, or on it.
            3 => (self.last_time + random.between(0, 1)).clamp(floor, self.now + 1),
            4 => (self.now.div_euclid(1000) * 1000).max(floor),
            _ => random.between(floor, self.now + 1),
        }
    }
}
