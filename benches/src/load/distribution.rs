//! Which entity a request is about: all alike, by Zipf's law, or a hot set.
//!
//! Zipf ranks are drawn by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone
//! discrete distributions", ACM TOMACS 6(3), 1996): exact for any number of entities, without a table.

use std::fmt;
use std::str::FromStr;

use stdx::prng::Prng;

/// The exponent when none is given: what popularity of cards, users and items is like.
const ZIPF_DEFAULT: f64 = 1.1;
/// The size of a hot set when none is given.
const HOT_DEFAULT: u64 = 10;
/// The share of requests that a hot set gets.
const HOT_SHARE: f64 = 0.9;

/// How requests are spread over entities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Every entity is as likely as any other.
    Uniform,
    /// The entity of rank k, from 1, is drawn in proportion to k^-exponent; entity 0 has rank 1.
    Zipf(f64),
    /// Nine requests of ten are about the first so many entities, the others about any.
    Hot(u64),
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = || {
            format!(
                "`{text}` is no distribution: write uniform, zipf or zipf=1.1 (0 to 10), hot or hot=10 (1 at least)"
            )
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        match (name, value) {
            ("uniform", None) => Ok(Self::Uniform),
            ("zipf", None) => Ok(Self::Zipf(ZIPF_DEFAULT)),
            ("zipf", Some(value)) => {
                let exponent = value.parse::<f64>().ok();
                let exponent = exponent.filter(|exponent| *exponent > 0.0 && *exponent <= 10.0);
                exponent.map(Self::Zipf).ok_or_else(allowed)
            }
            ("hot", None) => Ok(Self::Hot(HOT_DEFAULT)),
            ("hot", Some(value)) => {
                value.parse().ok().filter(|count| *count > 0).map(Self::Hot).ok_or_else(allowed)
            }
            _ => Err(allowed()),
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(exponent) => write!(f, "zipf={exponent}"),
            Self::Hot(count) => write!(f, "hot={count}"),
        }
    }
}

/// Draws entity numbers below a bound.
#[derive(Debug, Clone)]
pub struct Entities {
    count: u64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Uniform,
    Zipf(Zipf),
    Hot(u64),
}

impl Entities {
    /// Numbers below `count` (1 at least), spread as `distribution` says.
    #[must_use]
    pub fn new(distribution: Distribution, count: u64) -> Self {
        let count = count.max(1);
        let kind = match distribution {
            Distribution::Uniform => Kind::Uniform,
            Distribution::Zipf(exponent) => Kind::Zipf(Zipf::new(exponent, count)),
            Distribution::Hot(hot) => Kind::Hot(hot.min(count)),
        };
        Self { count, kind }
    }

    /// The next number.
    pub fn draw(&self, prng: &mut Prng) -> u64 {
        match &self.kind {
            Kind::Uniform => prng.below(self.count),
            Kind::Zipf(zipf) => zipf.draw(prng) - 1,
            Kind::Hot(hot) if prng.chance(HOT_SHARE) => prng.below(*hot),
            Kind::Hot(_) => prng.below(self.count),
        }
    }
}

/// Ranks from 1 to a bound with probabilities in proportion to rank^-exponent.
#[derive(Debug, Clone)]
struct Zipf {
    exponent: f64,
    count: f64,
    /// The integral of the density at 1.5, less the probability of rank 1.
    low: f64,
    /// The integral at the last rank and a half.
    high: f64,
    /// Within so much below its rank a draw is accepted at once.
    margin: f64,
}

impl Zipf {
    fn new(exponent: f64, count: u64) -> Self {
        let count = count as f64;
        let mut zipf = Self { exponent, count, low: 0.0, high: 0.0, margin: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(count + 0.5);
        zipf.margin = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    fn density(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of the density from 1 to x: (x^(1-s) - 1) / (1-s), and ln x at s = 1.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        let scaled = (1.0 - self.exponent) * log;
        if scaled.abs() < 1e-12 { log } else { log * scaled.exp_m1() / scaled }
    }

    fn inverse(&self, area: f64) -> f64 {
        let scaled = (area * (1.0 - self.exponent)).max(-1.0);
        if scaled.abs() < 1e-12 { area.exp() } else { (area * scaled.ln_1p() / scaled).exp() }
    }

    fn draw(&self, prng: &mut Prng) -> u64 {
        loop {
            let area = self.high + prng.unit() * (self.low - self.high);
            let x = self.inverse(area);
            let rank = (x + 0.5).floor().clamp(1.0, self.count);
            let is_accepted =
                rank - x <= self.margin || area >= self.integral(rank + 0.5) - self.density(rank);
            if is_accepted {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a whole number from 1 to the count"
                )]
                return rank as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u64 = 200_000;

    fn counts(distribution: Distribution, entities: u64) -> Vec<u64> {
        let mut prng = Prng::new(11);
        let drawn = Entities::new(distribution, entities);
        let mut counts = vec![0; usize::try_from(entities).expect("small")];
        for _ in 0..DRAWS {
            counts[usize::try_from(drawn.draw(&mut prng)).expect("small")] += 1;
        }
        counts
    }

    #[test]
    fn zipf_draws_every_rank_as_often_as_its_probability_says() {
        for (exponent, entities) in [(1.1, 50), (1.0, 20), (0.5, 10), (2.5, 100)] {
            let weights: Vec<f64> =
                (1..=entities).map(|rank| (rank as f64).powf(-exponent)).collect();
            let all: f64 = weights.iter().sum();
            let counts = counts(Distribution::Zipf(exponent), entities);
            for (rank, (weight, count)) in weights.iter().zip(&counts).enumerate() {
                let expected = weight / all * DRAWS as f64;
                // Five standard deviations of a Poisson count, and one for the smallest ones.
                let tolerance = 5.0 * expected.sqrt() + 1.0;
                assert!(
                    (*count as f64 - expected).abs() < tolerance,
                    "exponent {exponent}, rank {}: {count} instead of {expected:.1}",
                    rank + 1
                );
            }
        }
    }

    #[test]
    fn a_hot_set_gets_nine_of_ten_and_uniform_is_even() {
        let hot: u64 = counts(Distribution::Hot(3), 1000).iter().take(3).sum();
        let share = hot as f64 / DRAWS as f64;
        assert!((0.895..0.906).contains(&share), "{share}");
        let even = counts(Distribution::Uniform, 10);
        assert!(even.iter().all(|count| (19_300..20_700).contains(count)), "{even:?}");
    }

    #[test]
    fn one_entity_is_always_drawn() {
        let one = |distribution| counts(distribution, 1)[0];
        assert_eq!(one(Distribution::Zipf(1.1)), DRAWS);
        assert_eq!(one(Distribution::Hot(10)), DRAWS);
    }

    #[test]
    fn distributions_are_written_as_they_are_read() {
        for text in ["uniform", "zipf=1.1", "hot=10", "zipf=0.5"] {
            assert_eq!(text.parse::<Distribution>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("zipf".parse(), Ok(Distribution::Zipf(1.1)));
        for text in ["", "zipf=", "zipf=-1", "zipf=nan", "hot=0", "uniform=1", "normal"] {
            let error = text.parse::<Distribution>().expect_err(text);
            assert!(error.contains("zipf=1.1") && error.contains("hot=10"), "{error}");
        }
    }
}
