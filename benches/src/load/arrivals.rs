//! When requests of an open loop are due: a schedule from a seed, that no answer can move.

use stdx::prng::Prng;

use super::pace::Arrivals;

/// The due times of one generator, in ns from the start, ascending.
#[derive(Debug)]
pub struct Schedule {
    /// Mean distance, in ns.
    mean_ns: f64,
    arrivals: Arrivals,
    prng: Prng,
    /// Of the next request; a float, so that no rounding adds up.
    next_ns: f64,
}

/// Which of how many generators.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// From 0 on.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl Schedule {
    /// `rate` requests a second, those of one of several generators: constant arrivals of all together are even. The stream of `prng`
    /// is this schedule's own.
    #[must_use]
    pub fn new(rate: f64, arrivals: Arrivals, turn: Turn, mut prng: Prng) -> Self {
        let mean_ns = 1e9 / rate;
        let next_ns = match arrivals {
            Arrivals::Constant => mean_ns * turn.number as f64 / turn.of as f64,
            Arrivals::Poisson => mean_ns * prng.unit(),
        };
        Self { mean_ns, arrivals, prng, next_ns }
    }

    /// The due time of the next request.
    pub fn advance(&mut self) -> u64 {
        let due = self.next_ns;
        self.next_ns += match self.arrivals {
            Arrivals::Constant => self.mean_ns,
            // The gaps of a Poisson process are exponential; 1 - unit() is never 0.
            Arrivals::Poisson => -self.mean_ns * (1.0 - self.prng.unit()).ln(),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and hours are far below 2^53 ns"
        )]
        let due_ns = due as u64;
        due_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(arrivals: Arrivals, seed: u64) -> Vec<f64> {
        let alone = Turn { number: 0, of: 1 };
        let mut schedule = Schedule::new(20_000.0, arrivals, alone, Prng::new(seed));
        let mut last = schedule.advance();
        (0..100_000)
            .map(|_| {
                let next = schedule.advance();
                let gap = next - last;
                last = next;
                gap as f64
            })
            .collect()
    }

    #[test]
    fn poisson_gaps_have_mean_and_deviation_of_the_rate() {
        for seed in [1, 2, 3] {
            let gaps = gaps(Arrivals::Poisson, seed);
            let count = gaps.len() as f64;
            let mean = gaps.iter().sum::<f64>() / count;
            let deviation =
                (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count).sqrt();
            // 50 µs each; the standard error of the mean is 0.3 % here.
            assert!((49_000.0..51_000.0).contains(&mean), "seed {seed}: {mean}");
            assert!((49_000.0..51_000.0).contains(&deviation), "seed {seed}: {deviation}");
            // e^-1 of exponential gaps are above the mean.
            let above = gaps.iter().filter(|gap| **gap > 50_000.0).count() as f64 / count;
            assert!((0.36..0.376).contains(&above), "seed {seed}: {above}");
        }
    }

    #[test]
    fn constant_arrivals_never_drift() {
        let gaps = gaps(Arrivals::Constant, 7);
        assert!(gaps.iter().all(|gap| (gap - 50_000.0).abs() <= 1.0));
        assert!((gaps.iter().sum::<f64>() - 5e9).abs() <= 1.0);
    }

    #[test]
    fn constant_arrivals_of_several_generators_are_as_even_as_those_of_one() {
        let of = |number| {
            let turn = Turn { number, of: 4 };
            let mut schedule = Schedule::new(1000.0, Arrivals::Constant, turn, Prng::new(1));
            (0..100).map(move |_| schedule.advance())
        };
        let mut due: Vec<_> = (0..4).flat_map(of).collect();
        due.sort_unstable();
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == 250_000), "{due:?}");
    }

    #[test]
    fn a_seed_gives_the_same_schedule_again() {
        assert_eq!(gaps(Arrivals::Poisson, 5), gaps(Arrivals::Poisson, 5));
        assert_ne!(gaps(Arrivals::Poisson, 5), gaps(Arrivals::Poisson, 6));
    }
}
