//! Payments of a million cards over 30 days, from a seed.

use model::time::{DAY_MS, HOUR_MS};
use stdx::prng::Prng;

/// How payments are spread over cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The k-th card has a share of k^-1.1.
    Zipf,
    /// Every card alike.
    Uniform,
}

/// One payment.
#[derive(Debug, Clone, Copy)]
pub struct Payment {
    /// Number of its card.
    pub card: u32,
    /// In cents.
    pub amount: i64,
    /// Event time, in ms.
    pub time: i64,
    /// When it arrives, in ms: not before its time.
    pub arrival: i64,
}

/// The exponent of [`Shape::Zipf`].
const EXPONENT: f64 = 1.1;
/// 2026-10-01T00:00:00Z.
const START_MS: i64 = 1_790_812_800_000;

/// `events` payments of `cards` cards, in order of arrival.
#[must_use]
pub fn payments(shape: Shape, cards: usize, events: usize, seed: u64) -> Vec<Payment> {
    let mut random = Prng::stream(seed, "payments");
    let shares: Vec<f64> = match shape {
        Shape::Uniform => Vec::new(),
        Shape::Zipf => {
            let mut sum = 0.0;
            let share = |rank: usize| (rank as f64).powf(-EXPONENT);
            (1..=cards)
                .map(|rank| {
                    sum += share(rank);
                    sum
                })
                .collect()
        }
    };
    let total = shares.last().copied().unwrap_or(0.0);
    let spacing = 30.0 * DAY_MS as f64 / events as f64;
    (0..events)
        .map(|number| {
            let card = match shape {
                Shape::Uniform => usize::try_from(random.below(cards as u64)).expect("fits"),
                Shape::Zipf => {
                    let wanted = random.unit() * total;
                    // Ranks are shuffled over cards, so that busy ones do not lie together.
                    let rank = shares.partition_point(|share| *share < wanted).min(cards - 1);
                    rank.wrapping_mul(982_451_653) % cards
                }
            };
            let arrival = START_MS + whole(number as f64 * spacing);
            let late = match random.below(1000) {
                0 => random.between(0, HOUR_MS),
                1..50 => whole(-30_000.0 * (1.0 - random.unit()).ln()),
                _ => 0,
            };
            // Log-normal, by the sum of twelve uniforms: 20 to 100 mostly.
            let normal = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
            let amount = whole(4500.0 * normal.exp());
            Payment {
                card: u32::try_from(card).expect("fits"),
                amount,
                time: arrival - late,
                arrival,
            }
        })
        .collect()
}

/// The `count` cards with most payments.
#[must_use]
pub fn busiest(payments: &[Payment], cards: usize, count: usize) -> Vec<u32> {
    let mut events = vec![0_u32; cards];
    for payment in payments {
        events[payment.card as usize] += 1;
    }
    let mut order: Vec<u32> = (0..u32::try_from(cards).expect("fits")).collect();
    order.sort_unstable_by_key(|card| std::cmp::Reverse(events[*card as usize]));
    order.truncate(count);
    order
}

#[expect(clippy::cast_possible_truncation, reason = "times and cents are far below 2^53")]
fn whole(value: f64) -> i64 {
    value.round() as i64
}
