//! Cumulative sums (Page, Biometrika 1954) over the tiles of a window: how far values have drifted from a target.
//!
//! With n events that sum up to s in a tile, the excess over `target` by more than `slack` an event adds up, never
//! below 0:
//!
//! ```text
//! high = max(0, high + s − n·(target + slack))        low = max(0, low + n·(target − slack) − s)
//! ```
//!
//! A step is a map x ↦ max(floor, x + add), and two such maps after one another are one again: a [`Run`] stands for
//! the tiles of any stretch. Runs are associative, so a stretch may be cut anywhere, but not commutative: tiles come
//! in ascending order.
//!
//! **Overflow.** With fewer than 2^40 events in a tile, n·(target ± slack) is below 2^105 and s below 2^103; the 2^20
//! tiles of the longest window stay below 2^126. Beyond that, sums saturate.

/// The cumulative sums up to a tile; both are 0 before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cusum {
    /// Of values above the target.
    pub(crate) high: i128,
    /// Of values below it.
    pub(crate) low: i128,
}

impl Cusum {
    /// Goes on by one tile of `count` events that sum up to `sum`. All but `count` are unscaled numbers of one scale.
    pub(crate) fn step(&mut self, count: u64, sum: i128, target: i64, slack: i64) {
        self.high = Run::high(count, sum, target, slack).after(self.high);
        self.low = Run::low(count, sum, target, slack).after(self.low);
    }
}

/// What a stretch of tiles does to a cumulative sum: x ↦ max(floor, x + add).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) add: i128,
    pub(crate) floor: i128,
}

impl Run {
    /// One tile, for the sum of what is above the target.
    pub(crate) fn high(count: u64, sum: i128, target: i64, slack: i64) -> Self {
        let allowed = i128::from(count).saturating_mul(i128::from(target) + i128::from(slack));
        Self { add: sum.saturating_sub(allowed), floor: 0 }
    }

    /// One tile, for the sum of what is below the target.
    pub(crate) fn low(count: u64, sum: i128, target: i64, slack: i64) -> Self {
        let allowed = i128::from(count).saturating_mul(i128::from(target) - i128::from(slack));
        Self { add: allowed.saturating_sub(sum), floor: 0 }
    }

    /// This stretch and then the `next` one.
    #[cfg(test)]
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            add: self.add.saturating_add(next.add),
            floor: self.floor.saturating_add(next.add).max(next.floor),
        }
    }

    /// The cumulative sum after this stretch when it was `before`.
    pub(crate) fn after(self, before: i128) -> i128 {
        before.saturating_add(self.add).max(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;
    use crate::sketch::laws;

    /// Composes the runs in random groups, in order.
    fn composed(prng: &mut Prng, runs: &[Run]) -> Run {
        match runs {
            [run] => *run,
            _ => {
                let split = 1 + usize::try_from(prng.below(runs.len() as u64 - 1)).expect("small");
                let (first, second) = runs.split_at(split);
                composed(prng, first).then(composed(prng, second))
            }
        }
    }

    #[test]
    fn steps_follow_the_definition() {
        let mut cusum = Cusum::default();
        // target 10, slack 2: 3 events of 15, then 2 of 4
        cusum.step(3, 45, 10, 2);
        assert_eq!(cusum, Cusum { high: 45 - 36, low: 0 });
        cusum.step(2, 8, 10, 2);
        assert_eq!(cusum, Cusum { high: 0, low: 16 - 8 });
        cusum.step(0, 0, 10, 2);
        assert_eq!(cusum, Cusum { high: 0, low: 8 });
    }

    #[test]
    fn runs_in_any_grouping_equal_steps() {
        let seed = laws::seed();
        let mut prng = Prng::stream(seed, "cusum");
        for round in 0..300 {
            let (target, slack) = (prng.between(-50, 50), prng.between(0, 20));
            let tiles: Vec<(u64, i128)> = (0..=prng.below(60))
                .map(|_| {
                    let count = prng.below(5);
                    (count, i128::from(count) * i128::from(prng.between(-120, 120)))
                })
                .collect();
            let mut cusum = Cusum::default();
            tiles.iter().for_each(|(count, sum)| cusum.step(*count, *sum, target, slack));
            for _ in 0..20 {
                let runs = |of: fn(u64, i128, i64, i64) -> Run| -> Vec<Run> {
                    tiles.iter().map(|(count, sum)| of(*count, *sum, target, slack)).collect()
                };
                let (high, low) = (runs(Run::high), runs(Run::low));
                let found = Cusum {
                    high: composed(&mut prng, &high).after(0),
                    low: composed(&mut prng, &low).after(0),
                };
                assert_eq!(found, cusum, "LARDER_SEED={seed} round {round}");
            }
        }
    }

    #[test]
    fn the_longest_window_of_the_largest_tiles_does_not_saturate() {
        let count = (1_u64 << 40) - 1;
        let sum = i128::from(count) * i128::from(i64::MAX);
        let mut cusum = Cusum::default();
        for _ in 0..1 << 20 {
            cusum.step(count, sum, i64::MIN, i64::MIN);
        }
        let step = i128::from(count) * (3 * (1 << 63) - 1);
        assert_eq!(cusum, Cusum { high: step << 20, low: 0 });
        cusum.step(u64::MAX, i128::MIN, i64::MAX, i64::MIN);
        cusum.step(u64::MAX, i128::MIN, i64::MAX, i64::MIN);
        assert_eq!(cusum, Cusum { high: 0, low: i128::MAX });
    }
}
