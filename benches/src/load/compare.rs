//! Two sides on the same work, in turns of about a second: what a shared machine does to one it does to the other, and only
//! ratios of turns that stand side by side are told, with their spread.
//!
//! ```text
//! turn   larder  peer │ peer  larder │ larder  peer │ …      every other pair in the other order, against drift
//! ```

use std::time::Duration;

use super::{
    Error,
    bench::Bench,
    pace::Pace,
    run::{Live, Order, Run},
};

/// What is measured of each turn and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// CPU time of the server for a request.
    ServerCpu,
    /// Answers a second.
    Rate,
    /// The middle latency, of all requests: those that failed count as slowest.
    P50,
    /// The latency of the slowest in a hundred; failures likewise.
    P99,
}

impl Figure {
    /// All of them; what says most on a machine that is shared comes first.
    pub const ALL: [Self; 4] = [Self::ServerCpu, Self::Rate, Self::P50, Self::P99];

    /// Its name, with the unit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerCpu => "server CPU per request, µs",
            Self::Rate => "requests/s",
            Self::P50 => "p50, µs",
            Self::P99 => "p99, µs",
        }
    }

    /// Of one turn; infinite when so many requests failed that the latency is that of a failure.
    fn of(self, run: &Run) -> Option<f64> {
        let tally = &run.tally;
        if tally.answered() + tally.failed() == 0 {
            return None;
        }
        let quantile = |quantile| {
            let latency = tally.quantile_with_failures(quantile);
            latency.map_or(f64::INFINITY, |ns| ns as f64 / 1e3)
        };
        match self {
            Self::ServerCpu => run.server_cpu_us(),
            Self::Rate => Some(tally.rate()),
            Self::P50 => Some(quantile(0.5)),
            Self::P99 => Some(quantile(0.99)),
        }
    }
}

/// A middle and its surroundings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// A quarter is not above this.
    pub q25: f64,
    /// Half is not above this.
    pub median: f64,
    /// Three quarters are not above this.
    pub q75: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of these values, interpolated between neighbours; `None` of none.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (values.len().checked_sub(1)?) as f64;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a position in a list"
            )]
            let low = place.floor() as usize;
            let (below, above) = (*values.get(low)?, *values.get(low + 1).or(values.get(low))?);
            Some(below + (above - below) * (place - low as f64))
        };
        Some(Self {
            min: at(0.0)?,
            q25: at(0.25)?,
            median: at(0.5)?,
            q75: at(0.75)?,
            max: at(1.0)?,
        })
    }
}

/// One figure of both sides, and their ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Which.
    pub figure: Figure,
    /// Of the turns of Larder.
    pub larder: Spread,
    /// Of the peer's.
    pub peer: Spread,
    /// Of Larder's over the peer's, pair by pair.
    pub ratio: Spread,
}

/// The figures of two turns side by side, in the order of [`Figure::ALL`].
#[derive(Debug, Clone, Copy)]
struct Pair {
    larder: [Option<f64>; Figure::ALL.len()],
    peer: [Option<f64>; Figure::ALL.len()],
}

/// Both sides' turns: figures of each pair, and sums of all; a long comparison is no larger for its histograms.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What the peer is.
    pub peer: String,
    pairs: Vec<Pair>,
    sums: Option<Box<(Run, Run)>>,
}

impl Comparison {
    /// Without turns yet.
    #[must_use]
    pub fn new(peer: String) -> Self {
        Self { peer, pairs: Vec::new(), sums: None }
    }

    /// Adds a turn of Larder and the peer's beside it.
    pub fn push(&mut self, larder: Run, peer: Run) {
        self.pairs.push(Pair {
            larder: Figure::ALL.map(|figure| figure.of(&larder)),
            peer: Figure::ALL.map(|figure| figure.of(&peer)),
        });
        match &mut self.sums {
            Some(sums) => {
                add(&mut sums.0, &larder);
                add(&mut sums.1, &peer);
            }
            None => self.sums = Some(Box::new((larder, peer))),
        }
    }

    /// How many pairs of turns there are.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The figures that both sides have. A latency that was a failure's in any turn is not among them: leaving out such turns
    /// would make the side that fails look better.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        Figure::ALL
            .into_iter()
            .enumerate()
            .filter_map(|(index, figure)| row(figure, &self.both(index)))
            .collect()
    }

    /// What failures speak against the figures, on either side.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if let Some((larder, peer)) = self.sums() {
            for (name, tally) in [("larder", &larder.tally), ("peer", &peer.tally)] {
                let (answered, failed) = (tally.answered(), tally.failed());
                if failed > 0 {
                    doubts.push(format!(
                        "{name}: {failed} of {} requests failed; the latencies compared count them as slowest",
                        answered + failed
                    ));
                }
            }
        }
        for (index, figure) in Figure::ALL.into_iter().enumerate() {
            let failing = self.both(index).into_iter().filter(|both| is_failing(*both)).count();
            if failing > 0 {
                doubts.push(format!(
                    "{} is not compared: in {failing} of {} pairs it is that of a failed request",
                    figure.as_str(),
                    self.pairs.len()
                ));
            }
        }
        doubts
    }

    /// One figure of the pairs in which both sides have it.
    fn both(&self, index: usize) -> Vec<(f64, f64)> {
        let of = |figures: &[Option<f64>]| figures.get(index).copied().flatten();
        self.pairs.iter().filter_map(|pair| of(&pair.larder).zip(of(&pair.peer))).collect()
    }

    /// All turns of Larder as one, and all of the peer's: for percentiles of many requests.
    #[must_use]
    pub fn sums(&self) -> Option<&(Run, Run)> {
        self.sums.as_deref()
    }
}

fn is_failing((larder, peer): (f64, f64)) -> bool {
    larder.is_infinite() || peer.is_infinite()
}

fn row(figure: Figure, both: &[(f64, f64)]) -> Option<Row> {
    if both.iter().any(|both| is_failing(*both)) {
        return None;
    }
    Some(Row {
        figure,
        larder: Spread::of(both.iter().map(|(larder, _)| *larder).collect())?,
        peer: Spread::of(both.iter().map(|(_, peer)| *peer).collect())?,
        ratio: Spread::of(
            both.iter()
                .filter(|(_, peer)| *peer > 0.0)
                .map(|(larder, peer)| larder / peer)
                .collect(),
        )?,
    })
}

fn add(sum: &mut Run, more: &Run) {
    sum.tally.append(&more.tally);
    sum.server_cpu_ns = sum.server_cpu_ns.zip(more.server_cpu_ns).map(|(a, b)| a + b);
    sum.generator_cpu_ns += more.generator_cpu_ns;
}

/// How long turns are, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// Sent before each turn, and not counted: the other side had the caches.
    pub lead_in: Duration,
    /// One turn.
    pub turn: Duration,
    /// Pairs that count.
    pub pairs: usize,
    /// Pairs before them that do not.
    pub warm_up_pairs: usize,
}

impl Turns {
    /// Turns of a second, or less if that makes fewer than five pairs.
    #[must_use]
    pub fn within(warm_up: Duration, duration: Duration) -> Self {
        const PAIRS_WANTED: u32 = 5;
        let turn = (duration / (2 * PAIRS_WANTED))
            .clamp(Duration::from_millis(50), Duration::from_secs(1));
        let pairs = |time: Duration| {
            let count = (time.as_secs_f64() / (2.0 * turn.as_secs_f64())).round();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let count = count as usize;
            count
        };
        Self {
            lead_in: turn / 10,
            turn,
            pairs: pairs(duration).max(1),
            warm_up_pairs: pairs(warm_up),
        }
    }
}

impl Bench {
    /// Measures Larder and the peer in turns, both with the same requests; `watch` hears pairs done and all of them.
    ///
    /// # Errors
    /// When there is no peer, or a generator cannot go on.
    pub fn compare(
        &self,
        pace: Pace,
        turns: Turns,
        watch: &mut dyn FnMut(&Live, usize, usize),
    ) -> Result<Comparison, Error> {
        let peer = self
            .peer_name()
            .ok_or_else(|| Error::Usage("there is nobody to compare with".to_owned()))?;
        let all = turns.warm_up_pairs + turns.pairs;
        let mut comparison = Comparison::new(peer);
        for number in 0..all {
            let mut turn = |side| {
                let order = Order {
                    side,
                    pace,
                    warm_up: turns.lead_in,
                    duration: turns.turn,
                    name: format!("turn {number}"),
                    seed: self.plan().seed,
                };
                self.measure(&order, &mut |live| watch(live, number, all))
            };
            let (larder, peer) = if number % 2 == 0 {
                let larder = turn(0)?;
                (larder, turn(1)?)
            } else {
                let peer = turn(1)?;
                (turn(0)?, peer)
            };
            if number >= turns.warm_up_pairs {
                comparison.push(larder, peer);
            }
        }
        Ok(comparison)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::Tally;

    /// A turn of a second with so many answers of so many µs, and so much CPU time for each.
    fn run(answers: u64, us: u64, cpu_us: u64) -> Run {
        let mut tally = Tally::by_second(0, 1_000_000_000);
        (0..answers).for_each(|_| tally.answered_at(0, us * 1000, 1));
        Run {
            pace: Pace::Closed { concurrency: 1 },
            tally,
            server_cpu_ns: Some(answers * cpu_us * 1000),
            generator_cpu_ns: 0,
            generators: 1,
        }
    }

    fn comparison(pairs: impl IntoIterator<Item = (Run, Run)>) -> Comparison {
        let mut comparison = Comparison::new("peer".into());
        pairs.into_iter().for_each(|(larder, peer)| comparison.push(larder, peer));
        comparison
    }

    #[test]
    fn a_side_that_fails_does_not_look_better() {
        let mut failing = run(50, 10, 5);
        (0..50).for_each(|_| failing.tally.failed_at(0, "OVERLOADED"));
        let compared = comparison([(run(100, 20, 5), run(100, 20, 5)), (run(100, 20, 5), failing)]);
        let figures: Vec<_> = compared.rows().iter().map(|row| row.figure).collect();
        assert!(!figures.contains(&Figure::P99), "half of a turn failed: {figures:?}");
        let doubts = compared.doubts();
        assert!(doubts[0].starts_with("peer: 50 of 200 requests failed"), "{doubts:?}");
        assert!(doubts[1].starts_with("p99, µs is not compared: in 1 of 2 pairs"), "{doubts:?}");
    }

    #[test]
    fn ratios_are_of_pairs_and_not_of_means() {
        // The machine got ten times slower in the middle: both sides with it.
        let pairs = vec![
            (run(100, 10, 5), run(50, 20, 20)),
            (run(10, 100, 50), run(5, 200, 200)),
            (run(100, 10, 6), run(50, 20, 20)),
        ];
        let comparison = comparison(pairs);
        let rows = comparison.rows();
        let row = |figure| *rows.iter().find(|row| row.figure == figure).expect("measured");
        let cpu = row(Figure::ServerCpu);
        assert_eq!((cpu.ratio.min, cpu.ratio.median, cpu.ratio.max), (0.25, 0.25, 0.3));
        assert!((row(Figure::Rate).ratio.median - 2.0).abs() < 1e-9);
        assert!((row(Figure::P99).ratio.max - 0.5).abs() < 0.01);
        let (larder, peer) = comparison.sums().expect("there are turns");
        assert_eq!((larder.tally.answered(), peer.tally.answered()), (210, 105));
        assert_eq!(larder.tally.timeline().len(), 3, "turn after turn");
        assert!((larder.tally.rate() - 70.0).abs() < 1e-9);
    }

    #[test]
    fn a_figure_that_one_side_does_not_have_is_left_out() {
        let mut remote = run(10, 10, 1);
        remote.server_cpu_ns = None;
        let compared = comparison([(run(10, 10, 1), remote)]);
        let figures: Vec<_> = compared.rows().iter().map(|row| row.figure).collect();
        assert_eq!(figures, [Figure::Rate, Figure::P50, Figure::P99]);
        let silent = comparison([(run(0, 1, 1), run(0, 1, 1))]);
        assert_eq!(silent.rows(), []);
    }

    #[test]
    fn a_spread_interpolates_and_turns_fit_the_time() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0]).expect("some");
        assert_eq!(
            (spread.min, spread.q25, spread.median, spread.q75, spread.max),
            (1.0, 1.75, 2.5, 3.25, 4.0)
        );
        assert_eq!(Spread::of(Vec::new()), None);
        let turns = Turns::within(Duration::from_secs(2), Duration::from_secs(20));
        assert_eq!((turns.turn, turns.pairs, turns.warm_up_pairs), (Duration::from_secs(1), 10, 1));
        let short = Turns::within(Duration::ZERO, Duration::from_secs(1));
        assert_eq!((short.turn, short.pairs), (Duration::from_millis(100), 5));
    }
}
